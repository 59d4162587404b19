"""Options become specs, and specs become records.

This is the only room that starts processes that train.
"""
