"""The tasks over public data: every format that their loaders read, and what they mend, leave out and refuse."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import Example, HarnessError, Source, Task
from harness.data import loading, published, registry

COPIES = Path(__file__).resolve().parents[3] / "shared" / "data"
Rows = Sequence[Mapping[str, Any]]


def task(name: str) -> Task:
    return registry.task(name)


def load_of(name: str) -> published.Load:
    load = task(name).load
    assert isinstance(load, published.Load)
    return load


def jsonl(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def parquet(path: Path, rows: Rows) -> None:
    from pyarrow import Table
    from pyarrow import parquet as files

    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_table(Table.from_pylist(list(rows)), path)


def finlora(question: str, texts: Sequence[str], target: str) -> Rows:
    return [{"context": f"Instruction: {question}\nInput: {t}\nAnswer: ", "target": target} for t in texts]


def everything(name: str, data_dir: Path) -> list[Example]:
    return [example for _, part in loading.load_splits(task(name), data_dir=data_dir).items() for example in part]


def answers(name: str, data_dir: Path) -> dict[str, str]:
    return {example.context or example.question: example.target for example in everything(name, data_dir)}


@pytest.fixture
def copies() -> Path:
    if not COPIES.is_dir():
        pytest.skip("no copies of the public data beside the project")
    return COPIES


def test_fiqas_repeated_rows_are_left_out_and_counted(copies: Path) -> None:
    assert load_of("fiqa").left_out(copies) == {"repeated": 2}
    assert len(everything("fiqa", copies)) == 233


def test_the_exchanged_labels_of_tfns_are_mended(copies: Path) -> None:
    assert Counter(e.target for e in everything("tfns", copies)) == {"negative": 347, "positive": 475, "neutral": 1566}
    (one,) = [e for e in everything("tfns", copies) if "AMD +1.3% after Cowen" in e.context]
    assert one.target == "positive"


def test_entity_questions_are_asked_once_and_grouped_by_sentence(copies: Path) -> None:
    assert load_of("ner").left_out(copies) == {"repeated": 1836}
    examples = everything("ner", copies)
    assert (len(examples), len({e.group for e in examples})) == (1666, 98)


def test_mmlu_leaves_out_what_is_repeated_and_what_has_equal_options(copies: Path) -> None:
    assert load_of("mmlu").left_out(copies / "mmlu") == {"repeated": 21, "options the same": 10}
    subjects = {e.slices["subject"] for e in everything("mmlu", copies)}
    assert len(subjects) == 30
    assert {e.slices["subject"] for e in everything("econometrics", copies)} == {"econometrics"}


def test_hub_files_of_fiqa_become_labels_and_keep_their_splits(tmp_path: Path) -> None:
    folder = tmp_path / "fiqa-sentiment-classification" / "data"
    scores = {"train": -0.11, "valid": -0.1, "test": 0.1}
    for split, score in scores.items():
        rows = [{"sentence": f"{split} {n}", "score": score, "type": "post"} for n in range(2)]
        parquet(folder / f"{split}-00000-of-00001.parquet", rows)
    splits = loading.load_splits(task("fiqa"), data_dir=tmp_path)
    assert [{e.target for e in part} for _, part in splits.items()] == [{"negative"}, {"neutral"}, {"positive"}]
    assert "this tweet" in splits.test[0].question


def test_hub_files_of_tfns_are_not_mended_and_a_seventh_of_training_is_validation(tmp_path: Path) -> None:
    lines = [f"tweet {n},{n % 3}\n" for n in range(30)]
    (tmp_path / "sent_train.csv").write_text("text,label\n" + "".join(lines[:21]))
    (tmp_path / "sent_valid.csv").write_text("text,label\n" + "".join(lines[21:]))
    splits = loading.load_splits(task("tfns"), data_dir=tmp_path)
    assert [len(part) for _, part in splits.items()] == [18, 3, 9]
    found = answers("tfns", tmp_path)
    assert [found[f"tweet {n}"] for n in range(3)] == ["negative", "positive", "neutral"]


@pytest.mark.parametrize("form", ["zip", "txt", "jsonl"])
def test_fpb_reads_the_archive_its_text_file_and_finlora(form: str, tmp_path: Path) -> None:
    labels = ["negative", "neutral", "positive"]
    text = "".join(f"Profit of Å@b rose {n} %@{labels[n % 3]}\r\n" for n in range(12)).encode("iso-8859-1")
    if form == "zip":
        (tmp_path / "data").mkdir()
        with zipfile.ZipFile(tmp_path / "data" / "FinancialPhraseBank-v1.0.zip", "w") as archive:
            archive.writestr("__MACOSX/FinancialPhraseBank-v1.0/Sentences_50Agree.txt", b"junk")
            archive.writestr("FinancialPhraseBank-v1.0/Sentences_50Agree.txt", text)
    elif form == "txt":
        (tmp_path / "Sentences_50Agree.txt").write_bytes(text)
    else:
        for n in range(12):
            rows = finlora("What is the sentiment of this news?", [f"Profit of Å@b rose {n} %"], labels[n % 3])
            with (tmp_path / "fpb_test.jsonl").open("a") as file:
                file.write(json.dumps(rows[0]) + "\n")
    found = answers("fpb", tmp_path)
    assert found == {f"Profit of Å@b rose {n} %": labels[n % 3] for n in range(12)}


def test_nwgi_folds_seven_degrees_into_three(tmp_path: Path) -> None:
    degrees = ["strong negative", "mildly negative", "neutral", "mildly positive", "moderately positive"]
    rows = [{"news": f"{degree} {n}", "label": degree} for degree in degrees for n in range(4)]
    parquet(tmp_path / "data" / "train-00000-of-00001.parquet", rows[::2])
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", rows[1::2])
    want = dict(zip(degrees, ("negative", "neutral", "neutral", "neutral", "positive"), strict=True))
    found = answers("nwgi", tmp_path)
    assert found == {row["news"]: want[row["label"]] for row in rows}
    jsonl(tmp_path / "finlora" / "nwgi_test.jsonl", finlora("Sentiment?", [f"b{n}" for n in range(20)], degrees[0]))
    assert set(answers("nwgi", tmp_path / "finlora").values()) == {"negative"}


def test_a_headline_stands_on_one_side_of_the_split(tmp_path: Path) -> None:
    asked = "Does the news headline talk about price going {}? Please choose an answer from {{Yes/No}}."
    rows = [
        {"instruction": asked.format(way), "input": f"gold {n}", "output": answer}
        for n in range(12)
        for way, answer in (("up", "Yes"), ("down", "No"))
    ]
    parquet(tmp_path / "data" / "train-00000-of-00001.parquet", rows[:20])
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", rows[19:])  # repeats one, and shares its headline
    splits = loading.load_splits(task("headline"), data_dir=tmp_path)
    assert load_of("headline").left_out(tmp_path) == {"repeated": 1, "group in the test": 1}
    assert "choose" not in task("headline").prompt(splits.test[0])
    jsonl(tmp_path / "f" / "headline_test.jsonl", finlora(asked.format("up"), [f"g{n}" for n in range(10)], "Yes"))
    assert len(everything("headline", tmp_path / "f")) == 10


def test_the_general_suite_reads_the_hubs_columns(tmp_path: Path) -> None:
    four = {"text": ["ice", "fire", "sand", "air"], "label": ["A", "B", "C", "D"]}
    solution = "1,000 + 2 = <<1000+2=1002>>1002\n#### 1,002"
    gold = {"gsm8k": solution, "gsm8k_number": "1002", "boolq": "yes", "mmlu": "B", "business_ethics": "B"}
    forms: dict[str, tuple[str, str, Mapping[str, Any]]] = {
        "mmlu": ("all/{}", "test", {"subject": "virology", "choices": four["text"], "answer": 1}),
        "business_ethics": ("business_ethics/{}", "test", {"subject": "x", "choices": four["text"], "answer": 1}),
        "mmlu_cloze": ("all/{}", "test", {"subject": "virology", "choices": four["text"], "answer": 1}),
        "arc_challenge": ("ARC-Challenge/{}", "test", {"choices": four, "answerKey": "B"}),
        "arc_easy": ("ARC-Easy/{}", "test", {"choices": four, "answerKey": "B"}),
        "openbookqa": ("main/{}", "test", {"choices": four, "answerKey": "B"}),
        "gsm8k_number": ("main/{}", "test", {"answer": solution}),
        "gsm8k": ("main/{}", "test", {"answer": solution}),
        "boolq": ("boolq/{}", "validation", {"passage": "It is warm.", "label": 1}),
    }
    for name, (place, tested, cells) in forms.items():
        folder = tmp_path / name
        for split in dict.fromkeys(("train", "validation", tested, "dev")):
            asked = "question_stem" if name == "openbookqa" else "question"
            rows = [{asked: f"{split} {n}", **cells} for n in range(8)]
            parquet(folder / f"{place.format(split)}-00000-of-00001.parquet", rows)
        examples = everything(name, folder)
        assert len(examples) == (16 if tested == "validation" or name.startswith("gsm8k") else 24), name
        assert {e.target for e in examples} == {gold.get(name, "fire")}


def test_sizes_are_told_without_the_library_that_reads_parquet(tmp_path: Path) -> None:
    lines = "".join(f"tweet {n},{n % 3}\n" for n in range(21))
    (tmp_path / "sent_train.csv").write_text("text,label\n" + lines)
    (tmp_path / "sent_valid.csv").write_text("text,label\nanother,1\n")
    rows = [{"sentence": f"{n}", "score": 0.5, "type": "post"} for n in range(12)]
    for split in ("train", "valid", "test"):
        parquet(tmp_path / "fiqa-sentiment-classification" / "data" / f"{split}-0.parquet", rows)
    (tmp_path / "gsm8k").mkdir()
    (tmp_path / "gsm8k" / "test.jsonl").write_text("damaged")
    code = """
