"""Intruder dimensions: new directions that training brought into the weights, and what they do.

Spectra and studies are computed here; their tables and figures stand beside them.
"""
