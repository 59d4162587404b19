"""The figures, one file each.

A figure draws the values it is handed and computes none.
"""
