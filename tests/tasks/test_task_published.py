"""Tasks on data that others published: what the loaders mend and count, and the mistakes of other scorers."""

from __future__ import annotations

import functools
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from harness import metrics
from harness.data import loading, published, registry, sources
from harness.errors import HarnessError
from harness.metrics.scoring import score_answers
from harness.record import Answer
from harness.schema import Example, Source

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
NAMES = (
    "xbrl_tag",
    "xbrl_value",
    "xbrl_formula",
    "financial_math",
    "finer",
    "auto_claims",
    "medical_charges",
)
SIZES = {
    "xbrl_tag": 108,
    "xbrl_value": 104,
    "xbrl_formula": 104,
    "financial_math": 1000,
    "finer": 501,
    "auto_claims": 2 * 164,
    "medical_charges": 1338 - 7,
}


@functools.cache
def splits_of(name: str) -> loading.Splits:
    source = registry.task(name).source
    if not (SHARED / source.folder).is_dir():
        pytest.skip(f"public data is not beside the project: ../shared/data/{source.folder}")
    return loading.load_splits(registry.task(name), data_dir=SHARED)


def everything(name: str) -> list[Example]:
    return [e for _, part in splits_of(name).items() for e in part]


def value(name: str, target: str, text: str, metric: int = 0) -> float | None:
    """The score of an output to a question with this target; None where it cannot be read."""
    task = registry.task(name)
    assert task.parse is not None
    example = Example("1", "", target)
    parsed = task.parse(text, example)
    return None if parsed is None else task.metrics[metric].score(Answer("1", "", target, text, parsed))


@pytest.mark.parametrize("name", NAMES)
def test_a_published_task_says_where_its_data_is_from_under_what_licence(name: str) -> None:
    source = registry.task(name).source
    assert source.uri.startswith("github:")
    assert len(source.revision) == 40
    assert source.license
    assert source.citation
    assert source.files
    assert source.folder


@pytest.mark.parametrize("name", NAMES)
def test_a_published_task_keeps_the_rows_that_it_says_it_keeps(name: str) -> None:
    assert len(everything(name)) == SIZES[name]


@pytest.mark.parametrize(("name", "issuers"), [("xbrl_tag", 6), ("xbrl_value", 10), ("xbrl_formula", 12)])
def test_no_issuer_is_in_two_splits(name: str, issuers: int) -> None:
    groups = [{e.group for e in part} for _, part in splits_of(name).items()]
    assert sum(map(len, groups)) == len(set.union(*groups)) == issuers


@pytest.mark.parametrize("name", ["xbrl_tag", "xbrl_value", "xbrl_formula"])
def test_the_gold_of_an_xbrl_question_is_in_the_filing_and_its_instructions_are_gone(name: str) -> None:
    for example in everything(name):
        assert "Example answer" not in example.context + example.question
        assert "```" not in example.context
        assert "knowledgeable" not in example.context
        if name != "xbrl_formula":
            assert example.target in example.context


def test_financial_math_keeps_the_test_that_was_published() -> None:
    splits = splits_of("financial_math")
    assert len(splits.test) == 200
    assert len({e.slices["formula"] for e in splits.test}) == 50
    assert not any("Answer with a numerical answer" in e.question + e.context for e in splits.test)


def test_finer_batches_that_share_a_sentence_share_a_group() -> None:
    seen: dict[str, str] = {}
    for example in everything("finer"):
        for line in example.question.splitlines()[:-1]:
            sentence = line.partition('in sentence: "')[2]
            if sentence:
                assert seen.setdefault(sentence, example.group) == example.group


def test_motor_claims_are_balanced_and_show_nothing_of_who_a_person_is() -> None:
    examples = everything("auto_claims")
    assert set(Counter(e.target for e in examples).values()) == {164}
    assert len({e.group for e in examples}) == 328
    for word in ("Male", "Female", "Bachelor", "fraud", "zip"):
        assert not any(word in e.context for e in examples)


def test_a_charge_on_the_limit_belongs_to_the_band_above() -> None:
    from tasks.medical_charges import band

    assert [band(x) for x in (0, 4999.99, 5000, 19999.99, 20000, 1e6)] == [
        "below 5,000",
        "below 5,000",
        "5,000 to 10,000",
        "10,000 to 20,000",
        "20,000 and above",
        "20,000 and above",
    ]
    assert "male" not in "".join(e.context for e in everything("medical_charges"))


