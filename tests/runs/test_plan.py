"""The plan's promises: everything resolved, everything checked, nothing expensive started."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import pytest

from harness import environment
from harness.data import registry
from harness.errors import HarnessError
from harness.model import checkpoint, tokenize
from harness.runs import defaults, plan
from harness.runs.forecast import peak_memory, preflight
from harness.runs.forecast.preflight import Findings, Preflight
from harness.runs.options import Options
from harness.store import records
from harness.training import loop
from tests.support.plans import finish, only
from tests.support.records import make_record, make_spec
from tests.support.sample_inputs import write_model, write_task
from tests.support.tiny_models import toy_folder, toy_spec, toy_tokenizer

ROOT = Path(__file__).resolve().parents[2]


def test_small_models_on_the_cpu_run_one_per_core_and_others_one_at_a_time(
    asked: Options, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "cores", lambda: 3)
    monkeypatch.setattr(environment, "memory_bytes", lambda: 8 * defaults.JOB_MEMORY)
    assert only(asked).options.jobs == 3
    assert only(replace(asked, jobs=2)).options.jobs == 2
    model = checkpoint.read(asked.model)
    assert defaults.jobs(model, "cuda") == 1
    assert defaults.jobs(replace(model, weights_bytes=defaults.SMALL_WEIGHTS + 1), "cpu") == 1
    monkeypatch.setattr(environment, "memory_bytes", lambda: 2 * defaults.JOB_MEMORY)
    assert defaults.jobs(model, "cpu") == 2


def test_the_default_is_base_in_three_ways_lora_qlora_and_full_across_three_ranks(asked: Options) -> None:
    names = [spec.name for spec in only(asked).specs]
    trained = ["lora-r2", "lora-r8", "lora-r32", "qlora-r2", "qlora-r8", "qlora-r32", "full"]
    assert names == ["base", "calibrated", "fewshot", *trained]


@pytest.mark.parametrize(
    ("scoring", "left"), [("choices", ["base", "calibrated", "fewshot"]), ("generate", ["base", "fewshot"])]
)
def test_a_default_row_that_does_not_apply_is_left_out_and_a_named_one_is_refused(
    asked: Options, scoring: Literal["choices", "generate"], left: list[str]
) -> None:
    made = only(replace(asked, scoring=scoring))
    assert [spec.name for spec in made.specs if not spec.epochs] == left
    if scoring == "generate":
        with pytest.raises(HarnessError, match="calibrates options"):
            plan.make(replace(asked, scoring=scoring, methods=("base", "calibrated")))


def test_every_method_learns_at_its_own_rate_and_adapters_at_one_rate_for_all_ranks(asked: Options) -> None:
    rates = {spec.name: spec.learning_rate for spec in only(asked).specs}
    assert len({rate for name, rate in rates.items() if "lora" in name}) == 1
    assert min(rates["lora-r8"], rates["full"]) > rates["base"] == 0


def test_methods_get_the_same_examples_and_budget(asked: Options) -> None:
    trained = [spec for spec in only(asked).specs if spec.epochs]
    for name in ("data", "train_examples", "test_examples", "epochs", "batch_size", "max_tokens", "warmup", "dtype"):
        assert len({getattr(spec, name) for spec in trained}) == 1, name


@pytest.mark.parametrize("steps", [20, 21, 100, 199, 200, 1128])
def test_the_rate_rises_over_five_percent_of_the_steps_and_over_ten_at_least(steps: int) -> None:
    share = defaults.warmup(steps, make_spec(epochs=1.0, batch_size=1))
    rates = [loop.rate_at(1.0, share, step, steps) for step in range(steps)]
    assert rates.index(max(rates)) + 1 == max(10, round(0.05 * steps))


@pytest.mark.parametrize("steps", range(1, 20))
def test_a_training_below_twenty_steps_warms_up_for_half_of_them(steps: int) -> None:
    share = defaults.warmup(steps, make_spec(epochs=1.0, batch_size=1))
    rates = [loop.rate_at(1.0, share, step, steps) for step in range(steps)]
    assert max(rates) == 1.0
    assert abs(rates.index(1.0) + 1 - steps / 2) <= 0.5


def test_the_warm_up_follows_from_the_steps_of_the_run(asked: Options) -> None:
    for epochs in (1.0, 40.0, 400.0):
        spec = only(replace(asked, methods=("lora",), ranks=(2,), epochs=epochs)).specs[0]
        assert spec.warmup == defaults.warmup(spec.train_examples, spec)


def test_the_base_model_runs_once_whatever_the_seeds_and_training_flags(asked: Options) -> None:
    plain, other = only(asked), only(replace(asked, seeds=(1, 2), epochs=9.0, learning_rate=0.5))
    assert [spec for spec in other.specs if spec.method == "base"] == [plain.specs[0]]
    assert len(other.specs) == 2 + 2 * 8  # calibration takes no seed; each seed has its examples to read


def test_all_methods_of_a_seed_come_before_the_next_seed(asked: Options) -> None:
    assert [spec.seed for spec in only(replace(asked, seeds=(0, 1), methods=("lora", "full"), ranks=(2,))).specs] == [
        0,
        0,
        1,
        1,
    ]


def test_flags_reach_the_spec(asked: Options) -> None:
    flags = replace(
        asked,
        methods=("lora",),
        ranks=(4,),
        seeds=(7,),
        epochs=2.5,
        batch_size=10,
        micro_batch=5,
        learning_rate=0.5,
        alpha=8.0,
        max_tokens=100,
        train_examples=12,
        test_examples=6,
        dtype="fp32",
        device="cpu",
        scoring="generate",
    )
    (spec,) = only(flags).specs
    for name in ("epochs", "batch_size", "micro_batch", "learning_rate", "alpha", "max_tokens", "dtype", "scoring"):
        assert getattr(spec, name) == getattr(flags, name), name
    assert (spec.rank, spec.seed) == (4, 7)
    assert (spec.train_examples, spec.test_examples) == (12, 6)


def test_the_same_options_give_the_same_ids_and_another_prompt_gives_others(asked: Options, tmp_path: Path) -> None:
    first = {spec.id for spec in only(asked).specs}
    assert first == {spec.id for spec in only(asked).specs}
    write_task(tmp_path / "toy.jsonl", rows=63)
    assert first.isdisjoint(spec.id for spec in only(asked).specs)


def test_other_weights_give_other_ids_and_another_place_does_not(asked: Options, tmp_path: Path) -> None:
    first = [spec.id for spec in only(asked).specs]
    shutil.copytree(tmp_path / "model", tmp_path / "elsewhere" / "model")
    moved = replace(asked, model=str(tmp_path / "elsewhere" / "model"))
    assert [spec.id for spec in only(moved).specs] == first
    weights = tmp_path / "model" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-4] + b"else")
    assert [spec.id for spec in only(asked).specs] != first


def test_specs_hold_no_path_of_this_machine(asked: Options, tmp_path: Path) -> None:
    for spec in only(asked).specs:
        assert str(tmp_path) not in json.dumps(vars(spec))
        assert spec.model == "model"


def test_finished_runs_are_done_and_the_rest_is_to_do(asked: Options) -> None:
    made = only(asked)
    records.write_record(records.run_dir(asked.results, made.specs[0]), make_record(made.specs[0]))
    records.write_record(records.run_dir(asked.results, made.specs[1]), make_record(made.specs[1], status="oom"))
    again = only(asked)
    assert again.done == {made.specs[0].id}
    assert [job.spec for job in again.jobs()] == list(made.specs[1:])


def test_predictions_reach_the_jobs(asked: Options) -> None:
    def look(question: Preflight) -> Findings:
        assert len(question.train) >= question.specs[1].micro_batch
        return Findings(weights=1000, predicted={spec.id: 2**20 for spec in question.specs})

    (made,) = plan.make(replace(asked, memory=True), look=look)
    assert {job.predicted_peak_bytes for job in made.jobs()} == {2**20}


def test_the_probe_predicts_the_longest_step_that_comes_and_of_very_many_examples_the_longest_that_could(
    tmp_path: Path,
) -> None:
    folder, tokenizer = toy_folder(tmp_path / "model"), toy_tokenizer()
    texts = tuple((f"Is {'it ' * (n % 29)}right?", "yes " * (1 + n % 29)) for n in range(96))
    encoded = [tokenize.encode_pair(tokenizer, *text) for text in texts]
    pairs = [tokenize.Pair(tuple(prompt), tuple(target)) for prompt, target in encoded]
    spec = toy_spec(method="lora", rank=2, alpha=8.0, batch_size=4, micro_batch=4)
    batches = loop.plan_batches([len(pair) for pair in pairs], spec)
    step = [pairs[i] for i in batches[loop.counted_step(pairs, batches, spec)]]
    method = registry.method("lora")
    comes, could = (peak_memory.training_peak(folder, spec, method, rows) for rows in (step, pairs))
    assert comes < could
    asked = Preflight(folder, (spec,), texts)
    assert preflight.look(asked).predicted == {spec.id: comes}
    assert preflight.look(replace(asked, sampled=True)).predicted == {spec.id: could}


def test_the_probe_predicts_every_trained_run_and_the_same_for_every_seed(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path / "model")
    kinds = (("base", 0), ("full", 0), ("lora", 2), ("lora", 8))
    runs = [toy_spec(method=name, rank=rank, alpha=8.0, seed=seed) for name, rank in kinds for seed in (0, 1)]
    seen = preflight.look(Preflight(folder, tuple(runs), (("Is it right?", "yes"), ("Is it wrong then?", "no")) * 4))
    base, full, small, large = ({seen.predicted[spec.id] for spec in runs[i : i + 2]} for i in (0, 2, 4, 6))
    assert base == {0}
    assert len(full) == len(small) == len(large) == 1
    assert 0 < small.pop() < large.pop() < full.pop()


def test_nothing_is_asked_of_torch_where_everything_is_done(asked: Options) -> None:
    finish(asked, only(asked))

    def look(question: Preflight) -> Findings:
        raise AssertionError("torch was asked")

    plan.make(replace(asked, memory=True), look=look)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"tasks": ("cfaa",)}, "no task named 'cfaa'"),
        ({"methods": ("lorra",)}, "no method named 'lorra'"),
        ({"model": "no/such/folder"}, "no/such/folder"),
        ({"max_tokens": 513}, "window is 512 tokens"),
        ({"device": "cuda"}, "no CUDA device"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_written(
    asked: Options, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], words: str
) -> None:
    monkeypatch.setattr(environment, "cuda_present", lambda: False)
    with pytest.raises(HarnessError, match=words):
        plan.make(replace(asked, **changes))
    assert not list(asked.results.rglob("*.json"))


def test_weights_are_chosen_by_validation_loss_only_if_asked_for_and_other_ids_stay(asked: Options) -> None:
    (plain,), (choosing,) = plan.make(asked), plan.make(replace(asked, keep_best=True))
    assert all("validations" not in spec.fields() for spec in plain.specs)
    for before, after in zip(plain.specs, choosing.specs, strict=True):
        assert after == replace(before, validations=10 if before.train_examples else 0)
        assert (after.id == before.id) == (not before.train_examples)


def test_weights_of_clients_are_not_chosen_by_validation_loss(asked: Options, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "missing", lambda method: [])
    with pytest.raises(HarnessError, match="changes more than weights from step to step"):
        plan.make(replace(asked, keep_best=True, methods=("fedlora",)))


def test_no_space_and_no_permission_are_said_before_anything_runs(
    asked: Options, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(HarnessError, match="cannot write results"):
        plan.make(replace(asked, results=tmp_path / "toy.jsonl" / "results"))
    monkeypatch.setattr("harness.store.files.shutil.disk_usage", lambda _: shutil._ntuple_diskusage(100, 99, 1))
    with pytest.raises(HarnessError, match="not enough disk space"):
        plan.make(asked)


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (lambda folder: (folder / "config.json").write_text("{"), "config cannot be read"),
        (lambda folder: (folder / "config.json").write_text("[]"), "not an object"),
        (lambda folder: (folder / "model.safetensors").unlink(), "safetensors"),
    ],
)
def test_a_broken_model_folder_is_refused_with_its_place(tmp_path: Path, break_it: Any, words: str) -> None:
    folder = write_model(tmp_path / "model")
    break_it(folder)
    with pytest.raises(HarnessError, match=words) as caught:
        checkpoint.read(str(folder))
    assert str(folder) in caught.value.where


def test_a_model_from_the_hub_s_cache_keeps_its_name_and_commit(tmp_path: Path) -> None:
    folder = tmp_path / "models--owner--a-b" / "snapshots" / "0123abcd"
    folder.parent.mkdir(parents=True)
    found = checkpoint.read(str(write_model(folder)))
    assert (found.name, found.revision) == ("owner/a-b", "0123abcd")


def test_a_probe_that_dies_is_an_error_and_not_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "look", _die)
    with pytest.raises(HarnessError, match="died"):
        preflight.look_in_own_process(Preflight(tmp_path, (), ()))


def test_a_probe_that_fails_in_a_library_is_an_error_with_the_model_s_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(preflight, "look", _fail)
    with pytest.raises(HarnessError, match="TypeError: no such layer") as caught:
        preflight.look_in_own_process(Preflight(tmp_path, (), ()))
    assert caught.value.where == str(tmp_path)


def _fail(question: Preflight) -> Findings:
    raise TypeError("no such\nlayer")


def _never_end(question: str) -> None:
    import threading

    threading.Event().wait()


def _die(question: Preflight) -> Findings:
    import os

    os._exit(1)


def test_a_plan_without_memory_never_imports_torch(asked: Options, tmp_path: Path) -> None:
    code = (
        "import sys; from harness.cli import main; "
        f"assert main(['plan', '--task', {asked.tasks[0]!r}, '--model', {asked.model!r}, '--no-memory', "
        f"'--results', {str(asked.results)!r}]) == 0; "
        "heavy = {'torch', 'transformers', 'pandas', 'matplotlib', 'scipy', 'peft'} & set(sys.modules); "
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


def test_a_look_that_does_not_end_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="did not end within") as caught:
        preflight.in_own_process(_never_end, "", where=str(tmp_path), seconds=0.5)
    assert caught.value.where == str(tmp_path)
