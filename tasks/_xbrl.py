"""The XML of an XBRL filing: the facts of an instance, and the labels, arcs and titles of its linkbases and schema.

Only the standard library reads it. A document type declaration is refused before anything is expanded, so that no file
can define entities or name another file, and nothing is fetched. Elements are written `prefix:Name`.
"""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import unquote
from xml.parsers import expat

from harness import HarnessError

_INSTANCE, _LINK = "{http://www.xbrl.org/2003/instance}", "{http://www.xbrl.org/2003/linkbase}"
_XLINK, _XML = "{http://www.w3.org/1999/xlink}", "{http://www.w3.org/XML/1998/namespace}"
_NIL = "{http://www.w3.org/2001/XMLSchema-instance}nil"
_NUMBER = re.compile(
    r"[+-]?[0-9]{1,16}(\.[0-9]{0,12})?", re.ASCII
)  # at most 28 digits: Decimal adds these without rounding
_DECIMALS = re.compile(r"-?[0-9]{1,2}", re.ASCII)


@dataclass(frozen=True)
class Period:
    """A moment (no start) or a span of days, as ISO dates, both included."""

    start: str
    end: str

    def __str__(self) -> str:
        return f"{self.start} to {self.end}" if self.start else self.end

    @property
    def days(self) -> int:
        """Return the length in days, 0 for a moment."""
        return (date.fromisoformat(self.end) - date.fromisoformat(self.start)).days + 1 if self.start else 0


@dataclass(frozen=True)
class Fact:
    """One reported number without dimensions; `decimals` is None if it is exact."""

    element: str
    period: Period
    unit: str
    value: Decimal
    decimals: int | None


Facts = Mapping[str, Mapping[Period, Fact]]
Arcs = Mapping[str, Sequence[tuple[str, str, Decimal]]]  # parent to its children in order: element, label role, weight


@dataclass(frozen=True)
class Instance:
    """The content of an instance.

    `issuer` is the filer's identifier (its CIK), empty if it has none; `schema` is the name of its schema without
    ending; `left_out` counts the omitted facts by reason.
    """

    issuer: str
    schema: str
    facts: Facts
    left_out: Counter[str]


def read_xml(path: Path) -> tuple[ET.Element, dict[str, str]]:
    """Return an XML file's root and its namespaces' prefixes; a document type declaration is refused before reading it.

    Raises:
        HarnessError: the file has a document type declaration, or is not well-formed.
    """
    prefixes: dict[str, str] = {}

    def refuse(*_: object) -> NoReturn:
        fix = "remove the <!DOCTYPE …> with its definitions, or download the file from EDGAR again: filings have none"
        line = f"{path}, line {guard.CurrentLineNumber}"
        raise HarnessError("this XML file declares a document type, which could define entities", where=line, fix=fix)

    guard = expat.ParserCreate(namespace_separator=" ")
    guard.StartDoctypeDeclHandler = refuse
    guard.StartNamespaceDeclHandler = lambda prefix, uri: prefixes.setdefault(uri, prefix or "")
    try:
        raw = path.read_bytes()
        guard.Parse(raw, True)
        return ET.fromstring(raw), prefixes
    except (OSError, LookupError, ValueError, expat.ExpatError, ET.ParseError) as error:
        problem = f"this XML file cannot be read: {error}"
        raise HarnessError(problem, where=str(path), fix="download the file again, whole") from error


def read_instance(path: Path) -> Instance | None:
    """Return an instance's facts, or None if the file is no instance (a linkbase, a page of EDGAR's viewer).

    Facts with dimensions, nil facts, texts and repeated facts are omitted and counted. A fact is rounded to its `decimals`.
    If repeated facts agree after rounding, the most exact one is used; if they do not, none is.

    Raises:
        HarnessError: the file is unreadable.
    """
    root, prefixes = read_xml(path)
    if root.tag != f"{_INSTANCE}xbrl":
        return None
    schema = next(root.iter(f"{_LINK}schemaRef"), ET.Element("none")).get(f"{_XLINK}href", path.name)
    stem = re.sub(r"(_htm)?(\.xsd|\.xml)*$", "", schema.rpartition("/")[2])
    left_out: Counter[str] = Counter()
    issuer = " ".join((root.findtext(f".//{_INSTANCE}identifier") or "").split())
    return Instance(issuer, stem, _facts(root, prefixes, left_out), left_out)


def _period(context: ET.Element) -> Period | str:
    """Return a context's period, or the reason why its facts are omitted."""
    for part in ("segment", "scenario"):
        if context.find(f".//{_INSTANCE}{part}") is not None:
            return "fact with a dimension"
    days = [(context.findtext(f".//{_INSTANCE}{name}") or "").strip() for name in ("instant", "startDate", "endDate")]
    try:
        moment, start, end = (date.fromisoformat(day).isoformat() if day else "" for day in days)
        if start == date.min.isoformat():
            raise ValueError("there is no day before")
    except ValueError:
        return "fact without readable dates"
    return Period(start, end) if start and start <= end else Period("", moment) if moment else "fact without dates"


def _unit(unit: ET.Element) -> str:
    """Return a unit in words: `USD`, `shares`, `USD per share`; empty for pure numbers."""
    measures = [(node.text or "").strip().rpartition(":")[2] for node in unit.iter(f"{_INSTANCE}measure")]
    if unit.find(f"{_INSTANCE}divide") is not None and len(measures) == 2:
        return f"{measures[0]} per {measures[1].removesuffix('s')}"
    return " ".join(measures).replace("pure", "")


