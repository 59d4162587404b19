"""Questions over your own XBRL filings: a value, a tag, a change, a ratio, a subtotal; the gold is in the filing.

`--data DIR` holds filings as EDGAR gives them, each in its folder or all in one: the instance (`x.xml` or `x_htm.xml`),
`x_lab.xml`, and as far as there are any `x_pre.xml`, `x_cal.xml` and `x.xsd`. A group is a filer, whose filings repeat
each other's figures: at least three are needed. Numbers are asked as the statement prints them, in its unit and with
negated labels honoured; in subtotals as reported, since the weights of the calculation linkbase are meant for those.
Subtotals whose parts do not add up exactly are left out. A ratio is right within half a unit of its last digit.
"""

import re
from dataclasses import replace
from decimal import Decimal

from harness import Answer, Example, Source, Task, metrics, parse_number, prompts, published
from tasks import _filing

FILES: published.Files = {"test": ("**/*.xml",)}
SCALES = {"thousand": 3, "thousands": 3, "million": 6, "millions": 6, "billion": 9, "billions": 9}
# what may stand beside the digits
BESIDE = {"USD": {"$", "us", "dollars"}, "EUR": {"€", "euros"}, "%": {"%", "percent"}, "times": {"x"}}
EXACT, RATIO = metrics.numeric(), {"times": metrics.numeric(Decimal("0.005")), "%": metrics.numeric(Decimal("0.05"))}
TAG = re.compile(r"(?:us-gaap:)?([A-Z][A-Za-z0-9]+)")


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a question, or why the row is left out; an id holds a digest, as two filings' files may share a name."""
    if "left out" in cells:
        return str(cells["left out"])
    name = f"{id}-{cells['kind']}-{published.digest(cells['context'])[:4]}"
    slices = {"kind": cells["kind"], "unit": cells["unit"]}
    return Example(name, cells["question"], cells["target"], (), cells["group"], cells["context"], slices)


def parse(text: str, example: Example) -> str | None:
    """Return the first line as a tag with its prefix, or as a number in the unit that was asked for."""
    line, unit = text.strip().partition("\n")[0].strip(), example.slices["unit"]
    if unit == "tag":
        found = TAG.fullmatch(line)
        return f"us-gaap:{found[1]}" if found else None
    value, said = parse_number(line), set(re.findall(r"[a-z]+|[^\w\s.,()+-]", line.lower()))
    allowed = SCALES.keys() | {*unit.lower().split()} | {word for part in unit.split() for word in BESIDE.get(part, ())}
    if value is None or not said <= allowed:
        return None
    if said & SCALES.keys():
        value = value.scaleb(-SCALES.get(unit.partition(" ")[0], 0))
    return format(value, "f")


def score(answer: Answer) -> float:
    """Return 1.0 where right: a tag with its case, a number exactly, a ratio within half a unit of its last digit."""
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
)
