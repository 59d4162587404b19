"""The tables of flags: what is declared, read, written again and documented comes from one row."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from harness.challengers import BUILT_IN
from harness.cli import app, flags, flags_page, next_command, settings
from harness.cli.arguments import Flag, write
from harness.cli.commands import adapters
from harness.errors import HarnessError
from harness.runs.options import Options
from harness.store import records, training_files
from tests.support.cli_runner import Desk, without_torch
from tests.support.records import make_spec

ROOT = Path(__file__).resolve().parents[2]
TABLES = {name: app.module(name).FLAGS for name in app.COMMANDS}
TABLES |= {f"adapters {name}": action.flags for name, action in adapters.ACTIONS.items()}
ROWS = [(name, row) for name, rows in TABLES.items() for row in rows]
NO_OPTION = {"recipe", "continue_from"}  # becomes `start` when a command begins


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


@pytest.mark.parametrize(("name", "row"), ROWS, ids=[f"{name} {row.name}" for name, row in ROWS])
def test_the_example_of_a_row_can_be_read(
    name: str, row: Flag, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if row.switch is not None or row.nargs == "...":
        return
    (tmp_path / "my_tasks").mkdir()
    (tmp_path / "data_sets").mkdir()
    monkeypatch.chdir(tmp_path)
    assert row.example
    example = row.example.split(" or ")[0]
    value = row.reader([example] if row.repeat else example, row.name, row.example)
    texts = row.texts(value)
    assert row.reader(texts if row.repeat else texts[0], row.name, row.example) == value


@pytest.mark.parametrize("name", TABLES)
def test_no_two_rows_of_a_command_have_one_name_or_one_field(name: str) -> None:
    rows = TABLES[name]
    assert len({row.name for row in rows}) == len({row.key for row in rows}) == len(rows)


def test_every_flag_of_a_run_is_a_field_of_the_options_and_no_default_stands_twice() -> None:
    defaults = {field.name: field.default for field in fields(Options)}
    assert {row.key for row in flags.RUN} - NO_OPTION <= defaults.keys()
    for row in flags.RUN:
        assert row.default in (None, defaults.get(row.key)), row.name
    plain = settings.options(app.read("run", ["--task", "cfa"]))
    assert plain == Options(tasks=("cfa",))


FULL: dict[str, Any] = {
    "tasks": ("a", "b"),
    "methods": ("lora", "full"),
    "challengers": ("words", "nearest"),
    "ranks": (4, 16),
    "seeds": (7,),
    "model": "owner/name",
    "relabel": (("up", "down"), ("down", "up")),
    "labels": ("up", "down"),
    "decimal_comma": True,
    "columns": (("note", "context"), ("decision", "target")),
    "drop_bad": True,
    "instruction": "Is the claim paid?",
    "encoding": "cp1252",
    "test_data": Path("test.csv"),
    "validation_data": Path("validation.csv"),
    "gold": "audited",
    "scoring": "both",
    "epochs": 0.5,
    "batch_size": 8,
    "micro_batch": 2,
    "learning_rate": 1e-05,
    "tune": 3,
    "alpha": 7.5,
    "dropout": 0.25,
    "max_tokens": 100,
    "quick": True,
    "train_examples": 20,
    "test_examples": 9,
    "dtype": "bf16",
    "device": "cpu",
    "jobs": 2,
    "devices": ("0", "3"),
    "cluster": "ray://head:10001",
    "report": False,
    "memory": False,
    "save_full": True,
    "checkpointing": True,
    "remote_code": True,
    "probes": ("general", "shifted"),
    "rounds": 5,
    "template_args": ("enable_thinking=false",),
    "clients_by": "line",
    "endpoint": "https://api.example.com/v1",
    "endpoint_model": "qwen3-8b",
    "engine": "vllm",
    "checkpoint_minutes": 5,
    "keep_best": True,
    "shard": 2,
    "endpoint_api": "completions",
    "endpoint_options": "loglik",
    "endpoint_parallel": 4,
    "endpoint_rate": 90.0,
    "endpoint_seconds": 30.0,
    "endpoint_tokens": 512,
    "endpoint_price": (0.15, 0.6),
}


def test_what_is_written_from_the_table_is_read_as_the_same_options(tmp_path: Path) -> None:
    options = Options(**FULL, results=tmp_path / "r", data=tmp_path, tasks_dirs=(tmp_path, ROOT / "tasks"))
    rest = {field.name for field in fields(Options)} - {row.key for row in flags.RUN}
    assert rest == {"cards", "imagined", "probe_limit", "start", "joined"}  # which no flag sets
    unchanged = {field.name for field in fields(Options) if getattr(options, field.name) == field.default}
    assert unchanged == rest
    assert settings.options(app.read("run", write(flags.RUN, vars(options)))) == options


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (("--endpoint", "http://x/v1", "--endpoint-model", "m", "--challengers", "words"), "no row asks it"),
        (("--endpoint", "http://x/v1", "--challengers", "endpoint"), "without its model"),
        (("--endpoint-model", "m", "--challengers", "all,endpoint"), "without the server"),
    ],
)
def test_a_server_its_model_and_a_row_that_asks_it_are_named_together(words: tuple[str, ...], part: str) -> None:
    with pytest.raises(HarnessError, match=part):
        settings.run_options(app.read("run", ["--task", "cfa", *words]))


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ("http://x:1/v1", "--endpoint http://x:1/v1 --endpoint-model NAME, a row of its own"),
        ("localhost:8000", "--endpoint URL --endpoint-model NAME, a row of its own"),
        ("http://a:secret@x/v1", "--endpoint URL --endpoint-model NAME, a row of its own"),
        ("vlm", "did you mean 'vllm'?"),
    ],
)
def test_an_engine_is_no_address_and_the_flag_of_a_server_is_named(value: str, fix: str) -> None:
    with pytest.raises(HarnessError, match=r"--engine") as caught:
        app.read("run", ["--task", "cfa", "--engine", value])
    assert caught.value.fix == fix
    assert "secret" not in str(caught.value)


def test_a_server_that_is_named_is_a_row_beside_the_usual_ones() -> None:
    words = ["--task", "cfa", "--endpoint", "http://x/v1", "--endpoint-model", "m"]
    assert settings.run_options(app.read("run", words)).challengers == (*BUILT_IN, "endpoint")


def test_all_challengers_are_those_of_the_harness_and_others_may_follow() -> None:
    read = settings.run_options(app.read("run", ["--task", "cfa", "--challengers", "all,mine,words"]))
    assert read.challengers == (*BUILT_IN, "mine")


@pytest.mark.parametrize(
    ("words", "ranks"), [((), Options.ranks), (("--quick",), (8,)), (("--quick", "--rank", "2,4"), (2, 4))]
)
def test_a_quick_run_has_one_rank_unless_others_are_named(words: tuple[str, ...], ranks: tuple[int, ...]) -> None:
    assert settings.run_options(app.read("run", ["--task", "cfa", *words])).ranks == ranks


def test_seeds_are_written_as_they_are_read() -> None:
    row = next(row for row in flags.RUN if row.name == "--seeds")
    assert [row.texts(seeds) for seeds in ((0,), (0, 1, 2), (7,), (1, 2))] == [["1"], ["3"], ["7,"], ["1,2,"]]


def test_the_command_of_a_spec_names_every_setting_with_a_row_of_its_name() -> None:
    spec = make_spec(method="lora", rank=4, checkpointing=True, seed=5)
    words = next_command.rebuild(spec, limits=(20, 0))
    arguments = app.read("run", words)
    same = {row.key for row in flags.RUN} & vars(spec).keys() - {"data", "train_examples", "test_examples", "probes"}
    assert {"alpha", "dtype", "epochs", "micro_batch", "learning_rate"} <= same
    for key in same:
        assert getattr(arguments, key) == getattr(spec, key) or not getattr(spec, key), key
    assert (arguments.methods, arguments.ranks, arguments.seeds) == (("lora",), (4,), (5,))
    assert (arguments.train_examples, arguments.test_examples) == (20, None)


def test_the_page_of_all_flags_is_that_of_the_tables() -> None:
    stale = "docs/flags.md is stale: python -m harness.cli.flags_page > docs/flags.md"
    assert (ROOT / "docs" / "flags.md").read_text(encoding="utf-8") == flags_page.text(), stale


def test_reading_flags_opens_no_folder(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    desk.train()
    closed = desk.results / "runs"
    words = ["--task", str(desk.task), "--continue-from", "lora-r2", "--results", str(desk.results)]

    def refuse(*_: object, **__: object) -> Any:
        raise PermissionError(13, "Permission denied", str(closed))

    with monkeypatch.context() as patch:
        for name in ("open", "read_text", "read_bytes", "iterdir", "glob", "rglob"):
            patch.setattr(Path, name, refuse)
        arguments = app.read("run", words)
        assert arguments.continue_from == "lora-r2"
        with pytest.raises(PermissionError):
            settings.run_options(arguments)
    (run,) = [run for run in records.read_all(desk.results) if run.record.spec.method == "lora"]
    shutil.rmtree(run.folder / training_files.ADAPTER)
    with pytest.raises(HarnessError, match="cannot continue lora r2 s0: its folder holds no weights"):
        settings.run_options(arguments)


def test_a_run_to_continue_must_have_finished(desk: Desk) -> None:
    desk.train()
    (run,) = [run for run in records.read_all(desk.results) if run.record.spec.method == "full"]
    records.write_record(run.folder, replace(run.record, status="oom", scores={}, reason="too large"))
    assert desk.train("--continue-from", "full") == 2
    assert "did not finish (oom)" in desk.err
    assert desk.run("--task", str(desk.task), "--continue-from", "nothing") == 2
    assert "no run is called 'nothing'" in desk.err


@pytest.mark.parametrize("words", [["list"], ["--help"], ["plan", "--help"], ["adapters", "merge", "--help"], None])
def test_help_list_and_reading_flags_import_no_torch(words: list[str] | None) -> None:
    call = "app.read('run', ['--task', 'cfa', '--rank', '2'])" if words is None else f"app.main({words})"
    code = f"import sys; from harness.cli import app; {call}; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)
