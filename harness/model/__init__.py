"""Models: locating and loading them, tokenising for them, asking them and measuring what a phase costs.

Torch may be imported at the top here, in `training` and in the few files that pyproject.toml lists.
"""
