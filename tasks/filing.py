"""Questions over your own XBRL filings: a value, a tag, a change, a ratio, a subtotal; the gold is in the filing.

`--data DIR` contains filings in EDGAR's form, each in its own folder or all in one: the instance (`x.xml` or `x_htm.xml`),
`x_lab.xml`, and `x_pre.xml`, `x_cal.xml` and `x.xsd` if they exist. A group is a filer, because its filings repeat each
other's figures: at least three filers are needed. Numbers are those printed in the statement, in its unit and with negated
labels honoured. In subtotals they are as reported, since the weights of the calculation linkbase are meant for those.
Subtotals whose parts do not add up exactly are omitted. A ratio is right within half a unit of its last digit.
"""

import re
from dataclasses import replace
from decimal import Decimal

from harness import Answer, Example, Source, Task, metrics, parse_number, prompts, published
from tasks import _filing

FILES: published.Files = {"test": ("**/*.xml",)}
SCALES = {"thousand": 3, "thousands": 3, "million": 6, "millions": 6, "billion": 9, "billions": 9}
# words that may stand beside the digits
BESIDE = {"USD": {"$", "us", "dollars"}, "EUR": {"€", "euros"}, "%": {"%", "percent"}, "times": {"x"}}
EXACT, RATIO = metrics.numeric(), {"times": metrics.numeric(Decimal("0.005")), "%": metrics.numeric(Decimal("0.05"))}
TAG = re.compile(r"(?:us-gaap:)?([A-Z][A-Za-z0-9]+)")


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a question, or the reason for omitting the row; ids have a digest because files may share a name."""
    if "left out" in cells:
        return str(cells["left out"])
    name = f"{id}-{cells['kind']}-{published.digest(cells['context'])[:4]}"
    slices = {"kind": cells["kind"], "unit": cells["unit"]}
    return Example(name, cells["question"], cells["target"], (), cells["group"], cells["context"], slices)


def parse(text: str, example: Example) -> str | None:
    """Return the first line as a tag with its prefix, or as a number in the unit of the question."""
    line, unit = text.strip().partition("\n")[0].strip(), example.slices["unit"]
    if unit == "tag":
        match = TAG.fullmatch(line)
        return f"us-gaap:{match[1]}" if match else None
    value, words = parse_number(line), set(re.findall(r"[a-z]+|[^\w\s.,()+-]", line.lower()))
    allowed = SCALES.keys() | {*unit.lower().split()} | {word for part in unit.split() for word in BESIDE.get(part, ())}
    if value is None or not words <= allowed:
        return None
    if words & SCALES.keys():
        value = value.scaleb(-SCALES.get(unit.partition(" ")[0], 0))
    return format(value, "f")


def score(answer: Answer) -> float:
    """Return 1.0 for a right answer: a tag with its case, an exact number, a ratio within half a unit of its last digit."""
    if (unit := answer.slices["unit"]) == "tag":
        return float(answer.parsed == answer.target)
    return RATIO.get(unit, EXACT).score(answer)


TASK = Task(
    name="filing",
    version=1,
    title="Your XBRL filings: value, tag, change, ratio, subtotal",
    source=Source(
        uri="own:XBRL filings (instance and linkbases, as EDGAR gives them)",
        license="the filer's; facts filed with the SEC are public",
        redistributable=False,
        citation="the filings in --data DIR",
        files=published.patterns(FILES),
        folder="sec_xbrl_filings",
    ),
    load=published.Load(FILES, example, _filing.read, folders="many"),
    prompt=prompts.question_answer,
    metrics=(replace(metrics.accuracy, score=score),),
    scoring="generate",
    parse=parse,
    max_new_tokens=56,
    group_name="filer",
    suites=("finance",),
)
