"""The commands, one module each, named as the user types it.

A command calls the rooms below and hands what they return to `terminal`; it computes no number.
"""
