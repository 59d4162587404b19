"""What users type instead of what the program calls it: each does what was meant, or the error names what to type."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import harness
from harness.cli import app, parse, seeds
from harness.data import registry
from harness.errors import HarnessError
from harness.model import architectures
from harness.runs.forecast import gpu
from harness.store import find, records
from tests.support.records import make_record, make_spec
from tests.support.sample_inputs import write_task


def refused(*words: str) -> HarnessError:
    name, rest = words[0], words[1:]
    with pytest.raises(HarnessError) as caught:
        app.read(name, rest)
    return caught.value


def test_lr_is_the_learning_rate() -> None:
    assert app.read("run", ["--lr", "0.01"]).learning_rate == 0.01
    assert app.read("sequence", ["--lr", "0.01"]).learning_rate == 0.01


def test_a_task_without_its_flag_is_answered_with_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["run", "cfa"]) == 2
    assert "run_all.py --task cfa" in capsys.readouterr().err
    assert refused("run", "--epoch", "3").fix == "did you mean '--epochs'?"


@pytest.mark.parametrize("words", [["--task", "a,,b"], ["--task", "a,"], ["--method", ",lora"]])
def test_an_empty_name_between_commas_is_refused_with_the_names_that_are_there(words: list[str]) -> None:
    error = refused("run", *words)
    assert error.problem == "a name between the commas is empty"
    assert error.fix == f"{words[0]} {','.join(filter(None, words[1].split(',')))}"


def test_check_takes_several_tasks_with_blanks_or_commas() -> None:
    assert app.read("check", ["cfa", "claims"]).tasks == ("cfa", "claims")
    assert app.read("check", ["cfa,claims", "sec_qa"]).tasks == ("cfa", "claims", "sec_qa")


def test_version_prints_the_version_and_nothing_else(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.main(["--version"]) == 0
    assert capsys.readouterr().out == f"adaptbench {harness.__version__}\n"


@pytest.mark.parametrize(
    ("words", "expected"),
    [(["--seed", "7"], (7,)), (["--seed=7"], (7,)), (["--seeds", "3"], (0, 1, 2)), (["--seed", "0"], (0,))],
)
def test_a_seed_of_a_run_is_that_seed_alone(words: list[str], expected: tuple[int, ...]) -> None:
    assert app.read("run", words).seeds == expected
    assert app.read("plan", words).seeds == expected


def test_a_command_with_one_seed_takes_seeds_that_name_one() -> None:
    assert app.read("sequence", ["--seeds", "7,"]).seeds == (7,)
    assert app.read("sequence", ["--seeds", "1"]).seeds == (0,)
    assert "one seed" in refused("sequence", "--seeds", "3").problem
    assert seeds.as_known(["--seed", "3"], ["--rank"]) == ["--seed", "3"]


def test_a_number_alone_is_the_size_of_a_gpu() -> None:
    assert gpu.card("24").memory == gpu.card("24GiB").memory
    assert gpu.card("24").assumed == "RTX-3090"


def test_the_folder_of_a_saved_adapter_is_its_method(tmp_path: Path) -> None:
    config = {"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": ["q_proj"]}
    (tmp_path / "adapter_config.json").write_text(json.dumps(config))
    by_folder, by_file = registry.method(str(tmp_path)), registry.method(str(tmp_path / "adapter_config.json"))
    assert by_folder.name == by_file.name
    (tmp_path / "empty").mkdir()
    with pytest.raises(HarnessError, match=r"no adapter_config\.json"):
        registry.method(str(tmp_path / "empty"))


def test_results_may_be_a_publication(tmp_path: Path) -> None:
    run = records.Run(tmp_path, make_record(make_spec()))
    records.write_record(tmp_path / "published" / records.relative_dir(run.record.spec), run.record)
    for root in (tmp_path, tmp_path / "published"):
        runs, folder = find.own_or_published(root)
        assert [run.record.spec for run in runs] == [run.record.spec]
        assert folder == tmp_path / "published"
        assert find.own_or_published(root, run.record.spec.task)[0]
        assert not find.own_or_published(root, "another")[0]


def test_no_memory_looks_at_no_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def look(*_: object) -> None:
        raise AssertionError("memory was predicted")

    monkeypatch.setattr("harness.runs.forecast.fit.look_in_own_process", look)
    monkeypatch.setattr("harness.runs.plan.look_in_own_process", look)
    name = next(iter(architectures.catalog()))
    task = str(write_task(tmp_path / "toy.jsonl"))
    words = ["--task", task, "--model", name, "--no-memory", "--results", str(tmp_path / "results")]
    assert app.main(["plan", *words]) == 0
    assert "to do" in capsys.readouterr().out


def test_a_reader_of_names_still_needs_one() -> None:
    with pytest.raises(HarnessError, match="has no value"):
        parse.words(["  "], "--task", "cfa")


def test_a_run_has_the_name_of_its_task_before_its_own(tmp_path: Path) -> None:
    runs = [
        records.Run(tmp_path / task, make_record(make_spec(task=task, method="lora", rank=8)))
        for task in ("cfa", "claims")
    ]
    assert find.find_run("claims/lora-r8", runs).record.spec.task == "claims"
    with pytest.raises(HarnessError, match="means several runs") as caught:
        find.find_run("lora-r8", runs)
    assert "TASK/NAME" in caught.value.fix
    with pytest.raises(HarnessError, match="no run is called"):
        find.find_run("sec_qa/lora-r8", runs)
