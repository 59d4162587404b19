"""What may stand in one table or figure: the cells of one task, version, model and set of examples and prompts.

Runs of a task that differ in one of these are not set against each other; each set is a section of its own. Within a
section a run is called by its method and rank; where two runs share these, what sets them apart is added.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.analysis.aggregate import Cell, in_order
from harness.format import NONE, heading, number, percent_sign, words
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
HELD_EQUAL = (
    ("train_examples", "training examples"),
    ("epochs", "epochs"),
    ("batch_size", "examples per optimizer step"),
    ("max_tokens", "longest input, tokens"),
    ("max_new_tokens", "longest answer, tokens"),
    ("warmup", "warm-up, share of steps"),
    ("weight_decay", "weight decay"),
    ("dropout", "dropout"),
    ("scoring", "scoring"),
    ("dtype", "number format"),
    ("device", "device"),
)


@dataclass(frozen=True)
class Section:
    """Cells that may be set against each other, in leaderboard order, all metrics. `title` tells sections apart.

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
    def family(self) -> tuple[object, ...]:
        """The values that its cells share, as `Cell.family` without the metric."""
        return self.cells[0].family[:-1]

    @property
    def records(self) -> tuple[Record, ...]:
        """Every record in it, once each."""
        return tuple({record.spec.id: record for cell in self.cells for record in cell.records}.values())

    @property
    def metric(self) -> str:
        """The headline metric in words."""
        return words(next((cell.metric for cell in self.headline if cell.metric), "score"))

    @property
    def unit(self) -> str:
        """The headline metric's unit."""
        return next((cell.unit for cell in self.headline if cell.status == "ok"), "share")

    @property
    def heading(self) -> str:
        """The headline metric in words with its unit, and an arrow where lower is better."""
        better = all(cell.higher_is_better for cell in self.headline)
        return heading(self.metric, self.unit, higher_is_better=better)

    @property
    def chance(self) -> float | None:
        """What guessing scores on the headline metric, None where it is not known."""
        return next((cell.chance for cell in self.headline if cell.chance is not None), None)

    @property
    def chance_shown(self) -> str:
        """`chance` as people read it, with its unit."""
        return f"{number(self.chance, self.unit)}{percent_sign(self.unit)}"

    @property
    def guess(self) -> str:
        """What scores `chance`, in words."""
        return next((cell.records[0].guess for cell in self.headline if cell.chance is not None), "guessing")

    @property
    def base(self) -> Cell | None:
        """The base model's finished cell on the headline metric."""
        return next((c for c in self.headline if c.spec.method == "base" and c.value is not None), None)

    def label(self, cell: Cell) -> str:
        """A row's name, such as `lora r8`."""
        return self.labels[replace(cell.spec, seed=0)]

    def verdict(self, cell: Cell, *, reason: bool = True) -> str:
        """The marks of a finished row; the status of another, with its reason unless that stands elsewhere."""
        if cell.status != "ok":
            return f"✗ {cell.status}" + (f": {cell.reason}" if cell.reason and reason else "")
        alone = sum(other.value is not None for other in self.headline) == 1
        marks = ["" if alone else {"best": "◀ best", "tied": "≈ best", "": ""}[cell.best_or_tied]]
        marks.append(f"▼ below {self.chance_shown}" if cell.below_chance else "")
        marks.append("▼ one answer" if cell.constant else "")
        marks.append("≈ base" if like_base(cell) else "")
        return ", ".join(mark for mark in marks if mark)


def sections(cells: Iterable[Cell]) -> list[Section]:
    """Split cells into sections, in leaderboard order."""
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
    same = ("task_version", "data", "model", "model_revision", "test_examples")
    alike = all(getattr(base.spec, name) == getattr(cell.spec, name) for name in same)
    return alike and base.spec.scoring != cell.spec.scoring


def _titles(firsts: Sequence[Cell]) -> list[str]:
    """Title each section by its model and size, and by as much more as tells them apart."""

    def size(cell: Cell) -> str:
        groups = f" in {cell.groups:,} groups" if cell.groups and cell.groups != cell.n else ""
        return f"{cell.n or cell.spec.test_examples:,} test questions{groups}"

    more: list[Callable[[Cell], str]] = [
        lambda cell: f"{cell.spec.model} · {size(cell)}",
        lambda cell: f" · task version {cell.spec.task_version}",
        lambda cell: f" · {cell.spec.scoring}",
        lambda cell: f" · model revision {cell.spec.model_revision[:7]}",
        lambda cell: f" · data {cell.spec.data[:8]}",
    ]
    titles = [more[0](cell) for cell in firsts]
    for part in more[1:]:
        crowded = {title for title in titles if titles.count(title) > 1}
        titles = [t + part(cell) if t in crowded else t for t, cell in zip(titles, firsts, strict=True)]
    return titles


def labels(cells: Iterable[Cell]) -> dict[RunSpec, str]:
    """Name each spec (seed 0): method and rank, and the fields that set it apart from others of the same name."""
    specs = list(dict.fromkeys(replace(cell.spec, seed=0) for cell in cells))
    alike: defaultdict[str, list[RunSpec]] = defaultdict(list)
    for spec in specs:
        alike[_name(spec)].append(spec)
    found = {}
    for name, same in alike.items():
        fields = [field.name for field in dataclasses.fields(RunSpec) if field.name != "probes"]
        differ = [field for field in fields if len({getattr(spec, field) for spec in same}) > 1]
        for spec in same:
            apart = ", ".join(f"{SHORT.get(field, field)} {_value(getattr(spec, field))}" for field in differ)
            found[spec] = f"{name} ({apart})" if apart else name
    return found


def held_equal(section: Section) -> tuple[list[tuple[str, str]], list[str]]:
    """Return what all trained runs shared, as (name, value), and the names of what should be shared and was not."""
    trained = [record.spec for record in section.records if record.spec.train_examples]
    same, apart = [], []
    for field, name in HELD_EQUAL:
        values = {getattr(spec, field) for spec in trained}
        if len(values) == 1:
            same.append((name, _value(values.pop())))
        elif values:
            apart.append(name)
    return same, apart


def like_base(cell: Cell) -> bool:
    """Whether a paired test cannot tell the cell from the base model."""
    return cell.vs_base is not None and cell.vs_base.p_holm >= LEVEL


def _name(spec: RunSpec) -> str:
    return f"{spec.method} r{spec.rank}" if spec.rank else spec.method


def _value(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(_value, value)) or NONE
    if isinstance(value, float):
        return f"{value:g}"
    return f"{value:,}" if isinstance(value, int) else str(value) or NONE
