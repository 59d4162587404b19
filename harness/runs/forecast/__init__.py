"""Predictions of memory and time before a run.

A prediction reads shapes, a config and earlier records, never a result of the run itself.
"""
