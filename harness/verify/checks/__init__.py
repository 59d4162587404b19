"""The checks that `verify` makes, one file a concern.

A check reads records and answers and returns findings; it writes nothing.
"""
