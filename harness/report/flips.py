"""Flips: a few examples that the base model got wrong and a fine-tuned row right, and the reverse, for the page.

The base model is compared with the fine-tuned row of the best value, the first seed of each. Records hold answers and no
questions, so questions are shown only if the caller has them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from harness import errors
from harness.analysis import pair as pairs
from harness.analysis.aggregate import Cell
from harness.analysis.items import Run
from harness.analysis.pair import Comparison, Flip
from harness.analysis.results import TaskResults
from harness.analysis.sections import Section
from harness.format import short, unread_mark
from harness.record import Answer
from harness.schema import Example
from harness.store.withhold import MARK

MOST = 5  # examples of each kind, won and lost
LONGEST, LONGEST_OPTION = 900, 120  # characters of a text, of one of the options

Questions = Mapping[str, Example]
NO_QUESTIONS: Questions = MappingProxyType({})


@dataclass(frozen=True)
class FlipExample:
    """An example on the page: its outcome, its id, and pairs of a name and a text."""

    won: bool
    outcome: str
    id: str
    parts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class FlipSummary:
    """The flips of a section: the two runs, their counts, some examples, and the command that lists all."""

    title: str
    counts: str
    examples: tuple[FlipExample, ...]
    command: str


def flip_summary(section: Section, results: TaskResults, questions: Questions = NO_QUESTIONS) -> FlipSummary | None:
    """Return the flips of the best fine-tuned row of a section; None if there are none, or base or answers are missing.

    Args:
        section: the rows.
        results: those of the task.
        questions: the task's examples by id. An example with another gold answer than the recorded one belongs to other data and is skipped.
    """
    pair = _pair(section, results.runs)
    compared = pairs.compare_rows([pair[0]], [pair[1]], results.metrics) if pair else None
    if compared is None or not compared.flips:
        return None
    won = [flip for flip in compared.flips if flip.won]
    lost = [flip for flip in compared.flips if not flip.won]
    names = _names(section, compared)
    n, title = compared.a[0].scores[compared.headline].n, f"Answers that changed from {names[0]} to {names[1]}"
    counts = f"{names[1]} does better on {len(won):,} and worse on {len(lost):,} of {n:,} questions"
    command = f"{errors.FROM_SOURCE} compare {compared.a[0].spec.id} {compared.b[0].spec.id} --output md"
    if any(flip.question.target.startswith(MARK) for flip in compared.flips):
        return FlipSummary(
            title, f"{counts}. The licence of the data does not allow its texts to be shown.", (), command
        )
    sample = [*_spread(won), *_spread(lost)]
    some = (
        ""
        if len(sample) == len(compared.flips)
        else f"; up to {MOST} of each are shown, evenly spaced over all of them"
    )
    return FlipSummary(title, f"{counts}{some}.", tuple(_example(flip, names, questions) for flip in sample), command)


def _pair(section: Section, runs: Sequence[Run]) -> tuple[Run, Run] | None:
    """Return the first seeds with answers of the base model and of the fine-tuned row with the best value."""
    tuned = [cell for cell in section.headline if cell.value is not None and cell.trains]
    if section.base is None or not tuned or section.base.spec.scoring == "perplexity":  # of a text, nothing flips
        return None
    best = max(tuned, key=lambda cell: (cell.value or 0.0) * (1 if cell.higher_is_better else -1))
    answered = {record.spec.id: (record, answers) for record, answers in runs if answers}
    first, second = _first(section.base, answered), _first(best, answered)
    return (first, second) if first and second else None


def _first(cell: Cell, answered: Mapping[str, Run]) -> Run | None:
    return next((answered[run] for run in cell.run_ids if run in answered), None)


def _names(section: Section, compared: Comparison) -> tuple[str, str]:
    """Return the names of the rows, with the seed if a row has several."""
    rows = {run: cell for cell in section.headline for run in cell.run_ids}
    first, second = (
        section.label(rows[record.spec.id]) + (f" s{record.spec.seed}" if len(rows[record.spec.id].seeds) > 1 else "")
        for record in (compared.a[0], compared.b[0])
    )
    return first, second


def _spread(flips: Sequence[Flip]) -> list[Flip]:
    """Return at most `MOST` flips, evenly spaced over all, so that nobody picks them."""
    count = min(MOST, len(flips))
    return [flips[position * len(flips) // count] for position in range(count)]


def _example(flip: Flip, names: tuple[str, str], questions: Questions) -> FlipExample:
    answer = flip.question
    example = questions.get(answer.id)
    parts = []
    if example is not None and example.target == answer.target:
        parts = [("context", short(example.context, LONGEST)), ("question", short(example.question, LONGEST))]
    parts.append(("options", " · ".join(short(choice, LONGEST_OPTION) for choice in answer.choices)))
    parts.append(("right answer", short(answer.target, LONGEST)))
    parts += [(name, _answer_text(given[0])) for name, given in zip(names, (flip.a, flip.b), strict=True)]
    return FlipExample(flip.won, _outcome(flip), answer.id, tuple(part for part in parts if part[1]))


def _outcome(flip: Flip) -> str:
    if {flip.a_score, flip.b_score} == {0.0, 1.0}:
        return "wrong → right" if flip.won else "right → wrong"
    return "better" if flip.won else "worse"


def _answer_text(answer: Answer) -> str:
    return (short(answer.text, LONGEST) or "nothing") + unread_mark(answer.parsed)
