"""Numbers for people: percent, MiB and GiB with one decimal, `7m 35s`. Stored numbers are exact."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from harness.record import RunSpec

NONE = "–"

# Characters that control terminals: escape sequences, marks that change the direction of text, and invisible tags.
_COMMANDS = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufff9-\ufffb\U000e0000-\U000e007f]"
)


def printable(text: str) -> str:
    """Return the text with control characters of terminals replaced by `�`; line feeds and tabs are not replaced."""
    return _COMMANDS.sub("�", text)


def one_line(text: str) -> str:
    """Return a printable text in one line: a line of its own would look like one of the program's."""
    return printable(re.sub(r"[\t\n\v\f\r\x85\u2028\u2029]+", " ", text))


def counted(count: float, noun: str) -> str:
    """Return a number and its noun, in the plural unless the number is one: `1 group`, `2,000 groups`."""
    figure = f"{count:,}" if isinstance(count, int) else f"{count:g}"
    return f"{figure} {noun}{'s' * (count != 1)}"


def short(text: str, width: int = 80) -> str:
    """Return the text in at most `width` characters, with its middle cut out."""
    keep = (width - 1) // 2
    return text if len(text) <= width else f"{text[: width - 1 - keep]}…{text[-keep:]}"


def number(value: float | None, unit: str = "share", *, sign: bool = False) -> str:
    """Return a metric's value: a share as percent (`79.8`), with a unit two decimals, else three; `sign` adds the plus."""
    if value is None or math.isnan(value):
        return NONE
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value * 100:+.1f}" if unit == "share" else f"{value:+,.2f}" if unit else f"{value:+,.3f}"
    if float(text.replace(",", "")) == 0:
        text = text.replace("-", "+")  # no minus zero
    return text if sign else text.removeprefix("+")


def interval(low: float | None, high: float | None, unit: str = "share", *, sign: bool = False) -> str:
    """Return an interval such as `[76.5, 83.0]`, `–` if the data is too little for one, an empty text if unknown."""
    if low is None or high is None:
        return ""
    if math.isinf(low) and math.isinf(high):
        return NONE
    return f"[{number(low, unit, sign=sign)}, {number(high, unit, sign=sign)}]"


def size(count: float) -> str:
    """Return bytes in the unit that fits: `41.0 MiB`, `7.4 GiB`."""
    for unit, scale in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= scale:
            return f"{count / scale:,.1f} {unit}"
    return f"{count:,.0f} B"


def duration(seconds: float) -> str:
    """Return seconds as `6s`, `7m 35s`, `2h 05m`; below ten with one decimal."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    total = round(seconds)
    if total < 60:
        return f"{total}s"
    if total < 3600:
        return f"{total // 60}m {total % 60:02d}s"
    return f"{total // 3600}h {total % 3600 // 60:02d}m"


def about(seconds: float) -> str:
    """Return a rough time: `about 40 s`, `about 4 min`, `about 3 h`."""
    if seconds < 90:
        return f"about {max(5, round(seconds / 5) * 5)} s"
    return f"about {round(seconds / 60)} min" if seconds < 5400 else f"about {seconds / 3600:.1f} h"


def quantity(count: float) -> str:
    """Return a count of weights: `613`, `41.2 k`, `5.8 M`, `8.0 B`."""
    for unit, scale in (("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= scale:
            return f"{count / scale:.1f} {unit}"
    return f"{count:.0f}"


def run_name(spec: RunSpec, *, seed: bool = True) -> str:
    """Return a run's name in columns: `lora  r8   s0`, for a trial `lora  r8   at 0.003`.

    The base model has no rank, and its answers do not depend on the seed, calibrated or not. Nor do those of challengers.
    """
    rank = f"r{spec.rank}" if spec.rank else ""
    seedless = spec.challenger or spec.method in ("base", "calibrated", "pmi")
    seeded = f"s{spec.seed}" if seed and not seedless else ""
    seeded = seeded if spec.split == "test" else f"at {spec.learning_rate:.2g}"
    name = method_name(spec)
    method = f"{name:<6}" if not rank or len(name) < 6 else f"{name} "
    return f"{method}{rank:<4} {seeded}".rstrip()


def method_name(spec: RunSpec) -> str:
    """Return the method, and the bits of its base if the model's folder stores them quantised: `lora on 4-bit`.

    A row of a server names its model, and says so if options were named in writing: `endpoint gpt-x (written)`.
    """
    if spec.server:
        facts = dict(fact.split("=", 1) for fact in spec.server)
        return f"{spec.method} {facts.get('model', '')}" + " (written)" * (facts.get("options") == "written")
    return f"{spec.method} on {spec.base_bits}-bit" if spec.base_bits else spec.method


def unit_of_difference(unit: str) -> str:
    """Return the unit behind a difference: ` points` for shares, else the unit itself."""
    return " points" if unit == "share" else f" {unit}"


def unread_mark(parsed: str | None) -> str:
    """Return a remark for an answer that could not be parsed, else an empty text."""
    return " (could not be read)" if parsed is None else ""


def trained_on(spec: RunSpec) -> str:
    """Return a run's training tasks: its own, mixed ones (`cfa+claims`), or after another run (`cfa after 3a69984ba7`)."""
    return "+".join(tasks_of(spec)) + f" after {spec.start}" * bool(spec.start)


