"""This program measured beside others that do the same work: `make bench`, see `__main__.py`."""
