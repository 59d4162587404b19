"""A model is located, loaded, fed, queried and measured.

Torch may be imported at the top of a module here and in `training`, and nowhere else.
"""