def _facts(root: ET.Element, prefixes: Mapping[str, str], left_out: Counter[str]) -> Facts:
    """Return the facts by element and period, for each element in its commonest unit; count the others."""
    periods = {context.get("id"): _period(context) for context in root.iter(f"{_INSTANCE}context")}
    units = {unit.get("id"): _unit(unit) for unit in root.iter(f"{_INSTANCE}unit")}
    groups: defaultdict[tuple[str, str], defaultdict[Period, list[Fact]]] = defaultdict(lambda: defaultdict(list))
    for node in root:
        if "contextRef" not in node.attrib:
            continue
        period = periods.get(node.get("contextRef"), "fact whose context is missing")
        number, decimals, unit = (node.text or "").strip(), node.get("decimals", "INF"), units.get(node.get("unitRef"))
        if isinstance(period, str):
            left_out[period] += 1
        elif node.get("unitRef") is None:
            left_out["fact that is text"] += 1
        elif node.get(_NIL) in ("true", "1"):
            left_out["fact that is nil"] += 1
        elif unit is None:
            left_out["fact whose unit is missing"] += 1
        elif not (_NUMBER.fullmatch(number) and (decimals == "INF" or _DECIMALS.fullmatch(decimals))):
            left_out["fact that is no number"] += 1
        else:
            exact = None if decimals == "INF" else int(decimals)
            element = _element(node.tag, prefixes)
            groups[element, unit][period].append(Fact(element, period, unit, _rounded(Decimal(number), exact), exact))
    facts: dict[str, dict[Period, Fact]] = {}
    for (element, _), by_period in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        if element in facts:
            left_out["fact in another unit"] += sum(map(len, by_period.values()))
            continue
        facts[element] = {}
        for period, facts_of_period in by_period.items():
            best = max(facts_of_period, key=lambda fact: 100 if fact.decimals is None else fact.decimals)
            if agree := all(_rounded(best.value, fact.decimals) == fact.value for fact in facts_of_period):
                facts[element][period] = best
            if len(facts_of_period) > 1:
                left_out["fact repeated" if agree else "fact contradicted"] += len(facts_of_period) - agree
    return facts


def _rounded(value: Decimal, decimals: int | None) -> Decimal:
    """Return a value rounded to its decimals, half to even; a value with fewer digits is unchanged."""
    if decimals is None or -decimals <= int(value.as_tuple().exponent):
        return value
    return value.quantize(Decimal(1).scaleb(-decimals))


def _element(tag: str, prefixes: Mapping[str, str]) -> str:
    space, _, name = tag.removeprefix("{").partition("}")
    return f"{'us-gaap' if re.search('/us-gaap/[0-9]', space) else prefixes.get(space, '')}:{name}"


class Links:
    """The content of linkbases and schema: `labels` by element and role, `titles` by role of a statement or note."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._roots = [read_xml(path)[0] for path in paths]
        self.labels: dict[str, dict[str, str]] = {}
        for _, element, label, _ in self._arcs("label"):
            if isinstance(label, str) or not isinstance(element, str) or label.get(f"{_XML}lang", "en")[:2] != "en":
                continue
            if words := " ".join("".join(label.itertext()).replace("|", "/").split()):
                role = label.get(f"{_XLINK}role", "label").rpartition("/")[2]
                self.labels.setdefault(element, {}).setdefault(role, words)
        types = [node for root in self._roots for node in root.iter(f"{_LINK}roleType")]
        self.titles = {node.get("roleURI", ""): (node.findtext(f"{_LINK}definition") or "").strip() for node in types}

    def trees(self, kind: str) -> dict[str, Arcs]:
        """Return the arcs of each role of the presentation or the calculation linkbase."""
        rows_of: dict[str, dict[str, list[tuple[Decimal, int, str, str, Decimal]]]] = {}
        for number, (role, parent, child, arc) in enumerate(self._arcs(kind)):
            if isinstance(parent, str) and isinstance(child, str):
                label = arc.get("preferredLabel", "").rpartition("/")[2]
                row = (_decimal(arc.get("order")), number, child, label, _decimal(arc.get("weight")))
                rows_of.setdefault(role, {}).setdefault(parent, []).append(row)
        return {
            role: {parent: [row[2:] for row in sorted(rows)] for parent, rows in arcs.items()}
            for role, arcs in rows_of.items()
        }

    def label(self, element: str, role: str) -> str:
        """Return the label of a role, else the label that it negates, else the usual one; empty if there is none."""
        labels, plain = self.labels.get(element, {}), role.removeprefix("negated")
        roles = (role, plain[:1].lower() + plain[1:], "label", "terseLabel", "verboseLabel")
        return next((labels[name] for name in roles if name in labels), "")

    def _arcs(self, kind: str) -> Iterator[tuple[str, Any, Any, ET.Element]]:
        """Yield role, from, to and arc; both ends are elements, or resources (labels) as nodes."""
        for link in (link for root in self._roots for link in root.iter(f"{_LINK}{kind}Link")):
            ends: defaultdict[str | None, list[str | ET.Element]] = defaultdict(list)
            for node in link:
                located = unquote(node.get(f"{_XLINK}href", "").rpartition("#")[2]).replace("_", ":", 1)
                if node.tag in (f"{_LINK}loc", f"{_LINK}label"):
                    ends[node.get(f"{_XLINK}label")].append(located or node)
            for arc in link.iter(f"{_LINK}{kind}Arc"):
                if arc.get("use") != "prohibited":
                    for start in ends[arc.get(f"{_XLINK}from")]:
                        for end in ends[arc.get(f"{_XLINK}to")]:
                            yield link.get(f"{_XLINK}role", ""), start, end, arc


def _decimal(text: str | None) -> Decimal:
    return Decimal(text) if text and _NUMBER.fullmatch(text) else Decimal(1)
