"""The task on a user's XBRL filings: what it asks of filings written here and of three real ones, and what it scores."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

import tests.support.filings as filings
import tests.support.hash_seeds as hash_seeds
from harness.cli.app import main
from harness.data import loading, published, registry
from harness.errors import HarnessError
from harness.record import Answer
from harness.schema import Example

ROOT = Path(__file__).resolve().parents[2]
REAL = ROOT.parent / "shared" / "data" / "sec_xbrl_filings"
TASK = registry.task("filing")
KINDS = ("value", "tag", "change", "ratio", "subtotal")


def everything(folder: Path) -> list[Example]:
    return [example for _, part in loading.load_splits(TASK, data_dir=folder).items() for example in part]


def score(example: Example, text: str) -> float | None:
    """The score of an output, None where it cannot be read."""
    assert TASK.parse is not None
    parsed = TASK.parse(text, example)
    answer = Answer(example.id, example.group, example.target, text, parsed, slices=example.slices)
    return None if parsed is None else TASK.metrics[0].score(answer)


@pytest.fixture
def three(tmp_path: Path) -> Path:
    for number in range(3):
        filings.write(tmp_path / f"f{number}", cik=f"000{number}", more=number)
    return tmp_path


@pytest.fixture(scope="module")
def real() -> list[Example]:
    if not REAL.is_dir():
        pytest.skip(f"no filings beside the project: ../shared/data/{REAL.name}")
    return everything(REAL)


def asked(examples: list[Example]) -> dict[str, str]:
    """Question to target, of the first filer."""
    return {example.question: example.target for example in examples if example.group == "0000"}


def test_a_tiny_filing_is_asked_for_a_value_a_tag_a_change_a_ratio_and_a_subtotal(three: Path) -> None:
    found = asked(everything(three))
    balance, year = ", in thousands of USD?", "2023-01-01 to 2023-12-31"
    assert found['Which us-gaap element is the line "Inventory" reported as?'] == "us-gaap:Inventory"
    assert found[f'What is the change in "Inventory" between 2022-12-31 and 2023-12-31{balance}'] == "-50"
    assert found[f'What is the change in "Rent paid" between 2022-01-01 to 2022-12-31 and {year}{balance}'] == "-10"
    margin = f'the gross margin, "Gross profit" divided by "Revenues", for {year}, in percent, to one decimal'
    assert found[f"What is {margin}?"] == "40.0%"
    current = '"Total current assets" divided by "Total current liabilities"'
    assert found[f"What is the current ratio, {current}, for 2022-12-31, to two decimals?"] == "2.00"
    assert (
        found['What is "Gross profit", the sum of its parts, each times its weight, in thousands of USD?'] in "600 400"
    )
    values = {question: target for question, target in found.items() if re.match('What is "[^"]*" for', question)}
    assert len(values) == 4 + 4 + 4 - 1  # revenues are a line of two statements
    assert {target for question, target in values.items() if '"Rent paid"' in question} in ({"-50"}, {"-40"})


def test_what_is_not_asked_is_counted(three: Path) -> None:
    assert isinstance(TASK.load, published.Load)
    own = {"tag of the filer's own": 1}
    assert TASK.load.left_out(three) == {reason: 3 * n for reason, n in (filings.LEFT_OUT | own).items()}


def test_sums_that_do_not_add_up_and_lines_of_one_name_are_left_out(three: Path) -> None:
    odd = {"AssetsCurrent": [("Cash", "1"), ("LiabilitiesCurrent", "1")]}
    rows = {"BalanceSheet": [("Cash", "label"), ("Cash", "terseLabel"), ("Inventory", "label")]}
    filings.write(three / "odd", cik="9", more=5, sums=odd, rows=rows)
    found = [example for example in everything(three) if example.group == "9"]
    assert {example.slices["kind"] for example in found} == {"value", "tag", "change"}
    assert isinstance(TASK.load, published.Load)
    left_out = TASK.load.left_out(three)
    assert (left_out["sum that does not add up"], left_out["line of an ambiguous name"]) == (2, 2)


def test_sums_that_agree_only_after_rounding_are_counted_apart(three: Path) -> None:
    fact = '<g:{} contextRef="end2" unitRef="usd" decimals="-3">{}</g:{}>'
    rows = [("Cash", 1400), ("Inventory", 1400), ("AssetsCurrent", 3000)]
    facts = "".join(fact.format(name, value, name) for name, value in rows)
    filings.write(three / "odd", cik="9", facts=facts)
    assert isinstance(TASK.load, published.Load)
    assert TASK.load.left_out(three)["sum that is rounded"] == 1


def test_filings_of_one_filer_are_never_cut_and_an_amended_one_keeps_its_own_ids(three: Path) -> None:
    filings.write(three / "amended", cik="0000", more=50)
    filings.write(three / "copy", cik="0001", more=1)
    splits = loading.load_splits(TASK, data_dir=three)
    groups = [{example.group for example in part} for _, part in splits.items()]
    assert sorted(map(sorted, groups)) == [["0000"], ["0001"], ["0002"]]
    assert isinstance(TASK.load, published.Load)
    assert TASK.load.left_out(three)["repeated"] > 20  # the copy


def test_filings_may_lie_in_one_folder_and_other_files_among_them(tmp_path: Path) -> None:
    for number in range(3):
        filings.write(tmp_path, cik=f"000{number}", more=number, name=f"lan{number}-20231231")
    (tmp_path / "FilingSummary.xml").write_text("<FilingSummary/>")
    assert {example.group for example in everything(tmp_path)} == {"0000", "0001", "0002"}


def test_fewer_than_three_filers_and_no_filing_are_refused_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(HarnessError) as caught:
        loading.load_splits(TASK)
    assert "--data DIR" in caught.value.fix
    with pytest.raises(HarnessError) as caught:
        loading.load_splits(TASK, data_dir=tmp_path)
    assert "--data DIR" in caught.value.fix
    filings.write(tmp_path / "a", cik="17")
    filings.write(tmp_path / "b", cik="17", more=3)
    with pytest.raises(HarnessError, match="1 of the 3 groups") as caught:
        loading.load_splits(TASK, data_dir=tmp_path)
    assert caught.value.where == f"{tmp_path}: 17"
    assert "filer" in caught.value.fix


def test_the_program_checks_and_lists_a_folder_of_filings(three: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "filing", "--data", str(three)]) == 0
    out = " ".join(capsys.readouterr().out.split())
    assert "fact with a dimension 3" in out
    assert "filing: 7 of 7 hold" in out
    (three / "f0" / "lan-20231231_pre.xml").write_text("<!DOCTYPE x>\n<linkbase/>")
    assert main(["check", "filing", "--data", str(three)]) == 2
    assert "DOCTYPE" in capsys.readouterr().err


UNIT = Example("1", "", "14,635", slices={"kind": "value", "unit": "millions of USD"})


@pytest.mark.parametrize(
    ("example", "text", "want"),
    [
        (UNIT, "14635", 1.0),
        (UNIT, "$14,635 million\nBecause", 1.0),
        (UNIT, "14.635 billion dollars", 1.0),
        (UNIT, "14,635 thousand", 0.0),
        (UNIT, "(14,635)", 0.0),
        (UNIT, "14,635.0000000000000000000000000000001", 0.0),
        (UNIT, "14,635%", None),
        (UNIT, "14,635 shares", None),
        (UNIT, "about 14,635", None),
        (replace(UNIT, target="0.46", slices={"kind": "value", "unit": "USD per share"}), "$0.460", 1.0),
        (replace(UNIT, target="-5", slices={"kind": "change", "unit": "thousands of EUR"}), "€(5) thousand", 1.0),
        (replace(UNIT, target="-5", slices={"kind": "change", "unit": "thousands of EUR"}), "EUR -5 thousand", 1.0),
        (replace(UNIT, target="37.7%", slices={"kind": "ratio", "unit": "%"}), "37.734", 1.0),
        (replace(UNIT, target="37.7%", slices={"kind": "ratio", "unit": "%"}), "37.76 percent", 0.0),
        (replace(UNIT, target="37.7%", slices={"kind": "ratio", "unit": "%"}), "0.377", 0.0),
        (replace(UNIT, target="37.7%", slices={"kind": "ratio", "unit": "%"}), "$37.7", None),
        (replace(UNIT, target="1.58", slices={"kind": "ratio", "unit": "times"}), "1.577x", 1.0),
        (replace(UNIT, target="us-gaap:Assets", slices={"kind": "tag", "unit": "tag"}), "Assets", 1.0),
        (replace(UNIT, target="us-gaap:Assets", slices={"kind": "tag", "unit": "tag"}), "us-gaap:AssetsCurrent", 0.0),
        (replace(UNIT, target="us-gaap:Assets", slices={"kind": "tag", "unit": "tag"}), "us-gaap:assets", None),
    ],
)
def test_answers_are_read_in_the_unit_that_was_asked_for(example: Example, text: str, want: float | None) -> None:
    assert score(example, text) == want


@pytest.mark.parametrize("which", ["three", "real"])
def test_gold_scores_one_and_another_gold_zero(which: str, request: pytest.FixtureRequest) -> None:
    found = request.getfixturevalue(which)
    examples = everything(found) if which == "three" else found
    assert {score(example, f" {example.target}\n") for example in examples} == {1.0}
    for kind in KINDS:
        same = [example for example in examples if example.slices["kind"] == kind]
        pairs = [(one, other.target) for one, other in itertools.pairwise(same) if one.target != other.target]
        assert {score(one, wrong) or 0.0 for one, wrong in pairs} == {0.0}, kind


def test_the_total_of_a_subtotal_is_not_in_its_context_and_comes_out_of_it(real: list[Example]) -> None:
    """A second route: the gold is worked out from the rendered parts alone."""
    found = [example for example in real if example.slices["kind"] == "subtotal"]
    assert len(found) == 52 + 77 + 78
    for example in found:
        rows = [line.rsplit(" | ", 2) for line in example.context.splitlines()[2:]]
        total = sum(Decimal(weight) * Decimal(value.replace(",", "")) for _, weight, value in rows)
        assert total == Decimal(example.target.replace(",", "")), example.question


def test_a_value_and_a_change_can_be_looked_up_in_their_context(real: list[Example]) -> None:
    """A second route: the statement is read as text."""
    for example in real:
        kind, rows = example.slices["kind"], [line.split(" | ") for line in example.context.splitlines()]
        found = re.match(r'What is (?:the change in )?"(.*)" (?:for|between) (.*?)(?:, in .*)?\?$', example.question)
        if kind not in ("value", "change") or found is None:
            assert kind not in ("value", "change")
            continue
        (cells,) = [
            row[1:] for row in rows if row[0] == found[1] or re.fullmatch(re.escape(found[1]) + r" \([^()]*\)", row[0])
        ]
        shown = dict(zip(rows[2][1:], cells, strict=True))
        if kind == "value":
            assert shown[found[2]] == example.target
        else:
            (old, new), *others = [(a, b) for a in shown for b in shown if found[2] == f"{a} and {b}"]
            assert not others
            numbers = [Decimal(shown[period].replace(",", "")) for period in (new, old)]
            assert numbers[0] - numbers[1] == Decimal(example.target.replace(",", ""))


def test_the_real_filings_give_so_many_questions_of_each_kind(real: list[Example]) -> None:
    counts = Counter((example.group, example.slices["kind"]) for example in real)
    assert {cik: tuple(counts[cik, kind] for kind in KINDS) for cik, _ in counts} == {
        "0001065280": (80, 70, 78, 18, 52),  # Netflix
        "0001318605": (108, 88, 108, 18, 77),  # Tesla
        "0000100885": (91, 77, 90, 12, 78),  # Union Pacific
    }


@pytest.mark.parametrize(
    ("question", "target"),
    [  # worked out by hand from the instances
        ("current ratio, .*2010-09-30", "1.58"),  # 492,247 / 312,107
        ("gross margin.* for 2024-04-01 to 2024-06-30", "18.0%"),  # 4,578 / 25,500
        ("operating margin.* for 2012", "32.2%"),  # 6,745 / 20,926
        ('change in "Total liabilities" between 2009-12-31', "97,717"),  # 578,308 - 480,591
        ('change in "Inventory" between 2023-12-31', "569"),  # 14,195 - 13,626
        ('change in "Interest expense" between 2011', "37"),  # -535 + 572
        ('line "Short-term investments" reported', "us-gaap:AvailableForSaleSecuritiesCurrent"),
        ('line "Capital investments" reported', "us-gaap:PaymentsToAcquirePropertyPlantAndEquipment"),
    ],
)
def test_real_gold_is_what_was_worked_out_by_hand(question: str, target: str, real: list[Example]) -> None:
    found = [example.target for example in real if re.search(question, example.question)]
    assert target in found
    assert len(found) <= 2


def test_the_questions_do_not_depend_on_pythons_hash_seed(three: Path) -> None:
    code = "import sys; from harness import data; from harness.data import registry; t = registry.task('filing'); "
    code += "print(data.fingerprint(t, data.load_splits(t, data_dir=sys.argv[1])))"
    assert len(hash_seeds.said(code, str(three))) == 1
