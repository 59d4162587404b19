"""The parts of the generator: concepts, formula families and wording, read from the TOML files beside it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from tasks.data.cfa import formulas_assets, formulas_firm, formulas_risk

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
FORMULAS: dict[str, Any] = {**vars(formulas_firm), **vars(formulas_assets), **vars(formulas_risk)}
SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Concept:
    """A term, its meaning, and descriptive stems per split. `near` names concepts too close to be its distractors."""

    topic: str
    name: str
    answer: str
    stems: Mapping[str, list[str]]
    near: frozenset[str]


@dataclass(frozen=True)
class Family:
    """A formula with its wording per split, the possible values of its numbers, and the format of its result."""

    topic: str
    name: str
    numbers: Mapping[str, list[Decimal]]
    facts: Mapping[str, list[str]]
    ask: Mapping[str, list[str]]
    decimals: int
    unit: str
    solve: Callable[..., tuple[Decimal, dict[str, Decimal]]]


def _toml(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)


def read_concepts(topic: str) -> list[Concept]:
    """Return the concepts of a topic in file order."""
    rows = _toml(HERE / "concepts" / f"{topic}.toml")["concept"]
    pairs = read_wording()["near"][topic]
    if unknown := {name for pair in pairs for name in pair} - {row["name"] for row in rows}:
        raise ValueError(f"wording.toml: [near] names unknown concepts of {topic}: {sorted(unknown)}")
    return [
        Concept(
            topic=topic,
            name=row["name"],
            answer=row["answer"],
            stems={split: [neutral(stem) for stem in row[split]] for split in SPLITS},
            near=frozenset(name for pair in pairs if row["name"] in pair for name in pair),
        )
        for row in rows
    ]


def neutral(stem: str) -> str:
    """Return the stem with "a(n)" as its last article, so that it gives no hint of the missing term's first letter."""
    return re.sub(r"\ban?:$", "a(n):", stem)


def _values(spec: list[Any] | dict[str, list[Any]]) -> list[Decimal]:
    """Return all values of `[first, last, step]`, or those listed in `{ of = [...] }`."""
    if isinstance(spec, dict):
        return [Decimal(value) for value in spec["of"]]
    first, last, step = (Decimal(value) for value in spec)
    return [first + step * i for i in range(int((last - first) / step) + 1)]


def read_families(topic: str) -> list[Family]:
    """Return the formula families of a topic in file order."""
    rows = _toml(HERE / "numeric" / f"{topic}.toml")["family"]
    return [
        Family(
            topic=topic,
            name=row["name"],
            numbers={key: _values(spec) for key, spec in row["numbers"].items()},
            facts=row["facts"],
            ask=row["ask"],
            decimals=row["decimals"],
            unit=row.get("unit", ""),
            solve=FORMULAS[row["name"]],
        )
        for row in rows
    ]


def read_wording() -> dict[str, Any]:
    """Return templates, firms and openings, each with one list per split."""
    return _toml(HERE / "wording.toml")
