"""Intruder dimensions: new directions that training brought into the weights, and what they do.

Spectra and studies are computed here; their tables and figures stand beside them.
"""

EPSILON, TOP = 0.5, 10  # the largest |cosine| of an intruder, and how many directions count, as the paper has them
