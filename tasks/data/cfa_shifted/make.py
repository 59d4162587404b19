"""A script that writes test.jsonl, the same bytes every time: concepts and formulas of `cfa` in another examiner's words.

    python -m tasks.data.cfa_shifted.make [FOLDER]

Concepts with their right options, formulas and mistakes are those of `cfa`, and so are the functions that sample and solve.
Every stem, case and question (`wording.toml`), the firms and the sets of numbers are new.
"""

from __future__ import annotations

import json
import random
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from tasks.data.cfa.make import LEVEL_III, Item, balanced_pairs, number_rows, numeric_item, take
from tasks.data.cfa.numeric import Ledger, work
from tasks.data.cfa.parts import TOPICS, Concept, neutral, read_concepts, read_families

SEED = 20261
SPLIT = "shifted"  # the name of the split in ids and in the wording
VIGNETTES = (5, 4)  # questions of the two cases of a topic, one of them with numbers
ANSWERS = 10  # questions of a topic for the meaning of a named concept
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
    """Yield questions for the name of each concept with a stem, and for the meaning of some of the others."""
    concepts = read_concepts(topic)
    stems: dict[str, str] = words["stem"][topic]
    concepts_with_stem = [concept for concept in concepts if concept.name in stems]
    concepts_without_stem = rng.sample([concept for concept in concepts if concept.name not in stems], ANSWERS)
    templates = words["answer"]
    turn = rng.randrange(len(templates))

    def question_of(form: str, concept: Concept, index: int) -> tuple[str, str]:
        if form == "name":
            return neutral(stems[concept.name]), f"{topic}/{concept.name}/{SPLIT}"
        number = (turn + index) % len(templates)
        return templates[number].format(name=concept.name), f"answer/{SPLIT}-{number}"

    for form, group in (("name", concepts_with_stem), ("answer", concepts_without_stem)):
        for index, (concept, pair) in enumerate(zip(group, balanced_pairs(group, rng), strict=True)):
            question, stem = question_of(form, concept, index)
            right, *wrong = (getattr(option, form) for option in (concept, *pair))
            yield Item(topic, "concept", question, right, dict.fromkeys(wrong, ""), concept.name, stem, form)


def numeric_items(topic: str, words: dict[str, Any], ledger: Ledger, rng: random.Random) -> list[tuple[str, Item]]:
    """Return a solved question of each formula family of the topic, with its facts."""
    pairs = []
    for family in read_families(topic):
        facts, ask = words["numeric"][family.name]
        worked = work(replace(family, facts={SPLIT: [facts]}, ask={SPLIT: [ask]}), SPLIT, 0, ledger, rng)
        pairs.append((worked.facts, numeric_item(worked, worked.ask)))
    rng.shuffle(pairs)
    return pairs


def in_case(item: Item, firm: str, words: dict[str, Any], rng: random.Random) -> Item:
    """Return an item of a case; a question for a concept's meaning is put in the words of a person of the case."""
    if item.form != "answer":
        return item
    number = rng.randrange(len(words["answer_in_case"]))
    question = words["answer_in_case"][number].format(name=item.concept, firm=firm)
    return replace(item, question=question, stem=f"answer-in-case/{SPLIT}-{number}")


def topic_groups(topic: str, words: dict[str, Any], ledger: Ledger, firms: Iterator[str]) -> list[list[Item]]:
    """Return all groups of a topic: its cases, then single questions."""
    rng = random.Random(f"{SEED}/{SPLIT}/{topic}")
    concepts = list(concept_items(topic, words, rng))
    rng.shuffle(concepts)
    solved = numeric_items(topic, words, ledger, rng)
    groups: list[list[Item]] = []
    for number, size in enumerate(VIGNETTES):
        firm, (facts, worked) = next(firms), solved.pop()
        members = [in_case(item, firm, words, rng) for item in take(concepts, size - 1)]
        members.insert(rng.randrange(size), worked)
        level = "III" if number < round(LEVEL_III.get(topic, 0.0) * len(VIGNETTES)) else "II"
        context = f"{words['opening'][topic][number].format(firm=firm)} {facts}"
        name = f"{SPLIT}-{topic}-case-{number + 1}"
        groups.append([replace(item, level=level, vignette=name, context=context) for item in members])
    singles = concepts + [replace(item, question=f"{facts} {item.question}") for facts, item in solved]
    return groups + [[item] for item in singles]


def rows() -> list[dict[str, Any]]:
    """Return the rows of the file."""
    words, ledger = read_wording(), used_numbers()
    rng = random.Random(f"{SEED}/{SPLIT}")
    firms = iter(rng.sample(words["firm"], len(words["firm"])))
    groups = [group for topic in TOPICS for group in topic_groups(topic, words, ledger, firms)]
    return number_rows(SPLIT, groups, rng)


def write(folder: Path) -> None:
    """Write the file into `folder`."""
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows())
    (folder / "test.jsonl").write_bytes(text.encode())


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
