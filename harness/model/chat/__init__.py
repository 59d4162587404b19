"""Chat templates: their settings, what they render, and the text of data inside it.

A chat template is a program that comes with a model. Nothing here trusts it: its variables and its date are fixed and
recorded, its time is limited, and the prompt that it renders must contain the question.
"""
