"""Options become specs, and specs become records.

No other room starts processes that train.
"""
