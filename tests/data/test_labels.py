"""Labels and options that look the same: two Unicode forms are joined, look-alikes refused by the names of their characters."""

from __future__ import annotations

import unicodedata
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.data.file_task import file_task
from harness.data.loading import load_splits
from harness.data.lookalikes import quoted, skeleton
from harness.metrics.text import canonical, fold
from harness.schema import Example, Task
from tests.support.data_files import asked, refusal, written

FORMATS = ["mine.jsonl", "mine.csv", "mine.parquet"]


def rows(*labels: str) -> list[dict[str, Any]]:
    return [{"context": f"Claim {i}", "target": labels[i % len(labels)]} for i in range(30)]


def examples(task: Task) -> list[Example]:
    return [example for _, part in load_splits(task).items() for example in part]


def targets(task: Task) -> Counter[str]:
    return Counter(e.target for e in examples(task))


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(
    "twin",
    ["pre\u0301vu", "pr\u00e9\u200bvu", "\ufeffpr\u00e9vu", "pr\u00e9v\u00adu", "pr\u00e9vu\u2060", "pr\u00e9\ufe0fvu"],
)
def test_forms_that_no_reader_sees_are_joined_and_the_title_says_so(tmp_path: Path, name: str, twin: str) -> None:
    task = file_task(written(tmp_path, rows("pr\u00e9vu", twin, "refus\u00e9"), name))
    assert targets(task) == {"pr\u00e9vu": 20, "refus\u00e9": 10}
    assert "10 pr\u00e9vu in another Unicode form joined (U+" in task.title


def test_plain_letters_with_an_invisible_blank_are_joined_too(tmp_path: Path) -> None:
    task = file_task(written(tmp_path, rows("paid", "pa\u200bid", "open")))
    assert targets(task) == {"paid": 20, "open": 10}
    assert "U+200B ZERO WIDTH SPACE" in task.title


def test_a_label_in_one_form_keeps_it(tmp_path: Path) -> None:
    task = file_task(written(tmp_path, rows("pre\u0301vu", "open")))
    assert targets(task) == {"pre\u0301vu": 15, "open": 15}
    assert "joined" not in task.title


def test_labels_that_are_typed_match_in_every_form(tmp_path: Path) -> None:
    path = written(tmp_path, rows("pre\u0301vu", "open"))
    assert targets(file_task(path, labels=("pr\u00e9vu", "open"))) == {"pr\u00e9vu": 15, "open": 15}
    assert targets(file_task(path, relabel={"pr\u00e9vu": "planned"})) == {"planned": 15, "open": 15}


LOOK_ALIKE = [
    ("up", "u\u0440", "U+0440 CYRILLIC SMALL LETTER ER"),
    ("AAA", "\u0391AA", "U+0391 GREEK CAPITAL LETTER ALPHA"),
    ("AA-", "AA\u2212", "U+2212 MINUS SIGN"),
    ("1-5 years", "1\u20135 years", "U+2013 EN DASH"),
    ("buy", "\uff42uy", "U+FF42 FULLWIDTH LATIN SMALL LETTER B"),
    ("insurer's", "insurer\u2019s", "U+2019 RIGHT SINGLE QUOTATION MARK"),
    ("hold", "\U0001d421old", "U+1D421 MATHEMATICAL BOLD SMALL H"),
]


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize(("plain", "twin", "character"), LOOK_ALIKE)
def test_labels_that_look_the_same_are_refused(
    tmp_path: Path, name: str, plain: str, twin: str, character: str
) -> None:
    error = refusal(tmp_path, rows(plain, twin, "other"), name)
    assert "look the same" in error.problem
    assert character in error.problem
    assert "--relabel $'" in error.fix


def test_the_command_that_joins_look_alikes_is_plain_ascii_and_exact() -> None:
    assert quoted("u\u0440=up") == "$'u\\U00000440=up'"
    assert quoted("it's=\u00e9") == "$'it\\'s=\\U000000e9'"
    assert quoted("up=down") == "up=down"


def test_a_blank_that_does_not_break_is_named(tmp_path: Path) -> None:
    error = refusal(tmp_path, rows("in line", "in\u00a0line", "above"))
    assert "are the same: U+00A0 NO-BREAK SPACE in one of them" in error.problem
    assert error.fix.endswith("--relabel $'in\\U000000a0line=in line'")


@pytest.mark.parametrize("name", FORMATS)
def test_options_that_look_the_same_are_refused_at_their_row(tmp_path: Path, name: str) -> None:
    odd = [row | {"choices": " | ".join(row["choices"])} for row in asked()]
    odd[4] |= {"choices": "cost | c\u043est | price", "answer": "price"}
    error = refusal(tmp_path, odd, name)
    assert "U+043E CYRILLIC SMALL LETTER O" in error.problem
    assert error.where.endswith({"mine.jsonl": ":5", "mine.csv": ":6", "mine.parquet": "row 5"}[name])


def test_an_answer_in_another_form_than_its_option_is_that_option(tmp_path: Path) -> None:
    both = [{"question": f"q{i}", "choices": ["pr\u00e9vu", "non"], "answer": "pre\u0301vu"} for i in range(20)]
    both += [{"question": f"r{i}", "choices": ["non", "pre\u0301vu"], "answer": "non"} for i in range(20)]
    task = file_task(written(tmp_path, both))
    assert targets(task) == {"pr\u00e9vu": 20, "non": 20}
    assert {frozenset(e.choices) for e in examples(task)} == {frozenset({"pr\u00e9vu", "non"})}
    assert "choices non 20, pr\u00e9vu 20" in task.title


@pytest.mark.parametrize(
    ("first", "second"),
    [("10²", "102"), ("α", "a"), ("ρ", "p"), ("é", "e"), ("½", "12"), ("да", "нет"), ("x — y", "x - y")],
)
def test_texts_that_differ_to_the_eye_are_left_apart(first: str, second: str) -> None:
    assert skeleton(first) != skeleton(second)


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=8))
def test_every_unicode_form_of_a_text_is_the_same_text(text: str) -> None:
    forms = [unicodedata.normalize(form, text) for form in ("NFC", "NFD")]
    assert len({canonical(form) for form in forms}) == 1
    assert len({fold(form) for form in (*forms, f"\u200b{text}\ufeff")}) == 1
    assert len({skeleton(form) for form in forms}) == 1


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=8), st.text(max_size=8))
def test_texts_that_are_the_same_look_the_same(first: str, second: str) -> None:
    assert fold(first) != fold(second) or skeleton(first) == skeleton(second)


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(max_codepoint=127), max_size=12).filter(lambda text: "`" not in text))
def test_plain_text_looks_like_itself_only(text: str) -> None:
    assert skeleton(text) == fold(text) == " ".join(text.casefold().split())
