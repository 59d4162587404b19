"""The files of a model folder: what decides an answer, the shapes of weights, and models in the GGUF format."""
