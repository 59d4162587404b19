"""Trained weights after their run: export, merge, score on other tasks, examine, serve.

This is the only room above the records that may load a model.
"""
