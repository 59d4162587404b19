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
from harness.verify.checks.arithmetic import reparse
from tasks.data.sec_qa import make
from tasks.data.sec_qa.lexicon import SHARED
from tasks.data.sec_qa.statements import figure_text
from tasks.sec_qa import TASK
from tests.support.sec_qa_reader import FOLDER, Row, asked_line, of_kind, read_table, rows


@cache
def examples(split: Split) -> list[Example]:
    return list(TASK.load(FOLDER, split))


def test_the_splits_have_their_sizes_and_the_test_its_groups() -> None:
    assert 1500 <= len(rows("train")) <= 1800
    assert len(rows("validation")) >= 250
    assert len(rows("test")) == 600
    assert len({row["filing"] for row in rows("test")}) >= 300
    for split in SPLITS:
        shares = Counter(row["kind"] for row in rows(split))
        for kind, share in {"lookup": 0.38, "tag": 0.24, "formula": 0.20, "computed": 0.18}.items():
            assert abs(shares[kind] / len(rows(split)) - share) < 0.01
    ids = [row["id"] for split in SPLITS for row in rows(split)]
    assert len(ids) == len(set(ids))


def test_prompts_are_short() -> None:
    lengths = sorted(len(TASK.prompt(example)) for split in SPLITS for example in examples(split))
    assert lengths[-1] <= 700
    assert 380 <= lengths[len(lengths) // 2] <= 480
    assert max(len(row["answer"]) for split in SPLITS for row in rows(split)) <= 110


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


@pytest.mark.parametrize("kind", ["lookup", "tag", "formula", "computed"])
def test_every_kind_has_enough_wordings(kind: str) -> None:
    assert len({row["template"] for row in of_kind(kind, "train")}) >= 8
    assert len({row["template"] for row in of_kind(kind, "test")}) >= 4


def test_tagged_lines_are_worded_differently_in_train_and_test() -> None:
    train, test = ({asked_line(row) for row in of_kind("tag", split)} for split in ("train", "test"))
    assert train & test <= SHARED


def test_a_wording_stands_for_one_element_only() -> None:
    tags: dict[str, set[str]] = {}
    for row in of_kind("tag"):
        tags.setdefault(asked_line(row).lower(), set()).add(row["answer"])
    assert not {label: found for label, found in tags.items() if len(found) > 1}
    assert 45 <= len({row["answer"] for row in of_kind("tag", "test")}) <= 65
    assert {row["answer"] for row in of_kind("tag", "test")} <= {row["answer"] for row in of_kind("tag", "train")}


def answered(example: Example, text: str) -> Answer:
    assert TASK.parse is not None
    parsed = TASK.parse(text, example)
    return Answer(example.id, example.group, example.target, text, parsed, slices=example.slices)


def test_the_oracle_scores_one_and_another_questions_answer_next_to_nothing() -> None:
    score = TASK.metrics[0].score
    for split in SPLITS:
        assert all(score(answered(example, f" {example.target}\nQ:")) == 1.0 for example in examples(split))
    test = examples("test")
    for kind in ("lookup", "tag", "formula", "computed"):
        some = [example for example in test if example.slices["kind"] == kind]
        shifted = [answered(a, b.target) for a, b in zip(some, some[1:] + some[:1], strict=True)]
        assert sum(map(score, shifted)) / len(shifted) < 0.06
        nonsense = [answered(example, "the of and 12 to") for example in some]
        assert all(answer.parsed is None and score(answer) == 0.0 for answer in nonsense)
    assert all(answered(example, "").parsed is None for example in test)


def example_of(kind: str, target: str, unit: str = "millions") -> Example:
    return Example("1", "?", target, slices={"kind": kind, "unit": unit})


@pytest.mark.parametrize(
    ("kind", "target", "text", "value"),
    [
        ("lookup", "4,512", "4512", 1.0),
        ("lookup", "4,512", "$ 4,512 million.", 1.0),
        ("lookup", "4,512", "4.512 billion", 1.0),
        ("lookup", "4,512", "4.51 billion", 0.0),
        ("lookup", "(86)", "-86", 1.0),
        ("lookup", "(86)", "86", 0.0),
        ("lookup", "0.35", "$0.35", 1.0),
        ("lookup", "0.35", "0.350", 1.0),
        ("lookup", "0.35", "0.36", 0.0),
        ("lookup", "4,512", "4,513", 0.0),
        ("lookup", "4,512", "4,512%", None),
        ("lookup", "4,512", "4,512 in fiscal 2021", None),
        ("tag", "us-gaap:GrossProfit", "GrossProfit", 1.0),
        ("tag", "us-gaap:GrossProfit", "us-gaap:GrossProfit", 1.0),
        ("tag", "us-gaap:GrossProfit", "us-gaap:Revenues", 0.0),
        ("tag", "us-gaap:GrossProfit", "Gross profit", None),
        ("tag", "us-gaap:GrossProfit", "us-gaap:GrossProfit or us-gaap:Revenues", None),
        ("formula", "GrossProfit / Revenues", "us-gaap:GrossProfit/us-gaap:Revenues", 1.0),
        ("formula", "GrossProfit / Revenues", "100 * GrossProfit / Revenues", 0.0),
        ("formula", "GrossProfit / Revenues", "gross profit over revenues", None),
        ("formula", "GrossProfit / Revenues", "12.5", None),
        ("computed", "12.3%", "12.3", 1.0),
        ("computed", "12.3%", "12.34 percent", 1.0),
        ("computed", "12.3%", "12.4%", 0.0),
        ("computed", "12.3%", "0.123", 0.0),
        ("computed", "1.85", "1.85x", 1.0),
        ("computed", "1.85", "1.854", 1.0),
        ("computed", "1.85", "1.86", 0.0),
        ("computed", "-211", "(211)", 1.0),
        ("computed", "-211", "211", 0.0),
    ],
)
def test_an_answer_counts_by_its_kind(kind: str, target: str, text: str, value: float | None) -> None:
    answer = answered(example_of(kind, target), text)
    assert (answer.parsed is None) == (value is None)
    assert TASK.metrics[0].score(answer) == (value or 0.0)


def test_money_in_words_is_turned_into_the_units_of_the_filing() -> None:
    thousands = example_of("lookup", "4,512", "thousands")
    assert TASK.metrics[0].score(answered(thousands, "$4.512 million")) == 1.0
    assert TASK.metrics[0].score(answered(thousands, "4,512 million")) == 0.0


@pytest.mark.parametrize("text", ["4.5 million", "4,512 thousand", "$1.2 billion", "4,512"])
def test_an_answer_is_read_again_as_it_was_without_its_excerpt(text: str) -> None:
    asked = [example for example in examples("test") if example.slices["kind"] == "lookup"]
    assert {example.slices["unit"] for example in asked} == {"millions", "thousands"}
    assert all(example.slices["unit"] in example.context.lower() for example in asked)
    answers = [answered(example, text) for example in asked]
    assert [a.id for a in answers if reparse(a, TASK, "generate") != a.parsed] == []


def test_no_answer_or_place_can_be_guessed() -> None:
    for kind, most in {"lookup": 0.03, "tag": 0.03, "formula": 0.05, "computed": 0.04}.items():
        counts = Counter(row["answer"] for row in of_kind(kind, "test"))
        assert counts.most_common(1)[0][1] / counts.total() <= most, (kind, counts.most_common(1))
    columns: Counter[float] = Counter()
    places: Counter[int] = Counter()
    for row in of_kind("lookup"):
        table = read_table(row["context"])
        years = list(table[asked_line(row)])
        columns[years.index(row["years"][0]) / (len(years) - 1)] += 1
        places[list(table).index(asked_line(row))] += 1
    assert abs(columns[0] / columns.total() - columns[1] / columns.total()) < 0.08
    assert max(places.values()) / places.total() < 0.25
    up = sum(not row["answer"].startswith("-") for row in of_kind("computed", "test"))
    assert up / 108 < 0.9


def test_the_files_are_written_again_byte_for_byte_and_the_source_pins_them(tmp_path: Path) -> None:
    make.write(tmp_path)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes()
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
