"""The number of tokens of a text: by the model's own tokenizer if it lies in the model's folder, else estimated.

The estimate counts words, numbers, marks and other pieces, and multiplies each count by the average number of tokens of
such a piece in the model's family. A word is known if it is among 30,000 English ones. The averages were fitted to 35 tasks
and 115 files: totals of tasks differ by 5.4 % at most, those of files by 2 % typically (fitted by
`tests/benchmarks/token_statistics.py`). Torch and transformers are not needed.
"""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from harness.model.checkpoint import TOKENIZERS

FOLDER = Path(__file__).parent / "token_statistics"
WORDS, WEIGHTS = "words.txt.gz", "weights.json"
OTHER = "smollm2"  # of a tokenizer without statistics: its totals lie in the middle

MARK = r"[!-/:-@\[-`{-~]"
WORD = re.compile(r"[A-Za-z]+")
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
NUMBER = re.compile(r"\d+")
MARKS = re.compile(rf"{MARK}+")
COUNTED: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("newlines", re.compile(r"\n+")),
    ("blanks before a digit", re.compile(r" (?=\d)")),
    ("wide blanks", re.compile(r"[ \t]{2,}")),
    ("marks before a newline", re.compile(rf"{MARK}(?=\n)")),
    ("decimal points", re.compile(r"(?<=\d)[.,](?=\d)")),
    ("marks inside words", re.compile(rf"(?<=[A-Za-z]){MARK}(?=[A-Za-z])")),
)

# Families by vocabulary, as (architecture, size) or architecture. Weights of the first group are the tokenizer's own. Those of
# the second are of a tokenizer of like vocabulary: none of these could be counted with.
FAMILIES: Mapping[tuple[str, int] | str, str] = {
    ("llama", 128_256): "llama3",
    ("llama", 32_000): "llama2",
    ("llama", 49_152): "smollm2",
    "qwen2": "qwen3",  # one vocabulary
    "qwen3": "qwen3",
    "gemma3_text": "gemma3",
    ("phi3", 100_352): "cl100k",  # Phi-4
    ("phi3", 200_064): "o200k",  # Phi-4-mini
    "gemma": "gemma3",
    "gemma2": "gemma3",
    ("mistral", 32_000): "llama2",
    ("mistral", 32_768): "llama2",
    ("mistral", 131_072): "qwen3",  # digits one by one, a large byte-level vocabulary
    ("phi3", 32_064): "llama2",
    "phi": "smollm2",
    "gpt2": "smollm2",
}

Counter = Callable[[str], float]


def counter(folder: Path | None, config: Mapping[str, Any]) -> Counter:
    """Return a function from a text to its number of tokens, without the tokens that a tokenizer adds to a text.

    Args:
        folder: of the model; None if the model is not on this machine.
        config: the model's, for the family of its tokenizer.
    """
    if folder is not None and (folder / TOKENIZERS[0]).is_file():
        with contextlib.suppress(Exception):  # a broken file is refused elsewhere, with words
            return _by_tokenizer(folder / TOKENIZERS[0])
    weights = statistics()[family(config)]
    return lambda text: sum(weights[kind] * count for kind, count in pieces(text).items())


def _by_tokenizer(path: Path) -> Counter:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(path))
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


def family(config: Mapping[str, Any]) -> str:
    """Return the family of tokenizers whose statistics are used for a model with this config."""
    kind = str(config.get("model_type", ""))
    return FAMILIES.get((kind, int(config.get("vocab_size", 0)))) or FAMILIES.get(kind, OTHER)


@functools.cache
def statistics() -> Mapping[str, Mapping[str, float]]:
    """Return the average tokens of each kind of piece, by family."""
    weights: dict[str, dict[str, float]] = json.loads((FOLDER / WEIGHTS).read_text(encoding="utf-8"))
    return weights


@functools.cache
def known_words() -> frozenset[str]:
    """Return the words that tokenizers of English text mostly have whole."""
    return frozenset(gzip.decompress((FOLDER / WORDS).read_bytes()).decode().split())


def pieces(text: str) -> dict[str, int]:
    """Return how many pieces of each kind a text has."""
    counts = _words(text)
    numbers, marks = NUMBER.findall(text), MARKS.findall(text)
    counts["numbers"] = len(numbers)
    counts["digits"] = sum(map(len, numbers))
    counts["groups of three digits"] = sum(-(-len(number) // 3) for number in numbers)
    counts["marks"] = len(marks)
    counts["further marks"] = sum(map(len, marks)) - len(marks)
    counts |= {kind: len(pattern.findall(text)) for kind, pattern in COUNTED}
    counts["other characters"] = 0 if text.isascii() else sum(ord(character) > 127 for character in text)
    return counts


def _words(text: str) -> dict[str, int]:
    known = unknown = letters = capitals = capital_letters = 0
    words = known_words()
    for word in WORD.findall(text):
        for part in (word,) if word in words else PART.findall(word):
            if part in words:
                known += 1
            elif part.isupper():
                capitals, capital_letters = capitals + 1, capital_letters + len(part)
            else:
                unknown, letters = unknown + 1, letters + len(part)
    return {
        "known words": known,
        "unknown words": unknown,
        "letters of unknown words": letters,
        "words of capitals": capitals,
        "capitals": capital_letters,
    }
