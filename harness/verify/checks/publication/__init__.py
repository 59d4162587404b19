"""Checks that read files and tables.

A check compares bytes with checksums, or with views made again from runs. It judges no number by itself.
"""
