"""Lookups that need the right column or line among near twins, named in a reader's words."""

from __future__ import annotations

import random
from typing import Any

from tasks.data.sec_qa.aliases import TWINS
from tasks.data.sec_qa.columns import Column, fiscal_years, interim, restatement, segments
from tasks.data.sec_qa.excerpt import Excerpt, draw, lines
from tasks.data.sec_qa.filer import Filer
from tasks.data.sec_qa.questions import PER_SHARE, Question, alias, fill, moment, scaled, unit_of
from tasks.data.sec_qa.statements import DAYS, figure_text
from tasks.data.sec_qa.voice import Voice

# Forms: two lines that are taken for each other; or a line in columns that are.
SUBJECTS: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    *(("lines", statement, pair) for statement, pair in 2 * TWINS),
    *8 * (("restatement", "income", ()),),
    *4 * (("restatement", "balance", ()),),
    *8 * (("interim", "income", ()),),
    *9 * (("segments", "income", ()),),
)
SHARES = (
    *PER_SHARE,
    "WeightedAverageNumberOfSharesOutstandingBasic",
    "WeightedAverageNumberOfDilutedSharesOutstanding",
)


def twin(rng: random.Random, filer: Filer, voice: Voice, subject: tuple[str, str, tuple[str, ...]]) -> Question | None:
    """Return a lookup among near twins. The subject is a form, a statement and, for lines, the pair of them."""
    form, statement, pair = subject
    columns = columns_of(rng, filer, voice, form, statement)
    if columns is None:
        return None
    if pair:
        key, column = rng.choice(pair), rng.choice(columns)
        required: tuple[str, ...] = pair
    else:
        column = rng.choice([column for column in columns if column.role != "year"])
        known = [key for key in lines(columns, statement) if key in voice.aliases and _differs(columns, key)]
        if not known:
            return None
        key = rng.choice(known)
        required = (key,)
    size = rng.randint(4, 6) if len(columns) > 2 else rng.randint(5, 7)
    excerpt = draw(rng, filer, voice, statement, columns, required, size)
    if excerpt is None or _ambiguous(excerpt, required, key, column):
        return None
    template = rng.choice(voice.asks["twin"])
    answer, unit, request = figure_text(excerpt.at(key, column)), unit_of(filer, key), ""
    if key not in SHARES:
        answer, unit, request = scaled(rng, voice, filer, excerpt.at(key, column))
    name = moment(rng, voice, excerpt, column, key, day=statement in DAYS)
    text = fill(template, line=alias(rng, voice, key), when=name) + request
    return Question("twin", form, excerpt, text, template, answer, unit, (key,), (column.header,))


def columns_of(rng: random.Random, filer: Filer, voice: Voice, form: str, statement: str) -> tuple[Column, ...] | None:
    """Return the columns of a form; None if the filing has no such lines."""
    match form:
        case "restatement":
            return restatement(rng, filer, voice, statement)
        case "interim":
            return interim(rng, filer, voice)
        case "segments":
            return segments(rng, filer, voice)
        case _:
            return fiscal_years(filer, statement, rng.choice((2, 2, 3)))


def _differs(columns: tuple[Column, ...], key: str) -> bool:
    figures = [column.figures[key] for column in columns]
    return len(set(figures)) == len(figures)


def _ambiguous(excerpt: Excerpt, required: tuple[str, ...], key: str, column: Column) -> bool:
    """Return whether another cell of the twins has the figure, so that the wrong one would count as right."""
    cells: list[Any] = [excerpt.at(line, other) for line in required for other in excerpt.columns]
    return cells.count(excerpt.at(key, column)) > 1
