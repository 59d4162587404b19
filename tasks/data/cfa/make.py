"""A script that writes train.jsonl, validation.jsonl and test.jsonl: exam-style questions of levels I to III.

    python -m tasks.data.cfa.make [FOLDER]

Concepts come from `concepts/`, formula wording from `numeric/`, formulas from `formulas_*.py`, all other wording from
`wording.toml`. It is the project's own. The output has the same bytes every time: one seed per split and topic, no hash
order. No split shares a stem, a template, a firm or a set of numbers with another one.
"""

from __future__ import annotations

import itertools
import json
import random
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tasks.data.cfa.numeric import Ledger, SolvedQuestion, work
from tasks.data.cfa.parts import HERE, SPLITS, TOPICS, Concept, read_concepts, read_families, read_wording

SEED = 20250
VIGNETTE_SIZES = (5, 4, 6)


@dataclass(frozen=True)
class Quota:
    """Questions per topic: `single` ones of level I and `vignettes` of five on average; `numeric` counts among both."""

    single: int
    vignettes: int
    numeric: int


# Training has few vignettes: their cases are two thirds of the tokens and teach nothing that decides a question.
QUOTAS = {"train": Quota(186, 8, 34), "validation": Quota(15, 3, 0), "test": Quota(25, 7, 9)}
# Share of level III in a topic's vignettes: that level is mostly about portfolios, conduct and wealth.
LEVEL_III = {
    "portfolio": 0.75,
    "ethics": 0.5,
    "fixed_income": 0.3,
    "derivatives": 0.3,
    "alternatives": 0.3,
    "equity": 0.2,
}


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
    form: str = ""
    numbers: tuple[str, ...] = ()
    level: str = "I"
    vignette: str = ""
    context: str = ""


def balanced_pairs(rights: list[Concept], rng: random.Random) -> list[tuple[Concept, Concept]]:
    """Return two distractors per right concept, so that each concept is wrong exactly twice as often as right."""
    pool = rights * 2
    rng.shuffle(pool)
    n = len(rights)

    def clashes(i: int) -> bool:
        trio = [rights[i], pool[i], pool[n + i]]
        if len({c.name for c in trio}) < 3 or len({c.answer for c in trio}) < 3:
            return True
        return any(d.name in trio[0].near for d in trio[1:])

    while bad := [i for i in range(n) if clashes(i)]:
        for i in bad:
            slot, swap = i + n * rng.randrange(2), rng.randrange(2 * n)
            pool[slot], pool[swap] = pool[swap], pool[slot]
    return [(pool[i], pool[n + i]) for i in range(n)]


def choose_concepts(
    concepts: list[Concept], split: str, count: int, rng: random.Random
) -> list[tuple[Concept, str, int]]:
    """Return (concept, "name" or "answer", index of the stem or template) of each question.

    Training: every stem, then answers in rounds. Test: every concept by name, by answer, then by its second stem.
    Validation: half of them by name, the others by answer.
    """
    order = rng.sample(concepts, len(concepts))
    names = [(c, "name", i) for i in range(len(order[0].stems[split])) for c in order]
    answers = [(c, "answer", i) for i in range(8) for c in rng.sample(order, len(order))]
    if split == "train":
        return (names + answers)[:count]
    if split == "validation":
        half = count // 2
        return (names[:half] + [(c, "answer", i) for i in range(2) for c in order[half:] + order[:half]])[:count]
    return (names[: len(order)] + answers[: len(order)] + names[len(order) :])[:count]


def concept_items(topic: str, split: str, count: int, words: Any, rng: random.Random) -> list[Item]:
    """Return the concept questions of a topic; `in_case` may later change the wording of those in vignettes."""
    selection = choose_concepts(read_concepts(topic), split, count, rng)
    templates = words["answer"][split]
    shift = {c.name: rng.randrange(len(templates)) for c, _, _ in selection}
    items: list[Item] = []
    for form in ("name", "answer"):
        group = [(c, i) for c, f, i in selection if f == form]
        for (c, i), pair in zip(group, balanced_pairs([c for c, _ in group], rng), strict=True):
            if form == "name":
                question, stem = c.stems[split][i], f"{topic}/{c.name}/{split}-{i}"
            else:
                t = (i + shift[c.name]) % len(templates)
                question, stem = templates[t].format(name=c.name), f"answer/{split}-{t}"
            texts = [getattr(x, form) for x in (c, *pair)]
            items.append(Item(topic, "concept", question, texts[0], dict.fromkeys(texts[1:], ""), c.name, stem, form))
    rng.shuffle(items)
    return items