def tasks_in(text: str) -> list[str]:
    """Return the tasks in a text from `trained_on`; a `+` inside the name of a data file's task separates, too."""
    return text.partition(" after ")[0].split("+")


def tasks_of(spec: RunSpec) -> list[str]:
    """Return the tasks whose examples a run was trained on, its own first."""
    return [spec.task, *(key.rpartition("@")[0] for key in spec.joined)]


def spoken(spec: RunSpec) -> str:
    """Return a run's name for a sentence, such as `lora r8 s0`."""
    return " ".join(run_name(spec).split())


_PLAIN = r"[+-]?(?:\d[\d,]*(?:\.\d+)?(?:e[+-]?\d+)?|∞)"
_SHOWN = re.compile(rf"\[?±?({_PLAIN})(?: (KiB|MiB|GiB|B|k|M))?(?=$|[ ,])")
_TIME = re.compile(r"(?:(\d+)h )?(?:(\d+)m)?(?: ?(\d+(?:\.\d)?)s)?")
_UNITS = {"": 1.0, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "k": 1e3, "M": 1e6}


def magnitude(text: str) -> float | None:
    """Return the number of a formatted text for sorting, the inverse of `number`, `size`, `duration` and `quantity`.

    For an interval it is the lower end; text behind a number, such as a mark, is ignored. It is None if the text does not
    begin with a number. `512 B` are bytes and `8.0 B` are billions of weights, in the formats of this module.
    """
    if text and (time := _TIME.fullmatch(text)):
        hours, minutes, seconds = (float(part or 0) for part in time.groups())
        return 3600 * hours + 60 * minutes + seconds
    match = _SHOWN.match(text)
    if match is None:
        return None
    plain, unit = match[1].replace(",", "").replace("∞", "inf"), match[2] or ""
    factor = (1e9 if "." in plain else 1.0) if unit == "B" else _UNITS[unit]
    return float(plain) * factor


def points(value: float, unit: str) -> str:
    """Return a difference with its unit: `3.0 points`, or in the metric's unit."""
    return f"{number(value, unit)}{unit_of_difference(unit)}"


def words(name: str) -> str:
    """Return a metric's name in words."""
    return name.replace("_", " ")


def percent_sign(unit: str) -> str:
    """Return the unit behind a value: ` %` for a share, else the unit, if any."""
    return " %" if unit == "share" else f" {unit}".rstrip()


def heading(name: str, unit: str, *, higher_is_better: bool = True) -> str:
    """Return a metric's name in words with its unit, and an arrow if lower is better."""
    return f"{words(name)}{percent_sign(unit)}{'' if higher_is_better else ' ↓'}"


@dataclass(frozen=True)
class Table:
    """A table of text. Columns in `left` (by default the first) are left-aligned, the others right-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: frozenset[int] = frozenset({0})


def markdown(table: Table) -> str:
    """Return the table in Markdown, with columns padded so that it is also readable as plain text."""
    lines = [[escape(text) for text in row] for row in (table.columns, *table.rows)]
    widths = [max(3, *(len(line[column]) for line in lines)) for column in range(len(table.columns))]
    rules = ["-" * w if column in table.left else "-" * (w - 1) + ":" for column, w in enumerate(widths)]
    padded = [
        [
            text.ljust(w) if column in table.left else text.rjust(w)
            for column, (text, w) in enumerate(zip(line, widths, strict=True))
        ]
        for line in [lines[0], rules, *lines[1:]]
    ]
    return "\n".join("| " + " | ".join(line) + " |" for line in padded)


def escape(text: str) -> str:
    """Return the text escaped so that Markdown shows it literally: no HTML, cells, emphasis, links or line breaks."""
    text = re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+", " ", text)
    text = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\|`*_~]|(?<=\])\()", r"\\\1", text)
