"""The number of tokens of a text: by the model's own tokenizer if it lies in the model's folder, else estimated.

Torch and transformers are not needed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

from harness.model.checkpoint import TOKENIZERS

CHARACTERS = 3.5  # a token, if no tokenizer is at hand

Counter = Callable[[str], float]


def counter(folder: Path) -> Counter:
    """Return a function from a text to its number of tokens, without the tokens that a tokenizer adds to a text."""
    own = folder / TOKENIZERS[0]
    if own.is_file():
        with contextlib.suppress(Exception):  # a broken file is refused elsewhere, with words
            return _by_tokenizer(own)
    return lambda text: len(text) / CHARACTERS


def _by_tokenizer(path: Path) -> Counter:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)
