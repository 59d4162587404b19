"""Checks that read answers.

A check compares answers with the task, with their record, or with those of other runs. It loads no model.
"""
