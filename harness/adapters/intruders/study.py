"""A study of runs with scaled intruder directions: the effect of each factor on the task and on other tasks.

The base model, the run as trained, and the run with its intruders scaled by each factor answer the same questions, then
the run with its control scaled (see `intruders.scaling`). The run as trained has a factor of 1, and its answers must equal
the recorded ones. Scores have intervals over questions, clustered by group. Changes are paired with the factor of 1 on
the same questions; their p-values are Holm-adjusted over all changes of the run. The results hold for that one trained
model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import environment
from harness.adapters.cross import TrainedAdapter
from harness.adapters.cross import load as load_adapter
from harness.analysis.aggregate import Difference
from harness.analysis.items import ItemScores, item_scores
from harness.data import registry
from harness.errors import HarnessError
from harness.format import spoken
from harness.metrics import stats
from harness.metrics.scoring import score_answers
from harness.record import Answer, Record, RunSpec, Score
from harness.schema import Example, Task
from harness.store.records import MODEL, Run

if TYPE_CHECKING:
    from harness.adapters.intruders.scaling import Directions

UNSCALED = 1.0  # the factor of the run as trained
MIN_AGREEMENT = 0.98  # share of recorded answers; rounding on another machine changes a few answers, other weights many

Kind = Literal["base", "as trained", "intruders", "control"]


@dataclass(frozen=True)
class TaskQuestions:
    """The questions of one task: the task, the spec for answering, the examples, and the run's recorded answers.

    `probe` is true if the run was not trained on the task. `data` is the fingerprint of the questions of `recorded`.
    """

    task: Task
    spec: RunSpec
    examples: tuple[Example, ...]
    data: str
    probe: bool
    recorded: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Agreement:
    """The agreement of the answers at a factor of 1 with the recorded ones: `equal` of `recorded` answers.

    `gap` is the largest difference in a log-likelihood (nats) of the equal answers.
    """

    task: str
    recorded: int
    equal: int
    gap: float

    def fields(self) -> dict[str, str | int | float]:
        """Return the fields by their names in the document of a study."""
        return {"task": self.task, "recorded": self.recorded, "same": self.equal, "gap": self.gap}

    @property
    def words(self) -> str:
        """The agreement as a sentence."""
        if not self.recorded:
            return f"{self.task}: the run has no recorded answers to compare with a factor of 1"
        digits = f"log-likelihoods within {self.gap:.2g}" if self.gap else "log-likelihoods to the last digit"
        return f"{self.task}: a factor of 1 gives {self.equal:,} of {self.recorded:,} recorded answers, {digits}"


@dataclass(frozen=True)
class Point:
    """One model on one task, with differences on the headline metric.

    `change` is the difference from a factor of 1, `vs_base` from the base model.
    """

    kind: Kind
    factor: float
    task: str
    scores: Mapping[str, Score]
    answers: tuple[Answer, ...]
    change: Difference | None = None
    vs_base: Difference | None = None

    @property
    def score(self) -> Score:
        """The score on the headline metric."""
        return next(iter(self.scores.values()))


@dataclass(frozen=True)
class Study:
    """The study of one run.

    `counts` and `shares` (of the weights' squared norm) are those of the intruders and of the control.
    """

    spec: RunSpec
    weights: int
    counts: tuple[int, int]
    shares: tuple[float, float]
    agreement: tuple[Agreement, ...]
    points: tuple[Point, ...]

    def task_points(self, task: str, kind: Kind | None = None) -> list[Point]:
        """Return the points on a task, of one kind or of all, by factor."""
        return [point for point in self.points if point.task == task and kind in (None, point.kind)]


Answers = tuple[Kind, float, Sequence[tuple[Answer, ...]]]


def load(run: Run, tuned: Path, folder: Path) -> tuple[Any, Any]:
    """Return the model of a run from its adapter or model folder, and the device: CUDA if the run used it and it is present."""
    spec = run.record.spec
    device: Any = "cuda" if spec.device == "cuda" and environment.cuda_present() else "cpu"
    if tuned.name != MODEL:
        return load_adapter(TrainedAdapter(spec.id, tuned, (spec,), single=True), folder, device)[0], device
    return registry.method(spec.method).load(str(tuned), replace(spec, device=device)), device


def measure(
    run: Run,
    tuned: Path,
    folder: Path,
    questions: Sequence[TaskQuestions],
    directions: Sequence[tuple[Directions, Directions]],
    factors: Sequence[float],
    note: Callable[[str], None],
) -> Study:
    """Return the study of a run's model at every factor.

    Args:
        run: a finished run.
        tuned: the folder of its adapter or model.
        folder: the folder of its base model.
        questions: the questions of its task, then those of each probe.
        directions: intruders and control of each tuned weight, from `scaling.intruders_and_control`.
        factors: the factors; 1 is always added.
        note: a function that prints a line on progress.

    Raises:
        HarnessError: at a factor of 1 the answers to the task differ from the recorded ones.
    """
    import torch

    from harness.adapters.intruders import scaling
    from harness.model import loading

    spec = run.record.spec
    torch.set_num_threads(
        min(run.record.environment.threads, environment.cores())
    )  # the same order of sums as in the run
    tokenizer = loading.tokenizer_of(folder, spec)
    model, device = load(run, tuned, folder)
    kinds: tuple[tuple[Kind, list[Directions]], ...] = (
        ("intruders", [intruders for intruders, _ in directions]),
        ("control", [control for _, control in directions]),
    )

    def ask(kind: Kind, factor: float, parts: Sequence[Directions]) -> Answers:
        note(f"{spoken(spec)} answers: {kind}" + f" × {factor:g}" * bool(parts))
        with scaling.scaled(model, parts, factor):
            return kind, factor, [_answers(model, tokenizer, task_questions, device) for task_questions in questions]

    answers = [ask("as trained", UNSCALED, kinds[0][1])]
    checked = tuple(agreement(task, task_answers) for task, task_answers in zip(questions, answers[0][2], strict=True))
    require_agreement(spec, checked[0])
    answers += [ask(kind, factor, parts) for kind, parts in kinds for factor in factors if factor != UNSCALED]
    model = registry.method("base").load(str(folder), replace(spec, device=device))
    answers.insert(0, ask("base", UNSCALED, ()))
    intruders, control = (parts for _, parts in kinds)
    return Study(
        spec=spec,
        weights=len(directions),
        counts=(sum(part.count for part in intruders), sum(part.count for part in control)),
        shares=(scaling.norm_share(intruders), scaling.norm_share(control)),
        agreement=checked,
        points=points(run.record, questions, answers),
    )


def _answers(model: Any, tokenizer: Any, questions: TaskQuestions, device: Any) -> tuple[Answer, ...]:
    from harness.model import answer as evaluate

    spec = replace(questions.spec, device=device)
    return tuple(evaluate.answer(model, tokenizer, questions.examples, questions.task, spec))


def agreement(questions: TaskQuestions, answers: Sequence[Answer]) -> Agreement:
    """Return the agreement of the answers at a factor of 1 with the recorded ones."""
    recorded = {answer.id: answer for answer in questions.recorded}
    pairs = [(recorded[answer.id], answer) for answer in answers if answer.id in recorded]
    equal = [(a, b) for a, b in pairs if (a.text, a.parsed, a.target) == (b.text, b.parsed, b.target)]
    gaps = [abs(x - y) for a, b in equal for x, y in zip(a.loglik, b.loglik, strict=False)]
    return Agreement(questions.task.name, len(pairs), len(equal), max(gaps, default=0.0))


def require_agreement(spec: RunSpec, result: Agreement) -> None:
    """Raise an error if a model does not give the recorded answers, because then it is not the model of the run.

    The run's task decides. On a probe a model may write long texts without the skill for it, and rounding in bf16 changes
    many of these; there the reader gets a warning.

    Raises:
        HarnessError: more answers to the task differ than rounding explains.
    """
    if result.equal < MIN_AGREEMENT * result.recorded:
        raise HarnessError(
            f"the weights or questions differ from those of the run: {result.words}, at least {100 * MIN_AGREEMENT:g} % are needed",
            where=f"{spec.task} {spoken(spec)} ({spec.id})",
            fix="train the run again on this machine, or check it with `verify --rerun`",
        )


def points(record: Record, questions: Sequence[TaskQuestions], answers: Sequence[Answers]) -> tuple[Point, ...]:
    """Return the scores of all answers with their differences from those as trained and from the base model's.

    Args:
        record: the run's record.
        questions: the questions of each task.
        answers: kind, factor and the answers to each task's questions, including those as trained and the base model's.
    """
    scored = [
        _point(record, task, kind, factor, by_task[index])
        for index, task in enumerate(questions)
        for kind, factor, by_task in answers
    ]
    marks = {(point.kind, point.task): evidence for point, evidence in scored if point.factor == UNSCALED}
    paired = [
        replace(
            point,
            change=_difference(evidence, marks["as trained", point.task]) if point.factor != UNSCALED else None,
            vs_base=_difference(evidence, marks["base", point.task]) if point.kind != "base" else None,
        )
        for point, evidence in scored
    ]
    changed = [index for index, point in enumerate(paired) if point.change]
    ps = stats.holm([change.p for point in paired if (change := point.change)])
    for index, p in zip(changed, ps, strict=True):
        change = paired[index].change
        assert change is not None
        paired[index] = replace(paired[index], change=replace(change, p_holm=p))
    return tuple(paired)


def _point(
    record: Record, questions: TaskQuestions, kind: Kind, factor: float, answers: tuple[Answer, ...]
) -> tuple[Point, ItemScores]:
    scores = score_answers(answers, questions.task.metrics)
    evidence = item_scores([(replace(record, scores=scores), answers)], questions.task.metrics[0])
    assert evidence is not None
    return Point(kind, factor, questions.task.name, scores, answers), evidence


def _difference(a: ItemScores, b: ItemScores) -> Difference:
    paired = a.minus(b)
    return Difference(paired.difference, paired.low, paired.high, paired.p, paired.p)
