"""What each command does, one module a command, named as the user types it.

A command calls the rooms below and hands what they return to `terminal`; it computes no number.
"""
