"""The main statements and the sums of an XBRL filing in EDGAR's form, read for questions.

The files of an instance are identified by the name of its schema, even if the schema itself is missing: `x-20240630.xsd`
goes with `x-20240630_lab.xml`, `x-20240630_pre.xml` and so on.

- Lines are in the order of the presentation linkbase; if there is none, in that of the calculation linkbase.
- Negated labels are honoured: a line that the filing prints with the opposite sign has it here, too (`Line.negated`).
- Sums have values as reported, because the weights of the calculation linkbase are meant for those.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

from harness import HarnessError
from tasks._xbrl import Arcs, Fact, Facts, Links, Period, read_instance

_SCALES = {9: "billions of ", 6: "millions of ", 3: "thousands of ", 0: ""}
_LINKBASE = re.compile(r"_(cal|def|lab|pre|ref)\.xml$")
_OTHER = re.compile(r"parenthetical|details?$|tables?$|policies|disclosure|notes|textblock", re.IGNORECASE)
_MAIN = re.compile(r"statement|balancesheet", re.IGNORECASE)
MOST_PERIODS = 4  # the most columns of a statement, the newest periods


@dataclass(frozen=True)
class Line:
    """A line of a statement, with a cell for each of its periods.

    `name` is the label. Lines with the same label get their heading, and start or end of the period, in front; `unique` is
    False if they still have the same name. `unit` is in words, as printed: "thousands of USD" if `scale` is 3.
    """

    element: str
    name: str
    unit: str
    cells: tuple[Fact | None, ...]
    scale: int = 0
    negated: bool = False
    unique: bool = True

    @property
    def columns(self) -> list[int]:
        """Return the indices of the periods with a value."""
        return [column for column, fact in enumerate(self.cells) if fact]

    def printed_value(self, column: int) -> Decimal:
        """Return the value as the filing prints it, in the line's unit; `column` must be one of `columns`."""
        fact = self.cells[column]
        assert fact is not None
        return (-fact.value if self.negated else fact.value).scaleb(-self.scale)

    shown = printed_value  # its name in version 0.1


@dataclass(frozen=True)
class Statement:
    """A main statement: its periods, newest first (for the same end the shortest first), and its lines."""

    title: str
    periods: tuple[Period, ...]
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        """Return title, unit, and a row `label | value | value` for each line; a line in another unit names it."""
        common = Counter(line.unit for line in self.lines).most_common(1)[0][0]
        unit = f"in {common or 'plain numbers'}, unless a line says otherwise"
        rows = [self.title, unit, " | ".join(("line", *map(str, self.periods)))]
        for line in self.lines:
            values = (
                number_text(line.printed_value(column)) if fact else "n/a" for column, fact in enumerate(line.cells)
            )
            name = line.name if line.unit == common else f"{line.name} ({line.unit or 'plain number'})"
            rows.append(" | ".join((name, *values)))
        return "\n".join(rows)


@dataclass(frozen=True)
class Sum:
    """A total and its parts with their weights, of one period and unit. `names` are the total's and the parts'."""

    total: Fact
    parts: tuple[tuple[Decimal, Fact], ...]
    names: tuple[str, ...]

    @property
    def facts(self) -> list[Fact]:
        """Return the total, then the parts."""
        return [self.total, *(fact for _, fact in self.parts)]

    @property
    def unit(self) -> str:
        """Return the unit in words, as printed."""
        return scaled(self.facts)[1]

    @property
    def values(self) -> list[str]:
        """Return the total, then the parts, as reported, in the unit."""
        return [number_text(fact.value.scaleb(-scaled(self.facts)[0])) for fact in self.facts]

    shown = values  # its name in version 0.1

    def __str__(self) -> str:
        """Return a row `label | weight | value` for each part, without the total."""
        rows = [f'Parts of "{self.names[0]}" for {self.total.period}, in {self.unit}', "part | weight | value"]
        for name, value, (weight, _) in zip(self.names[1:], self.values[1:], self.parts, strict=True):
            rows.append(f"{name} | {number_text(weight)} | {value}")
        return "\n".join(rows)

    @property
    def gap(self) -> Decimal:
        """Return the weighted sum of the parts minus the total."""
        return sum((weight * fact.value for weight, fact in self.parts), -self.total.value)

    @property
    def rounding(self) -> Decimal:
        """Return the largest gap that rounding explains: half a unit of the last reported digit of every number."""
        halves = (
            abs(weight) * Decimal(5).scaleb(-fact.decimals - 1)
            for weight, fact in ((Decimal(1), self.total), *self.parts)
            if fact.decimals is not None
        )
        return sum(halves, Decimal(0))


