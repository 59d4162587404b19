"""Comparison of two rows: tables for the terminal and for Markdown, and JSON for programs."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.analysis.costs import has_neighbours, time_obstacle
from harness.analysis.pair import Comparison, Flip
from harness.format import (
    NONE,
    Table,
    counted,
    duration,
    escape,
    heading,
    interval,
    markdown,
    number,
    run_name,
    size,
    spoken,
    unit_of_difference,
    unread_mark,
    words,
)
from harness.metrics.stats import FEWEST_GROUPS, FEWEST_SEEDS, LEVEL
from harness.record import Answer, Record, Score
from harness.schema import Example

FORMAT = 2  # of the JSON; raised when a name in it changes its meaning or goes
LONGEST = 60  # characters of a text in a table
# Settings that a row without an adapter, or without training, does not have: zero or empty in its spec.
WITHOUT = (
    *(
        "rank",
        "alpha",
        "learning_rate",
        "warmup",
        "epochs",
        "batch_size",
        "micro_batch",
        "train_examples",
        "tuned_over",
    ),
    *("engine", "start", "joined", "probes"),
)

Questions = Mapping[str, Example]


def scores(compared: Comparison) -> Table:
    """Return the table of scores, metric by metric, with the paired difference; of several seeds, also of each the headline."""
    rows: list[tuple[str, ...]] = []
    for name, difference in compared.scores.items():
        score, (left, right) = compared.a[0].scores[name], compared.means(name)
        rows.append(
            (
                heading(name, score.unit, higher_is_better=score.higher_is_better),
                number(left, score.unit),
                number(right, score.unit),
                number(difference.value, score.unit, sign=True),
                interval(difference.low, difference.high, score.unit, sign=True),
                f"{difference.p_holm:.2g}",
            )
        )
        rows += _by_seed(compared) if name == compared.headline else []
    p = f"p, of {len(compared.scores)} metrics" if len(compared.scores) > 1 else "p"
    return Table("scores", ("", *names(compared), "difference", "95 % interval", p), tuple(rows))


def _by_seed(compared: Comparison) -> list[tuple[str, ...]]:
    """Return a row with the headline score of each seed; none if neither row has several."""
    if max(len(compared.a), len(compared.b)) == 1:
        return []
    sides = [{record.spec.seed: record.scores[compared.headline] for record in row} for row in (compared.a, compared.b)]
    return [
        (
            f"  seed {seed}",
            *(number(side[seed].value, side[seed].unit) if seed in side else NONE for side in sides),
            *3 * ("",),
        )
        for seed in sorted({seed for side in sides for seed in side})
    ]


def costs(compared: Comparison) -> Table:
    """Return the table of memory and time of two rows on one machine; of several seeds, those of the median run."""
    rows, records = [], (*compared.a, *compared.b)
    for phase in ("train", "evaluate"):
        phases = [cost.phases.get(phase) if cost else None for cost in compared.costs]
        rows.append((f"{phase} peak", *(size(m.peak_bytes) if m and m.peak_bytes else NONE for m in phases)))
        if phase != "train" or not time_obstacle(records):
            rows.append((f"{phase} time", *(duration(measured.seconds) if measured else NONE for measured in phases)))
        else:
            sides = (
                "beside other runs" if any(map(has_neighbours, row)) else "alone" for row in (compared.a, compared.b)
            )
            rows.append((f"{phase} time, not comparable", *sides))
    return Table("memory and time", ("", *names(compared)), tuple(rows))


def settings(compared: Comparison) -> Table:
    """Return the table of the settings that differ."""
    rows = tuple((name, _setting(name, left), _setting(name, right)) for name, left, right in compared.fields)
    return Table("differs in", ("differs in", *names(compared)), rows, left=frozenset(range(3)))


def _setting(name: str, value: object) -> str:
    if name in WITHOUT and not value:
        return NONE
    if isinstance(value, tuple):
        return ", ".join(_setting("", part) for part in value)
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def flips(compared: Comparison, *, most: int | None = None) -> Table:
    """Return the table of flips: id, gold answer, the answer of each run; long texts are shortened.

    `most` limits the rows of each kind, lost and won; None shows all.
    """
    lost, won = ([flip for flip in compared.flips if flip.won is kind] for kind in (False, True))
    rows = tuple(
        (("lost", "won")[flip.won], flip.question.id, _short(flip.question.target), *map(_answers, (flip.a, flip.b)))
        for flip in [*lost[:most], *won[:most]]
    )
    return Table("flips", ("", "question", "gold", *names(compared)), rows, left=frozenset(range(5)))


def verdict(compared: Comparison) -> list[str]:
    """Return sentences about what the comparison shows and what it cannot exclude."""
    if compared.why_not or not compared.headline:
        return [f"scores: {compared.why_not}"]
    metric, difference = compared.a[0].scores[compared.headline], compared.scores[compared.headline]
    _, second = names(compared)
    name = f"{words(compared.headline)} of {second}"
    if difference.p_holm < LEVEL:
        word = "worse" if compared.headline in compared.worse else "better"
        lines = [f"{name} is {word} by {number(abs(difference.value), metric.unit)}{unit_of_difference(metric.unit)}"]
    else:
        lines = [f"{name}: {_undecided(compared, metric)}"]
    worse = [words(name) for name in compared.worse if name != compared.headline]
    lines += [f"also worse: {', '.join(worse)}"] if worse else []
    return [*lines, *_seeds(compared), _flip_counts(compared, metric), *_engines(compared)]


def _undecided(compared: Comparison, metric: Score) -> str:
    """Return what a difference that is not significant leaves open."""
    difference = compared.scores[compared.headline]
    bound = -difference.low if metric.higher_is_better else difference.high
    if math.isinf(bound):
        return f"no test: too few groups: {metric.groups}; at least {FEWEST_GROUPS} of similar size are needed"
    none = "no significant difference by a paired test"
    if difference.p < LEVEL:  # the interval is of this metric alone, the test of all
        corrected = f"after the correction for {len(compared.scores)} metrics (p {difference.p_holm:.2g})"
        return f"{none} {corrected}; the interval is of this metric alone, without the correction"
    loss = f"{number(max(bound, 0.0), metric.unit)}{unit_of_difference(metric.unit)}"
    return f"{none}; a loss of up to {loss} is not excluded"


def _seeds(compared: Comparison) -> list[str]:
    """Return what the seeds mean for the interval; nothing if neither row trained."""
    trained = [row for row in (compared.a, compared.b) if row[0].spec.epochs]
    if not trained:
        return []
    fewest = min(map(len, trained))
    if fewest >= FEWEST_SEEDS:
        return ["the scores are means over the seeds, and the interval covers other seeds too"]
    return [f"a trained row has {counted(fewest, 'seed')}: the interval covers other questions and no other seeds"]


def _flip_counts(compared: Comparison, metric: Score) -> str:
    won = sum(flip.won for flip in compared.flips)
    groups = len({flip.question.group for flip in compared.flips})
    word = "flips" if max(len(compared.a), len(compared.b)) == 1 else "flips of the mean over the seeds"
    return f"{word}: {won:,} won, {len(compared.flips) - won:,} lost of {metric.n:,} questions, in {groups:,} groups"


def _engines(compared: Comparison) -> list[str]:
    """Return a sentence about the answers that another engine changed; none if the runs differ in more."""
    change = compared.engines
    if change is None:
        return []
    trained = bool(compared.a[0].spec.epochs)
    same = ("the same adapter" if trained else "the same model") if change.same_weights else "weights trained twice"
    share = f"{number(change.rate, 'share')} % {interval(change.low, change.high, 'share')}"
    counts = f"{change.changed:,} of {change.questions:,} answers differ ({share.strip()})"
    return [f"engines: {change.first} and {change.second} on {same}: {counts}"]


def as_markdown(compared: Comparison, questions: Questions | None = None) -> str:
    """Return the comparison as a Markdown document with every flip; `questions` adds the texts of the questions."""
    first, second = names(compared)
    blocks = [f"# {escape(compared.a[0].spec.task)}: {escape(second)} against {escape(first)}"]
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
        "task": compared.a[0].spec.task,
        "a": _row(compared.a),
        "b": _row(compared.b),
        "differs_in": {name: {"a": left, "b": right} for name, left, right in compared.fields},
        "not_comparable": compared.why_not or None,
        "cost_not_comparable": compared.cost_why_not or None,
        "headline": compared.headline or None,
        "scores": {
            name: {
                "unit": compared.a[0].scores[name].unit,
                "higher_is_better": compared.a[0].scores[name].higher_is_better,
                **dict(zip("ab", compared.means(name), strict=True)),
                "difference": dataclasses.asdict(difference),
            }
            for name, difference in compared.scores.items()
        },
        "worse": compared.worse,
        "engines": dataclasses.asdict(compared.engines) | {"rate": compared.engines.rate} if compared.engines else None,
        "flips": [_flip(flip, (questions or {}).get(flip.question.id)) for flip in compared.flips],
    }
    return json.dumps(_finite(value), indent=1, ensure_ascii=False, allow_nan=False)


def names(compared: Comparison) -> tuple[str, str]:
    """Return the names of the two rows: method, rank, and seed or number of seeds, with their ids if these are the same."""
    first, second = (_name(row) for row in (compared.a, compared.b))
    ids = [row[0].spec.id for row in (compared.a, compared.b)]
    return (first, second) if first != second else (f"{first} {ids[0]}", f"{second} {ids[1]}")


def _name(row: Sequence[Record]) -> str:
    if len(row) == 1:
        return spoken(row[0].spec)
    return f"{' '.join(run_name(row[0].spec, seed=False).split())}, {len(row)} seeds"


def _row(records: Sequence[Record]) -> dict[str, Any]:
    runs = [{"id": record.spec.id, "seed": record.spec.seed, "status": record.status} for record in records]
    return {"name": records[0].spec.name, "runs": runs}


def _flip(flip: Flip, example: Example | None) -> dict[str, Any]:
    document = {"id": flip.question.id, "group": flip.question.group, "won": flip.won, "gold": flip.question.target}
    document |= {"question": example.question} if example else {}
    for side, answers, score in (("a", flip.a, flip.a_score), ("b", flip.b, flip.b_score)):
        given = [{"text": answer.text, "parsed": answer.parsed} for answer in answers]
        document[side] = {"answers": given, "score": score}
    return document


def _flip_lines(flip: Flip, first: str, second: str, questions: Questions) -> list[str]:
    example = questions.get(flip.question.id)
    lines = [f"- **{('lost', 'won')[flip.won]}** {escape(flip.question.id)}"]
    lines += [f"  - question: {escape(example.question)}"] if example else []
    lines.append(f"  - gold: {escape(flip.question.target)}")
    pairs = ((first, flip.a), (second, flip.b))
    return lines + [f"  - {escape(name)}: {_counted(answers, escape)}" for name, answers in pairs]


def _answers(answers: Sequence[Answer]) -> str:
    return _counted(answers, _short)


def _counted(answers: Sequence[Answer], form: Callable[[str], str]) -> str:
    """Return the answers of the seeds, each once, with how many seeds gave it if they differ."""
    counts = Counter(form(answer.text) + unread_mark(answer.parsed) for answer in answers)
    if len(counts) == 1:
        return next(iter(counts))
    return " · ".join(f"{count}× {text}" for text, count in counts.most_common())


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
