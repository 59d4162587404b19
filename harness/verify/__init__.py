"""Checks whether a task, a run or a publication holds.

No module here imports torch, and a check judges but never repairs.
"""