def numeric_items(topic: str, split: str, count: int, ledger: Ledger, rng: random.Random) -> list[SolvedQuestion]:
    """Return solved questions of the topic's families in turn."""
    families = read_families(topic)
    rng.shuffle(families)
    return [work(families[i % len(families)], split, i // len(families), ledger, rng) for i in range(count)]


def numeric_item(worked: SolvedQuestion, question: str) -> Item:
    """Return a solved question as an item."""
    wrong = {text: label for label, text in worked.wrong.items()}
    family = worked.family
    return Item(
        family.topic, "numeric", question, worked.right, wrong, family.name, worked.stem, "", tuple(worked.numbers)
    )


def take(items: list[Item], count: int) -> list[Item]:
    """Remove and return the next `count` items with different concepts."""
    result: list[Item] = []
    for item in list(items):
        if len(result) < count and item.concept not in {p.concept for p in result}:
            result.append(item)
            items.remove(item)
    return result


def in_case(item: Item, split: str, firm: str, words: Any, rng: random.Random) -> Item:
    """Return an item of a vignette; half of the questions for a concept's meaning mention the firm."""
    templates = words["answer_in_case"][split]
    t = rng.randrange(2 * len(templates))
    if item.form != "answer" or t >= len(templates):
        return item
    question = templates[t].format(name=item.concept, firm=firm)
    return replace(item, question=question, stem=f"answer-in-case/{split}-{t}")


def topic_groups(topic: str, split: str, ledger: Ledger, words: Any) -> list[list[Item]]:
    """Return all groups of a topic: vignettes with one number question each, then single questions."""
    rng = random.Random(f"{SEED}/{split}/{topic}")
    quota = QUOTAS[split]
    numeric = quota.numeric or 4 + TOPICS.index(topic) % 2
    sizes = [VIGNETTE_SIZES[v % 3] for v in range(quota.vignettes)]
    solved = numeric_items(topic, split, numeric, ledger, rng)
    concepts = concept_items(topic, split, quota.single + sum(sizes) - numeric, words, rng)
    openings, firms = words["opening"][topic][split], words["firm"][split]
    rng.shuffle(firms := list(firms))
    groups: list[list[Item]] = []
    for v, size in enumerate(sizes):
        worked, firm = solved.pop(), firms[v % len(firms)]
        members = [in_case(item, split, firm, words, rng) for item in take(concepts, size - 1)]
        members.insert(rng.randrange(size), numeric_item(worked, worked.ask))
        level = "III" if v < round(LEVEL_III.get(topic, 0.0) * len(sizes)) else "II"
        context = f"{openings[v % len(openings)].format(firm=firm)} {worked.facts}"
        name = f"{split}-{topic}-case-{v + 1:02d}"
        groups.append([replace(item, level=level, vignette=name, context=context) for item in members])
    singles = concepts + [numeric_item(worked, f"{worked.facts} {worked.ask}") for worked in solved]
    return groups + [[item] for item in singles]


def rows(split: str, ledger: Ledger, words: Any) -> list[dict[str, Any]]:
    """Return the rows of a split."""
    groups = [group for topic in TOPICS for group in topic_groups(topic, split, ledger, words)]
    return number_rows(split, groups, random.Random(f"{SEED}/{split}"))


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
                "vignette": item.vignette,
                "context": item.context,
                "question": item.question,
                "options": options,
                "answer": item.right,
                "concept": item.concept,
                "stem": item.stem,
                "numbers": list(item.numbers),
                "mistakes": [item.wrong.get(text, "") for text in options] if item.kind == "numeric" else [],
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
