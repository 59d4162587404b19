"""Output of the program: tables go to stdout, progress and errors to stderr.

Only modules here print.
"""
