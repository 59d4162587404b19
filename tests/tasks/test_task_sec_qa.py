"""Promises of the built-in task `sec_qa`: sizes, nothing shared between splits, how an answer counts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from functools import cache
from pathlib import Path

import pytest

from harness.data.loading import hash_folder
from harness.record import SPLITS, Answer, Split
from harness.schema import Example
from harness.verify.checks.answers.arithmetic import reparse
from tasks.data.sec_qa import make
from tasks.data.sec_qa.aliases import ALIASES
from tasks.data.sec_qa.filer import COST, LEASE_LATER, LEASED, RESTRICTED, REVENUE
from tasks.data.sec_qa.lexicon import SHARED
from tasks.data.sec_qa.statements import figure_text
from tasks.data.sec_qa.voice import voice
from tasks.sec_qa import TASK
from tests.support.sec_qa_reader import FILES, FOLDER, Row, of_kind, read_table, rows


@cache
def examples(split: Split) -> list[Example]:
    return list(TASK.load(FOLDER, split))


def test_the_splits_have_their_sizes_and_the_test_its_groups() -> None:
    for file, plan in make.PLAN.items():
        assert Counter(row["kind"] for row in rows(file)) == plan
        assert set(Counter(row["filing"] for row in rows(file)).values()) == {2}
    assert len(rows("train")) <= 1600
    assert set(Counter(row["kind"] for row in rows("test")).values()) == {150}  # the headline is over four kinds alike
    ids = [row["id"] for file in FILES for row in rows(file)]
    assert len(ids) == len(set(ids))


def test_prompts_are_short() -> None:
    lengths = sorted(len(TASK.prompt(example)) for split in SPLITS for example in examples(split))
    assert lengths[-1] <= 700
    assert 400 <= lengths[len(lengths) // 2] <= 480
    assert max(len(row["answer"]) for split in SPLITS for row in rows(split)) <= 90


@pytest.mark.parametrize(
    "what",
    [
        lambda row: row["filing"],
        lambda row: row["filer"],
        lambda row: row["template"],
        lambda row: re.sub(r"\W+", " ", row["template"].lower()),
        lambda row: row["caption"],
        lambda row: tuple(sorted(set(row["numbers"]))),
        lambda row: row["question"],
        lambda row: row["context"],
    ],
    ids=["filing", "filer", "template", "folded template", "caption", "numbers", "question", "context"],
)
def test_no_two_splits_share_a(what: Callable[[Row], object]) -> None:
    seen = [{what(row) for row in rows(split)} for split in SPLITS]
    assert all(seen)
    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_templates_and_captions_are_what_the_rows_show() -> None:
    for split in SPLITS:
        for row in rows(split):
            for text, template in ((row["question"], row["template"]), (row["context"], row["caption"])):
                pattern = re.sub(r"\\\{\w+\\\}", "[^|\n]+", re.escape(template))
                assert re.match(pattern, text, re.IGNORECASE), (template, text)
            shown = [value for figures in read_table(row["context"]).values() for value in figures.values()]
            assert [Fraction(number) for number in row["numbers"]] == shown


@pytest.mark.parametrize("kind", make.KINDS)
def test_every_kind_has_enough_wordings(kind: str) -> None:
    assert len({row["template"] for row in of_kind(kind, "train")}) >= 5
    assert len({row["template"] for row in of_kind(kind, "test", "lookup")}) >= 4


def test_lines_are_worded_differently_in_train_and_test_and_differently_again_in_questions() -> None:
    printed = [{label for row in rows(split) for label in read_table(row["context"])} for split in ("train", "test")]
    assert printed[0] & printed[1] <= SHARED
    for split, own in (("train", 0), ("test", 1)):
        asked = {word.lower() for words in voice(split).aliases.values() for word in words}
        assert not {label.lower() for label in printed[own]} & asked
    new = sum(len(set(voice("test").aliases[key]) - set(words)) for key, words in voice("train").aliases.items())
    assert new >= len(ALIASES)  # beside the first word of a line, none of the test is trained


def test_a_word_of_a_question_stands_for_one_line_only() -> None:
    for split in ("train", "test"):
        words = [word for key in ALIASES for word in voice(split).aliases[key]]
        assert len(words) == len(set(words))


def test_elements_are_those_of_filings_since_2018_and_a_wording_stands_for_one_of_them() -> None:
    tags: dict[str, set[str]] = {}
    for row in of_kind("tag"):
        label = next(label for label in row["lines"])
        tags.setdefault(label.lower(), set()).add(row["answer"])
    assert not {label: elements for label, elements in tags.items() if len(elements) > 1}
    known = {element.removeprefix("us-gaap:") for elements in tags.values() for element in elements}
    assert {REVENUE, COST, LEASED, RESTRICTED, LEASE_LATER, "ContractWithCustomerLiabilityCurrent"} <= known
    assert not known & {"Revenues", "SalesRevenueNet", "CostOfRevenue", "CashAndCashEquivalentsPeriodIncreaseDecrease"}
    assert {row["answer"] for row in of_kind("tag", "lookup")} <= {row["answer"] for row in of_kind("tag", "train")}
    years = {int(year) for file in FILES for row in rows(file) for year in re.findall(r"\b20\d\d\b", row["context"])}
    assert min(years) == 2018


def answered(example: Example, text: str) -> Answer:
    assert TASK.parse is not None
    parsed = TASK.parse(text, example)
    return Answer(example.id, example.group, example.target, text, parsed, slices=example.slices)


def test_the_oracle_scores_one_and_another_questions_answer_next_to_nothing() -> None:
    score = TASK.metrics[0].score
    for split in SPLITS:
        assert all(score(answered(example, f" {example.target}\nQ:")) == 1.0 for example in examples(split))
    test = examples("test")
    for kind in ("twin", "change", "computed", "explain"):
        some = [example for example in test if example.slices["kind"] == kind]
        shifted = [answered(a, b.target) for a, b in zip(some, some[1:] + some[:1], strict=True)]
        assert sum(map(score, shifted)) / len(shifted) < 0.06
        nonsense = [answered(example, "the of and 12 to") for example in some]
        assert all((kind == "explain" or answer.parsed is None) and score(answer) == 0.0 for answer in nonsense)
    assert all(answered(example, "").parsed is None for example in test)


def example_of(unit: str, target: str) -> Example:
    return Example("1", "?", target, slices={"kind": "twin", "answer": unit})


@pytest.mark.parametrize(
    ("unit", "target", "text", "value"),
    [
        ("millions", "4,512", "4512", 1.0),
        ("millions", "4,512", "$ 4,512 million.", 1.0),
        ("millions", "4,512", "4.512 billion", 1.0),
        ("millions", "4,512", "4.51 billion", 0.0),
        ("thousands", "4,512", "4.512 million", 1.0),
        ("dollars", "4,512,000", "4.512 million", 1.0),
        ("dollars", "4,512,000", "4512 thousand", 1.0),
        ("dollars", "4,512,000", "4,512", 0.0),
        ("millions", "(86)", "-86", 1.0),
        ("millions", "(86)", "86", 0.0),
        ("per share", "0.35", "$0.35", 1.0),
        ("per share", "0.35", "0.350", 1.0),
        ("per share", "0.35", "0.36", 0.0),
        ("millions", "4,512", "4,513", 0.0),
        ("millions", "4,512", "4,512%", None),
        ("millions", "4,512", "4,512 in fiscal 2021", None),
        ("element", "us-gaap:GrossProfit", "GrossProfit", 1.0),
        ("element", "us-gaap:GrossProfit", "us-gaap:GrossProfit", 1.0),
        ("element", "us-gaap:GrossProfit", "us-gaap:Revenues", 0.0),
        ("element", "us-gaap:GrossProfit", "Gross profit", None),
        ("element", "us-gaap:GrossProfit", "us-gaap:GrossProfit or us-gaap:Revenues", None),
        ("percent", "12.3%", "12.3", 1.0),
        ("percent", "12.3%", "12.34 percent", 1.0),
        ("percent", "12.3%", "12.4%", 0.0),
        ("percent", "12.3%", "0.123", 0.0),
        ("points", "-1.3", "-1.3 percentage points", 1.0),
        ("points", "-1.3", "1.3", 0.0),
        ("times", "1.85", "1.85x", 1.0),
        ("times", "1.85", "1.854", 1.0),
        ("times", "1.85", "1.86", 0.0),
        ("times", "1.85", "1.85 days", None),
        ("days", "63.4", "63.4 days", 1.0),
        ("days", "63.4", "63.4", 1.0),
        ("days", "63.4", "64", 0.0),
        ("millions", "-211", "(211)", 1.0),
        ("millions", "-211", "211", 0.0),
        ("text", "Accounts receivable, net", "accounts  receivable, net", 1.0),
        ("text", "Accounts receivable, net", '"Accounts receivable, net".', 1.0),
        ("text", "Accounts receivable, net", "Accounts receivable", 0.0),
        ("text", "Accounts receivable, net", " ", None),
    ],
)
def test_an_answer_counts_by_its_form(unit: str, target: str, text: str, value: float | None) -> None:
    answer = answered(example_of(unit, target), text)
    assert (answer.parsed is None) == (value is None)
    assert TASK.metrics[0].score(answer) == (value or 0.0)


@pytest.mark.parametrize("text", ["4,512 million", "$4.512 billion", "-86 thousand"])
def test_an_amount_with_a_scale_word_is_parsed_again_from_the_stored_answer_alone(text: str) -> None:
    asked = [
        example for example in examples("test") if example.slices["answer"] in ("millions", "thousands", "dollars")
    ]
    assert {example.slices["answer"] for example in asked} == {"millions", "thousands", "dollars"}
    answers = [answered(example, text) for example in asked]
    assert [a.id for a in answers if reparse(a, TASK, "generate") != a.parsed] == []


def test_no_answer_or_place_can_be_guessed() -> None:
    for kind, most in {"twin": 0.03, "explain": 0.09, "change": 0.04, "computed": 0.04}.items():
        counts = Counter(row["answer"] for row in of_kind(kind, "test"))
        assert counts.most_common(1)[0][1] / counts.total() <= most, (kind, counts.most_common(1))
    columns: Counter[float] = Counter()
    places: Counter[int] = Counter()
    for row in (*of_kind("twin", "train", "test"), *of_kind("explain", "train", "test")):
        table, (label,) = read_table(row["context"]), row["lines"]
        heads = list(table[label])
        if row["kind"] == "twin":
            columns[heads.index(row["columns"][0]) / (len(heads) - 1)] += 1
        else:
            places[list(table).index(label)] += 1
    assert abs(columns[0] / columns.total() - columns[1] / columns.total()) < 0.1
    assert max(places.values()) / places.total() < 0.3
    falls = sum(row["answer"].startswith("-") for row in of_kind("change", "test"))
    assert 0.15 < falls / 150 < 0.6


def test_the_files_are_written_again_byte_for_byte_and_the_source_pins_them(tmp_path: Path) -> None:
    make.write(tmp_path)
    for file in FILES:
        assert (tmp_path / f"{file}.jsonl").read_bytes() == (FOLDER / f"{file}.jsonl").read_bytes()
    assert hash_folder(FOLDER) == TASK.source.sha256


def test_figures_are_written_as_filings_write_them() -> None:
    assert [figure_text(n) for n in (4512, -86, Decimal("0.35"), Decimal("-1.20"))] == [
        "4,512",
        "(86)",
        "0.35",
        "(1.20)",
    ]
    text = "\n".join(row["context"] for row in rows("test"))
    assert re.search(r"\(\d+\)", text)
    assert "in millions" in text
    assert "except per share" in text
