"""Tags of numbers in sentences, ratios worked out, insurance questions, and an exam of the user's own."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest

from harness import HarnessError, metrics
from harness.data import loading, registry
from harness.data.file_task import file_task
from tests.support.data_files import Row, refusal, written
from tests.support.task_scoring import check_gold_and_wrong, examples_of, left_out, value

TAG = "us-gaap:DebtInstrumentFaceAmount"


def sentence(company: str, numbers: str, words: str = "") -> Row:
    """A row of the release's columns, of which four are read."""
    text = f"Notes of $ 250 and 3.5 % were issued by  {company} {words}."
    return {
        "": "7",
        "sentence": text,
        "numerals-tags": numbers,
        "company": company,
        "docType": "10-K",
        "ner_tags": "[0]",
    }


def test_each_number_with_a_tag_is_a_question_and_a_company_is_in_one_split(tmp_path: Path) -> None:
    folder = tmp_path / "FNXL"
    folder.mkdir()
    both = f"{{'{TAG}': ['250'], 'us-gaap:DebtInstrumentInterestRateStatedPercentage': ['3.5']}}"
    for split in ("train", "dev", "test"):
        rows = [sentence(f"Harbour {n}", both, split) for n in range(6)] + [
            sentence("Quay", "{}"),
            sentence("Quay", ""),
        ]
        written(folder, rows, f"{split}.csv")
    splits = loading.load_splits(registry.task("fnxl"), data_dir=tmp_path)
    examples = [e for _, part in splits.items() for e in part]
    assert len(examples) == 3 * 6 * 2
    assert len({e.group for e in examples}) == sum(len({e.group for e in part}) for _, part in splits.items()) == 6
    assert {e.target for e in examples if '"250"' in e.question} == {TAG}
    assert all("by Harbour" in e.context for e in examples)
    check_gold_and_wrong("fnxl", examples)


def test_a_number_with_two_tags_and_what_is_no_tag_is_left_out(tmp_path: Path) -> None:
    rows = [sentence(f"Harbour {n}", f"{{'{TAG}': ['250', '3.5', '250']}}") for n in range(4)]
    for name in ("train", "dev", "test"):
        written(tmp_path, rows if name == "train" else [sentence("Quay", "{}")], f"{name}.csv")
    assert left_out("fnxl", tmp_path) == {"repeated": 4}
    written(tmp_path, [sentence("Quay", f"{{'{TAG}': ['250'], 'us-gaap:Assets': ['250']}}")], "test.csv")
    assert left_out("fnxl", tmp_path) == {"repeated": 4, "contradictory": 2}
    written(tmp_path, [sentence("Quay", tags) for tags in ("{'a tag': ['250']}", "{'cut", "7")], "test.csv")
    assert left_out("fnxl", tmp_path) == {"repeated": 4, "no US GAAP tag": 3}
    written(tmp_path, [{"sentence": "Notes.", "company": "Quay"}], "test.csv")
    with pytest.raises(HarnessError, match="numerals-tags"):
        examples_of("fnxl", tmp_path)


def test_without_a_pinned_commit_it_says_which_files_to_bring(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="data is missing") as caught:
        loading.resolve(registry.task("fnxl").source, tmp_path)
    assert caught.value.fix == "put test.csv and train.csv and dev.csv into DIR/FNXL/; then pass --data DIR"
    with pytest.raises(HarnessError, match="needs a revision"):
        loading.resolve(registry.task("fnxl").source)


def fragment(number: int, formula: str) -> Row:
    """A row of FinLoRA's form about a made-up filer."""
    asked = f"What is the current ratio of Harbour {number}?  Answer with a formula substituted with values."
    context = f"Help.\n ```xml\n <a>{number}</> \n ```\nExample answer: (5 / 3)\nQuestion: {asked}\nAnswer:"
    return {"context": context, "target": formula, "doc_path": f"HARBOUR{number}-2019/a.xml"}


def test_a_ratio_is_worked_out_from_the_gold_formula(tmp_path: Path) -> None:
    formulas = ["(6 / 9) * 100", "-(1 / 8)", "7", "1000000 / 3", "0 - 5", "2 / 0"]
    rows = [fragment(n, formula) for n, formula in enumerate(formulas)]
    written(tmp_path, rows, "xbrl_formula_test.jsonl")
    examples = {e.group: e for e in examples_of("xbrl_calculation", tmp_path)}
    targets = [examples[f"HARBOUR{n}"].target for n in range(5)]
    assert targets == ["66.67", "-0.12", "7.00", "333333.33", "-5.00"]
    assert left_out("xbrl_calculation", tmp_path) == {"division by zero": 1}
    asked = "What is the current ratio of Harbour 0?\nAnswer with a number with 2 decimal places."
    assert examples["HARBOUR0"].question == asked
    check_gold_and_wrong("xbrl_calculation", list(examples.values()))
    written(tmp_path, [fragment(0, "6 / Assets")], "xbrl_formula_test.jsonl")
    with pytest.raises(HarnessError, match="no formula of numbers"):
        examples_of("xbrl_calculation", tmp_path)


