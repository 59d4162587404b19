"""Comparison of two runs: tables for the terminal and for Markdown, and JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import Any

from harness.analysis.compare import Comparison, Flip
from harness.analysis.costs import has_neighbours, time_obstacle
from harness.format import (
    NONE,
    Table,
    duration,
    escape,
    heading,
    interval,
    markdown,
    number,
    size,
    spoken,
    unit_of_difference,
    unread_mark,
    words,
)
from harness.metrics.stats import FEWEST_GROUPS, LEVEL
from harness.record import Record
from harness.schema import Example

FORMAT = 1  # of the JSON; raised when a name in it changes its meaning or goes
LONGEST = 60  # characters of a text in a table

Questions = Mapping[str, Example]


def scores(compared: Comparison) -> Table:
    """Return the table of scores, metric by metric, with the paired difference."""
    rows = []
    for name, difference in compared.scores.items():
        left, right = compared.a.scores[name], compared.b.scores[name]
        rows.append(
            (
                heading(name, left.unit, higher_is_better=left.higher_is_better),
                number(left.value, left.unit),
                number(right.value, left.unit),
                number(difference.value, left.unit, sign=True),
                interval(difference.low, difference.high, left.unit, sign=True),
                f"{difference.p_holm:.2g}",
            )
        )
    return Table("scores", ("", *names(compared), "difference", "95 % interval", "p"), tuple(rows))


def costs(compared: Comparison) -> Table:
    """Return the table of memory and time of two runs on one machine."""
    rows = []
    for phase in ("train", "evaluate"):
        phases = [record.cost.phases.get(phase) if record.cost else None for record in (compared.a, compared.b)]
        rows.append((f"{phase} peak", *(size(m.peak_bytes) if m and m.peak_bytes else NONE for m in phases)))
        if phase != "train" or not time_obstacle((compared.a, compared.b)):
            rows.append((f"{phase} time", *(duration(measured.seconds) if measured else NONE for measured in phases)))
        else:
            sides = ("beside other runs" if has_neighbours(record) else "alone" for record in (compared.a, compared.b))
            rows.append((f"{phase} time, not comparable", *sides))
    return Table("memory and time", ("", *names(compared)), tuple(rows))


def settings(compared: Comparison) -> Table:
    """Return the table of the settings that differ."""
    rows = tuple((name, _setting(left), _setting(right)) for name, left, right in compared.fields)
    return Table("differs in", ("differs in", *names(compared)), rows, left=frozenset(range(3)))


def _setting(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def flips(compared: Comparison, *, most: int | None = None) -> Table:
    """Return the table of flips: id, gold answer, the answer of each run; long texts are shortened.

    `most` limits the rows of each kind, lost and won; None shows all.
    """
    lost, won = ([flip for flip in compared.flips if flip.won is kind] for kind in (False, True))
    rows = tuple(
        (("lost", "won")[flip.won], flip.a.id, _short(flip.a.target), _answer_text(flip.a), _answer_text(flip.b))
        for flip in [*lost[:most], *won[:most]]
    )
    return Table("flips", ("", "question", "gold", *names(compared)), rows, left=frozenset(range(5)))


def verdict(compared: Comparison) -> list[str]:
    """Return sentences about what the comparison shows and what it cannot exclude."""
    if compared.why_not or not compared.headline:
        return [f"scores: {compared.why_not}"]
    metric, difference = compared.a.scores[compared.headline], compared.scores[compared.headline]
    _, second = names(compared)
    won = sum(flip.won for flip in compared.flips)
    lost = len(compared.flips) - won
    name = f"{words(compared.headline)} of {second}"
    if difference.p_holm < LEVEL:
        word = "worse" if compared.headline in compared.worse else "better"
        lines = [f"{name} is {word} by {number(abs(difference.value), metric.unit)}{unit_of_difference(metric.unit)}"]
    else:
        bound = -difference.low if metric.higher_is_better else difference.high
        worst = (
            f"a loss of up to {number(max(bound, 0.0), metric.unit)}{unit_of_difference(metric.unit)} is not excluded"
        )
        lines = [f"{name}: no significant difference by a paired test; {worst}"]
        if math.isinf(bound):
            least = f"at least {FEWEST_GROUPS} of similar size are needed"
            lines = [f"{name}: no test: too few groups: {metric.groups}; {least}"]
    worse = [words(name) for name in compared.worse if name != compared.headline]
    lines += [f"also worse: {', '.join(worse)}"] if worse else []
    groups = len({flip.a.group for flip in compared.flips})
    flips = f"flips: {won:,} won, {lost:,} lost of {metric.n:,} questions, in {groups:,} groups"
    return [*lines, flips, *_engines(compared)]


def _engines(compared: Comparison) -> list[str]:
    """Return a sentence about the answers that another engine changed; none if the runs differ in more."""
    change = compared.engines
    if change is None:
        return []
    trained = bool(compared.a.spec.epochs)
    same = ("the same adapter" if trained else "the same model") if change.same_weights else "weights trained twice"
    share = f"{number(change.rate, 'share')} % {interval(change.low, change.high, 'share')}"
    counts = f"{change.changed:,} of {change.questions:,} answers differ ({share.strip()})"
    return [f"engines: {change.first} and {change.second} on {same}: {counts}"]


def as_markdown(compared: Comparison, questions: Questions | None = None) -> str:
    """Return the comparison as a Markdown document with every flip; `questions` adds the texts of the questions."""
    first, second = names(compared)
    blocks = [f"# {escape(compared.a.spec.task)}: {escape(second)} against {escape(first)}"]
    blocks.append("\n".join(f"- {escape(line)}" for line in verdict(compared)))
    blocks += [markdown(settings(compared))] if compared.fields else []
    blocks += [markdown(scores(compared))] if compared.scores else []
    blocks.append(escape(compared.cost_why_not) if compared.cost_why_not else markdown(costs(compared)))
    if compared.flips:
        blocks.append("## Questions that flipped")
    blocks += ["\n".join(_flip_lines(flip, first, second, questions or {})) for flip in compared.flips]
    return "\n\n".join(blocks) + "\n"


def as_json(compared: Comparison, questions: Questions | None = None) -> str:
    """Return the comparison as strict JSON: full precision, fractions, null if a bound is infinite."""
    value: dict[str, Any] = {
        "format": FORMAT,
        "task": compared.a.spec.task,
        "a": _run(compared.a),
        "b": _run(compared.b),
        "differs_in": {name: {"a": left, "b": right} for name, left, right in compared.fields},
        "not_comparable": compared.why_not or None,
        "cost_not_comparable": compared.cost_why_not or None,
        "headline": compared.headline or None,
        "scores": {
            name: {
                "unit": compared.a.scores[name].unit,
                "higher_is_better": compared.a.scores[name].higher_is_better,
                "a": compared.a.scores[name].value,
                "b": compared.b.scores[name].value,
                "difference": dataclasses.asdict(difference),
            }
            for name, difference in compared.scores.items()
        },
        "worse": compared.worse,
        "engines": dataclasses.asdict(compared.engines) | {"rate": compared.engines.rate} if compared.engines else None,
        "flips": [_flip(flip, (questions or {}).get(flip.a.id)) for flip in compared.flips],
    }
    return json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False)


def names(compared: Comparison) -> tuple[str, str]:
    """Return the names of the two runs: method, rank and seed, with their ids if these are the same."""
    first, second = (spoken(record.spec) for record in (compared.a, compared.b))
    return (first, second) if first != second else (f"{first} {compared.a.spec.id}", f"{second} {compared.b.spec.id}")


def _run(record: Record) -> dict[str, Any]:
    return {"id": record.spec.id, "name": record.spec.name, "seed": record.spec.seed, "status": record.status}


def _flip(flip: Flip, example: Example | None) -> dict[str, Any]:
    document = {"id": flip.a.id, "group": flip.a.group, "won": flip.won, "gold": flip.a.target}
    document |= {"question": example.question} if example else {}
    for side, answer, score in (("a", flip.a, flip.a_score), ("b", flip.b, flip.b_score)):
        document[side] = {"text": answer.text, "parsed": answer.parsed, "score": score}
    return document


def _flip_lines(flip: Flip, first: str, second: str, questions: Questions) -> list[str]:
    example = questions.get(flip.a.id)
    lines = [f"- **{('lost', 'won')[flip.won]}** {escape(flip.a.id)}"]
    lines += [f"  - question: {escape(example.question)}"] if example else []
    lines.append(f"  - gold: {escape(flip.a.target)}")
    pairs = ((first, flip.a), (second, flip.b))
    return lines + [f"  - {escape(name)}: {escape(answer.text)}{unread_mark(answer.parsed)}" for name, answer in pairs]


def _answer_text(answer: Any) -> str:
    return _short(answer.text) + unread_mark(answer.parsed)


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"


def _finite(value: Any) -> Any:
    """Return a value with infinities replaced by None, since JSON has none."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
