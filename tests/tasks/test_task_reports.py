"""Tasks over pages of reports: the form of their files, what is left out and refused, what counts as right."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import HarnessError
from harness.data import loading, registry
from tests.support.data_files import written
from tests.support.task_scoring import check_gold_and_wrong, examples_of, left_out, value

Row = dict[str, Any]


def as_json(path: Path, rows: Sequence[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(rows), encoding="utf-8")


def page(filing: str, number: int, question: str, answer: object, **more: Any) -> Row:
    """A row of FinQA's form about a made-up page."""
    return {
        "id": f"{filing}/page_{number}.pdf-1",
        "pre_text": [f"the harbour group reports {number} berths .", "."],
        "table": [["", "2019", "2018"], ["berth fees", "$ 40", "$ 32"], ["loss", "-3 ( 3 )", ""]],
        "post_text": ["fees rose ."],
        "qa": {"question": question, "program": "unused", "exe_ans": answer},
        **more,
    }


def finqa_files(folder: Path) -> None:
    asked = "what is the change in fees?"
    as_json(folder / "train.json", [page(f"HRB/20{n}", n, asked, 0.25) for n in range(10, 16)])
    as_json(folder / "dev.json", [page("QUA/2011", 40, asked, "yes"), page("QUA/2011", 41, asked, 1e-05)])
    tested = [
        page("PIR/2012", 50, asked, 8.0),
        page("PIR/2012", 51, asked, -12345678),
        page("HRB/2010", 52, asked, "no"),
    ]
    as_json(folder / "test.json", tested)


def test_a_page_of_finqa_shows_text_and_table_and_its_filing_is_the_group(tmp_path: Path) -> None:
    finqa_files(tmp_path / "FinQA" / "dataset")
    splits = loading.load_splits(registry.task("finqa"), data_dir=tmp_path)
    table = "| 2019 | 2018\nberth fees | $ 40 | $ 32\nloss | -3 ( 3 ) |"
    assert splits.test[0].context == f"the harbour group reports 50 berths .\n\n{table}\n\nfees rose ."
    assert [e.target for e in (*splits.validation, *splits.test)] == ["yes", "0.00001", "8", "-12345678", "no"]
    assert {e.group for e in splits.test} == {"PIR/2012", "HRB/2010"}
    assert "program" not in splits.test[0].question
    check_gold_and_wrong("finqa", examples_of("finqa", tmp_path))


def test_training_pages_of_a_tested_filing_and_answers_of_no_kind_are_left_out(tmp_path: Path) -> None:
    finqa_files(tmp_path)
    assert left_out("finqa", tmp_path) == {"group in the test": 1}
    as_json(tmp_path / "dev.json", [page("QUA/2011", n, "so?", answer) for n, answer in ((1, ""), (2, "n/a"), (3, 2))])
    assert left_out("finqa", tmp_path) == {"group in the test": 1, "answer missing": 1, "answer no number": 1}


@pytest.mark.parametrize(
    "change", [{"id": "page 3"}, {"qa": {}}, {"table": None}, {"qa": {"question": "?", "exe_ans": True}}]
)
def test_a_row_of_another_form_is_refused_by_its_place(change: Row, tmp_path: Path) -> None:
    finqa_files(tmp_path)
    as_json(tmp_path / "test.json", [page("PIR/2012", 50, "?", 8.0), page("PIR/2012", 51, "?", 8.0) | change])
    with pytest.raises(HarnessError, match="not of the expected form") as caught:
        examples_of("finqa", tmp_path)
    assert caught.value.where.endswith("test.json, row 2")


