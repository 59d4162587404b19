"""The checks of `verify`, one file a concern.

A check reads records and answers and returns findings; it writes nothing.
"""
