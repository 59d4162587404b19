"""The parts of the generator: concepts, formula families, cases, judgement families and names, read from the TOML files.

Lists that stand once per split have no common string in two splits.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tasks.data.cfa import formulas_assets, formulas_cases, formulas_firm, formulas_risk

HERE = Path(__file__).parent
TOPICS = (
    "ethics",
    "quantitative",
    "economics",
    "statements",
    "corporate",
    "equity",
    "fixed_income",
    "derivatives",
    "alternatives",
    "portfolio",
)
FORMULAS: dict[str, Any] = {
    name: function
    for module in (formulas_firm, formulas_assets, formulas_risk, formulas_cases)
    for name, function in vars(module).items()
}
SPLITS = ("train", "validation", "test")
ARTICLE = re.compile(r"\b(is|are) (an?|the):$")


@dataclass(frozen=True)
class Concept:
    """A term with its stems per split. `near` names concepts too close to be its distractors, `rivals` good ones.

    `transfer` is a stem without a content word of the training stems or of the term; empty if there is none.
    """

    topic: str
    name: str
    answer: str
    stems: Mapping[str, list[str]]
    transfer: str
    near: frozenset[str]
    rivals: frozenset[str]


@dataclass(frozen=True)
class Family:
    """A formula with the possible values of its numbers and the format of its result."""

    topic: str
    name: str
    numbers: Mapping[str, list[Decimal]]
    decimals: int
    unit: str
    solve: Callable[..., tuple[Decimal, dict[str, Decimal]]]
    money: bool = False


@dataclass(frozen=True)
class Ask:
    """A question about a case: its formula, the case's number for each argument, and its wording per split."""

    family: Family
    use: Mapping[str, str]
    wording: Mapping[str, list[str]]


@dataclass(frozen=True)
class Case:
    """A vignette with figures: its numbers, its text per split, and the questions that need some of the figures."""

    topic: str
    name: str
    level: str
    numbers: Mapping[str, list[Decimal]]
    text: Mapping[str, list[str]]
    asks: tuple[Ask, ...]


@dataclass(frozen=True)
class Action:
    """An action, and facts per split under which it is the right one.

    A choice among named things has no text, but the questions per split to which the thing with these facts is the answer.
    """

    text: str
    facts: Mapping[str, list[str]]
    ask: Mapping[str, list[str]]


@dataclass(frozen=True)
class Dilemma:
    """Three actions of which the facts of a person, firm, country or fund (`subject`) decide; `ask` and `opening` per split.

    `step` is the deciding one: facts in words, a rule of the vignette for figures, a limit that is taught, the comparison of two
    figures, a look-up, a word of a record, or the comparison of a figure of the vignette with one of the question, `gap` apart at most.
    `numbers` are drawn once for a vignette, from a range or from a distance to a number before them.
    """

    topic: str
    name: str
    level: str
    subject: str
    opening: Mapping[str, list[str]]
    ask: Mapping[str, list[str]]
    actions: tuple[Action, ...]
    numbers: Mapping[str, list[Any]]
    triple: tuple[int, int]
    step: str
    gap: int


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def read_concepts(topic: str) -> list[Concept]:
    """Return the concepts of a topic in file order."""
    rows = _toml(HERE / "concepts" / f"{topic}.toml")["concept"]
    transfer = _toml(HERE / "transfer.toml")[topic]
    words = read_wording()
    pairs, rivals = words["near"][topic], words["rivals"][topic]
    named = {name for group in (*pairs, *rivals) for name in group} | transfer.keys()
    if unknown := named - {row["name"] for row in rows}:
        raise ValueError(f"wording.toml or transfer.toml names unknown concepts of {topic}: {sorted(unknown)}")
    return [
        Concept(
            topic=topic,
            name=row["name"],
            answer=row["answer"],
            stems={split: [neutral(stem) for stem in row[split]] for split in SPLITS},
            transfer=transfer.get(row["name"], ""),
            near=frozenset(name for pair in pairs if row["name"] in pair for name in pair),
            rivals=frozenset(name for group in rivals if row["name"] in group for name in group) - {row["name"]},
        )
        for row in rows
    ]


def neutral(stem: str) -> str:
    """Return the stem without a last article, which would hint at the missing term's first letter or number."""
    return re.sub(r"\ban?:$", "a(n):", ARTICLE.sub(r"\1 called:", stem))


def _values(spec: list[Any] | dict[str, list[Any]]) -> list[Decimal]:
    """Return all values of `[first, last, step]`, or those listed in `{ of = [...] }`."""
    if isinstance(spec, dict):
        return [Decimal(value) for value in spec["of"]]
    first, last, step = (Decimal(value) for value in spec)
    return [first + step * i for i in range(int((last - first) / step) + 1)]


def _ranges(row: Mapping[str, Any]) -> dict[str, list[Decimal]]:
    return {key: _values(spec) for key, spec in row.items()}


def read_families(topic: str) -> list[Family]:
    """Return the formula families of a topic in file order; their wording is that of whoever asks."""
    rows = _toml(HERE / "numeric" / f"{topic}.toml")["family"]
    return [
        Family(topic, row["name"], _ranges(row["numbers"]), row["decimals"], row.get("unit", ""), FORMULAS[row["name"]])
        for row in rows
    ]


def read_cases() -> list[Case]:
    """Return the cases of all topics, in the order of TOPICS."""
    rows = [row for path in sorted((HERE / "cases").glob("*.toml")) for row in _toml(path)["case"]]
    return [_case(row) for topic in TOPICS for row in rows if row["topic"] == topic]


def _case(row: dict[str, Any]) -> Case:
    numbers = _ranges(row["numbers"])
    asks = tuple(_ask(row["topic"], name, ask, numbers) for name, ask in row["ask"].items())
    return Case(row["topic"], row["name"], row["level"], numbers, {split: row[split] for split in SPLITS}, asks)


def _ask(topic: str, name: str, row: dict[str, Any], numbers: Mapping[str, list[Decimal]]) -> Ask:
    solve = FORMULAS[name]
    arguments = [key for key in solve.__annotations__ if key != "return"]
    use = {key: row.get("use", {}).get(key, key) for key in arguments}
    ranges = {key: numbers[source] for key, source in use.items()}
    family = Family(topic, name, ranges, row["decimals"], row["unit"], solve, row.get("money", False))
    return Ask(family, use, {split: row[split] for split in SPLITS})


def read_dilemmas(folder: Path = HERE / "judgement") -> Iterator[Dilemma]:
    """Yield the judgement families of a folder, or of one file, in order."""
    for path in sorted(folder.glob("*.toml")) if folder.is_dir() else [folder]:
        page = _toml(path)
        for row in page["family"]:
            yield Dilemma(
                topic=row.get("topic") or page["topic"],
                name=row["name"],
                level=page["level"],
                subject=row.get("subject", "person"),
                opening=row["opening"],
                ask=row.get("ask", {}),
                actions=tuple(Action(a.get("text", ""), a, a.get("ask", {})) for a in row["action"]),
                numbers=row.get("numbers", {}),
                triple=tuple(row.get("triple", (3, 30))),
                step=row.get("step") or page.get("step", "facts"),
                gap=row.get("gap", 0),
            )


def read_wording() -> dict[str, Any]:
    """Return names of firms, people and countries, each with one list per split, and concepts too close to each other, or confused."""
    return _toml(HERE / "wording.toml")
