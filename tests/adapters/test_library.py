"""Adapters as things to keep: found by their run, shown without torch, exported so that other programs load them."""

from __future__ import annotations

import json
import re
import shlex
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness import metrics
from harness.adapters import card as adapter_card
from harness.adapters import library
from harness.cli import app, next_command, settings
from harness.cli.app import main
from harness.cli.commands.adapters import ACTIONS
from harness.data import registry
from harness.metrics.scoring import score_answers
from harness.record import Score
from harness.runs import plan
from harness.store import records
from tests.support.records import make_answers, make_record
from tests.support.sample_inputs import toy_options, write_task
from tests.support.snapshot import Snapshots
from tests.support.startup import HEAVY, MAX_MODULES_TABLE, libraries, modules_of

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with two adapters of PEFT's, one that is not, and runs without."""
    from tests.support.stored_adapters import adapted_spec, write_run
    from tests.support.tiny_models import toy_folder

    folder = tmp_path_factory.mktemp("made")
    model = toy_folder(folder / "toy")
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("lora", {"task": "cfa", "learning_rate": 1e-05}),
        ("qlora", {"task": "claims"}),
        ("bottleneck", {"task": "cfa"}),
    )
    for method, changes in kinds:
        write_run(folder / "results", model, adapted_spec(method, **changes))
    base: dict[str, Any] = {"method": "base", "rank": 0, "alpha": 0.0, "train_examples": 0, "learning_rate": 0.0}
    full: dict[str, Any] = {"method": "full", "rank": 0, "alpha": 0.0}
    left_none: tuple[tuple[dict[str, Any], Any], ...] = ((base, "ok"), (full, "ok"), ({"rank": 8}, "oom"))
    for changes, status in left_none:
        spec = adapted_spec(**({"task": "cfa"} | changes))
        record = make_record(spec, status=status)
        assert record.cost is not None
        record = replace(record, cost=replace(record.cost, adapter_bytes=0) if status == "ok" else None)
        target = records.run_dir(folder / "results", spec)
        answers = make_answers(5, 7)
        digest, scores = records.write_answers(target, answers), score_answers(answers, (metrics.acc_norm,))
        records.write_record(target, replace(record, answers_sha256=digest, scores=scores))
    return folder / "results"


@pytest.fixture
def results(made: Path, tmp_path: Path) -> Path:
    """A copy of the results that a test may damage."""
    return Path(shutil.copytree(made, tmp_path / "results"))


def run_of(results: Path, method: str) -> records.Run:
    return next(run for run in records.read_all(results) if run.record.spec.method == method)


def act(results: Path, *words: str) -> int:
    return main(["adapters", *words, "--results", str(results)])


def test_the_list_has_every_adapter_with_its_base_score_memory_bytes_and_licence(made: Path, capsys: Capture) -> None:
    assert act(made, "list") == 0
    out = capsys.readouterr().out
    lines = {line.split()[0]: line for line in out.splitlines() if line}
    for method in ("lora", "qlora", "bottleneck"):
        run = run_of(made, method)
        line = lines[run.record.spec.id]
        task = registry.recorded()[run.record.spec.task]
        for text in (f"{method} r4 s0", task.name, "toy @ aaaabbb", "75.0 [50.0, 90.0]", "57.2 MiB", "KiB"):
            assert text in line, text
        assert " ".join(task.source.license.split())[:8] in line
    assert run_of(made, "full").record.spec.id not in lines
    assert run_of(made, "base").record.spec.id not in lines


def test_the_list_suggests_the_run_that_the_tables_recommend_and_otherwise_none(results: Path, capsys: Capture) -> None:
    assert act(results, "list") == 0
    assert "recommended  no adapter" in capsys.readouterr().out
    run = run_of(results, "lora").record.spec
    table = results / "leaderboard" / f"{run.task}.csv"
    table.parent.mkdir(exist_ok=True)
    names = "task,metric,higher_is_better,method,rank,value,low,high,label,export_run"
    table.write_text(f"{names}\n{run.task},accuracy,true,lora,4,0.75,0.5,0.9,lora r4,{run.id}\n", encoding="utf-8")
    assert act(results, "list") == 0
    out = capsys.readouterr().out
    assert f"recommended  {run.task}: lora r4, accuracy 75.0 % [50.0, 90.0]" in out
    assert f"adapters export {run.id} {run.task}-lora-r4 --results {results}" in out


