"""Sections: the cells that may share a table or figure, of one task, version, model and set of examples and prompts.

Runs of a task that differ in one of these are not compared with each other; each set is a section of its own. Within a
section a row is named by its method and rank; rows of the same name get the settings that differ added.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.analysis.aggregate import Cell, in_order
from harness.format import NONE, method_name
from harness.metrics.stats import LEVEL
from harness.record import Record, RunSpec

SHORT = {
    "tuned_over": "tuned over",
    "learning_rate": "rate",
    "train_examples": "train",
    "micro_batch": "micro",
    "weight_decay": "decay",
    "clients_by": "clients by",
}
EQUAL_SETTINGS = (
    "train_examples",
    "epochs",
    "batch_size",
    "max_tokens",
    "max_new_tokens",
    "warmup",
    "weight_decay",
    "dropout",
    "scoring",
    "dtype",
    "device",
)


@dataclass(frozen=True)
class Section:
    """Cells that may be compared with each other, in leaderboard order, all metrics. `title` tells sections apart.

    `other_base` is the base model's headline cell on the same questions, scored in the other way.
    """

    title: str
    cells: tuple[Cell, ...]
    labels: Mapping[RunSpec, str]
    other_base: Cell | None = None

    @property
    def headline(self) -> tuple[Cell, ...]:
        """The cells of the headline metric, one for each row of a table."""
        return tuple(cell for cell in self.cells if cell.headline)

    @property
    def with_model(self) -> tuple[Cell, ...]:
        """The headline cells of runs that load a model, so that memory can be compared; challengers have none."""
        return tuple(cell for cell in self.headline if not cell.challenges)

    @property
    def family(self) -> tuple[object, ...]:
        """The values that its cells share, as `Cell.family` without the metric."""
        return self.cells[0].family[:-1]

    @property
    def records(self) -> tuple[Record, ...]:
        """Its records, each once."""
        return tuple({record.spec.id: record for cell in self.cells for record in cell.records}.values())

    @property
    def metric_name(self) -> str:
        """The name of the headline metric."""
        return next((cell.metric for cell in self.headline if cell.metric), "score")

    @property
    def unit(self) -> str:
        """The unit of the headline metric."""
        return next((cell.unit for cell in self.headline if cell.status == "ok"), "share")

    @property
    def higher_is_better(self) -> bool:
        """Whether a higher headline metric is better."""
        return all(cell.higher_is_better for cell in self.headline)

    @property
    def chance(self) -> float | None:
        """The score of guessing on the headline metric, None if unknown."""
        return next((cell.chance for cell in self.headline if cell.chance is not None), None)

    @property
    def guess(self) -> str:
        """The strategy that scores `chance`, as its record names it."""
        return next((cell.records[0].guess for cell in self.headline if cell.chance is not None), "guessing")

    @property
    def base(self) -> Cell | None:
        """The base model's finished cell on the headline metric."""
        return next((c for c in self.headline if c.spec.method == "base" and c.value is not None), None)

    @property
    def baseline(self) -> Cell | None:
        """The headline cell of the base model at its best, from which differences are; the plain one if it is alone."""
        specs = {cell.baseline for cell in self.headline if cell.trains} or {cell.baseline for cell in self.headline}
        return next((cell for cell in self.headline if cell.spec in specs), self.base)

    @property
    def best_challenger(self) -> Cell | None:
        """The headline cell of the challenger with the best score; None without one."""
        known = [cell for cell in self.headline if cell.challenges and cell.value is not None]
        sign = 1.0 if self.higher_is_better else -1.0
        return max(known, key=lambda cell: sign * (cell.value or 0.0), default=None)

    def label(self, cell: Cell) -> str:
        """Return the name of a row, such as `lora r8`."""
        return self.labels[replace(cell.spec, seed=0)]