@pytest.mark.parametrize(
    ("target", "text", "exact", "rounded"),
    [
        ("0.14464", "0.14464", 1.0, 1.0),
        ("0.14464", "14.464%", 1.0, 1.0),
        ("0.14464", "0.144645", 1.0, 1.0),
        ("0.14464", "0.14466", 0.0, 0.0),
        ("0.14464", "14.5%", 0.0, 1.0),
        ("0.14464", "14.6%", 0.0, 0.0),
        ("0.14464", "14%", 0.0, 0.0),
        ("0.14464", "14.464", 0.0, 0.0),
        ("14.464", "14.464 percent", 1.0, 1.0),
        ("94", "$94.00", 1.0, 1.0),
        ("94", "-94", 0.0, 0.0),
        ("94", "(94)", 0.0, 0.0),
        ("-94", "(94)", 1.0, 1.0),
        ("94", "94 million", 0.0, 0.0),
        ("yes", "Yes.", 1.0, 1.0),
        ("yes", "no", 0.0, 0.0),
        ("94", "yes", 0.0, 0.0),
        ("no", "0", 0.0, 0.0),
        ("94", "about 94", None, None),
        ("94", "", None, None),
    ],
)
def test_a_percentage_is_a_fraction_and_rounding_takes_three_digits(
    target: str, text: str, exact: float | None, rounded: float | None
) -> None:
    for name in ("finqa", "convfinqa"):
        assert (value(name, target, text), value(name, target, text, 1)) == (exact, rounded)


def turns(filing: str, number: int) -> list[Row]:
    """A conversation of two turns about a made-up page."""
    asked, answers = ["what were the fees in 2019?", " and in 2018? "], [40.0, 32]
    return [
        page(filing, number, "", 0, annotation={"cur_dial": asked[: turn + 1], "exe_ans": answers[turn]})
        | {"id": f"Double_{filing}/page_{number}.pdf_{turn}"}
        for turn in range(2)
    ]


@pytest.mark.parametrize("packed", [True, False])
def test_a_turn_shows_the_questions_before_it_and_not_their_answers(packed: bool, tmp_path: Path) -> None:
    folder = tmp_path / "ConvFinQA"
    as_json(folder / "data" / "train_turn.json", [row for n in range(10, 20) for row in turns(f"HRB/20{n}", n)])
    as_json(folder / "data" / "dev_turn.json", turns("PIR/2012", 50))
    if packed:
        with zipfile.ZipFile(folder / "data.zip", "w") as archive:
            for file in sorted((folder / "data").iterdir()):
                archive.write(file, f"data/{file.name}")
                file.unlink()
    splits = loading.load_splits(registry.task("convfinqa"), data_dir=tmp_path)
    assert [len(part) for _, part in splits.items()] == [18, 2, 2]
    first, second = splits.test
    assert first.question.startswith("what were the fees in 2019?\nAnswer")
    assert second.question.startswith("Asked before: what were the fees in 2019?\nand in 2018?\n")
    assert "40" not in second.question
    assert [(e.target, e.group, e.slices["turn"]) for e in splits.test] == [
        ("40", "PIR/2012", "1"),
        ("32", "PIR/2012", "2"),
    ]
    check_gold_and_wrong("convfinqa", examples_of("convfinqa", tmp_path))


def test_a_damaged_archive_is_refused_and_only_the_archive_is_fetched(tmp_path: Path) -> None:
    (tmp_path / "data.zip").write_bytes(b"PK damaged")
    with pytest.raises(HarnessError, match="archive is damaged"):
        examples_of("convfinqa", tmp_path)
    assert registry.task("convfinqa").source.files == ("data.zip",)


def tables(split: str, count: int) -> list[Row]:
    """Made-up documents of TAT-QA's form: a table, two paragraphs out of order, five questions."""

    def asked(question: str, answer: object, kind: str, scale: str = "") -> Row:
        return {"uid": question, "question": question, "answer": answer, "answer_type": kind, "scale": scale}

    return [
        {
            "table": {
                "uid": f"{split} {n}",
                "table": [["", "2020", "2019"], ["Mooring", "1,204.5", "(17.0)"], ["", "", ""]],
            },
            "paragraphs": [{"order": 2, "text": f"Pier {n} closed."}, {"order": 1, "text": f"In millions,  {split}."}],
            "questions": [
                asked("What was mooring in 2020?", ["1,204.5"], "span", "million"),
                asked("What is the share of mooring?", -12.5, "arithmetic", "percent"),
                asked("How many years are shown?", "2", "count"),
                asked("Which pier was closed?", [f"Pier {n}"], "span"),
                asked("Which years are shown?", ["2020", "2019"], "multi-span"),
            ],
        }
        for n in range(count)
    ]