def test_one_is_shown_whole_by_the_beginning_of_its_id(made: Path, capsys: Capture) -> None:
    spec = run_of(made, "lora").record.spec
    assert act(made, "show", spec.id[:5]) == 0
    out = capsys.readouterr().out
    assert f"{spec.model} @ {spec.model_revision}" in out
    for name, value in spec.fields().items():
        assert f"{name} = {value}" in out
    assert "q_proj" in out


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("lroa-r4", "did you mean 'lora-r4'"),
        ("base", "base s0 trains nothing, so it has no adapter"),
        ("full", "full s0 changes the model itself, so it has no adapter"),
        ("lora-r8", "lora r8 s0 did not finish (oom), so it has no adapter"),
    ],
)
@pytest.mark.parametrize("action", ["show", "export"])
def test_a_run_that_is_unknown_or_has_no_adapter_is_refused(
    made: Path, tmp_path: Path, action: str, name: str, said: str, capsys: Capture
) -> None:
    assert act(made, action, name, *[str(tmp_path / "new")] * (action == "export")) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_record_without_its_adapter_says_that_it_was_left_behind(results: Path, capsys: Capture) -> None:
    run = run_of(results, "lora")
    shutil.rmtree(run.folder / records.ADAPTER)
    assert act(results, "show", run.record.spec.id) == 2
    assert "the adapter of lora r4 s0 is missing" in capsys.readouterr().err


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-10])


def _longer(path: Path) -> None:
    """Another adapter, whole, in the place of this one."""
    header = b'{"w": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}'
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


@pytest.mark.parametrize(
    ("file", "damage", "said"),
    [
        (library.WEIGHTS, _cut, "bytes where its header promises"),
        (library.WEIGHTS, _longer, "bytes, the run saved"),
        (library.WEIGHTS, Path.unlink, "adapter_model.safetensors is missing"),
        (library.CONFIG, _cut, "its config cannot be read"),
        (library.CONFIG, lambda path: path.write_text("[]"), "its config is a list"),
        (library.CONFIG, Path.unlink, "adapter_config.json is missing"),
    ],
)
def test_a_damaged_adapter_is_told_and_not_exported(
    results: Path, tmp_path: Path, file: str, damage: Any, said: str, capsys: Capture
) -> None:
    run = run_of(results, "lora")
    damage(run.folder / records.ADAPTER / file)
    assert act(results, "export", run.record.spec.id, str(tmp_path / "new")) == 2
    err = capsys.readouterr().err
    assert "damaged adapter" in err
    assert said in err
    assert act(results, "list") == 0
    lines = [line for line in capsys.readouterr().out.splitlines() if "✗ damaged" in line]
    assert [line.split()[0] for line in lines] == [run.record.spec.id]