@dataclass(frozen=True)
class Filing:
    """The content of a filing: `issuer` is the filer's identifier (its CIK), `left_out` counts omitted facts by reason."""

    issuer: str
    statements: tuple[Statement, ...]
    sums: tuple[Sum, ...]
    left_out: Mapping[str, int]


def number_text(value: Decimal) -> str:
    """Return a number in the format of statements: thousands separators, no needless decimals, a minus sign."""
    integer = value.to_integral_value()
    return format((integer if value == integer else value.normalize()) + 0, ",f")  # + 0: there is no minus zero


written = number_text  # its name in version 0.1


def scaled(facts: Sequence[Fact]) -> tuple[int, str]:
    """Return the power of ten for printing facts of one unit, from their commonest `decimals`, and the unit."""
    counts = Counter(-fact.decimals for fact in facts if fact.decimals is not None)
    digits = min(counts, key=lambda exponent: (-counts[exponent], exponent), default=0)
    scale = next((scale for scale in _SCALES if scale <= digits), 0)
    return scale, f"{_SCALES[scale]}{facts[0].unit}"


def read_filing(path: Path) -> Filing | None:
    """Return the filing of an instance, or None if the file is no XBRL instance.

    Raises:
        HarnessError: the filing is unreadable, has no labels, or has no statement.
    """
    if _LINKBASE.search(path.name) or (instance := read_instance(path)) is None:
        return None
    family = re.compile(rf"{re.escape(instance.schema)}(_(cal|lab|pre)\.xml|\.xsd(\.xml)?)")
    links = Links([file for file in sorted(path.parent.iterdir()) if family.fullmatch(file.name)])
    if not links.labels:
        fix = f"put {instance.schema}_lab.xml beside it"
        raise HarnessError("this filing has no labels in English", where=str(path), fix=fix)
    statements = tuple(_statements(links, instance.facts))
    if not statements:
        fix = f"put {instance.schema}_pre.xml beside it, and {instance.schema}.xsd, which names the statements"
        raise HarnessError("this filing has no statement that can be read", where=str(path), fix=fix)
    names = {element: links.label(element, "label") for element in links.labels}
    names |= {line.element: line.name for statement in reversed(statements) for line in reversed(statement.lines)}
    sums = tuple(_sums(links, instance.facts, names))
    return Filing(instance.issuer or instance.schema, statements, sums, instance.left_out)


def _statements(links: Links, facts: Facts) -> Iterator[Statement]:
    """Yield the main statements, by the schema's definitions, or by the names of their roles if there is no schema."""
    for role, arcs in (links.trees("presentation") or links.trees("calculation")).items():
        title, name = links.titles.get(role, ""), role.rpartition("/")[2]
        main = " - Statement - " in title if title else _MAIN.search(name)
        if main and not _OTHER.search(title or name):
            words = re.sub(r"^Statement (?!Of)", "", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name))
            statement = _statement(title.partition(" - Statement - ")[2] or words, links, arcs, facts)
            if statement:
                yield statement


def _walk(arcs: Arcs) -> Iterator[tuple[str, str, str]]:
    """Yield element, role of its label, and its parent, from the top down; a loop of arcs is followed once."""
    below = {child for children in arcs.values() for child, _, _ in children}
    stack = [(root, "", "") for root in reversed(tuple(arcs)) if root not in below]
    opened: set[str] = set()
    while stack:
        element, role, parent = stack.pop()
        yield element, role, parent
        if element not in opened:
            opened.add(element)
            stack += [(child, label, element) for child, label, _ in reversed(arcs.get(element, ()))]


