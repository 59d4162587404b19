"""Data files that others published, through the path without code; skipped where they are not beside the project."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path

import pytest

from harness.data.file_task import file_task
from harness.data.loading import fingerprint, load_splits
from harness.errors import HarnessError
from harness.metrics.scoring import chance, score_answers
from harness.record import Answer

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"


def published(name: str) -> Path:
    path = SHARED / name
    if not path.exists():
        pytest.skip(f"public data is not beside the project: ../shared/data/{name}")
    return path


def test_tweets_are_classified_and_their_swapped_labels_are_left_alone() -> None:
    task = file_task(published("finlora_sentiment/tfns_test.jsonl"))
    splits = load_splits(task)
    assert sum(len(part) for _, part in splits.items()) == 2388
    assert [len(part) for _, part in splits.items()] == pytest.approx([1433, 239, 716], abs=2)
    targets = Counter(e.target for _, part in splits.items() for e in part)
    assert targets == {"negative": 347, "neutral": 475, "positive": 1566}
    assert splits.test[0].choices == ("negative", "neutral", "positive")
    assert all({e.target for e in part} == set(targets) for _, part in splits.items())
    assert "relabelled" not in task.title
    assert task.prompt(splits.test[0]).count("Answer:") == 1


def test_tweets_get_their_labels_back_when_asked() -> None:
    path = published("finlora_sentiment/tfns_test.jsonl")
    swapped = {"positive": "neutral", "neutral": "positive"}
    task = file_task(path, relabel=swapped)
    splits = load_splits(task)
    targets = Counter(e.target for _, part in splits.items() for e in part)
    assert targets == {"negative": 347, "neutral": 1566, "positive": 475}
    assert "relabelled 1,566 positive as neutral; relabelled 475 neutral as positive" in task.title
    plain = file_task(path)
    assert {e.id for e in splits.test} == {e.id for e in load_splits(plain).test}
    assert fingerprint(task, splits) != fingerprint(plain, load_splits(plain))


def test_headlines_that_occur_twice_stay_in_one_split() -> None:
    splits = load_splits(file_task(published("finlora_sentiment/fiqa_test.jsonl")))
    contexts = [{e.context for e in part} for _, part in splits.items()]
    assert sum(map(len, contexts)) == len(set.union(*contexts)) == 233


def test_formula_questions_are_numbers_in_the_split_that_was_published(tmp_path: Path) -> None:
    rows = []
    for split, count in (("train", 800), ("test", 200)):
        lines = published(f"finlora_formula/formula_{split}.jsonl").read_text(encoding="utf-8").splitlines()
        assert len(lines) == count
        rows += [{**json.loads(line), "split": split} for line in lines]
    path = tmp_path / "formula.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)))
    task = file_task(path)
    splits = load_splits(task)
    assert len(splits.train) + len(splits.validation) == 800
    assert len(splits.test) == 200
    assert (task.metrics[0].name, task.scoring) == ("numeric", "generate")
    assert task.parse
    for text, value in ((lambda t: t, 1.0), (lambda t: f"${float(t):,.4f}", 1.0), (lambda t: t + "1", 0.0)):
        answers = [Answer(e.id, e.group, e.target, said := text(e.target), task.parse(said, e)) for e in splits.test]
        assert score_answers(answers, task.metrics)["numeric"].value == value


def exam(subject: str, folder: Path) -> Path:
    """Write a subject's rows, which come without one, under a header."""
    with published(f"mmlu/test/{subject}_test.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    path = folder / f"{subject}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["question", "A", "B", "C", "D", "answer"], *rows])
    return path


def test_an_exam_subject_in_lettered_columns_is_read_from_csv(tmp_path: Path) -> None:
    path = exam("professional_accounting", tmp_path)
    task = file_task(path)
    splits = load_splits(task)
    found = {e.id: e for _, part in splits.items() for e in part}
    assert len(found) == 282
    assert chance(task, splits.test) == 0.25
    with path.open(newline="", encoding="utf-8") as file:
        golds = Counter(row[row["answer"]].strip() for row in csv.DictReader(file))
    assert Counter(e.target for e in found.values()) == golds


def test_an_exam_question_with_the_same_option_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="two of the choices are the same") as caught:
        file_task(exam("business_ethics", tmp_path))
    assert caught.value.where.endswith("business_ethics.csv:4")