def test_nothing_is_written_into_a_folder_that_holds_anything(made: Path, tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    run = run_of(made, "lora").record.spec.id
    assert act(made, "export", run, str(tmp_path)) == 2
    assert "not empty" in capsys.readouterr().err
    assert act(made, "export", run, str(tmp_path / "mine.txt")) == 2
    assert "is a file" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_adapter_that_peft_does_not_know_is_not_exported(made: Path, tmp_path: Path, capsys: Capture) -> None:
    assert act(made, "export", run_of(made, "bottleneck").record.spec.id, str(tmp_path / "new")) == 2
    assert "the method bottleneck" in capsys.readouterr().err


@pytest.mark.parametrize("words", [(), ("lsit",), ("list", "--results", ""), ("show",), ("list", "--rslts", "x")])
def test_a_wrong_action_or_flag_is_an_error_with_a_way_out(words: tuple[str, ...], capsys: Capture) -> None:
    assert main(["adapters", *words]) == 2
    err = capsys.readouterr().err
    assert err.startswith("error: ")
    assert "help: " in err


def test_an_empty_results_folder_says_what_to_run(tmp_path: Path, capsys: Capture) -> None:
    assert act(tmp_path, "list") == 2
    assert act(tmp_path, "show", "lora") == 2
    assert "--task cfa" in capsys.readouterr().err


@pytest.mark.parametrize("action", list(ACTIONS))
def test_every_action_has_help(action: str, capsys: Capture) -> None:
    assert main(["adapters", action, "--help"]) == 0
    assert f"usage: python run_all.py adapters {action}" in capsys.readouterr().out


def test_list_and_show_load_few_modules_and_no_heavy_library(made: Path) -> None:
    for words in (["list"], ["show", run_of(made, "lora").record.spec.id]):
        modules = modules_of("adapters", *words, "--results", str(made))
        assert libraries(modules) & HEAVY == set()
        assert len(modules) <= MAX_MODULES_TABLE


# --- the exported folder


@pytest.fixture
def exported(made: Path, tmp_path: Path) -> Path:
    assert act(made, "export", run_of(made, "lora").record.spec.id, str(tmp_path / "out")) == 0
    return tmp_path / "out"


def test_an_exported_adapter_is_loaded_by_peft_and_answers_alike(made: Path, exported: Path) -> None:
    import torch
    from peft import PeftModel

    from tests.support.stored_adapters import logits
    from tests.support.tiny_models import toy_model

    assert {path.name for path in exported.iterdir()} == {library.WEIGHTS, library.CONFIG, library.CARD}
    found = logits(PeftModel.from_pretrained(toy_model(), str(exported)))
    own = logits(PeftModel.from_pretrained(toy_model(), str(run_of(made, "lora").folder / records.ADAPTER)))
    assert torch.equal(found, own)
    assert not torch.allclose(found, logits(toy_model()), atol=0.1)


def test_the_config_names_a_base_model_that_means_something_elsewhere(made: Path, exported: Path) -> None:
    assert json.loads((exported / library.CONFIG).read_text())["base_model_name_or_path"] == "toy"
    run, commit = run_of(made, "lora"), "0123456789" * 4
    spec = replace(run.record.spec, model="owner/name", model_revision=commit)
    kept = library.StoredAdapter(records.Run(run.folder, replace(run.record, spec=spec)), {"peft_type": "LORA"}, 1)
    config = library.portable_config(kept)
    assert config["base_model_name_or_path"] == "owner/name"
    assert config["revision"] == commit


def test_the_hub_reads_the_evaluation_results_of_the_card(made: Path, exported: Path) -> None:
    from huggingface_hub import ModelCard

    card: Any = ModelCard((exported / library.CARD).read_text())
    (result,) = card.data.eval_results
    assert result.metric_type == "acc_norm"
    assert result.metric_value == pytest.approx(0.75)
    assert result.metric_args["n"] == 12
    assert result.dataset_split == "test"
    assert card.data.library_name == "peft"
    assert card.data.to_dict().get("base_model") is None, "a folder is no model of the Hub"


def test_numbers_of_the_front_matter_stay_numbers(made: Path) -> None:
    import yaml  # type: ignore[import-untyped]
    from huggingface_hub import ModelCardData

    text = adapter_card.front_matter(ModelCardData(low=1e-05, name="a: b\n- c"))
    assert yaml.safe_load(text.strip("-\n")) == {"low": 1e-05, "name": "a: b\n- c"}


def test_the_front_matter_names_a_base_model_of_the_hub_and_leaves_out_the_rank_among_other_runs(made: Path) -> None:
    from huggingface_hub import ModelCard

    run = run_of(made, "lora")
    spec = replace(run.record.spec, model="owner/name", model_revision="0123456789" * 4)
    kept = library.StoredAdapter(records.Run(run.folder, replace(run.record, spec=spec)), {"peft_type": "LORA"}, 1)
    text = adapter_card.card(kept, (kept.run.record, None), None, None)
    data: Any = ModelCard(text).data
    assert (data.base_model, data.base_model_relation) == ("owner/name", "adapter")
    assert data.tags == ["lora"]
    assert data.model_name == "owner/name lora r4"
    assert "mark" not in data.eval_results[0].metric_args
    assert data.eval_results[0].metric_args["runs"] == [spec.id]


def test_the_card_has_the_spec_the_base_row_and_the_licence_of_the_data(made: Path, exported: Path) -> None:
    card = (exported / library.CARD).read_text()
    spec = run_of(made, "lora").record.spec
    for name, value in spec.fields().items():
        assert any(
            line.startswith(f"| {name.replace('_', chr(92) + '_')} ") and str(value) in line
            for line in card.splitlines()
        ), name
    assert "| base" in card
    assert registry.recorded()["cfa"].source.license.split()[0] in card
    assert str(made) not in card


def test_the_card_reads_as_its_snapshot(made: Path, snapshots: Snapshots) -> None:
    run, base = run_of(made, "lora"), run_of(made, "base")
    config = {"peft_type": "LORA", "target_modules": ["q_proj", "v_proj"]}
    adapter = library.StoredAdapter(run, config, 13_000)
    task = replace(registry.task("cfa"), version=run.record.spec.task_version)
    evidence = (run.record, run.answers()), (base.record, base.answers())
    text = adapter_card.card(adapter, *evidence, task, command="python run_all.py --task cfa")
    # The table and its notes are those of the report, which have tests of their own.
    snapshots.check("adapter-card.md", re.sub(r"(## Evaluation\n).*?(### )", r"\1\n\2", text, flags=re.DOTALL))


def test_the_card_of_a_merged_adapter_reads_as_its_snapshot(made: Path, snapshots: Snapshots) -> None:
    adapters = [library.StoredAdapter(run_of(made, method), {}, 0) for method in ("lora", "qlora")]
    recipe = adapter_card.Recipe("ties", (0.5, 0.5), 0.2, 3, 0, energy=0.9, min_energy=0.8)
    snapshots.check("merge-card.md", adapter_card.merge_card(adapters, recipe, "python run_all.py adapters merge"))


def test_the_card_of_a_score_near_guessing_says_so_and_one_of_fewer_bits_too(made: Path) -> None:
    run = run_of(made, "qlora")
    near = replace(run.record, scores={"accuracy": Score(0.4, 0.3, 0.5, 12, 6)})
    kept = library.read(records.Run(run.folder, near))
    text = adapter_card.card(kept, (near, None), None, None)
    assert "guessing (33.3)" in text
    assert "in 4 bits" in text
    assert "guessing (33.3)" not in adapter_card.card(replace(kept, run=run), (run.record, run.answers()), None, None)


@pytest.mark.parametrize(
    "flags_given",
    [
        "--method lora,rslora --rank 2,8 --seeds 3,",
        "--method dora --rank 4 --alpha 7.5 --learning-rate 1e-5 --epochs 0.5 --batch-size 8 --micro-batch 2",
        "--method ia3,prompt --max-tokens 100 --dtype bf16 --checkpointing --train-examples 20 --test-examples 9",
    ],
)
def test_the_command_of_a_card_makes_the_run_again(tmp_path: Path, flags_given: str) -> None:
    asked = toy_options(tmp_path)
    task, place = str(write_task(tmp_path / "toy.jsonl")), ["--results", str(tmp_path), "--no-memory"]

    def planned(words: list[str]) -> plan.Plan:
        (found,) = plan.make(settings.run_options(app.read("run", [*words, *place])))
        return found

    first = planned(["--task", task, "--model", str(asked.model), "--challengers", "none", *shlex.split(flags_given)])
    for spec in first.specs:
        limits = (first.options.train_examples, first.options.test_examples)
        words = next_command.rebuild(spec, first.task, limits, ("--task", task))
        words[words.index("--model") + 1] = str(asked.model)  # the card names the folder, not where it lay
        (again,) = planned(words).specs
        assert again.id == spec.id
