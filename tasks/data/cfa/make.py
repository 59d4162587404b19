"""A script that writes train.jsonl, validation.jsonl and test.jsonl: exam-style questions of levels I to III.

    python -m tasks.data.cfa.make [FOLDER]

`recall` and `transfer` ask for concepts (`concepts/`, `transfer.toml`), `calculation` for figures of a case (`cases/`,
`formulas_*.py`), `judgement` for an action that the facts decide (`judgement/`). All wording is the project's own. The
output has the same bytes every time: a seed for each split and kind, no hash order. No split shares a stem, a template, a
name or a set of numbers with another one.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tasks.data.cfa.numeric import Ledger, work_case
from tasks.data.cfa.pairing import random_pairs, recall_pairs, transfer_pairs
from tasks.data.cfa.parts import (
    HERE,
    SPLITS,
    TOPICS,
    Action,
    Case,
    Concept,
    Dilemma,
    read_cases,
    read_concepts,
    read_dilemmas,
    read_wording,
)
from tasks.data.cfa.text import articles, content, with_draws, with_numbers

SEED = 20263
STEMS = 3  # training questions of a concept
RECALL = {"validation": 2, "test": 8}  # questions of a topic
TEN = 10  # every tenth transfer question is the validation split's
CASES = {"train": 2, "validation": 1, "test": 2}  # vignettes of a case; in validation of every other case
SEVERAL = {"train": 2, "validation": 1, "test": 1}
VIGNETTES = {  # of a judgement family, by its deciding step
    "facts": {"train": 1, "validation": 1, "test": 1},
    "rule": SEVERAL,
    "limit": SEVERAL,
    "comparison": SEVERAL,
    "lookup": SEVERAL,
    "threshold": {"train": 3, "validation": 1, "test": 1},
    "record": {"train": 12, "validation": 1, "test": 4},
}
ASKS = 3  # questions of a vignette
NAMES = (
    "surname",
    "firm",
    "woman",
    "man",
    "country",
    "fund",
    "bond",
    "project",
    "forward",
)  # tables of wording.toml, a list per split


@dataclass(frozen=True)
class Item:
    """A question without an id; `right` is the right option, `wrong` maps a distractor to the mistake behind it."""

    topic: str
    kind: str
    question: str
    right: str
    wrong: dict[str, str]
    concept: str
    stem: str
    numbers: tuple[str, ...] = ()
    level: str = "I"
    step: str = "term"
    vignette: str = ""
    context: str = ""


def training_stems(concept: Concept) -> list[int]:
    """Return which stems of a concept are trained: none that shares a word with its transfer stem, best without article."""
    stems = concept.stems["train"]
    words = content(concept.transfer)
    free = [i for i, stem in enumerate(stems) if not words & content(stem)]
    return sorted(sorted(free, key=lambda i: stems[i].endswith("a(n):"))[:STEMS])


def concept_items(topic: str, split: str, rng: random.Random) -> Iterator[Item]:
    """Yield the recall questions of a topic, then its transfer questions."""
    concepts = read_concepts(topic)
    if split == "train":
        rounds = [[(c, training_stems(c)[turn]) for c in concepts] for turn in range(STEMS)]
    else:
        rounds = [[(c, rng.randrange(len(c.stems[split]))) for c in rng.sample(concepts, RECALL[split])]]
    for chosen in rounds:
        asked = [c for c, _ in chosen]
        pairs = random_pairs(asked, concepts, rng) if split == "validation" else recall_pairs(asked, rng)
        for (concept, i), pair in zip(chosen, pairs, strict=True):
            stem = f"{topic}/{concept.name}/{split}-{i}"
            yield _concept_item("recall", concept, concept.stems[split][i], pair, stem)
    if split == "train":
        return
    asked = [c for c in concepts if c.transfer]
    asked = asked[::TEN] if split == "validation" else [c for i, c in enumerate(asked) if i % TEN]
    pairs = random_pairs(asked, concepts, rng) if split == "validation" else transfer_pairs(asked, rng)
    for concept, pair in zip(asked, pairs, strict=True):
        yield _concept_item("transfer", concept, concept.transfer, pair, f"{topic}/{concept.name}/transfer")


def _concept_item(kind: str, concept: Concept, question: str, pair: tuple[Concept, Concept], stem: str) -> Item:
    wrong = dict.fromkeys((c.name for c in pair), "")
    return Item(concept.topic, kind, question, concept.name, wrong, concept.name, stem)


def case_items(case: Case, turn: int, split: str, firm: str, ledger: Ledger, rng: random.Random) -> list[Item]:
    """Return the questions of one vignette of a case."""
    count = len(case.asks)
    asks = sorted((turn + i) % count for i in range(min(ASKS, count)))
    numbers, solved = work_case(case, asks, split, ledger, rng)
    texts = case.text[split]
    context = articles(with_numbers(texts[turn % len(texts)], numbers)).replace("{firm}", firm)
    items = []
    for index, worked in zip(asks, solved, strict=True):
        wording = case.asks[index].wording[split]
        place = (turn // len(texts) + index) % len(wording)
        items.append(
            Item(
                topic=case.topic,
                kind="calculation",
                question=wording[place].replace("{firm}", firm),
                right=worked.right,
                wrong={text: label for label, text in worked.wrong.items()},
                concept=worked.family.name,
                stem=f"{case.name}/{worked.family.name}/{split}-{place}",
                numbers=tuple(worked.numbers),
                level=case.level,
                step="formula",
                vignette=f"{split}-{case.name.replace(' ', '-')}-{turn + 1}",
                context=context,
            )
        )
    rng.shuffle(items)
    return items


def _numbers(dilemma: Dilemma, rng: random.Random) -> dict[str, int]:
    """Return the numbers of a vignette: from a range, or at a distance from a number before."""
    numbers: dict[str, int] = {}
    for key, (*start, first, last) in dilemma.numbers.items():
        numbers[key] = sum(numbers[name] for name in start) + rng.randint(first, last)
    return numbers


def _people(dilemma: Dilemma, split: str, employer: str, words: Any, rng: random.Random) -> list[dict[str, str]]:
    """Return the names and pronouns of three people, firms or countries."""
    if dilemma.subject != "person":
        names = rng.sample([name for name in words[dilemma.subject][split] if name != employer], 3)
        return [{"name": name} for name in names]
    woman, man = {"he": "she", "his": "her", "him": "her"}, {"he": "he", "his": "his", "him": "him"}
    everyone = [(n, woman) for n in words["woman"][split]] + [(n, man) for n in words["man"][split]]
    return [{"name": name} | pronouns for name, pronouns in rng.sample(everyone, 3)]


def _fact(dilemma: Dilemma, text: str, slots: dict[str, str], numbers: dict[str, int], rng: random.Random) -> str:
    """Return the facts of one person, with numbers."""
    first, last = dilemma.triple
    gap = 1 + (last - first) // 16  # between two of the numbers
    low, middle, high = (n + gap * i for i, n in enumerate(sorted(rng.sample(range(first, last + 1 - 2 * gap), 3))))
    shown = {"lo": low, "mid": middle, "hi": high, "m": rng.randint(4, 11)} | numbers
    text = with_draws(text, numbers, rng)
    text = text.format_map({key: str(value) for key, value in shown.items()} | slots)
    return text[0].upper() + text[1:]


def _question(dilemma: Dilemma, action: Action, turn: int, split: str) -> str:
    """Return the wording of a question: that of the family, or of a choice's answer."""
    asks = (action.ask or dilemma.ask)[split]
    count = len(dilemma.opening[split])
    return asks[(turn // count + turn) % len(asks)]


def dilemma_items(dilemma: Dilemma, turn: int, split: str, firm: str, words: Any, rng: random.Random) -> list[Item]:
    """Return the three questions of one vignette: three people or things in mixed order, one for each action."""
    numbers = _numbers(dilemma, rng)
    people = _people(dilemma, split, firm, words, rng)
    facts = []
    for place, (action, slots) in enumerate(zip(dilemma.actions, people, strict=True)):
        texts = action.facts[split]
        facts.append(_fact(dilemma, texts[(turn + place) % len(texts)], slots | {"firm": firm}, numbers, rng))
    openings = dilemma.opening[split]
    opening = openings[turn % len(openings)].format(firm=firm, **numbers)
    context = articles(" ".join([opening, *rng.sample(facts, len(facts))]))
    rows = [
        (
            _question(dilemma, action, turn, split).format(firm=firm, **slots),
            action.text or slots["name"],
            slots["name"],
        )
        for action, slots in zip(dilemma.actions, people, strict=True)
    ]
    return _vignette(dilemma, turn, split, context, rows, rng)


def threshold_items(dilemma: Dilemma, turn: int, split: str, firm: str, words: Any, rng: random.Random) -> list[Item]:
    """Return the three questions of one vignette with a figure: theirs is above, below and equal to it."""
    x = _numbers(dilemma, rng)["x"]
    other = rng.choice([name for name in words["firm"][split] if name != firm])
    openings = dilemma.opening[split]
    context = articles(openings[turn % len(openings)].format(firm=firm, other=other, x=x))
    values = (x + rng.randint(1, dilemma.gap), x - rng.randint(1, dilemma.gap), x)
    rows = [
        (articles(_question(dilemma, action, turn, split).format(firm=firm, y=value)), action.text, str(place))
        for place, (action, value) in enumerate(zip(dilemma.actions, values, strict=True))
    ]
    return _vignette(dilemma, turn, split, context, rows, rng)


def _vignette(
    dilemma: Dilemma, turn: int, split: str, context: str, rows: Sequence[tuple[str, str, str]], rng: random.Random
) -> list[Item]:
    """Return the questions of a vignette in mixed order; a row is a question, its right option and the end of its stem."""
    items = [
        Item(
            topic=dilemma.topic,
            kind="judgement",
            question=question,
            right=right,
            wrong={text: "" for _, text, _ in rows if text != right},
            concept=dilemma.name,
            stem=f"{dilemma.name}/{split}-{turn + 1}/{mark}",
            level=dilemma.level,
            step=dilemma.step,
            vignette=f"{split}-{dilemma.name.replace(' ', '-')}-{turn + 1}",
            context=context,
        )
        for question, right, mark in rows
    ]
    rng.shuffle(items)
    return items


def groups_of(split: str, ledger: Ledger, words: Any) -> Iterator[list[Item]]:
    """Yield all groups of a split: single questions, then vignettes."""
    for topic in TOPICS:
        rng = random.Random(f"{SEED}/{split}/{topic}")
        yield from ([item] for item in concept_items(topic, split, rng))
    rng = random.Random(f"{SEED}/{split}/calculation")
    firms = words["firm"][split]
    for place, case in enumerate(read_cases()):
        if split != "validation" or place % 2:
            for turn in range(CASES[split]):
                yield case_items(case, turn, split, rng.choice(firms), ledger, rng)
    rng = random.Random(f"{SEED}/{split}/judgement")
    for dilemma in (d for d in read_dilemmas() if split in d.opening):
        items = threshold_items if dilemma.step == "threshold" else dilemma_items
        for turn in range(VIGNETTES[dilemma.step][split]):
            yield items(dilemma, turn, split, rng.choice(firms), words, rng)


def rows(split: str, ledger: Ledger, words: Any) -> list[dict[str, Any]]:
    """Return the rows of a split."""
    return number_rows(split, list(groups_of(split, ledger, words)), random.Random(f"{SEED}/{split}"))


def number_rows(split: str, groups: list[list[Item]], rng: random.Random) -> list[dict[str, Any]]:
    """Return the rows of these groups in random order, with right options equally often first, second and third."""
    rng.shuffle(groups)
    turns: Counter[str] = Counter()
    positions: dict[str, list[int]] = {}
    result = []
    for number, item in enumerate(itertools.chain.from_iterable(groups), start=1):
        if turns[item.kind] % 3 == 0:
            positions[item.kind] = rng.sample(range(3), 3)
        options = rng.sample(sorted(item.wrong), 2)
        options.insert(positions[item.kind][turns[item.kind] % 3], item.right)
        turns[item.kind] += 1
        result.append(
            {
                "id": f"{split}-{number:04d}",
                "level": item.level,
                "topic": item.topic,
                "kind": item.kind,
                "step": item.step,
                "vignette": item.vignette,
                "context": item.context,
                "question": item.question,
                "options": options,
                "answer": item.right,
                "concept": item.concept,
                "stem": item.stem,
                "numbers": list(item.numbers),
                "mistakes": [item.wrong.get(text, "") for text in options] if item.kind == "calculation" else [],
            }
        )
    return result


def write(folder: Path) -> None:
    """Write the three files into `folder`."""
    ledger, words = Ledger(), read_wording()
    for split in reversed(
        SPLITS
    ):  # the test first, so that its numbers do not depend on the size of the training split
        lines = [json.dumps(row, ensure_ascii=False) for row in rows(split, ledger, words)]
        (folder / f"{split}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE)
