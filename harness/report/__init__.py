"""Comparisons become tables, figures and one page.

No module here imports torch; the same records give the same bytes, and files are written through `store` only.
"""