@pytest.mark.parametrize(
    ("name", "target", "text", "score"),
    [
        ("financial_math", "5.0", "5.09", 0.0),
        ("financial_math", "5.0", "5", 1.0),
        ("financial_math", "7600.0", "$7,600.00", 1.0),
        ("financial_math", "15092.44", "15092.445", 1.0),
        ("financial_math", "15092.44", "15092.45", 0.0),
        ("financial_math", "7600.0", "It is 7600.0", None),
        ("xbrl_value", "16116000000", "$16,116 million", 1.0),
        ("xbrl_value", "-12696000000", "(12,696,000,000)", 1.0),
        ("xbrl_value", "16116000000", "1611600000", 0.0),
        ("xbrl_formula", "(6226000000 / 38542000000) * 100", "100*6226000000/38542000000", 1.0),
        ("xbrl_formula", "(6226000000 / 38542000000) * 100", "($6,226,000,000 / $38,542,000,000) * 100", 1.0),
        ("xbrl_formula", "(6226000000 / 38542000000) * 100", "6226000000 / 38542000000", 0.0),
        ("xbrl_formula", "(6226000000 / 38542000000) * 100", "16.15", 0.0),
        ("xbrl_formula", "(6226000000 / 38542000000) * 100", "__import__('os')", None),
        ("xbrl_formula", "(6226000000 / 38542000000) * 100", "CashFlow / Revenues", None),
        ("xbrl_tag", "us-gaap:Assets", "Assets", 1.0),
        ("xbrl_tag", "us-gaap:Assets", "us-gaap:AssetsCurrent", 0.0),
        ("xbrl_tag", "us-gaap:AssetsCurrent", "Assets", 0.0),
        ("xbrl_tag", "us-gaap:Assets", "us-gaap:Assets, us-gaap:Liabilities", None),
        ("finer", "SharePrice; LongTermDebt", "SharePrice,LongTermDebt", 1.0),
        ("finer", "SharePrice; LongTermDebt", "LongTermDebt; SharePrice", 0.0),
        ("finer", "SharePrice; LongTermDebt", "SharePrice", None),
    ],
)
def test_answers_are_compared_by_what_they_mean(name: str, target: str, text: str, score: float | None) -> None:
    assert value(name, target, text) == score


def test_a_batch_with_one_right_tag_of_two_gets_half_in_the_partial_measure() -> None:
    assert value("finer", "SharePrice; LongTermDebt", "SharePrice; SharePrice", metric=1) == 0.5


@pytest.mark.parametrize("name", ["auto_claims", "medical_charges"])
def test_what_a_wrong_output_says_makes_no_class_of_its_own(name: str) -> None:
    task, test = registry.task(name), splits_of(name).test

    def scored(wrong: str) -> dict[str, float]:
        texts = [wrong.format(i) if i % 3 == 0 else e.target for i, e in enumerate(test)]
        answers = [
            Answer(e.id, e.group, e.target, text, metrics.default_parse(text, e), e.choices)
            for e, text in zip(test, texts, strict=True)
        ]
        return {key: score.value for key, score in score_answers(answers, task.metrics).items()}

    assert scored("noise {}") == scored("") == scored("the same noise")
    assert scored("noise {}")["acc"] == pytest.approx(2 / 3, abs=1 / len(test))
    assert scored("noise {}")["macro_f1"] < 1


@pytest.mark.parametrize(
    ("name", "reasons"),
    [
        ("medical_charges", {"repeated": 3, "contradictory": 4}),
        ("auto_claims", {"for balance": 4672}),
        ("financial_math", {}),
        ("finer", {}),
    ],
)
def test_a_published_task_counts_what_it_leaves_out(name: str, reasons: dict[str, int]) -> None:
    assert everything(name)
    load, source = registry.task(name).load, registry.task(name).source
    assert isinstance(load, published.Load)
    assert load.left_out(loading.resolve(source, SHARED)) == reasons


def test_data_lies_in_the_folder_named_or_one_below_it(tmp_path: Path) -> None:
    source = Source("github:a/b", revision="0" * 40, files=(" x/one.jsonl", "y/two.jsonl"), folder="ours")
    with pytest.raises(HarnessError, match="data is missing") as caught:
        loading.resolve(source, tmp_path)
    assert "/a/b/0000" in caught.value.fix
    assert "%20x/one.jsonl" in caught.value.fix
    for folder in (tmp_path / "ours", tmp_path / "flat"):
        folder.mkdir()
        for name in ("one.jsonl", "two.jsonl"):
            (folder / name).write_text("{}\n")
    assert loading.resolve(source, tmp_path) == tmp_path / "ours"
    assert loading.resolve(source, tmp_path / "flat") == tmp_path / "flat"


def test_without_a_network_it_says_what_to_fetch_and_where_to_put_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import datasets

    def offline(self: object, url: str) -> str:
        raise ConnectionError(url)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(datasets.DownloadManager, "download", offline)
    source = registry.task("xbrl_value").source
    with pytest.raises(HarnessError, match="cannot be fetched: the hub cannot be reached from this machine") as caught:
        loading.resolve(source)
    assert source.revision in caught.value.where
    assert f"DIR/{source.folder}/" in caught.value.fix
    with pytest.raises(HarnessError, match="needs a revision"):
        loading.resolve(replace(source, revision=""))


def test_what_is_fetched_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import datasets

    asked: list[str] = []

    def fetched(self: object, url: str) -> str:
        asked.append(url)
        (tmp_path / "blob").write_text("{}\n")
        return str(tmp_path / "blob")

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(datasets.DownloadManager, "download", fetched)
    source = registry.task("financial_math").source
    folder = loading.resolve(source)
    assert sorted(path.name for path in folder.iterdir()) == ["formula_test.jsonl", "formula_train.jsonl"]
    assert loading.resolve(source) == sources.cached(source) == folder
    assert len(asked) == 2


@pytest.mark.parametrize("name", ["xbrl_value", "financial_math", "finer"])
def test_a_row_of_another_form_is_refused_by_its_line(name: str, tmp_path: Path) -> None:
    task = registry.task(name)
    for path in task.source.files:
        (tmp_path / Path(path).name).write_text(
            json.dumps({"context": "other", "target": "1", "doc_path": "a-1/b.xml"}) + "\n"
        )
    with pytest.raises(HarnessError, match="this row is not of the expected form") as caught:
        loading.load_splits(task, data_dir=tmp_path)
    assert caught.value.where.endswith(".jsonl, row 1")
