"""From a messy CSV to a task: every fault in one list, with the flags that mend them."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from harness.cli import flags
from harness.cli.arguments import Parser
from harness.data.file_task import file_task
from harness.data.source import TaskSource
from harness.errors import HarnessError
from tests.support import messy_claims
from tests.support.data_files import labelled, refusal, written


def refused(path: Path, **settings: object) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        file_task(path, **settings)  # type: ignore[arg-type]
    return caught.value


def source(path: Path, help_text: str) -> TaskSource:
    """Return the source with the flags that the help of an error names."""
    words = shlex.split(help_text[help_text.index("--") :])
    values = Parser(flags.SOURCES, prog="check").read(words)
    return TaskSource(str(path), relabel=values.relabel or (), columns=values.columns or (), drop_bad=values.drop_bad)


def test_every_fault_of_a_messy_file_is_in_one_list_with_its_line(tmp_path: Path) -> None:
    error = refused(messy_claims.messy_claims(tmp_path))
    lines = error.problem.splitlines()
    assert re.fullmatch(r"claims_raw\.csv has \d+ faults", lines[0])
    text = error.problem
    assert "no columns 'context', 'target'" in text
    assert "lines 15, 88: the target is empty" in text
    assert "line 46: the context is empty" in text
    assert "line 61: this row has 7 fields, the header has 6" in text
    assert "line 75: two rows have the id 'C-1010'" in text
    assert "line 103: this line is not CSV" in text
    for spelling in ("'Pay'", "'PAY'", "'Refer'"):
        assert spelling in text
    assert error.where == str(tmp_path / "claims_raw.csv")


def test_the_flags_that_the_list_names_are_all_that_is_needed(tmp_path: Path) -> None:
    path = messy_claims.messy_claims(tmp_path)
    mended = source(path, refused(path).fix)
    assert dict(mended.columns) == {
        "note": "context",
        "decision": "target",
        "policy_no": "group",
        "claim_no": "id",
    }
    splits = mended.splits(task := mended.task())
    examples = [example for _, part in splits.items() for example in part]
    assert {e.target for e in examples} == {"pay", "refer", "reject"}
    assert len(examples) == 240 - 6
    assert "6 rows left out" in task.title


def test_rows_that_are_left_out_are_listed_and_columns_that_are_ignored_are_named(tmp_path: Path) -> None:
    path = messy_claims.messy_claims(tmp_path)
    task = source(path, refused(path).fix).task()
    notes = task.load.notes  # type: ignore[attr-defined]
    assert dict(notes)["ignored"].startswith("notified, amount")
    assert notes[0][0] == "left out"
    assert "lines 15, 88: the target is empty" in [text for _, text in notes]


def test_a_group_column_is_guessed_by_its_name_and_its_repeats_only(tmp_path: Path) -> None:
    rows = [row | {"policy": f"P{i // 2}", "contract": f"K{i}"} for i, row in enumerate(labelled())]
    task = file_task(written(tmp_path, rows))
    (ignored,) = [text for heading, text in task.load.notes if heading == "ignored"]  # type: ignore[attr-defined]
    assert ignored.startswith("policy, contract")
    assert "--columns policy=group" in ignored


@pytest.mark.parametrize("name", ["gruop", "groups", "Group", "splti"])
@pytest.mark.parametrize("suffix", ["jsonl", "csv", "parquet"])
def test_a_column_that_is_nearly_one_that_matters_is_refused(tmp_path: Path, name: str, suffix: str) -> None:
    rows = [row | {name: f"g{i // 2}"} for i, row in enumerate(labelled())]
    error = refusal(tmp_path, rows, f"mine.{suffix}")
    role = "split" if name == "splti" else "group"
    assert error.problem == f"the column {name!r} is ignored, and it is nearly {role!r}"
    assert f"--columns {name}={role}" in error.fix
    assert f"--columns {name}=ignore" in error.fix


def test_a_column_declared_as_ignored_is_no_error(tmp_path: Path) -> None:
    path = written(tmp_path, [row | {"gruop": i // 2} for i, row in enumerate(labelled())])
    assert file_task(path, columns={"gruop": "ignore"}).name == "mine"
    grouped = file_task(path, columns={"gruop": "group"})
    examples = list(grouped.load(tmp_path, "train"))
    assert all(example.group for example in examples)


def test_a_name_near_one_that_is_there_is_another_column(tmp_path: Path) -> None:
    path = written(tmp_path, [row | {"group": i // 2, "groups": "a"} for i, row in enumerate(labelled())])
    assert file_task(path).name == "mine"


def test_several_columns_of_one_context_are_joined_by_name(tmp_path: Path) -> None:
    rows = [{"note": f"burst pipe {i}", "amount": f"{i},200", "decision": ("pay", "refer")[i % 2]} for i in range(30)]
    path = written(tmp_path, rows, "mine.csv")
    task = file_task(path, columns={"note": "context", "amount": "context", "decision": "target"})
    example = next(iter(task.load(tmp_path, "test")))
    assert re.fullmatch(r"note: burst pipe \d+\namount: \d+,200", example.context)


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"nope": "group"}, "no column 'nope'"),
        ({"context": "traget"}, "no column of a task is named 'traget'"),
        ({"note": "target"}, "two columns are the target: note, target"),
    ],
)
def test_a_column_that_is_not_there_or_has_no_such_use_is_refused(
    tmp_path: Path, columns: dict[str, str], problem: str
) -> None:
    rows = [row | {"note": "x"} for row in labelled()]
    error = refusal(tmp_path, rows, columns=columns)
    assert problem in error.problem
    assert error.fix


def test_a_fault_alone_is_an_error_as_before_and_names_the_flag(tmp_path: Path) -> None:
    error = refusal(tmp_path, [*labelled(), {"context": "late", "target": ""}])
    assert error.problem == "the target is empty"
    assert error.where.endswith(":31")
    assert "--drop-bad" in error.fix


def test_a_file_that_was_cut_off_is_refused_even_if_bad_rows_may_be_dropped(tmp_path: Path) -> None:
    path = written(tmp_path, labelled(), "mine.csv")
    path.write_bytes(path.read_bytes()[:-9])
    assert "cut off" in refused(path, drop_bad=True).problem


def test_many_faults_of_one_kind_are_one_line(tmp_path: Path) -> None:
    rows = [*labelled(), *({"context": f"late {i}", "target": ""} for i in range(40))]
    error = refusal(tmp_path, rows)
    assert error.problem == (
        "mine.jsonl has 40 faults\nlines 31, 32, 33, 34, 35, 36, 37, 38 and 32 more: the target is empty"
    )


def test_labels_are_stated_in_the_prompt_and_an_instruction_replaces_that_line(tmp_path: Path) -> None:
    path = written(tmp_path, labelled())
    task = file_task(path)
    example = next(iter(task.load(tmp_path, "test")))
    assert task.prompt(example) == f"{example.context}\n\nAnswer with one of: down, flat, up\nAnswer:"
    told = file_task(path, instruction="Decide where the price goes: up, down or flat.")
    assert told.prompt(example) == f"{example.context}\n\nDecide where the price goes: up, down or flat.\nAnswer:"
    bare = file_task(path, instruction="none")
    assert bare.prompt(example) == f"{example.context}\nAnswer:"


def test_labels_that_every_context_names_are_not_stated_again(tmp_path: Path) -> None:
    rows = [row | {"context": f"up, down or flat? {row['context']}"} for row in labelled()]
    task = file_task(written(tmp_path, rows))
    example = next(iter(task.load(tmp_path, "test")))
    assert task.prompt(example) == f"{example.context}\nAnswer:"


def test_an_instruction_stands_below_a_question_of_the_row(tmp_path: Path) -> None:
    rows = [row | {"question": "Which way?"} for row in labelled()]
    task = file_task(written(tmp_path, rows), instruction="One word.")
    example = next(iter(task.load(tmp_path, "test")))
    assert task.prompt(example).endswith("\n\nWhich way?\nOne word.\nAnswer:")


def test_the_only_row_of_a_file_is_one_fault_and_not_two(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("[1, 2]\n")
    assert refused(path).problem == "this line is not an object but a list"


def test_compound_names_of_a_german_export_are_recognised(tmp_path: Path) -> None:
    rows = [
        {
            "Schadennummer": f"S-{i}",
            "Vertragsnummer": f"V-{i // 2}",
            "Betrag": f"{i}.000,50",
            "Schadenbeschreibung": f"Leitungswasser in der Küche, Fall {i}, gemeldet vom Kunden",
            "Entscheidung": ("bezahlt", "abgelehnt")[i % 2],
        }
        for i in range(60)
    ]
    path = written(tmp_path, rows, "schaeden.csv")
    assert dict(source(path, refused(path).fix).columns) == {
        "Entscheidung": "target",
        "Schadenbeschreibung": "context",
        "Vertragsnummer": "group",
        "Schadennummer": "id",
    }
