"""The challengers of the harness, one small file each with a value `CHALLENGER`: answers without a language model.

A row of a trained model means little if counting words does as well. Challengers fit on at most `parts.answers.MAX_TRAIN`
training examples in seconds and answer the same test questions. scikit-learn is imported inside functions.
"""

BUILT_IN = ("commonest", "options_only", "words", "nearest", "trees", "embeddings")  # run by default, in table order


def position(name: str) -> tuple[int, str]:
    """Return the sort key of a challenger: those of the harness in their order, then the others by name."""
    return (BUILT_IN.index(name) if name in BUILT_IN else len(BUILT_IN), name)
