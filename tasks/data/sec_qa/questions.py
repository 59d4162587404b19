"""Questions of each kind over an excerpt of a filing.

Every function takes a subject and returns a question about it, or None if this filing allows none: it lacks the line, the
excerpt allows two answers, or the prompt would be too long.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from tasks.data.sec_qa import ratios
from tasks.data.sec_qa.excerpt import Excerpt, draw
from tasks.data.sec_qa.filer import Filer
from tasks.data.sec_qa.statements import BEGINNING, END, STATEMENTS, figure_text, redundant
from tasks.data.sec_qa.templates import QUESTIONS

LONGEST = 690

# Statement and line of every tag in the questions.
TAG_SUBJECTS: tuple[tuple[str, str], ...] = tuple(
    (statement, line.key)
    for statement in ("income", "balance", "cash flow")
    for line in STATEMENTS[statement]
    if line.key not in (BEGINNING, END) and (statement, line.key) != ("cash flow", "NetIncomeLoss")
)
# The subjects of computations; changes and ratios are twice as frequent as percentage changes.
_CHANGES = tuple((statement, key) for statement, keys in ratios.CHANGE_LINES.items() for key in keys)
COMPUTATIONS: tuple[tuple[str, str, str], ...] = (
    *(("change", statement, key) for statement, key in 2 * _CHANGES),
    *(("percent change", statement, key) for statement, key in _CHANGES),
    *(("ratio", item.statement, item.name) for item in 2 * ratios.COMPUTED_RATIOS),
)


@dataclass(frozen=True)
class Question:
    """A question with its answer. `keys` are the lines and `years` the fiscal years that the answer needs."""

    kind: str
    excerpt: Excerpt
    question: str
    template: str
    answer: str
    keys: tuple[str, ...]
    years: tuple[int, ...]

    @property
    def operands(self) -> tuple[str, ...]:
        """Return the figures that the answer needs, in order of size."""
        return tuple(sorted(str(self.excerpt.at(key, year)) for key in self.keys for year in self.years))

    @property
    def fits(self) -> bool:
        """Return whether the rendered prompt is short enough."""
        return len(self.excerpt.text) + len(self.question) + len("\n\n\nAnswer:") <= LONGEST


def lookup(rng: random.Random, filer: Filer, split: str, subject: tuple[str, int]) -> Question | None:
    """Return a question for one figure. The subject is a statement and the number of fiscal years to show."""
    statement, columns = subject
    key = rng.choice(STATEMENTS[statement]).key
    columns = min(columns, 2) if statement == "balance" else columns
    excerpt = draw(rng, filer, split, statement, (key,), rng.randint(6, 8), columns=columns)
    if excerpt is None or len({excerpt.at(key, year) for year in excerpt.years}) < columns:
        return None  # with the same figure in two columns the year would not matter
    year = rng.choice(excerpt.years)
    template = rng.choice(QUESTIONS["lookup"][split])
    question = _fill(template, line=_line_in_question(rng, excerpt.label(key)), year=year)
    return Question("lookup", excerpt, question, template, figure_text(excerpt.at(key, year)), (key,), (year,))


def tag(rng: random.Random, filer: Filer, split: str, subject: tuple[str, str]) -> Question | None:
    """Return a question for the element of one line. The subject is a statement and a line."""
    statement, key = subject
    excerpt = draw(rng, filer, split, statement, (key,), rng.randint(3, 5))
    if excerpt is None:
        return None
    template = rng.choice(QUESTIONS["tag"][split])
    question = _fill(template, line=_line_in_question(rng, excerpt.label(key)))
    return Question("tag", excerpt, question, template, f"us-gaap:{key}", (key,), ())


def formula(rng: random.Random, filer: Filer, split: str, subject: str) -> Question | None:
    """Return a question for a ratio's formula. No line of the excerpt follows from the others: only one formula is right."""
    ratio = ratios.BY_NAME[subject]
    size = rng.randint(max(3, len(ratio.elements) + 1), 5)
    excerpt = draw(rng, filer, split, ratio.statement, ratio.elements, size, rivals=ratio.rivals)
    if excerpt is None or redundant(filer, ratio.statement, excerpt.keys, excerpt.years):
        return None
    template = rng.choice(QUESTIONS["formula"][split])
    name = f"{ratio.name} (as a fraction)" if ratio.name in ratios.FRACTIONS else ratio.name
    return Question("formula", excerpt, _fill(template, ratio=name), template, ratio.formula, ratio.elements, ())


def computed(rng: random.Random, filer: Filer, split: str, subject: tuple[str, str, str]) -> Question | None:
    """Return a question for a change, a percentage change or a ratio. The subject is (form, statement, line or ratio)."""
    form, statement, name = subject
    return _ratio(rng, filer, split, name) if form == "ratio" else _change(rng, filer, split, form, statement, name)


def _change(rng: random.Random, filer: Filer, split: str, form: str, statement: str, key: str) -> Question | None:
    excerpt = draw(rng, filer, split, statement, (key,), rng.randint(5, 7))
    if excerpt is None:
        return None
    first, last = sorted(excerpt.years)
    before, after = (Fraction(excerpt.at(key, year)) for year in (first, last))
    if form == "change":
        answer: str | None = str(after - before) if after != before else None
    else:
        # A percentage of a loss or of nearly zero is meaningless.
        share = 100 * (after - before) / before if before > 0 and after > 0 else None
        number = ratios.decimal_text(share, 1) if share is not None and abs(share) < 100 else None
        answer = f"{number}%" if number else None
    if answer is None:
        return None
    template = rng.choice(QUESTIONS[form][split])
    question = _fill(template, line=_line_in_question(rng, excerpt.label(key)), first=first, last=last)
    return Question("computed", excerpt, question, template, answer, (key,), (first, last))


def _ratio(rng: random.Random, filer: Filer, split: str, name: str) -> Question | None:
    item = next(item for item in ratios.COMPUTED_RATIOS if item.name == name)
    excerpt = draw(rng, filer, split, item.statement, item.elements, rng.randint(5, 6), rivals=item.rivals)
    if excerpt is None:
        return None
    year = rng.choice(excerpt.years)
    figures = [Fraction(excerpt.at(key, year)) for key in item.elements]
    if figures[-1] <= 0 or (name == "effective tax rate" and figures[0] <= 0):
        return None
    number = ratios.decimal_text(item.value(*figures), 1 if item.percent else 2)
    if number is None:
        return None
    template = rng.choice(QUESTIONS["ratio"][split])
    form = "in percent to one decimal" if item.percent else "to two decimals"
    question = _fill(template, ratio=name, year=year, form=form)
    answer = f"{number}%" if item.percent else number
    return Question("computed", excerpt, question, template, answer, item.elements, (year,))


def _line_in_question(rng: random.Random, label: str) -> str:
    """Return a line item for a question: in quotes as printed, or in the running text without its capital."""
    return f'"{label}"' if rng.random() < 0.5 else label[0].lower() + label[1:]


def _fill(template: str, **values: object) -> str:
    text = template.format(**values)
    return text[0].upper() + text[1:]


KINDS: Mapping[str, Callable[..., Question | None]] = {
    "lookup": lookup,
    "tag": tag,
    "formula": formula,
    "computed": computed,
}
