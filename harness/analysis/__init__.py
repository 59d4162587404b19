"""Records become comparisons.

Pure functions: no module here opens a file, writes text for people or imports torch.
"""
