"""Checks that read records.

A check compares fields of one record, or of records with each other. It opens no other file.
"""
