"""The measuring of 8B shapes, as far as a machine without a GPU goes: the whole dry run, and what judges its records."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.gpu import shapes, summary
from tests.gpu.cells import CASTS, FOREACH, FUSED, LORA, RATE, TRL, TRL_BEST, Cell, cells, toy

ROOT = Path(__file__).resolve().parents[2]
Records = Mapping[str, dict[str, Any]]


# --- the dry run


@pytest.fixture(scope="module")
def dry(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Run the script without a GPU; returns the folder of its files and what it printed."""
    out = tmp_path_factory.mktemp("out")
    environment = os.environ | {"OUT": str(out), "PYTHON": sys.executable, "OMP_NUM_THREADS": "1"}
    command = ["bash", "tests/gpu/run.sh", "--dry-run"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=500)
    assert done.returncode == 0, done.stdout + done.stderr + (out / "shapes.log").read_text()
    return out, done.stdout


@pytest.fixture(scope="module")
def found(dry: tuple[Path, str]) -> Records:
    lines = (dry[0] / "shapes.jsonl").read_text().splitlines()
    return {record["name"]: record for record in map(json.loads, lines)}


@pytest.mark.slow
def test_a_dry_run_has_every_row_in_every_file_and_in_the_table(dry: tuple[Path, str], found: Records) -> None:
    names = [cell.name for cell in cells()]
    assert list(found) == names
    with (dry[0] / "shapes.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == names
    assert dry[1].endswith((dry[0] / "shapes.md").read_text() + "\n")
    assert all(f"| {name} " in dry[1] for name in names)
    trl = {found[name]["status"] for name in (TRL, TRL_BEST)}
    assert trl <= {"ok", "not installed"}
    assert {record["status"] for name, record in found.items() if name not in (TRL, TRL_BEST)} == {"ok"}


@pytest.mark.slow
def test_the_predicted_peak_is_the_counted_one_for_all_that_trains(found: Records) -> None:
    near = {
        name: gap for name, one in found.items() if (gap := summary.off(one)) is not None and one["method"] != "base"
    }
    assert len(near) >= 11
    assert {name for name, gap in near.items() if abs(gap) > summary.NEAR} == set()


@pytest.mark.slow
def test_gradients_without_casts_are_pefts_and_ours_differ_by_no_more_than_bf16_moves_them(found: Records) -> None:
    record = found[CASTS]
    assert record["difference_without_casts"] == 0
    assert 0 < record["difference"] < 2 * record["rounding"]
    assert record["rounding_ours"] < 1.5 * record["rounding"] < 0.1
    assert record["kept_ours"] == record["kept_without_casts"] < record["kept_peft"]
    assert record["kept_by_formula"] == 16 * 128 + 4 * 64 + 8 * 384


@pytest.mark.slow
def test_foreach_takes_more_than_fused_and_four_bits_less_than_sixteen(found: Records) -> None:
    assert found[FOREACH]["allocated_bytes"] > found[FUSED]["allocated_bytes"]
    assert found["8B qlora r8"]["allocated_bytes"] < found[LORA]["allocated_bytes"]
    assert found["8B lora r64"]["trained_weights"] == 8 * found[LORA]["trained_weights"]
    assert found[RATE]["rate"] > 0


# --- one cell


def test_the_cells_are_those_of_an_8b_model_and_have_names_of_their_own() -> None:
    asked = list(cells())
    assert len({cell.name for cell in asked}) == len(asked)
    assert {(c.method, c.rank) for c in asked if c.kind == "train"} >= {
        *(("lora", 8), ("lora", 64), ("qlora", 8), ("qlora", 64), ("base", 0), ("full", 0))
    }
    assert {c.config["hidden_size"] for c in asked if c.name.startswith("8B")} == {4096}
    assert all(cell.rows * cell.length == 4096 for cell in asked)
    assert {toy(cell).device for cell in asked} == {"cpu"}


def test_what_does_not_fit_is_not_built_and_says_what_it_would_take() -> None:
    from tests.gpu.measure import measure

    (full,) = (toy(cell) for cell in cells() if cell.name == "8B full")
    found = measure(replace(full, memory=2**30, repeatable=False))
    assert found["status"] == "ok"
    found = measure(replace(full, memory=2**29, repeatable=False))
    assert found["status"] == "does not fit"
    assert found["predicted_bytes"] > 2**20
    assert "allocated_bytes" not in found


def test_weights_made_here_are_packed_as_qlora_packs_those_of_a_folder(tmp_path: Path) -> None:
    from bitsandbytes.nn import Linear4bit

    from harness.data import registry
    from harness.model.byte_counter import quantization_tensors
    from tests.gpu.measure import build, spec_of

    (cell,) = (toy(cell) for cell in cells() if cell.name == "8B qlora r8")
    spec, method = spec_of(cell), registry.method("qlora")
    build(cell, spec, registry.method("lora")).save_pretrained(tmp_path)
    made, loaded = build(cell, spec, method), method.load(str(tmp_path), spec)
    layers = dict(loaded.named_modules())
    packed = {name: layer for name, layer in made.named_modules() if isinstance(layer, Linear4bit)}
    assert packed.keys() == {name for name, layer in layers.items() if isinstance(layer, Linear4bit)}
    for name, layer in packed.items():
        other = layers[name]
        assert layer.compute_dtype == other.compute_dtype
        pairs = zip(quantization_tensors(layer.weight), quantization_tensors(other.weight), strict=True)
        assert all(one.equal(two) for one, two in [(layer.weight.data, other.weight.data), *pairs]), name


# --- processes of their own


def sleeps(cell: Cell) -> dict[str, Any]:
    time.sleep(60)
    return {}


def dies(cell: Cell) -> dict[str, Any]:
    os._exit(7)


def answers(cell: Cell) -> dict[str, Any]:
    print("said", cell.name)
    return {"status": "ok", "reason": ""}


@pytest.mark.parametrize(
    ("work", "status", "reason"),
    [("answers", "ok", ""), ("dies", "failed", "exit code 7"), ("sleeps", "timed out", "not done after 2 s")],
)
def test_a_cell_that_dies_or_hangs_is_a_row(tmp_path: Path, work: str, status: str, reason: str) -> None:
    cell = Cell("one", "rate", device="cpu")
    limit = 2.0 if work == "sleeps" else 60.0
    found = shapes.in_own_process(cell, limit, tmp_path / "log", f"{__name__}:{work}")
    assert found["status"] == status
    assert reason in found["reason"]
    if work == "answers":
        assert "said one" in (tmp_path / "log").read_text()


def test_what_there_is_no_time_for_is_a_row_too(tmp_path: Path) -> None:
    (record,) = shapes.run([Cell("one", "rate", device="cpu")], tmp_path, seconds=0)
    assert record["status"] == "no time left"
    assert "no time left" in (tmp_path / "shapes.csv").read_text()
    assert "| one " in (tmp_path / "shapes.md").read_text()


# --- the table


def record(name: str, **values: Any) -> dict[str, Any]:
    return {"name": name, "status": "ok", "reason": "", "device": "cuda", "rows": 8, "length": 512} | values


def test_the_section_tells_the_share_the_error_and_the_ratios() -> None:
    ours = {"predicted_bytes": 39 * 2**30, "allocated_bytes": 40 * 2**30, "flops_per_token": 28e9}
    found = [
        record(RATE, rate=700e12),
        record(LORA, tokens_per_second=12_500.0, **ours),
        record(TRL, tokens_per_second=5_000.0, allocated_bytes=80 * 2**30),
        record("8B full", status="does not fit", reason="more", predicted_bytes=135 * 2**30),
        record("8B qlora r8", status="oom", reason="CUDA out of memory", predicted_bytes=2**30),
    ]
    said = summary.section(found, "one card")
    assert "40.0 GiB | -2.5% |" in said
    assert "50% |" in said
    assert "2.50 times the tokens/s, 0.50 times the peak" in said
    assert "within 5% of the allocated one: 1 of 1 rows" in said
    assert "135.0 GiB" in said
    assert "oom: CUDA out of memory" in said
    assert "dry run" not in said


def test_nothing_is_compared_with_what_was_not_measured() -> None:
    found = [record(LORA, tokens_per_second=1.0, flops_per_token=1.0, allocated_bytes=1), record(TRL, status="oom")]
    assert list(summary.comparisons(found)) == []
