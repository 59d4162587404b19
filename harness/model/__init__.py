"""Models: locating and loading them, tokenising for them, asking them and measuring what a phase costs.

Torch may be imported at the top of a module here and in `training`, and nowhere else.
"""