def _statement(title: str, links: Links, arcs: Arcs, facts: Facts) -> Statement | None:
    rows = [row for row in dict.fromkeys(_walk(arcs)) if row[0] in facts and links.label(row[0], row[1])]
    proper = [row for row in rows if not _side(row[1])] or rows  # a balance at start and end makes no column
    periods = _columns([period for element, _, _ in proper for period in facts[element]])
    lines: list[Line] = []
    longer: list[tuple[str, str]] = []  # the names with heading, without and with the side of the period
    for element, role, parent in rows:
        side = _side(role)
        cells = tuple(_cell(facts[element], period, at_start=side == "start") for period in periods)
        reported = [fact for fact in cells if fact]
        if reported:
            label = links.label(element, role)
            lines.append(Line(element, label, reported[0].unit, cells, negated="negated" in role.lower()))
            heading = re.sub(r"( \[[A-Z][A-Za-z ]*\]|:)+$", "", links.label(parent, ""))
            name = f"{heading}: {label}" if heading else label
            longer.append((name, f"{name} at the {side}" if side else name))
    return Statement(title, periods, tuple(_finished(lines, longer))) if lines else None


def _side(role: str) -> str:
    """Return the side of the period (start or end) of a balance by its label's role; empty if the role has none."""
    return next((side for side in ("start", "end") if f"period{side}" in role.lower()), "")


def _columns(periods: Sequence[Period]) -> tuple[Period, ...]:
    """Return a statement's periods: spans or moments, as for most facts, with at least half the facts of the fullest."""
    spans = [period for period in periods if period.start]
    counts = Counter(spans if 2 * len(spans) >= len(periods) else [period for period in periods if not period.start])
    full = [period for period, count in counts.items() if 2 * count >= max(counts.values())]
    full.sort(key=lambda period: (period.end, period.start), reverse=True)
    return tuple(full[:MOST_PERIODS])


def _finished(lines: Sequence[Line], longer: Sequence[tuple[str, str]]) -> Iterator[Line]:
    """Yield the lines with different names, as far as possible, and in the scale of their unit."""
    names = [(line.name, *more) for line, more in zip(lines, longer, strict=True)]
    counts = [Counter(column) for column in zip(*names, strict=True)]
    for line, choice in zip(lines, names, strict=True):
        level = next((level for level, name in enumerate(choice) if counts[level][name] == 1), None)
        scale, unit = scaled(
            [fact for neighbour in lines if neighbour.unit == line.unit for fact in neighbour.cells if fact]
        )
        name = choice[-1 if level is None else level]
        yield replace(line, name=name, unique=level is not None, scale=scale, unit=unit)


def _cell(facts: Mapping[Period, Fact], period: Period, *, at_start: bool) -> Fact | None:
    """Return a line's fact for a column; in a column of a span, a balance is that of its end, or of the day before it."""
    if at_start and period.start:
        return facts.get(Period("", (date.fromisoformat(period.start) - timedelta(days=1)).isoformat()))
    return facts.get(period) or facts.get(Period("", period.end))


def _sums(links: Links, facts: Facts, names: Mapping[str, str]) -> Iterator[Sum]:
    """Yield once every total with at least two parts reported for its period; a missing label is empty."""
    keys: set[tuple[str, ...]] = set()
    for arcs in links.trees("calculation").values():
        for parent, children in arcs.items():
            for period, total in facts.get(parent, {}).items():
                reported = [(weight, facts.get(child, {}).get(period)) for child, _, weight in children]
                parts = tuple((weight, fact) for weight, fact in reported if fact and fact.unit == total.unit)
                key = (parent, str(period), *sorted(fact.element for _, fact in parts))
                if len(parts) > 1 and key not in keys:
                    keys.add(key)
                    elements = (parent, *(fact.element for _, fact in parts))
                    yield Sum(total, parts, tuple(names.get(element, "") for element in elements))
