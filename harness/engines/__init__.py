"""Other programs than transformers that answer a task's questions: `vllm` and `llamacpp`, one file each.

Law: an engine gets token ids and returns token ids and log-probabilities, so that prompts, stops, parsing and scores are
the same for all. Its package is imported inside functions, and an error of the engine is never an answer.
"""
