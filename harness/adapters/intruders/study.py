"""Runs asked again with their intruder directions scaled: what each factor costs on the task and gives back elsewhere.

Of every run the same questions are asked of the base model, of the run as it is (a factor of 1, whose answers must be
those that it recorded), and of the run with its intruders scaled by each factor; then with the control scaled (see
`harness.adapters.intruders.scaling`). Scores have intervals over questions, clustered by group; changes are paired with the factor of 1 on
the same questions, their p-values Holm-adjusted over all changes of the run. All of it speaks of that one trained model.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from harness import environment
from harness.adapters.cross import Tuned
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

WHOLE = 1.0  # the factor that leaves a run as it is
LEAST_ALIKE = 0.98  # of the recorded answers; rounding on another machine turns a few, other weights turn many

Kind = Literal["base", "as trained", "intruders", "control"]


@dataclass(frozen=True)
class Questions:
    """What is asked on one task: the task, the spec that it is asked by, the examples, and what the run recorded of them.

    `probe` says that it is not what the run was trained for. `data` is the fingerprint of what `recorded` answers.
    """

    task: Task
    spec: RunSpec
    examples: tuple[Example, ...]
    data: str
    probe: bool
    recorded: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Alike:
    """How the answers at a factor of 1 compare with the recorded ones: how many there are, how many are the same.

    `gap` is the largest difference in a log-likelihood (nats) of those that are.
    """

    task: str
    recorded: int
    same: int
    gap: float

    @property
    def words(self) -> str:
        """As a sentence."""
        if not self.recorded:
            return f"{self.task}: the run recorded no answers to hold a factor of 1 against"
        digits = f"log-likelihoods within {self.gap:.2g}" if self.gap else "log-likelihoods to the last digit"
        return f"{self.task}: a factor of 1 gives {self.same:,} of {self.recorded:,} recorded answers, {digits}"


@dataclass(frozen=True)
class Point:
    """One model on one task: `change` is from a factor of 1 and `vs_base` from the base model, on the headline metric."""

    kind: Kind
    factor: float
    task: str
    scores: Mapping[str, Score]
    answers: tuple[Answer, ...]
    change: Difference | None = None
    vs_base: Difference | None = None

    @property
    def score(self) -> Score:
        """The headline metric's."""
        return next(iter(self.scores.values()))


@dataclass(frozen=True)
class Outcome:
    """What came of one run. `counts` and `shares` (of the weights' squared norm) are of the intruders and the control."""

    spec: RunSpec
    weights: int
    counts: tuple[int, int]
    shares: tuple[float, float]
    alike: tuple[Alike, ...]
    points: tuple[Point, ...]

    def of(self, task: str, kind: Kind | None = None) -> list[Point]:
        """The points on a task, of one kind or of all, by factor."""
        return [point for point in self.points if point.task == task and kind in (None, point.kind)]


Said = tuple[Kind, float, Sequence[tuple[Answer, ...]]]


def load(run: Run, kept: Path, folder: Path) -> tuple[Any, Any]:
    """Return the model of a run with what it kept, and the device: CUDA where it was there and one is here."""
    spec = run.record.spec
    device: Any = "cuda" if spec.device == "cuda" and environment.cuda_present() else "cpu"
    if kept.name != MODEL:
        return load_adapter(Tuned(spec.id, kept, (spec,), own=True), folder, device)[0], device
    return registry.method(spec.method).load(str(kept), replace(spec, device=device)), device