import json, sys
from harness import data
from harness.data import registry
found = {name: data.sizes(registry.task(name), sys.argv[1]) for name in ("tfns", "fiqa", "gsm8k", "nwgi")}
assert "datasets" not in sys.modules
print(json.dumps(found))
"""
    run = subprocess.run([sys.executable, "-c", code, tmp_path], capture_output=True, text=True, check=True)
    tfns = {"train": 18, "validation": 3, "test": 1}
    fiqa = {"train": 12, "validation": 12, "test": 12}
    assert json.loads(run.stdout) == {"tfns": tfns, "fiqa": fiqa, "gsm8k": {}, "nwgi": None}


def test_a_copy_is_found_by_name_or_by_files_and_the_named_folder_comes_first(tmp_path: Path) -> None:
    pinned = Source("hf:some/loans", revision="0" * 40, files=("data/x-*.csv", "y.csv"))
    (tmp_path / "y.csv").write_text("a\n")
    assert loading.resolve(pinned, tmp_path) == tmp_path
    (tmp_path / "loans" / "data").mkdir(parents=True)
    assert loading.resolve(pinned, tmp_path) == tmp_path  # the folder of its name holds none of its files
    (tmp_path / "loans" / "data" / "x-0.csv").write_text("a\n")
    assert loading.resolve(pinned, tmp_path) == loading.resolve(pinned, tmp_path / "loans") == tmp_path / "loans"
    shipped = Source("data/loans")
    assert loading.resolve(shipped, tmp_path) == loading.resolve(shipped, tmp_path / "loans") == tmp_path / "loans"


@pytest.mark.parametrize(
    ("text", "number"),
    [("1,002", "1,002"), ("2 + 2 = 4\n#### 4", "4"), ("4 apples", None), ("so 4", None), ("####", None), ("4.", "4")],
)
def test_a_word_problems_answer_is_one_number(text: str, number: str | None) -> None:
    parse = task("gsm8k_number").parse
    assert parse is not None
    assert parse(text, Example("1", "", "4")) == number


def two_way(cells: published.Cells, id: str) -> Example:
    return Example(id, cells["q"], cells["a"], ("no", "yes"))


def test_a_question_with_two_answers_is_left_out_altogether(tmp_path: Path) -> None:
    rows = [{"q": f"is it {n}", "a": "no"} for n in range(10)]
    odd = [{"q": "IS it  3", "a": "yes"}, {"q": "else", "a": "perhaps"}]
    jsonl(tmp_path / "x.jsonl", rows + odd)
    splits, left_out = published.Load({"test": ("x.jsonl",)}, two_way).splits(tmp_path)
    assert left_out == {"contradictory": 2, "answer missing": 1}
    assert sum(map(len, splits.values())) == 9


def test_files_that_are_missing_or_ambiguous_or_of_another_form_are_refused(tmp_path: Path) -> None:
    load = published.Load({"train": ("t.jsonl",), "test": ("**/x.jsonl",)}, two_way)
    with pytest.raises(HarnessError, match="not in this folder"):
        load(tmp_path, "test")
    jsonl(tmp_path / "one" / "x.jsonl", [{"question": "?"}])
    with pytest.raises(HarnessError, match="not of the expected form") as caught:
        load(tmp_path, "test")
    assert caught.value.where.endswith("x.jsonl, row 1")
    jsonl(tmp_path / "two" / "x.jsonl", [{"q": "?", "a": "no"}])
    with pytest.raises(HarnessError, match="several folders"):
        load(tmp_path, "test")
    (tmp_path / "bad.json").write_text('{"a": 1}')
    with pytest.raises(HarnessError, match="list of objects"):
        list(published.read_cells(tmp_path / "bad.json"))


def test_only_a_tasks_own_files_are_fetched_and_only_at_a_pinned_revision(monkeypatch: pytest.MonkeyPatch) -> None:
    huggingface_hub = pytest.importorskip("huggingface_hub")
    asked: dict[str, Any] = {}
    monkeypatch.setattr(
        huggingface_hub, "snapshot_download", lambda name, **rest: asked.update(rest) or str(COPIES.parent.parent)
    )
    loading.resolve(task("arc_challenge").source)
    assert asked["revision"] == task("arc_challenge").source.revision
    assert "ARC-Challenge/test-*.parquet" in asked["allow_patterns"]
    with pytest.raises(HarnessError, match="needs a revision") as caught:
        loading.resolve(Source("hf:some/data", files=("x.csv",)))
    assert "--data" in caught.value.fix
