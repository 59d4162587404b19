"""A study of scaled intruders as text: a table for each run and probe, notes, and JSON for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.adapters.intruders.study import UNSCALED, Point, Study, TaskQuestions
from harness.analysis.aggregate import Difference
from harness.format import Table, interval, number, percent_sign, spoken
from harness.metrics import stats
from harness.store import answer_files, records
from harness.store.codec import encode, run_identity

FORMAT = 1  # version of the JSON; raised if a name changes its meaning or is removed


def table(study: Study, task: str, probe: str) -> Table:
    """Return the table of a run and one probe: a row for each factor, with the scores of task and probe."""
    rows = [
        (a.kind, "" if a.kind == "base" else f"{a.factor:g}", *_columns(a), *_columns(b))
        for a, b in zip(study.task_points(task), study.task_points(probe), strict=True)
    ]
    heads = (column for name in (task, probe) for column in (_heading(study, name), "95 % interval", "change", ""))
    count, weights = study.counts[0], f"{study.weights:,} weights"
    title = f"{task} {spoken(study.spec)}: {count:,} intruders in {weights}, scaled, against {probe}"
    return Table(title, ("directions", "factor", *heads), tuple(rows))


def _heading(study: Study, task: str) -> str:
    return f"{task}{percent_sign(study.task_points(task)[0].score.unit)}"


def _columns(point: Point) -> tuple[str, str, str, str]:
    score, change = point.score, point.change
    columns = (number(score.value, score.unit), interval(score.low, score.high, score.unit))
    if change is None:
        return *columns, "", ""
    mark = _mark(change, higher_is_better=score.higher_is_better)
    value = number(change.value, score.unit, sign=True) + mark
    return *columns, value, interval(change.low, change.high, score.unit, sign=True)


def _mark(change: Difference, *, higher_is_better: bool) -> str:
    if change.p_holm >= stats.LEVEL:
        return ""
    return " ▲" if (change.value > 0) == higher_is_better else " ▼"


def notes(study: Study) -> list[str]:
    """Return the notes on a run's tables."""
    (intruders, control), (intruder_share, control_share) = study.counts, study.shares
    lines = [agreement.words for agreement in study.agreement]
    lines.append(
        "Change: the paired difference from a factor of 1 on the same questions, with a 95 % interval; ▼ worse, ▲ better "
        "(significant at 5 %, Holm-adjusted over all changes of the run). No mark: the difference is not significant, which "
        "does not show that there is none."
    )
    lines.append(
        f"Intruders: {intruders:,} directions with {100 * intruder_share:.2g} % of the weights' squared norm. Control: the "
        f"{control:,} largest other directions, as many in each weight, with {100 * control_share:.2g} %. The sizes differ, so "
        "compare both before calling intruders special."
    )
    lines.append("These results hold for this one trained model; other seeds may have other directions.")
    return lines


def document(
    study: Study, questions: Sequence[TaskQuestions], *, epsilon: float, top: int, files: Mapping[str, str]
) -> Mapping[str, Any]:
    """Return the study of a run at full precision, as values for `json.dumps`.

    Args:
        study: the study.
        questions: the questions of each task.
        epsilon: the bound on |cosine| below which a direction is an intruder.
        top: the number of examined directions of each weight.
        files: the checksum of each file of answers, by its name.
    """
    spec = study.spec
    names = ("intruders", "control")
    content: Mapping[str, Any] = encode(
        {
            "format": FORMAT,
            **run_identity(spec),
            "epsilon": epsilon,
            "top": top,
            "weights": study.weights,
            "directions": dict(zip(names, study.counts, strict=True)),
            "share_of_squared_norm": dict(zip(names, study.shares, strict=True)),
            "asked": [
                {
                    "task": part.task.name,
                    "task_version": part.task.version,
                    "data": part.data,
                    "probe": part.probe,
                    "scoring": part.spec.scoring,
                    "questions": len(part.examples),
                }
                for part in questions
            ],
            "factor_1_against_recorded": [agreement.fields() for agreement in study.agreement],
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
                for point in study.points
            ],
        }
    )
    return content


def answers_file(point: Point) -> str:
    """Return the name of the file of a point's answers."""
    kind = point.kind.replace(" ", "-") + (f"-{point.factor:.12g}" if point.factor != UNSCALED else "")
    return answer_files.packed_name(f"{records.path_word(point.task)}.{kind}.jsonl")