@pytest.mark.parametrize(
    ("text", "score"),
    [("16.15", 1.0), ("16.15%", 1.0), ("16.154", 1.0), ("16.2", 0.0), ("0.1615", 0.0), ("6226 / 38542", None)],
)
def test_a_ratio_is_right_to_two_decimals(text: str, score: float | None) -> None:
    assert value("xbrl_calculation", "16.15", text) == score


def insurance_files(folder: Path) -> None:
    """Made-up files of InsuranceQA's second version: words, answers and pools, numbered."""
    folder.mkdir(parents=True)
    said = ["the", "harbour", "pays", "when", "a", "ship", "is", "late", "but", "not", "for", "ice", "on", "deck"]
    (folder / "vocabulary").write_text("".join(f"idx_{n}\t{word}\n" for n, word in enumerate(said)))

    def packed(name: str, rows: list[list[str]]) -> None:
        with gzip.open(folder / f"InsuranceQA.{name}.encoded.gz", "wt", encoding="utf-8") as file:
            file.writelines("\t".join(row) + "\n" for row in rows)

    answers = [" ".join(f"idx_{n}" for n in range(length)) for length in range(1, 13)]
    packed("label2answer.raw", [[str(label), text] for label, text in enumerate(answers, start=1)])
    everything = " ".join(map(str, range(1, 13)))
    for split, right in (("train", ("1", "2", "12")), ("valid", ("3",)), ("test", ("12", "7 8", "5"))):
        rows = [["cargo", f"idx_3 idx_{n} {split}", labels, everything] for n, labels in enumerate(right)]
        if split == "test":
            rows.append(["cargo", "idx_3 idx_9", "6", "6 7 8"])
        packed(f"question.anslabel.raw.100.pool.solr.{split}", rows)


def test_options_are_the_right_answer_and_the_three_wrong_ones_nearest_in_length(tmp_path: Path) -> None:
    insurance_files(tmp_path / "insuranceQA" / "V2")
    splits = loading.load_splits(registry.task("insurance_qa"), data_dir=tmp_path)
    assert left_out("insurance_qa", tmp_path) == {"group in the test": 1, "too few wrong answers": 1}
    asked = splits.test[1]
    assert (asked.question, asked.target) == ("when harbour test", "the harbour pays when a ship is")
    assert sorted(len(choice.split()) for choice in asked.choices) == [5, 6, 7, 9]  # 8 words are right as well
    assert {e.slices["domain"] for e in splits.train} == {"cargo"}
    assert len({e.choices.index(e.target) for _, part in splits.items() for e in part}) > 1
    check_gold_and_wrong("insurance_qa", examples_of("insurance_qa", tmp_path))


def exam(number: int, **changes: Any) -> Row:
    """A made-up question of an exam."""
    options = {letter: f"{letter} of {number}" for letter in "ABCD"}
    return {"question": f"Which one, {number}?", **options, "answer": "b", "section": "far", **changes}


@pytest.mark.parametrize("form", ["jsonl", "csv", "parquet"])
def test_a_users_exam_is_read_and_questions_on_an_exhibit_share_a_group(form: str, tmp_path: Path) -> None:
    rows = [exam(n, exhibit="Ledger of a quay" if n < 3 else "") for n in range(9)]
    (tmp_path / "cpa").mkdir()
    written(tmp_path / "cpa", rows, f"questions.{form}")
    splits = loading.load_splits(registry.task("cpa"), data_dir=tmp_path)
    examples = [e for _, part in splits.items() for e in part]
    assert {(e.target[0], len(e.choices), e.slices["section"]) for e in examples} == {("B", 4, "FAR")}
    assert len({e.group for e in examples if e.context}) == 1
    check_gold_and_wrong("cpa", examples)


@pytest.mark.parametrize(
    "change", [{"answer": "E"}, {"answer": ""}, {"answer": "A, B"}, {"D": " "}, {"section": "X"}, {"question": ""}]
)
def test_a_question_that_does_not_fit_is_refused_by_its_row(change: Row, tmp_path: Path) -> None:
    path = written(tmp_path, [exam(1), exam(2, **change)], "questions.jsonl")
    with pytest.raises(HarnessError, match="not of the expected form") as caught:
        examples_of("cpa", tmp_path)
    assert caught.value.where == f"{path}, row 2"


def test_no_exam_is_fetched_and_its_absence_says_what_to_bring(tmp_path: Path) -> None:
    for data_dir, problem in ((None, "files of your own"), (tmp_path, "data is missing")):
        with pytest.raises(HarnessError, match=problem) as caught:
            loading.resolve(registry.task("cpa").source, data_dir)
        assert caught.value.fix.startswith("put questions.jsonl or questions.csv or questions.parquet into DIR/cpa/")


def test_an_exam_with_three_options_needs_no_task(tmp_path: Path) -> None:
    rows = [{key: text for key, text in exam(n).items() if key != "D"} for n in range(12)]
    task = file_task(written(tmp_path, rows, "level_one.csv"))
    test = loading.load_splits(task).test
    assert {len(e.choices) for e in test} == {3}
    assert task.metrics[0] is metrics.acc_norm
    assert refusal(tmp_path, [*rows, rows[0] | {"answer": "D"}], "level_two.csv").where.endswith("level_two.csv:14")
