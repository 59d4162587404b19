"""The recommendation that ends a task: the row to use by rule, its costs, the command that exports it, and reservations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness import errors
from harness.analysis import decision
from harness.analysis.compare import MARGIN
from harness.format import duration, interval, number, percent_sign, points, size
from harness.metrics.sampling import FEWEST_SEEDS
from harness.report.names import answer_text, baseline_words, metric_words
from harness.report.verdict import reference_words, score
from harness.store import records

if TYPE_CHECKING:
    from harness.analysis.aggregate import Cell
    from harness.analysis.decision import Choice
    from harness.analysis.sections import Section


@dataclass(frozen=True)
class Recommendation:
    """The advice in one sentence, the costs of the row, the command that exports it, and reservations.

    `run` is the id of the run to export, `exported` its row; these, `costs` and `command` are empty without one.
    """

    advice: str
    costs: str = ""
    command: str = ""
    run: str = ""
    exported: Cell | None = None
    reservations: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[tuple[str, str], ...]:
        """Its parts as pairs of a name and a text, without empty ones."""
        pairs = (("recommended", self.advice), ("costs", self.costs), ("export", self.command))
        more = tuple(("reservation", text) for text in self.reservations)
        return (*(pair for pair in pairs if pair[1]), *more)


def recommendation(section: Section) -> Recommendation | None:
    """Return the recommendation for a section; None if nothing was trained in it.

    The rule: the smallest row shown to be less than the margin below every other row, else the best one; no row at all if
    the best one is not shown to beat what needs no training.
    """
    best = decision.best_tuned(section)
    if best is None:
        return None
    against = decision.reference(section)
    if against is None:
        return Recommendation("no row: there is no run of the base model on the same questions to compare with.")
    choice = decision.choose(section)
    if choice is None:
        name = _strongest(section)
        return Recommendation(
            f"none of the tuned rows: the best of them, {section.label(best)}, is not shown to beat {name}.",
            reservations=(_size_of_test(best),),
        )
    cell = choice.cell
    exported = cell if _leaves_adapter(cell) else _tied_adapter(section)
    return Recommendation(
        _advice(section, choice),
        _costs(cell) if cell.cost else "",
        _command(exported) if exported else "",
        exported.records[0].spec.id if exported else "",
        exported,
        tuple(_reservations(section, choice, exported)),
    )


def _strongest(section: Section) -> str:
    """Return the name of the reference, or of guessing if that scores more."""
    against = decision.reference(section)
    assert against is not None
    chance = section.chance
    if chance is not None and (chance > against.value) == section.higher_is_better:
        return reference_words(section, decision.Reference(None, chance))
    if against.cell is not None and not against.cell.challenges:
        return f"{baseline_words(section)} ({score(against.value, section)})"
    return reference_words(section, against)


def _advice(section: Section, choice: Choice) -> str:
    cell, unit = choice.cell, section.unit
    text = f"{section.label(cell)}, {number(cell.value, unit)}{percent_sign(unit)} {interval(cell.low, cell.high, unit)} {metric_words(section)}"
    if choice.is_smaller:
        return f"{text}: the smallest row shown to be less than {points(MARGIN, 'share')} below every other row."
    smaller = [row for row in decision.tuned_rows(section) if row is not cell]
    if not smaller:
        return f"{text}: the only tuned row."
    if unit != "share":
        return f"{text}: the row with the best score."
    if cell.not_worse:
        return f"{text}: the best score, and shown to be less than {points(MARGIN, 'share')} below every other row."
    return f"{text}: the best score; no smaller row is shown to be less than {points(MARGIN, 'share')} below every other row."


def _costs(cell: Cell) -> str:
    cost = cell.cost
    assert cost is not None
    train, test = cost.phases.get("train"), cost.phases.get("evaluate")
    parts = [f"{size(train.peak_bytes)} and {_time(cell)} to train"] if train else []
    if test and test.peak_bytes:
        parts.append(f"{size(test.peak_bytes)} to answer")
    parts += [f"{size(cost.adapter_bytes)} as a file"] if cost.adapter_bytes else []
    return ", ".join(parts)


def _time(cell: Cell) -> str:
    """Return the median time of training, and what took part of the machine."""
    measured = cell.train_times
    if measured is None:
        return "an unknown time"
    conditions = ["beside other runs"] * cell.has_neighbours + ["on a busy machine"] * cell.busy
    conditions += ["in parts, interrupted"] * cell.has_resumptions
    if measured.count > 1:
        low, high = duration(measured.low), duration(measured.high)
        spread = f", {low} to {high}" if low != high else ""
        conditions.insert(0, f"median of {measured.count} seeds{spread}")
    return duration(measured.median) + (f" ({'; '.join(conditions)})" if conditions else "")


def _leaves_adapter(cell: Cell) -> bool:
    cost = cell.records[0].cost
    return cost is not None and cost.adapter_bytes > 0


def _tied_adapter(section: Section) -> Cell | None:
    """Return the smallest row with an adapter that does not differ significantly from the best row."""
    rows = [row for row in decision.tuned_rows(section) if row.best_or_tied and _leaves_adapter(row)]
    return min(rows, key=decision.weight, default=None)


def _command(cell: Cell) -> str:
    spec = cell.records[0].spec
    return errors.command("adapters", "export", spec.id, folder_name(spec.task, spec.method, spec.rank))


def folder_name(task: str, method: str, rank: int | str) -> str:
    """Return the folder to export a row of a task into, such as `cfa-lora-r8`."""
    return f"{records.path_word(task)}-{method}" + (f"-r{rank}" if rank else "")


def _size_of_test(cell: Cell) -> str:
    groups = f" in {cell.groups:,} groups" if cell.groups != cell.n else ""
    return f"{cell.n:,} test questions{groups} decide it; questions of another kind may differ."


def _reservations(section: Section, choice: Choice, exported: Cell | None) -> list[str]:
    cell: Cell = choice.cell
    lines: list[str] = []
    for count in decision.missing_classes(cell):
        lines.append(f"It never answers {answer_text(count.name)} (0 of {count.targets:,}).")
    if cell.parse_rate is not None and cell.parse_rate < 1:
        lines.append(f"{number(1 - cell.parse_rate)} % of its answers cannot be read.")
    seeds = len(cell.seeds)
    if seeds < FEWEST_SEEDS:
        lines.append(f"{seeds} seed{'s' * (seeds > 1)}: to cover other training runs, {FEWEST_SEEDS} are needed.")
    elif exported is cell:
        lines.append(f"The export is of seed {choice.record.spec.seed}: no seed is selected by its test score.")
    if exported is not cell:
        other = f"; the command exports {section.label(exported)}, not shown to differ from it" if exported else ""
        lines.append(f"It leaves no adapter{other}. --save-full keeps the weights of full fine-tuning.")
    lines.append(_size_of_test(cell))
    if not any(record.probes for record in cell.records):
        lines.append("Forgetting was not measured (--probe general).")
    return lines
