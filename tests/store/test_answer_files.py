"""Files of answers: any answers come back, same bytes every time, and a file that is damaged or hostile is refused."""

from __future__ import annotations

import gzip
import hashlib
import random
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError
from harness.record import SCHEMA_VERSION, Answer
from harness.store import answer_files, records
from tests.support.answer_rows import unpack_all, with_schema
from tests.support.records import make_answers, make_record, make_spec

TEXT = st.text(st.characters(codec="utf-8"), max_size=20)
NUMBER = st.floats(allow_nan=False)
ANSWER = st.builds(
    Answer,
    id=TEXT,
    group=TEXT,
    target=TEXT,
    text=TEXT,
    parsed=st.none() | TEXT,
    choices=st.lists(TEXT, max_size=3).map(tuple),
    loglik=st.lists(NUMBER, max_size=3).map(tuple),
    slices=st.dictionaries(TEXT, TEXT, max_size=2),
    cut_tokens=st.integers(0, 99),
    amount=NUMBER,
)


@settings(max_examples=50)
@given(answers=st.lists(ANSWER, max_size=5))
def test_any_answers_come_back_and_the_checksum_is_that_of_their_lines(
    tmp_path_factory: pytest.TempPathFactory, answers: list[Answer]
) -> None:
    folder = tmp_path_factory.mktemp("run")
    digest = answer_files.write(folder, answers)
    assert [path.name for path in folder.iterdir()] == ["answers.jsonl.gz"]
    assert list(answer_files.read(folder)) == answers
    assert digest == hashlib.sha256(answer_files.text(answers).encode()).hexdigest() == answer_files.sha256(folder)


@settings(max_examples=50)
@given(content=st.binary(max_size=2000))
def test_packing_gives_a_gzip_file_without_time_or_name_and_the_same_bytes_each_time(content: bytes) -> None:
    packed = answer_files.pack(content)
    assert packed == answer_files.pack(content)
    assert packed[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff"  # no flags, no time, strongest, system unknown
    assert gzip.decompress(packed) == content == answer_files.unpack(packed)


@pytest.mark.parametrize("level", [0, 1, 6, 9])
def test_the_checksum_is_the_same_whoever_compressed_the_file_and_how(tmp_path: Path, level: int) -> None:
    answers = make_answers(30, 10)
    digest = answer_files.write(tmp_path, answers)
    path = tmp_path / answer_files.ANSWERS
    path.write_bytes(gzip.compress(answer_files.text(answers).encode(), level))
    assert answer_files.sha256(tmp_path) == digest
    assert list(answer_files.read(tmp_path)) == answers


def test_uncompressed_answers_are_read_as_they_lie(tmp_path: Path) -> None:
    answers, record = make_answers(9, 3), make_record()
    digest = answer_files.write(tmp_path, answers)
    answer_files.write(tmp_path, answers, records.probe_file("other"))
    records.write_record(tmp_path, replace(record, answers_sha256=digest))
    unpack_all(tmp_path)
    names = ["answers.jsonl", "probe-other.jsonl", "record.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names
    assert (tmp_path / "answers.jsonl").read_text() == answer_files.text(answers)
    run = records.Run(tmp_path, records.read_record(tmp_path))
    assert run.record == replace(record, answers_sha256=digest)
    assert list(run.answers()) == list(answer_files.read(tmp_path, records.probe_file("other"))) == answers
    assert answer_files.sha256(tmp_path) == digest
    answer_files.write(tmp_path, answers[:2])  # takes the place of what lay there
    assert "answers.jsonl" not in {path.name for path in tmp_path.iterdir()}
    records.prepare(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_both_forms_is_refused(tmp_path: Path) -> None:
    answer_files.write(tmp_path, make_answers(3, 0))
    (tmp_path / "answers.jsonl").write_text(answer_files.text(make_answers(3, 3)))
    with pytest.raises(HarnessError, match=r"twice, as answers\.jsonl\.gz and as answers\.jsonl") as caught:
        answer_files.read(tmp_path)
    assert caught.value.where == str(tmp_path)
    assert "remove answers.jsonl" in caught.value.fix


PACKED = answer_files.pack(answer_files.text(make_answers(30, 10)).encode())


@settings(max_examples=100)
@given(length=st.integers(0, len(PACKED) - 1))
def test_a_file_that_was_cut_anywhere_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match="cut off"):
        answer_files.unpack(PACKED[:length])


@settings(max_examples=100)
@given(place=st.integers(0, len(PACKED) - 1), bit=st.integers(0, 7))
def test_a_bit_that_flipped_changes_no_answer_unseen(place: int, bit: int) -> None:
    changed = bytearray(PACKED)
    changed[place] ^= 1 << bit
    try:
        content = answer_files.unpack(bytes(changed))
    except ValueError:
        return
    assert content == answer_files.unpack(PACKED)  # a byte of the header that says nothing about the content


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "cut off"),
        (b'{"id": "q0"}\n', "not a gzip file"),
        (zlib.compress(b"{}"), "not a gzip file"),
        (PACKED + b"\x00", "1 bytes follow the end"),
        (PACKED + PACKED, "follow the end"),
        (PACKED[:-8] + b"\x00" * 8, "damaged"),
    ],
)
def test_a_damaged_file_is_an_error_that_names_it_and_says_what_to_do(
    tmp_path: Path, content: bytes, words: str
) -> None:
    path = tmp_path / answer_files.ANSWERS
    path.write_bytes(content)
    with pytest.raises(HarnessError, match=words) as caught:
        answer_files.read(tmp_path)
    assert caught.value.where == str(path)
    assert caught.value.fix.startswith(f"delete {tmp_path.name} and run")