def sections(cells: Iterable[Cell]) -> list[Section]:
    """Return the cells by section, in leaderboard order."""
    parts: defaultdict[tuple[object, ...], list[Cell]] = defaultdict(list)
    for cell in in_order(cells):
        parts[cell.family[:-1]].append(cell)
    titles = _titles([max(part, key=lambda cell: cell.n) for part in parts.values()])
    bases = [
        cell for part in parts.values() for cell in part if cell.headline and cell.spec.method == "base" and cell.n
    ]
    return [
        Section(
            title, tuple(part), labels(part), next((base for base in bases if _scored_otherwise(base, part[0])), None)
        )
        for title, part in zip(titles, parts.values(), strict=True)
    ]


def _scored_otherwise(base: Cell, cell: Cell) -> bool:
    fields = ("task_version", "data", "model", "model_revision", "serving", "test_examples")
    shared = all(getattr(base.spec, name) == getattr(cell.spec, name) for name in fields)
    return shared and base.spec.scoring != cell.spec.scoring


def _titles(firsts: Sequence[Cell]) -> list[str]:
    """Return a title for each section: its model and size, and as much more as tells sections apart."""

    def size(cell: Cell) -> str:
        groups = f" in {cell.groups:,} groups" if cell.groups and cell.groups != cell.n else ""
        return f"{cell.n or cell.spec.test_examples:,} test questions{groups}"

    def engine(cell: Cell) -> str:
        return f" by {cell.spec.engine}" if cell.spec.engine else ""

    more: list[Callable[[Cell], str]] = [
        lambda cell: f"{cell.spec.model}{engine(cell)} · {size(cell)}",
        lambda cell: f" · task version {cell.spec.task_version}",
        lambda cell: f" · {cell.spec.scoring}",
        lambda cell: f" · model revision {cell.spec.model_revision[:7]}",
        lambda cell: f" · {', '.join(cell.spec.serving) or 'no settings of the chat template'}",
        lambda cell: f" · data {cell.spec.data[:8]}",
    ]
    titles = [more[0](cell) for cell in firsts]
    for part in more[1:]:
        crowded = {title for title in titles if titles.count(title) > 1}
        titles = [t + part(cell) if t in crowded else t for t, cell in zip(titles, firsts, strict=True)]
    return titles


def labels(cells: Iterable[Cell]) -> dict[RunSpec, str]:
    """Return the name of each spec (seed 0): method and rank, with the settings that differ within a name."""
    specs = list(dict.fromkeys(replace(cell.spec, seed=0) for cell in cells))
    by_name: defaultdict[str, list[RunSpec]] = defaultdict(list)
    for spec in specs:
        by_name[_name(spec)].append(spec)
    names = {}
    for name, specs_of_name in by_name.items():
        fields = [field.name for field in dataclasses.fields(RunSpec) if field.name != "probes"]
        differ = [field for field in fields if len({getattr(spec, field) for spec in specs_of_name}) > 1]
        for spec in specs_of_name:
            apart = ", ".join(f"{SHORT.get(field, field)} {setting_text(getattr(spec, field))}" for field in differ)
            names[spec] = f"{name} ({apart})" if apart else name
    return names


def shared_settings(section: Section) -> tuple[dict[str, object], list[str]]:
    """Return the settings that all trained runs share, by field, and the fields of `EQUAL_SETTINGS` that differ."""
    trained = [record.spec for record in section.records if record.spec.train_examples]
    shared: dict[str, object] = {}
    different = []
    for field in EQUAL_SETTINGS:
        values = {getattr(spec, field) for spec in trained}
        if len(values) == 1:
            shared[field] = values.pop()
        elif values:
            different.append(field)
    return shared, different


def like_base(cell: Cell) -> bool:
    """Whether a paired test cannot tell the cell from the base model."""
    return cell.vs_base is not None and cell.vs_base.p_holm >= LEVEL


def _name(spec: RunSpec) -> str:
    return f"{method_name(spec)} r{spec.rank}" if spec.rank else method_name(spec)


def setting_text(value: object) -> str:
    """Return the value of a setting as people read it."""
    if isinstance(value, tuple):
        return ", ".join(map(setting_text, value)) or NONE
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value) or NONE