def measure(
    run: Run,
    kept: Path,
    folder: Path,
    questions: Sequence[Questions],
    found: Sequence[tuple[Directions, Directions]],
    factors: Sequence[float],
    tell: Callable[[str], None],
) -> Outcome:
    """Ask a run's model at every factor.

    Args:
        run: a finished run.
        kept: the adapter or model that it kept.
        folder: of its base model.
        questions: on its task first, then on each probe.
        found: intruders and control of each tuned weight, as `scaling.pick` returns them.
        factors: of what is scaled; 1 is asked whether it is among them or not.
        tell: is told what is asked.

    Raises:
        HarnessError: with a factor of 1 the answers to the task are not those of the run.
    """
    import torch

    from harness.adapters.intruders import scaling
    from harness.model import loading

    spec = run.record.spec
    torch.set_num_threads(min(run.record.environment.threads, environment.cores()))  # sums in the run's own order
    tokenizer = loading.load_tokenizer(folder, remote_code=spec.remote_code)
    model, device = load(run, kept, folder)
    kinds: tuple[tuple[Kind, list[Directions]], ...] = (
        ("intruders", [own for own, _ in found]),
        ("control", [other for _, other in found]),
    )

    def ask(kind: Kind, factor: float, directions: Sequence[Directions]) -> Said:
        tell(f"{spoken(spec)} answers: {kind}" + f" × {factor:g}" * bool(directions))
        with scaling.scaled(model, directions, factor):
            return kind, factor, [_answers(model, tokenizer, one, device) for one in questions]

    said = [ask("as trained", WHOLE, kinds[0][1])]
    alike = tuple(compare(one, answers) for one, answers in zip(questions, said[0][2], strict=True))
    refuse_other(spec, alike[0])
    said += [ask(kind, factor, own) for kind, own in kinds for factor in factors if factor != WHOLE]
    model = registry.method("base").load(str(folder), replace(spec, device=device))
    said.insert(0, ask("base", WHOLE, ()))
    own, other = (directions for _, directions in kinds)
    return Outcome(
        spec=spec,
        weights=len(found),
        counts=(sum(one.count for one in own), sum(one.count for one in other)),
        shares=(scaling.share(own), scaling.share(other)),
        alike=alike,
        points=points(run.record, questions, said),
    )


def _answers(model: Any, tokenizer: Any, one: Questions, device: Any) -> tuple[Answer, ...]:
    from harness.model import answer as evaluate

    return tuple(evaluate.answer(model, tokenizer, one.examples, one.task, replace(one.spec, device=device)))


def compare(questions: Questions, answers: Sequence[Answer]) -> Alike:
    """Hold the answers at a factor of 1 against what the run recorded."""
    recorded = {answer.id: answer for answer in questions.recorded}
    pairs = [(recorded[answer.id], answer) for answer in answers if answer.id in recorded]
    same = [(a, b) for a, b in pairs if (a.text, a.parsed, a.target) == (b.text, b.parsed, b.target)]
    gaps = [abs(x - y) for a, b in same for x, y in zip(a.loglik, b.loglik, strict=False)]
    return Alike(questions.task.name, len(pairs), len(same), max(gaps, default=0.0))


def refuse_other(spec: RunSpec, alike: Alike) -> None:
    """Refuse a model that does not give the recorded answers: what it does when scaled would be told of another run.

    The run's own task decides. A probe may ask for long texts of a model that lost the skill, and in bf16 a rounding
    turns many of these: there the reader is warned.

    Raises:
        HarnessError: more of the answers to the task differ than rounding explains.
    """
    if alike.same < LEAST_ALIKE * alike.recorded:
        raise HarnessError(
            f"these are not the weights or the questions of the run: {alike.words}",
            where=f"{spec.task} {spoken(spec)} ({spec.id})",
            fix="run it again on this machine, or look at it with `verify --rerun`",
        )


def points(record: Record, questions: Sequence[Questions], said: Sequence[Said]) -> tuple[Point, ...]:
    """Score what was said and pair it with the answers as trained and with the base model's.

    Args:
        record: of the run.
        questions: of each task.
        said: kind, factor and the answers to each of the questions; among them those as trained and the base model's.
    """
    found = [
        _point(record, one, kind, factor, answers[place])
        for place, one in enumerate(questions)
        for kind, factor, answers in said
    ]
    marks = {(point.kind, point.task): evidence for point, evidence in found if point.factor == WHOLE}
    paired = [
        replace(
            point,
            change=_minus(evidence, marks["as trained", point.task]) if point.factor != WHOLE else None,
            vs_base=_minus(evidence, marks["base", point.task]) if point.kind != "base" else None,
        )
        for point, evidence in found
    ]
    changed = [place for place, point in enumerate(paired) if point.change]
    ps = stats.holm([change.p for point in paired if (change := point.change)])
    for place, p in zip(changed, ps, strict=True):
        change = paired[place].change
        assert change is not None
        paired[place] = replace(paired[place], change=replace(change, p_holm=p))
    return tuple(paired)


def _point(
    record: Record, questions: Questions, kind: Kind, factor: float, answers: tuple[Answer, ...]
) -> tuple[Point, ItemScores]:
    scores = score_answers(answers, questions.task.metrics)
    evidence = item_scores([(replace(record, scores=scores), answers)], questions.task.metrics[0])
    assert evidence is not None
    return Point(kind, factor, questions.task.name, scores, answers), evidence


def _minus(one: ItemScores, other: ItemScores) -> Difference:
    paired = one.minus(other)
    return Difference(paired.difference, paired.low, paired.high, paired.p, paired.p)
