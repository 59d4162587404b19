"""Boards of real models: published runs as sections, without those of the model that the project ships for demonstration.

Pages that say something about methods read boards here, so that no statement rests on a model that has read exercises only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.analysis import results as analyses
from harness.analysis.aggregate import Cell, Difference, pool
from harness.analysis.items import ItemScores, Metrics
from harness.analysis.results import TaskResults
from harness.analysis.sections import Section
from harness.data import probes, registry
from harness.format import Table, interval, markdown, number, percent_sign, words
from harness.metrics import stats
from harness.record import RunSpec
from harness.store import records

DEMONSTRATION, COMMONEST = "tiny", "commonest"
NOTHING = "Not measured yet.\n"
HEADLINE_METHODS = (("lora", 8), ("qlora", 8), ("full", 0))  # compared on every board; chosen before any run
_ANALYZED: dict[tuple[object, ...], list[Board]] = {}
Reader = Callable[[Path, str], Sequence[records.Run]]


@dataclass(frozen=True)
class Board:
    """The newest section of a task and a real model, with the analysis of the task and the item scores of its rows."""

    section: Section
    analysis: TaskResults
    scores: Mapping[RunSpec, ItemScores]

    @property
    def task(self) -> str:
        """The name of the task."""
        return self.section.records[0].spec.task

    @property
    def name(self) -> str:
        """The task with its headline metric, as a table names it."""
        return f"{self.task}, {words(self.section.metric_name)}{percent_sign(self.section.unit)}"

    @property
    def model(self) -> str:
        """The model's name."""
        return self.section.records[0].spec.model

    @property
    def questions(self) -> int:
        """The test questions."""
        return max(cell.n for cell in self.section.headline)

    @property
    def seeds(self) -> int:
        """The seeds of its trained rows, the fewest of them; 0 without any."""
        return min((len(cell.seeds) for cell in self.tuned), default=0)

    def row(self, method: str, rank: int = 0) -> Cell | None:
        """Return the finished headline cell of a method, one with tuned rates if there is one; None without any."""
        cells = [
            cell
            for cell in self.section.headline
            if (cell.spec.method, cell.spec.rank) == (method, rank) and not cell.challenges and cell.value is not None
        ]
        return max(cells, key=lambda cell: len(cell.spec.tuned_over), default=None)

    def challenger(self, name: str) -> Cell | None:
        """Return the headline cell of a challenger; None without it."""
        cells = (cell for cell in self.section.headline if cell.challenges and cell.spec.method == name)
        return next(cells, None)

    def minus(self, cell: Cell | None, other: Cell | None) -> stats.Paired | None:
        """Return one row less another, paired on the questions; None if one of them is not there."""
        left, right = (self.scores.get(row.spec) if row else None for row in (cell, other))
        return left.minus(right) if left and right and left.pairs_with(right) else None

    def better(self, cell: Cell, difference: Difference | None) -> bool:
        """Whether a row is better by a paired test, corrected for all pairs of the board; never without readable answers."""
        if difference is None or difference.p_holm >= stats.LEVEL or not cell.parse_rate:
            return False
        return (difference.value > 0) == self.section.higher_is_better

    def label(self, cell: Cell | None) -> str:
        """Return the name of a row; an empty text for none."""
        return self.section.label(cell) if cell else ""

    @property
    def tuned(self) -> Iterator[Cell]:
        """The finished rows of the methods that every board compares."""
        return (cell for method in HEADLINE_METHODS if (cell := self.row(*method)) is not None)


def boards(results: Path, tasks: Iterable[str], read: Reader = records.read_published) -> list[Board]:
    """Return the boards of the tasks in their order, of each model the newest version of the task.

    Raises:
        HarnessError: damaged records.
    """
    metrics = probes.with_reordered({name: task.metrics for name, task in registry.recorded().items()})
    return [board for task in tasks for board in _of_task(task, read(results, task), metrics)]


def _of_task(task: str, runs: Sequence[records.Run], metrics: Metrics) -> list[Board]:
    """Return the boards of a task; those of the same runs are analyzed once, as several pages show them."""
    real = [run for run in runs if run.record.spec.model != DEMONSTRATION]
    key = (task, tuple((run.folder, run.record.answers_sha256) for run in real))
    if key not in _ANALYZED:
        _ANALYZED[key] = _analyzed(task, real, metrics)
    return _ANALYZED[key]


def _analyzed(task: str, real: Sequence[records.Run], metrics: Metrics) -> list[Board]:
    answered = [(run.record, run.answers() or None) for run in real]
    asked = {run.record.spec.id: run.probe_answers() for run in real if run.record.probes}
    analysis = analyses.analyze(task, answered, metrics, asked)
    drafts, _ = pool(answered, metrics)
    scores = {cell.spec: evidence for cell, evidence in drafts if cell.headline and evidence is not None}
    newest: dict[str, Board] = {}
    for board in sorted((Board(part, analysis, scores) for part in analysis.sections if part.records), key=_age):
        newest[board.model] = board
    return [board for _, board in sorted(newest.items())]


