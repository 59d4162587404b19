"""The files of a model folder: what decides an answer, the shapes of weights, and models in the GGUF format.

`harness.model.checkpoint` reads a folder by them; nothing here builds a model, except the conversion of a GGUF file.
"""
