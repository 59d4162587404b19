"""The wording of one split as a value: what its filers print and how its readers ask."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from tasks.data.sec_qa.aliases import ALIASES
from tasks.data.sec_qa.asks import ASIDE, ASKS, DIRECTIONS, FORMS, MATTERS, PURCHASES, SPANS, UNITS, WHEN
from tasks.data.sec_qa.ratios import RATIOS
from tasks.data.sec_qa.templates import HEADERS, LAYOUTS, OVER, QUESTIONS, SEGMENTS, TITLES, Layout

Texts = tuple[str, ...]
Wording = Mapping[str, Texts]


@dataclass(frozen=True)
class Voice:
    """The texts of a split.

    `titles`, `layouts` and `over` make the head of an excerpt, `headers` and `segments` name its columns. `asks` are the
    questions by form, `aliases` and `measures` the names of lines and measures in them. `moments` name
    columns. The other fields are the texts of `asks.py` of the same name.
    """

    titles: Wording
    layouts: tuple[Layout, ...]
    over: Wording
    headers: Wording
    segments: tuple[Texts, ...]
    asks: Wording
    aliases: Wording
    measures: Wording
    moments: Mapping[str, Wording]
    spans: Wording
    units: Wording
    directions: Wording
    aside: Wording
    forms: Mapping[str, str]
    matters: tuple[tuple[str, str, int], ...]
    purchases: Texts


def voice(split: str) -> Voice:
    """Return the wording of train, validation or test; names and phrases of validation are those of train."""
    side, usual = int(split == "test"), "test" if split == "test" else "train"
    asks = {form: texts[split] for form, texts in {**QUESTIONS, **ASKS}.items()}
    return Voice(
        titles=TITLES[split],
        layouts=LAYOUTS[split],
        over={role: texts[split] for role, texts in OVER.items()},
        headers=HEADERS[usual],
        segments=SEGMENTS[usual],
        asks=asks,
        aliases={key: (words[0], *words[1 + side]) for key, words in ALIASES.items()},
        measures={ratio.name: (ratio.name, (ratio.words, ratio.test_words)[side]) for ratio in RATIOS},
        moments={role: texts[side] for role, texts in WHEN.items()},
        spans=SPANS[side],
        units=UNITS[side],
        directions=DIRECTIONS[side],
        aside={total: texts[side] for total, texts in ASIDE.items()},
        forms={unit: texts[side] for unit, texts in FORMS.items()},
        matters=MATTERS[side],
        purchases=PURCHASES[side],
    )
