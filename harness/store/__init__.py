"""The folder `results/` on disk.

This is the only room that writes there.
"""