@pytest.mark.parametrize("rounds", [1, 40])
def test_a_file_that_expands_beyond_all_measure_is_refused(
    tmp_path: Path, rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answer_files, "FREE_BYTES", 10_000)
    content = b" " * 100_000 * rounds
    (tmp_path / answer_files.ANSWERS).write_bytes(gzip.compress(content))
    with pytest.raises(HarnessError, match="expand to more than"):
        answer_files.read_bytes(tmp_path)
    assert answer_files.unpack(answer_files.pack(content)) == content, "what was written here can be read"


def test_answers_by_the_thousand_stay_far_from_the_limit() -> None:
    luck = random.Random(0)
    answers = [replace(a, loglik=(-luck.random(), -2.0)) for a in make_answers(5000, 1000)]
    content = answer_files.text(answers).encode()
    assert 2 < len(content) / len(answer_files.pack(content)) < answer_files.MAX_RATIO / 2


def test_a_damaged_line_is_named_by_its_number(tmp_path: Path) -> None:
    content = answer_files.text(make_answers(3, 0)).encode()
    for line, words in ((b'{"id": "q9"\n', "damaged"), (b"[" * 100_000 + b"\n", "damaged"), (b"\xff\n", "utf-8")):
        answer_files.write_bytes(tmp_path, content + line)
        with pytest.raises(HarnessError, match=words) as caught:
            answer_files.read(tmp_path)
        assert caught.value.where.endswith("answers.jsonl.gz:4" if words == "damaged" else "answers.jsonl.gz")


@pytest.mark.parametrize("name", ["answers.jsonl", "answers.jsonl.gz", "probe-a.jsonl", "probe-a-b.jsonl.gz"])
def test_the_names_of_both_schemas_are_those_of_answers(name: str) -> None:
    assert answer_files.is_answers(name)
    assert answer_files.is_loose(name) is not name.endswith(".gz")


@pytest.mark.parametrize("name", ["steps.jsonl", "x-answers.jsonl", "answers.jsonl.bak", ".answers.jsonl.gz.0123abcd"])
def test_no_other_name_is_one_of_answers(name: str) -> None:
    assert not answer_files.is_answers(name)


# --- the schema of the record


def test_a_new_record_has_the_current_schema_and_the_id_of_its_run_is_as_before(tmp_path: Path) -> None:
    records.write_record(tmp_path, make_record())
    assert records.read_record(tmp_path).schema == SCHEMA_VERSION == 3
    assert make_spec().id == "0419a3c323"


@pytest.mark.parametrize("version", [1, 2])
def test_a_record_of_version_0_1_is_refused_because_its_scores_follow_another_rule(
    tmp_path: Path, version: int
) -> None:
    path = records.write_record(tmp_path, make_record()) or tmp_path / records.RECORD
    path.write_text(with_schema(path.read_text(), version))
    with pytest.raises(HarnessError, match=f"version 0.1 .record schema {version}, this program needs 3"):
        records.read_record(tmp_path)


def test_a_run_with_uncompressed_answers_is_published_packed_and_counts_as_the_one_published_before(
    tmp_path: Path,
) -> None:
    record, answers = make_record(), make_answers(9, 3)
    folder = records.run_dir(tmp_path, record.spec)
    records.write_record(folder, replace(record, answers_sha256=records.write_answers(folder, answers)))
    text = (folder / records.RECORD).read_text()
    unpack_all(tmp_path)
    (new,) = records.publish(tmp_path, records.read_all(tmp_path))
    assert sorted(path.name for path in new.iterdir()) == [records.ANSWERS, records.RECORD]
    assert (new / records.RECORD).read_text() == text
    assert records.publish(tmp_path, records.read_all(tmp_path)) == []
    unpack_all(tmp_path / "published")  # a publication that was never packed takes the run as its own, too
    assert records.publish(tmp_path, records.read_all(tmp_path)) == []
    assert (new / "answers.jsonl").read_text() == answer_files.text(answers)
    (new / "answers.jsonl").write_text(answer_files.text(answers[:-1]))
    with pytest.raises(HarnessError, match="never overwritten"):
        records.publish(tmp_path, records.read_all(tmp_path))
