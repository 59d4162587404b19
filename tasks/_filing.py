"""The questions of an XBRL filing, for the task `filing`: about lines, ratios of two lines, and sums."""

from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from itertools import chain
from pathlib import Path

from harness import published
from tasks import _xbrl_statements as statements

SALES = ("Revenues", "SalesRevenueNet", "RevenueFromContractWithCustomerExcludingAssessedTax")
RATIOS = {  # us-gaap elements of numerator and denominator (the first that is a line counts), and the unit
    "current ratio": (("AssetsCurrent",), ("LiabilitiesCurrent",), "times"),
    "debt ratio": (("Liabilities",), ("Assets",), "%"),
    "equity ratio": (("StockholdersEquity",), ("Assets",), "%"),
    "gross margin": (("GrossProfit",), SALES, "%"),
    "operating margin": (("OperatingIncomeLoss",), SALES, "%"),
    "net margin": (("NetIncomeLoss", "ProfitLoss"), SALES, "%"),
    "loss ratio": (("PolicyholderBenefitsAndClaimsIncurredNet",), ("PremiumsEarnedNet",), "%"),
    "efficiency ratio": (("NoninterestExpense",), SALES, "%"),
}
HOW = {"times": "to two decimals", "%": "in percent, to one decimal"}
Rows = Iterator[dict[str, str]]


def read(path: Path) -> Rows:
    """Yield an instance's questions, and a row for each omission; nothing if the file is no instance."""
    if (filing := statements.read_filing(path)) is None:
        return
    tags: set[str] = set()
    rows = chain.from_iterable(
        (line_questions(statement), ratio_questions(statement)) for statement in filing.statements
    )
    for row in chain(*rows, sum_questions(filing)):
        if row.get("unit") != "tag" or row["target"] not in tags:  # a line of two statements has one tag
            tags.add(row.get("target", ""))
            yield {"group": filing.issuer} | row
    yield from ({"left out": reason} for reason, count in filing.left_out.items() for _ in range(count))


def line_questions(statement: statements.Statement) -> Rows:
    """Yield, for each line, the value in one of its periods, the tag, and the change from the period before."""
    for line in statement.lines:
        if not line.unique:
            yield {"left out": "line of an ambiguous name"}
            continue
        row, name = {"context": str(statement), "unit": line.unit}, f'"{line.name}"'
        unit, periods, columns = f", in {line.unit}" * bool(line.unit), statement.periods, line.columns
        column = columns[int(published.digest(line.element + line.name), 16) % len(columns)]
        value = statements.number_text(line.printed_value(column))
        yield row | {"kind": "value", "question": f"What is {name} for {periods[column]}{unit}?", "target": value}
        if line.element.startswith("us-gaap:"):
            question = f"Which us-gaap element is the line {name} reported as?"
            yield row | {"kind": "tag", "question": question, "target": line.element, "unit": "tag"}
        else:
            yield {"left out": "tag of the filer's own"}
        new, *older = columns
        for old in [old for old in older if abs(periods[old].days - periods[new].days) <= 7][
            :1
        ]:  # periods of equal length
            question = f"What is the change in {name} between {periods[old]} and {periods[new]}{unit}?"
            change = statements.number_text(line.printed_value(new) - line.printed_value(old))
            yield row | {"kind": "change", "question": question, "target": change}


def ratio_questions(statement: statements.Statement) -> Rows:
    """Yield each declared ratio of two lines of the statement, for each of its periods."""
    lines = {line.element: line for line in statement.lines if line.unique}
    for ratio, (above, below, unit) in RATIOS.items():
        numerator, denominator = (
            next((lines[e] for e in map("us-gaap:{}".format, names) if e in lines), None) for names in (above, below)
        )
        if numerator is None or denominator is None or numerator.unit != denominator.unit:
            continue
        for column in sorted({*numerator.columns} & {*denominator.columns}):
            if numerator.negated or denominator.negated or not denominator.printed_value(column):
                yield {"left out": "ratio with a sign turned, or by zero"}
                continue
            value = numerator.printed_value(column) / denominator.printed_value(column)
            target = f"{_rounded(100 * value, '0.1')}%" if unit == "%" else _rounded(value, "0.01")
            description = f'the {ratio}, "{numerator.name}" divided by "{denominator.name}", for {statement.periods[column]}, {HOW[unit]}'
            row = {"kind": "ratio", "question": f"What is {description}?", "target": target, "unit": unit}
            yield row | {"context": str(statement)}


def _rounded(value: Decimal, digits: str) -> str:
    return str(value.quantize(Decimal(digits), ROUND_HALF_UP))


def sum_questions(filing: statements.Filing) -> Rows:
    """Yield each total of the calculation linkbase, as a question about its parts and their weights."""
    for total in filing.sums:
        if total.gap:
            yield {"left out": f"sum that {'is rounded' if abs(total.gap) <= total.rounding else 'does not add up'}"}
        elif not all(total.names):
            yield {"left out": "sum of a line without label"}
        else:
            description = f'"{total.names[0]}", the sum of its parts, each times its weight, in {total.unit}'
            row = {
                "kind": "subtotal",
                "question": f"What is {description}?",
                "target": total.values[0],
                "unit": total.unit,
            }
            yield row | {"context": str(total)}
