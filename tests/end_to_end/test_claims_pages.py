"""The pages on findings, four claims and FinLoRA are what their scripts make, and their numbers follow from data and boards."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from harness import metrics
from harness.analysis.results import analyze
from harness.data import registry
from harness.methods.qlora import BITS_PER_WEIGHT
from harness.metrics.scoring import score_answers
from harness.model import architectures, loading
from harness.record import Answer, ProbeResult, Record
from harness.schema import Metric
from harness.store import records
from results import boards, make_readme
from results.claims import make as claims
from results.claims.cells import BY_PART, MEMORY_FILE, MODELS, SIZES, TRAINED, TRAINED_FILE, memory_cells
from results.findings import intruders
from results.findings import make as findings
from results.finlora import make as finlora
from tests.support.finished_runs import make_run

ROOT = Path(__file__).resolve().parents[2]


def rows_of(table: str) -> list[list[str]]:
    """The cells of a table in Markdown, without its heads."""
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()[2:]]


@pytest.mark.parametrize("made", [claims, finlora, findings], ids=["claims", "finlora", "findings"])
def test_the_page_is_what_its_script_makes_and_is_linked(made: ModuleType) -> None:
    text = made.PAGE.read_text(encoding="utf-8")
    assert made.page(text) == text, f"the page is stale: python {made.__name__.replace('.', '/')}.py"
    assert f"({made.PAGE.name})" in (ROOT / "docs" / "README.md").read_text(encoding="utf-8")


# --- claims about weights and memory


def test_every_cell_of_the_pages_tables_was_predicted() -> None:
    there = {tuple(line[name] for name in next(memory_cells()).key()) for line in claims.lines(MEMORY_FILE)}
    assert there == {tuple(cell.key().values()) for cell in memory_cells()}
    ways = {(line["model"], line["method"], line["rank"]) for line in claims.lines(TRAINED_FILE)}
    assert ways == {(model, *way) for model in MODELS for way in TRAINED}


@pytest.mark.parametrize("model", MODELS)
def test_trained_weights_are_those_of_the_formula_for_adapters_of_every_linear_layer(model: str) -> None:
    config = architectures.catalog()[MODELS[model]].config
    layers = int(config["num_hidden_layers"])
    shape = loading.config_shape(loading.config_from({**config, "num_hidden_layers": 1}))
    sides = layers * sum(inputs + outputs for inputs, outputs in shape.linears)
    found = {(line["method"], line["rank"]): line for line in claims.lines(TRAINED_FILE) if line["model"] == model}
    for rank in (2, 8, 32, 64):
        assert found["lora", rank]["trained"] == rank * sides
    assert found["full", 0]["trained"] == architectures.catalog()[MODELS[model]].weights
    largest = claims._largest_rank({(*way, model): line for way, line in found.items()}, model)
    assert largest * sides <= 0.01 * found["full", 0]["weights"] < (largest + 1) * sides


@pytest.mark.parametrize("model", MODELS)
def test_frozen_weights_take_the_bits_of_their_method_with_and_without_double_quantisation(model: str) -> None:
    config = architectures.catalog()[MODELS[model]].config
    one = loading.config_shape(loading.config_from({**config, "num_hidden_layers": 1}))
    linear = int(config["num_hidden_layers"]) * sum(inputs * outputs for inputs, outputs in one.linears)
    weights = architectures.catalog()[MODELS[model]].weights
    cells = claims.memory_cells()
    lora, qlora = (cells[model, method, *BY_PART, False] for method in ("lora", "qlora"))
    assert math.isclose(lora["frozen"], 2 * weights, rel_tol=1e-3)
    # Each packed layer has code books of 16 and of 256 values and an offset, in fp32.
    packed = len(one.linears) * int(config["num_hidden_layers"])
    plain, bits = 2 * (weights - linear), linear * BITS_PER_WEIGHT / 8
    assert math.isclose(qlora["frozen"], plain + bits + 4 * (16 + 256 + 1) * packed, rel_tol=1e-4)
    assert math.isclose(qlora["nested"], linear * (4.5 - BITS_PER_WEIGHT) / 8 - 4 * (256 + 1) * packed, rel_tol=1e-3)


def test_the_parts_of_a_row_add_up_to_its_peak_and_savings_lie_below_those_in_the_weights() -> None:
    cells = claims.memory_cells()
    for line in cells.values():
        assert line["peak"] > line["frozen"] + line["adapter"] + line["gradients"] + line["optimizer"]
    for model in MODELS:
        for step in SIZES:
            for again in (False, True):
                lora, qlora = (cells[model, method, *step, again] for method in ("lora", "qlora"))
                in_weights = claims.saving(lora["frozen"], qlora["frozen"])
                assert (
                    0 < claims.saving(claims.total(lora), claims.total(qlora)) < in_weights < 1 - BITS_PER_WEIGHT / 16
                )


@pytest.mark.slow
def test_a_predicted_step_is_the_one_that_plan_predicts_and_the_file_has_it() -> None:
    from harness.model.tokenize import Pair
    from harness.runs.forecast import peak_memory
    from results.claims import predict

    cell = next(memory_cells())
    line = predict.memory(cell)
    assert line in claims.lines(MEMORY_FILE)
    config, spec = predict.config_of(cell.model), predict.spec_of("lora", cell.rank, cell.rows, cell.length)
    rows = [Pair((0,) * (cell.length - cell.target), (0,) * cell.target)] * cell.rows
    assert line["peak"] == peak_memory.config_peak(config, spec, registry.method("lora"), rows)


# --- claims about accuracy


def write(folder: Path, runs: Sequence[tuple[Record, Sequence[Answer] | None]]) -> None:
    """Write finished runs of a real model below a results folder and publish them."""
    made = []
    for record, answers in runs:
        spec = replace(record.spec, model="smollm2-135m")
        place = records.run_dir(folder, spec)
        digest = records.write_answers(place, answers or ())
        record = replace(record, spec=spec, answers_sha256=digest)
        records.write_record(place, record)
        made.append(records.Run(place, record))
    records.publish(folder, made)


def board_runs(task: str, metric: Metric, seed: int = 0) -> list[tuple[Record, Sequence[Answer] | None]]:
    shares = {("base", 0): 0.2, ("lora", 8): 0.6, ("qlora", 8): 0.5}
    return [
        make_run(method, rank, share, peak, seed=seed, spec={"task": task}, metric=metric, n=200)
        for ((method, rank), share), peak in zip(shares.items(), (0.0, 400.0, 300.0), strict=True)
    ]


def test_without_a_board_of_a_real_model_the_claims_about_accuracy_say_so_and_nothing_else(tmp_path: Path) -> None:
    for part in ("insurance", "exams"):
        assert claims.parts(tmp_path)[part]() == boards.NOTHING
    assert finlora.parts(tmp_path)["rows"]() == boards.NOTHING
    record, answers = make_run("lora", 8, spec={"task": "cfa"}, metric=metrics.acc_norm)
    place = records.run_dir(tmp_path, record.spec)
    made = replace(record, answers_sha256=records.write_answers(place, answers or ()))
    records.write_record(place, made)
    records.publish(tmp_path, [records.Run(place, made)])  # of the model that is there for demonstration
    assert claims.parts(tmp_path)["exams"]() == boards.NOTHING


def test_a_board_fills_the_claim_on_exams_with_differences_from_base_and_the_measured_memory(tmp_path: Path) -> None:
    write(tmp_path, board_runs("cfa", metrics.acc_norm))
    lora, qlora = rows_of(claims.parts(tmp_path)["exams"]())
    assert [*lora[1:4], lora[7], qlora[7]] == ["smollm2-135m", "200", "1", "lora r8", "qlora r8"]
    values = [float(cells[8].split()[0]) for cells in (lora, qlora)]
    base = float(lora[4].split()[0])
    assert float(lora[9].split()[0]) == pytest.approx(values[0] - base, abs=0.11)
    assert lora[10] == ""  # no challenger was run
    assert float(lora[12]) == pytest.approx(values[0] / base, abs=0.01)
    assert values[0] > values[1] > base
    assert claims.parts(tmp_path)["insurance"]() == boards.NOTHING
    measured = [row for row in rows_of(claims.measured_table(tmp_path)) if row[4] == "ours, board"]
    assert [row[1:4] for row in measured] == [["400.0 MiB", "300.0 MiB", "25.0"]]
    assert rows_of(finlora.parts(tmp_path)["rows"]())[0][1] == "smollm2-135m"


def test_measured_shapes_of_a_gpu_come_in_pairs(tmp_path: Path) -> None:
    (tmp_path / "gpu").mkdir()
    head = "name,device,status,rows,length,allocated_bytes\n"
    lines = "8B lora r8,cuda,ok,8,512,2147483648\n8B qlora r8,cuda,ok,8,512,1073741824\n8B lora r64,cuda,ok,8,512,1\n"
    (tmp_path / "gpu" / "shapes.csv").write_text(head + lines, encoding="utf-8")
    found = [row for row in rows_of(claims.measured_table(tmp_path)) if row[4] == "ours, results/gpu"]
    assert found == [["8B r8, 8 × 512 tokens, CUDA", "2.0 GiB", "1.0 GiB", "50.0", "ours, results/gpu"]]


# --- findings


def test_findings_without_a_board_are_not_measured_and_with_one_have_paired_differences(tmp_path: Path) -> None:
    assert {made for _, made in findings.parts(tmp_path)} == {boards.NOTHING}
    write(tmp_path, board_runs("cfa", metrics.acc_norm))
    made = dict(findings.parts(tmp_path))
    assert rows_of(made["pays"]) == [["lora r8", "1", "1", "1", "0"], ["qlora r8", "1", "1", "1", "0"]]
    ((*_, lora, qlora, difference, saved),) = rows_of(made["quantised"])
    values = [float(text.split()[0]) for text in (lora, qlora, difference)]
    assert values[2] == pytest.approx(values[1] - values[0], abs=0.11)
    assert saved == "25.0"
    assert [made[part] for part in ("ranks", "full", "forgotten", "shifted")] == [boards.NOTHING] * 4


def test_a_study_of_intruders_is_stored_without_its_matrices_and_is_a_row(tmp_path: Path) -> None:
    path = tmp_path / "findings" / "intruders.jsonl"
    path.parent.mkdir()
    study = {
        "run": "a",
        "task": "tfns",
        "model": "smollm2-135m",
        "method": "lora",
        "rank": 2,
        "seed": 0,
        "vectors": 2100,
    }
    study |= {"relative_change": 0.029, "total": {"0.5": 1, "0.7": 7, "0.9": 79}, "matrices": [{"cosines": [0.9]}]}
    for changes in ({}, {"run": "b", "rank": 32}, {"vectors": 2000}):
        (tmp_path / "study.json").write_text(json.dumps(study | changes), encoding="utf-8")
        intruders.store([tmp_path / "study.json"], path)
    assert [(row["run"], row["vectors"], "matrices" in row) for row in intruders.read(path)] == [
        ("a", 2000, False),
        ("b", 2100, False),
    ]
    made = dict(findings.parts(tmp_path))["intruders"]
    assert rows_of(made)[0] == ["tfns", "smollm2-135m", "lora r2", "2,000", "2.9", "1", "7", "79"]


def test_merged_adapters_stand_beside_those_of_each_task_with_what_they_retain(tmp_path: Path) -> None:
    score = {"value": 0.5, "low": 0.4, "high": 0.6, "unit": "share"}
    part = {"adapter": "a", "trained_on": ["tfns"], "task": "tfns", "scores": {"acc": score}, "questions": 716}
    both = part | {"adapter": "linear", "trained_on": ["tfns", "fiqa"]}
    retention = [{"adapter": "linear", "task": "tfns", "share": [0.8, 0.7, 0.9]}]
    document = {"model": "smollm2-135m", "scored": [part, both], "retention": retention}
    (tmp_path / "findings" / "merges").mkdir(parents=True)
    (tmp_path / "findings" / "merges" / "both.json").write_text(json.dumps(document), encoding="utf-8")
    made = dict(findings.parts(tmp_path))["merged"]
    assert rows_of(made) == [
        ["smollm2-135m", "tfns", "tfns", "716", "50.0 [40.0, 60.0]", ""],
        ["smollm2-135m", "tfns and fiqa, linear", "tfns", "716", "50.0 [40.0, 60.0]", "80.0 [70.0, 90.0]"],
    ]


def test_the_readme_has_the_boards_of_real_models_if_there_are_any(tmp_path: Path) -> None:
    results = tmp_path / "results"
    write(results, board_runs("cfa", metrics.acc_norm))
    text = make_readme.block(results)
    (row,) = rows_of(text.split("\n\n")[0])
    assert row[:4] == ["[cfa](results/published/leaderboard/cfa.md), acc norm %", "smollm2-135m", "200", "1"]
    assert [float(cell.split()[0]) for cell in row[7:9]] == pytest.approx([60, 50], abs=0.11)
    assert row[6] == row[9] == ""
    assert "- `lora r8`: on 1 of 1 board of one seed (0)." in text
    assert max(len(line) for line in text.splitlines() if line[:1] != "|") <= 135


def test_findings_have_a_row_for_each_trained_row_on_a_probe() -> None:
    right = {"base": 0.9, "lora": 0.4}
    runs, asked = [], {}
    for method, share in right.items():
        record, answers = make_run(method, 8 * (method == "lora"), 0.5, n=120, spec={"probes": ("other@0",)})
        _, said = make_run(method, 1, share, n=120)
        scores = score_answers(said or (), [metrics.accuracy])
        probe = ProbeResult("0", "choices", scores, 1.0, 1 / 3, "", 0)
        runs.append((replace(record, probes={"other": probe}), answers))
        asked[record.spec.id] = {"other": said or ()}
    analysis = analyze("cfa", runs, {"cfa": (metrics.accuracy,), "other": (metrics.accuracy,)}, asked)
    board = boards.Board(analysis.sections[0], analysis, {})
    (row,) = rows_of(findings.forgotten([board]))
    assert [row[2], row[3], row[7]] == ["other", "lora r8", "forgot"]
    assert float(row[6].split()[0]) == pytest.approx(-50, abs=0.11)
    assert findings.shifted([board]) == boards.NOTHING


def test_findings_compare_ranks_and_full_fine_tuning_with_lora_at_rank_8(tmp_path: Path) -> None:
    more = [
        make_run(*row, spec={"task": "cfa"}, metric=metrics.acc_norm, n=200)
        for row in (("lora", 2, 0.4), ("full", 0, 0.7))
    ]
    write(tmp_path, [*board_runs("cfa", metrics.acc_norm), *more])
    made = dict(findings.parts(tmp_path))
    (ranks,) = rows_of(made["ranks"])
    assert ranks[2:4] == ["1", "lora"]
    assert float(ranks[7].split()[0]) == pytest.approx(-20, abs=0.11)
    assert ranks[6] == ranks[8] == ""
    (full,) = rows_of(made["full"])
    assert float(full[5].split()[0]) == pytest.approx(10, abs=0.11)


def test_boards_of_several_seeds_are_counted_apart_from_those_of_one(tmp_path: Path) -> None:
    write(tmp_path, board_runs("cfa", metrics.acc_norm))
    several = [run for seed in range(3) for run in board_runs("fiqa", metrics.acc, seed)]
    write(tmp_path, several)
    made = dict(findings.parts(tmp_path))
    assert [row[:3] for row in rows_of(made["pays"])][:2] == [["lora r8", "3", "1"], ["lora r8", "1", "1"]]


# --- FinLoRA


def test_the_reported_means_are_those_of_the_reported_rows() -> None:
    found = finlora.published()
    assert len(found["rows"]) == 19
    for key, mean in found["average"].items():
        assert sum(row[key] for row in found["rows"]) / 19 == pytest.approx(mean, abs=0.0051)


def test_the_tasks_named_beside_finloras_sets_are_there() -> None:
    named = {row["ours"] for row in finlora.published()["rows"]} - {""}
    assert named <= set(registry.tasks())
    assert {name for name, task in registry.recorded().items() if "finlora" in task.suites} <= set(finlora.tasks())