def _age(board: Board) -> tuple[int, int]:
    return board.section.records[0].spec.task_version, len(board.section.cells)


def score(cell: Cell | None) -> str:
    """Return a value with its interval; an empty text for no cell."""
    return estimate(cell.value, cell.low, cell.high, cell.unit) if cell else ""


def points(difference: Difference | stats.Interval | stats.Paired | None, unit: str) -> str:
    """Return a difference with its interval; an empty text for none."""
    if difference is None:
        return ""
    value = difference.difference if isinstance(difference, stats.Paired) else difference.value
    return estimate(value, difference.low, difference.high, unit, sign=True)


def estimate(
    value: float | None, low: float | None, high: float | None, unit: str = "share", *, sign: bool = False
) -> str:
    """Return a value with its interval, if it has any."""
    return " ".join(filter(None, (number(value, unit, sign=sign), interval(low, high, unit, sign=sign))))


def row_name(method: str, rank: int) -> str:
    """Return the name of a row, such as `lora r8`."""
    return f"{method} r{rank}" if rank else method


HEADS = (
    *("task", "model", "questions", "seeds", "base", "without training", "best challenger", "method", "score"),
    *("by training", "less commonest answer", "less a challenger", "times base"),
)


def table(found: Sequence[Board]) -> str:
    """Return the rows of boards against the base model and challengers; a sentence without a trained row.

    Without training: the base model at its best less the plain one. By training: the row less the base model at its best.
    """
    rows = tuple(row for board in found for row in _rows(board))
    if not rows:
        return NOTHING
    return markdown(Table("Boards", HEADS, rows, left=frozenset({0, 1, 6, 7}))) + "\n"


def _rows(board: Board) -> Iterator[tuple[str, ...]]:
    section, plain, rival = board.section, board.row("base"), board.section.best_challenger
    start = (board.name, board.model, f"{board.questions:,}", str(board.seeds), score(plain), _untrained(board))
    challenger = f"{board.label(rival)} {score(rival)}".strip()
    for cell in board.tuned:
        beyond = board.minus(cell, board.challenger(COMMONEST))
        gains = [points(part, section.unit) for part in (cell.vs_base, beyond, cell.vs_challenger)]
        yield (*start, challenger, board.label(cell), score(cell), *gains, _ratio(cell, plain))


def _untrained(board: Board) -> str:
    """Return what the base model gains without training, and by which row."""
    plain, best = board.row("base"), board.section.baseline
    if plain is None or best is None or best.spec == plain.spec or plain.vs_base is None:
        return ""
    gain = plain.vs_base
    turned = replace(gain, value=-gain.value, low=-gain.high, high=-gain.low)
    return f"{points(turned, board.section.unit)} ({board.label(best)})"


def _ratio(cell: Cell, plain: Cell | None) -> str:
    """Return a share over the base model's; an empty text for other metrics and for a base of nothing."""
    if plain is None or not plain.value or cell.value is None or cell.unit != "share":
        return ""
    return f"{cell.value / plain.value:.2f}"


@dataclass(frozen=True)
class Count:
    """On how many boards of so many seeds a method is better than the base model at its best, and than every challenger too."""

    name: str
    seeds: int
    boards: int
    better: int
    best: int


def counts(found: Sequence[Board]) -> list[Count]:
    """Return the counts of the methods by seeds, most first, by paired tests corrected for all pairs of a board.

    Boards of one seed are counted apart: their intervals cover no other training, so they show a difference more easily.
    """
    made = []
    for method, rank in HEADLINE_METHODS:
        rows = [(board, cell) for board in found if (cell := board.row(method, rank)) is not None]
        for seeds in sorted({len(cell.seeds) for _, cell in rows}, reverse=True):
            same = [(board, cell) for board, cell in rows if len(cell.seeds) == seeds]
            better = [(board, cell) for board, cell in same if board.better(cell, cell.vs_base)]
            best = sum(board.better(cell, cell.vs_challenger) for board, cell in better)
            made.append(Count(row_name(method, rank), seeds, len(same), len(better), best))
    return made


def overview(found: Sequence[Board]) -> str:
    """Return a row for each board with trained rows: what needs no training beside the methods; empty without any."""
    heads = ["task", "model", "questions", "seeds", "base", "base at its best", "best challenger"]
    heads += [row_name(method, rank) for method, rank in HEADLINE_METHODS]
    rows = []
    for board in found:
        best, rival = board.section.baseline, board.section.best_challenger
        named = [f"{score(cell)} {board.label(cell)}".strip() for cell in (best, rival)]
        trained = [score(board.row(*method)) for method in HEADLINE_METHODS]
        if any(trained):
            start = (board.name, board.model, f"{board.questions:,}", str(board.seeds), score(board.row("base")))
            rows.append((*start, *named, *trained))
    table = Table("Boards", tuple(heads), tuple(rows), left=frozenset({0, 1, 5, 6}))
    return markdown(table) + "\n" if rows else ""
