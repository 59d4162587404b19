"""Runs with their intruders scaled, as text: a table for each run and probe, how to read it, and JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.adapters.intruders.study import WHOLE, Outcome, Point, Questions
from harness.analysis.aggregate import Difference
from harness.format import Table, interval, number, percent_sign, spoken
from harness.metrics import stats
from harness.store import answer_files, records
from harness.store.codec import encode, named

FORMAT = 1  # of the JSON; raised when a name in it changes its meaning or goes


def table(outcome: Outcome, task: str, probe: str) -> Table:
    """Return the table of a run and one probe: a row for each factor, the task's score beside the probe's."""
    rows = [
        (own.kind, "" if own.kind == "base" else f"{own.factor:g}", *_shown(own), *_shown(other))
        for own, other in zip(outcome.of(task), outcome.of(probe), strict=True)
    ]
    heads = (column for name in (task, probe) for column in (_heading(outcome, name), "95 % interval", "change", ""))
    count, among = outcome.counts[0], f"{outcome.weights:,} weights"
    title = f"{task} {spoken(outcome.spec)}: {count:,} intruders of {among}, scaled, against {probe}"
    return Table(title, ("directions", "factor", *heads), tuple(rows))


def _heading(outcome: Outcome, task: str) -> str:
    return f"{task}{percent_sign(outcome.of(task)[0].score.unit)}"


def _shown(point: Point) -> tuple[str, str, str, str]:
    score, change = point.score, point.change
    shown = (number(score.value, score.unit), interval(score.low, score.high, score.unit))
    if change is None:
        return *shown, "", ""
    mark = _mark(change, higher_is_better=score.higher_is_better)
    value = number(change.value, score.unit, sign=True) + mark
    return *shown, value, interval(change.low, change.high, score.unit, sign=True)


def _mark(change: Difference, *, higher_is_better: bool) -> str:
    if change.p_holm >= stats.LEVEL:
        return ""
    return " ▲" if (change.value > 0) == higher_is_better else " ▼"


def reading(outcome: Outcome) -> list[str]:
    """Say how to read a run's tables."""
    (own, other), (held, beside) = outcome.counts, outcome.shares
    lines = [one.words for one in outcome.alike]
    lines.append(
        "Change: from a factor of 1, paired on the same questions, intervals at 95 %; ▼ worse, ▲ better (5 %, Holm-adjusted "
        "over all changes of the run). No mark: no difference shown, which is not the same as none."
    )
    lines.append(
        f"Intruders: {own:,} directions with {100 * held:.2g} % of the weights' squared norm. Control: {other:,} of the "
        f"largest that are no intruders, as many in each weight, with {100 * beside:.2g} %. It is of another size, so look "
        "at both before calling intruders special."
    )
    lines.append("It is about this one trained model: other seeds may have other directions.")
    return lines


def document(
    outcome: Outcome, questions: Sequence[Questions], *, epsilon: float, top: int, files: Mapping[str, str]
) -> Mapping[str, Any]:
    """Return everything that came of a run, at full precision, as what `json.dumps` takes.

    Args:
        outcome: of the run.
        questions: what it was asked.
        epsilon: the bound on |cosine| below which a direction is an intruder.
        top: how many of the largest directions of each weight were looked at.
        files: the checksum of each file of answers, by its name.
    """
    spec = outcome.spec
    names = ("intruders", "control")
    found: Mapping[str, Any] = encode(
        {
            "format": FORMAT,
            **named(spec),
            "epsilon": epsilon,
            "top": top,
            "weights": outcome.weights,
            "directions": dict(zip(names, outcome.counts, strict=True)),
            "share_of_squared_norm": dict(zip(names, outcome.shares, strict=True)),
            "asked": [
                {
                    "task": one.task.name,
                    "task_version": one.task.version,
                    "data": one.data,
                    "probe": one.probe,
                    "scoring": one.spec.scoring,
                    "questions": len(one.examples),
                }
                for one in questions
            ],
            "factor_1_against_recorded": outcome.alike,
            "points": [
                {
                    "directions": point.kind,
                    "factor": point.factor if point.kind != "base" else None,
                    "task": point.task,
                    "scores": point.scores,
                    "change_from_factor_1": point.change,
                    "change_from_base": point.vs_base,
                    "answers": answers_file(point),
                    "answers_sha256": files[answers_file(point)],
                }
                for point in outcome.points
            ],
        }
    )
    return found


def answers_file(point: Point) -> str:
    """Return the name of the file with a point's answers."""
    kind = point.kind.replace(" ", "-") + (f"-{point.factor:.12g}" if point.factor != WHOLE else "")
    return answer_files.packed_name(f"{records.path_word(point.task)}.{kind}.jsonl")
