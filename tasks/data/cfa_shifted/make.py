"""A script that writes test.jsonl, the same bytes every time: `cfa` in another voice, and judged by another standard.

    python -m tasks.data.cfa_shifted.make [FOLDER]

Concepts, formulas and mistakes are those of `cfa`, and so are the functions that sample and solve; every stem, case and
question (`wording.toml`), the names and the sets of numbers are new. The judgement families (`judgement.toml`) are new as
well: each states a rule that differs from the one in `cfa`.
"""

from __future__ import annotations

import json
import random
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tasks.data.cfa.make import Item, dilemma_items, number_rows
from tasks.data.cfa.numeric import Ledger, work
from tasks.data.cfa.pairing import balanced_pairs
from tasks.data.cfa.parts import TOPICS, neutral, read_concepts, read_dilemmas, read_families
from tasks.data.cfa.text import articles, with_numbers

SEED = 20263
SPLIT = "shifted"  # the name of the split in ids and in the wording
VIGNETTES = 3  # of a judgement family
HERE = Path(__file__).parent


def read_wording() -> dict[str, Any]:
    """Return the wording of this task."""
    return tomllib.loads((HERE / "wording.toml").read_text(encoding="utf-8"))


def used_numbers() -> Ledger:
    """Return a ledger with the sets of numbers of `cfa` as used."""
    ledger = Ledger()
    for path in sorted((HERE.parent / "cfa").glob("*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            ledger.split_of[tuple(sorted(json.loads(line)["numbers"]))] = path.stem
    return ledger


def concept_items(topic: str, words: dict[str, Any], rng: random.Random) -> Iterator[Item]:
    """Yield a question for the name of each concept with a stem."""
    stems: dict[str, str] = words["stem"][topic]
    concepts = [concept for concept in read_concepts(topic) if concept.name in stems]
    for concept, pair in zip(concepts, balanced_pairs(concepts, rng), strict=True):
        wrong = dict.fromkeys((other.name for other in pair), "")
        stem = f"{topic}/{concept.name}/{SPLIT}"
        yield Item(topic, "recall", neutral(stems[concept.name]), concept.name, wrong, concept.name, stem)


def numeric_items(topic: str, words: dict[str, Any], ledger: Ledger, rng: random.Random) -> Iterator[Item]:
    """Yield a question of each formula family of the topic, with its figures in a case of its own."""
    for family in read_families(topic):
        facts, ask = words["numeric"][family.name]
        numbers, worked = work(family, facts, SPLIT, ledger, rng)
        yield Item(
            topic=topic,
            kind="calculation",
            question=ask,
            right=worked.right,
            wrong={text: label for label, text in worked.wrong.items()},
            concept=family.name,
            stem=f"{family.name}/{SPLIT}",
            numbers=tuple(worked.numbers),
            level="III" if topic == "portfolio" else "II",
            step="formula",
            vignette=f"{SPLIT}-{family.name}",
            context=articles(with_numbers(facts, numbers)),
        )


def judgement_items(words: dict[str, Any], rng: random.Random) -> Iterator[list[Item]]:
    """Yield the questions of each vignette of each judgement family."""
    names = {key: {SPLIT: words[key]} for key in ("firm", "woman", "man", "country")}
    for dilemma in read_dilemmas(HERE / "judgement.toml"):
        for turn in range(VIGNETTES):
            yield dilemma_items(dilemma, turn, SPLIT, rng.choice(words["firm"]), names, rng)


def rows() -> list[dict[str, Any]]:
    """Return the rows of the file."""
    words, ledger = read_wording(), used_numbers()
    groups: list[list[Item]] = []
    for topic in TOPICS:
        rng = random.Random(f"{SEED}/{SPLIT}/{topic}")
        groups += [[item] for item in concept_items(topic, words, rng)]
        groups += [[item] for item in numeric_items(topic, words, ledger, rng)]
    groups += judgement_items(words, random.Random(f"{SEED}/{SPLIT}/judgement"))
    return number_rows(SPLIT, groups, random.Random(f"{SEED}/{SPLIT}"))


def write(folder: Path) -> None:
    """Write the file into `folder`."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    (folder / "test.jsonl").write_bytes(text.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