def test_tatqa_gives_numbers_their_scale_and_says_what_kind_an_answer_is(tmp_path: Path) -> None:
    for split in ("train", "dev", "test_gold"):
        as_json(tmp_path / "TAT-QA" / "dataset_raw" / f"tatqa_dataset_{split}.json", tables(split, 2))
    splits = loading.load_splits(registry.task("tatqa"), data_dir=tmp_path)
    assert [e.target for e in splits.test[:5]] == ["1,204.5 million", "-12.5%", "2", "Pier 0", "2020; 2019"]
    assert [e.slices["answer"] for e in splits.test[:5]] == ["number", "number", "number", "text", "several"]
    shown = "In millions, train.\n\nPier 0 closed.\n\n| 2020 | 2019\nMooring | 1,204.5 | (17.0)"
    assert splits.train[0].context == shown
    assert {e.group for e in splits.validation} == {"dev 0", "dev 1"}
    check_gold_and_wrong("tatqa", examples_of("tatqa", tmp_path))


@pytest.mark.parametrize(
    ("kind", "target", "text", "score"),
    [
        ("number", "12.6 million", "$12,600,000", 1.0),
        ("number", "12.6 million", "12.604 million", 1.0),
        ("number", "12.6 million", "12.606 million", 0.0),
        ("number", "12.6 million", "12.6", 0.0),
        ("number", "-22.22%", "(22.22)%", 1.0),
        ("number", "-22.22%", "22.22%", 0.0),
        ("number", "-22.22%", "-0.2222", 0.0),
        ("number", "2", "two or so", None),
        ("text", "the first pier", "The  First pier", 1.0),
        ("text", "the first pier", "pier", 0.0),
        ("text", "the first pier", "", None),
        ("several", "2020; 2019", "2019; 2020", 1.0),
        ("several", "2020; 2019", "2019; 2020; 2018", 0.0),
        ("several", "2020; 2019", "2019; 2019", 0.0),
        ("several", "2020; 2019", "2019", None),
    ],
)
def test_tatqa_compares_numbers_in_their_scale_and_several_answers_in_any_order(
    kind: str, target: str, text: str, score: float | None
) -> None:
    assert value("tatqa", target, text, answer=kind) == score


def bench(number: int, question: str, answer: str) -> Row:
    pages = [{"evidence_text": f" Harbour {number} \n \n40 \n", "doc_name": "x"}, {"evidence_text": "Quay\n7"}]
    row = {"doc_name": f"HARBOUR_{number}_10K", "question_type": "metrics-generated", "evidence": pages}
    return row | {"question": question, "answer": answer}


def test_financebench_keeps_what_is_answered_with_a_number_in_the_unit_that_is_named(tmp_path: Path) -> None:
    rows = [bench(n, "What are the fees (in USD millions)?", f"${n}577.00") for n in range(10)]
    rows += [bench(10, "What is the margin?", "8.5%"), bench(11, "Is it a harbour?", "Yes, because it has a quay.")]
    written(tmp_path, rows, "financebench_open_source.jsonl")
    examples = {e.group: e for e in examples_of("financebench", tmp_path)}
    assert left_out("financebench", tmp_path) == {"answer in sentences": 1}
    assert examples["HARBOUR_3_10K"].target == "$3577.00 million"
    assert examples["HARBOUR_3_10K"].context == "Harbour 3\n40\n\nQuay\n7"
    assert examples["HARBOUR_10_10K"].target == "8.5%"
    check_gold_and_wrong("financebench", list(examples.values()))


@pytest.mark.parametrize(
    ("target", "text", "score"),
    [
        ("$1577.00 million", "1577", 1.0),
        ("$1577.00 million", "$1,577", 1.0),
        ("$1577.00 million", "USD 1.58 billion", 1.0),
        ("$1577.00 million", "1,577 dollars", 0.0),
        ("$1577.00 million", "1600", 0.0),
        ("$8.70 billion", "8.738", 1.0),
        ("8.5%", "8.5", 1.0),
        ("8.5%", "0.085", 0.0),
        ("$8.70 billion", "8%", 0.0),
        ("8.5%", "roughly 8.5%", None),
    ],
)
def test_a_bare_number_is_in_the_unit_that_the_question_names(target: str, text: str, score: float | None) -> None:
    assert value("financebench", target, text) == score
