"""Intruder dimensions: new directions that training added to the weights, and their effect.

The modules compute spectra and studies, and their tables and figures.
"""

EPSILON, TOP = 0.5, 10  # the largest |cosine| of an intruder, and how many directions count, as the paper has them
