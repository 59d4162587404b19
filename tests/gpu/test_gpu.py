"""The main command on a CUDA device, with the embedded model and with one of 300 M weights: `bash tests/gpu/run.sh checks`.

Each group of runs is made once, by the program itself in processes of its own; the tests read the records. Without a
CUDA device these are skipped; what judges the records is tested everywhere, at the end of this file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.record import Phase, Record
from harness.runs import defaults
from harness.store import records

ROOT = Path(__file__).resolve().parents[2]
TINY = ROOT / "harness" / "tiny" / "model"
METHODS = ("base", "lora", "qlora", "full")
LARGE = {"hidden_size": 1024, "intermediate_size": 2816, "num_hidden_layers": 24, "num_attention_heads": 16}
TOGETHER = ("--jobs", "4")  # runs share the device: that must not change an answer
NEAR = 0.05  # how far a predicted peak may be from the allocator's
Found = Mapping[str, records.Run]  # by method


# --- making the runs


@pytest.fixture(scope="module")
def cuda() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    if not list(TINY.glob("*.safetensors")):
        pytest.skip("the weights of the embedded model are not here")


def run(results: Path, *options: str, name: str) -> Found:
    """Run `python run_all.py --task cfa ...` and return its finished and unfinished runs by method."""
    command = [sys.executable, "run_all.py", "--task", "cfa", "--results", str(results), *options]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    keep(results, name, f"$ {' '.join(command)}\n{done.stdout}\n{done.stderr}")
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return {found.record.spec.method: found for found in records.read_all(results, "cfa")}


def keep(results: Path, name: str, printed: str) -> None:
    """Leave the leaderboard and what was printed in $OUT, where that is set."""
    if not os.environ.get("OUT"):
        return
    out = Path(os.environ["OUT"])
    (out / f"{name}.txt").write_text(printed, encoding="utf-8")
    for path in sorted((results / "leaderboard").glob("cfa.*")):
        shutil.copy(path, out / f"{name}-{path.name}")


def make_model(folder: Path, **shape: int) -> Path:
    """Write a randomly initialised Llama with the embedded model's tokenizer, and return the folder."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer: Any = AutoTokenizer.from_pretrained(TINY)
    torch.manual_seed(0)
    config: Any = LlamaConfig(
        vocab_size=len(tokenizer),
        max_position_embeddings=1024,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
        **shape,
    )
    LlamaForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def tiny(cuda: None, tmp_path_factory: pytest.TempPathFactory) -> Found:
    return run(tmp_path_factory.mktemp("tiny"), "--rank", "8", *TOGETHER, name="tiny")


@pytest.fixture(scope="module")
def tiny_again(cuda: None, tmp_path_factory: pytest.TempPathFactory) -> Found:
    return run(tmp_path_factory.mktemp("again"), "--rank", "8", *TOGETHER, name="again")


@pytest.fixture(scope="module")
def larger(cuda: None, tmp_path_factory: pytest.TempPathFactory) -> Found:
    model = make_model(tmp_path_factory.mktemp("model") / "llama-300m", **LARGE)
    few = ("--train-examples", "320", "--test-examples", "120", "--epochs", "1")
    return run(tmp_path_factory.mktemp("larger"), "--model", str(model), "--rank", "8", *few, name="larger")


# --- judging the records


def phases_out_of_order(record: Record) -> list[str]:
    """Return the phases whose allocated peak is missing or above the reserved one."""
    phases: Mapping[str, Phase] = record.cost.phases if record.cost else {}
    return [name for name, phase in phases.items() if not 0 < phase.peak_bytes <= phase.reserved_bytes]


def off_by(record: Record) -> float:
    """Return how far the prediction is from the training peak, as a share of the peak."""
    assert record.cost is not None
    return record.cost.predicted_peak_bytes / record.cost.phases["train"].peak_bytes - 1


def agreement(one: records.Run, other: records.Run) -> float:
    """Return the share of questions that two runs answered with the same option."""
    left, right = ({answer.id: answer.text for answer in run.answers()} for run in (one, other))
    assert left.keys() == right.keys()
    return sum(left[name] == right[name] for name in left) / len(left)


# --- with a CUDA device


@pytest.mark.gpu
@pytest.mark.usefixtures("cuda")
def test_the_program_sees_the_device_that_torch_sees() -> None:
    from harness import environment

    assert environment.cuda_present()
    assert environment.cuda_name()
    assert defaults.device() == "cuda"


@pytest.mark.gpu
@pytest.mark.parametrize("group", ["tiny", "larger"])
@pytest.mark.parametrize("method", METHODS)
def test_every_run_ends_ok_on_the_device(group: str, method: str, request: pytest.FixtureRequest) -> None:
    record = request.getfixturevalue(group)[method].record
    assert (record.status, record.reason) == ("ok", "")
    assert (record.spec.device, record.spec.dtype) == ("cuda", "bf16")
    assert phases_out_of_order(record) == []
    assert record.environment.device_name in record.environment.machine


@pytest.mark.gpu
def test_what_trains_learns(tiny: Found) -> None:
    for method in METHODS[1:]:
        losses = [step["loss"] for step in records.read_steps(tiny[method].folder)]
        assert sum(losses[-9:]) < 0.6 * sum(losses[:9])
    base, full = (tiny[method].record.scores["accuracy"].value for method in ("base", "full"))
    assert full > base + 0.2


@pytest.mark.gpu
def test_qlora_takes_less_than_lora_and_lora_less_than_full(larger: Found) -> None:
    costs = {method: larger[method].record.cost for method in METHODS}
    peaks = [cost.phases["train"].peak_bytes for method in ("qlora", "lora", "full") if (cost := costs[method])]
    assert len(peaks) == 3
    assert peaks[0] < peaks[1] < peaks[2]


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS[1:])
def test_the_parts_add_up_to_the_allocated_peak(larger: Found, method: str) -> None:
    cost = larger[method].record.cost
    assert cost is not None
    assert cost.parts is not None
    found = vars(cost.parts)
    assert min(found.values()) >= 0
    assert sum(found.values()) == cost.phases["train"].peak_bytes


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS[1:])
def test_the_prediction_is_near_the_allocated_peak(larger: Found, method: str) -> None:
    assert abs(off_by(larger[method].record)) <= NEAR


@pytest.mark.gpu
@pytest.mark.parametrize("method", METHODS)
def test_the_same_spec_gives_the_same_answers_twice(tiny: Found, tiny_again: Found, method: str) -> None:
    assert tiny[method].record.spec.id == tiny_again[method].record.spec.id
    assert tiny[method].record.answers_sha256 == tiny_again[method].record.answers_sha256


@pytest.mark.gpu
def test_the_base_model_answers_alike_on_both_devices(cuda: None, tmp_path: Path) -> None:
    same = ("--method", "base", "--dtype", "fp32")
    here = run(tmp_path / "cuda", *same, "--device", "cuda", name="base-cuda")
    there = run(tmp_path / "cpu", *same, "--device", "cpu", name="base-cpu")
    assert agreement(here["base"], there["base"]) >= 0.98


# --- everywhere


def test_the_larger_model_has_three_hundred_million_weights_and_tiny_s_tokenizer(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig, LlamaForCausalLM

    with torch.device("meta"):
        large: Any = LlamaForCausalLM(LlamaConfig(vocab_size=712, **LARGE))
    assert 290e6 < sum(weight.numel() for weight in large.parameters()) < 330e6
    small = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2}
    folder = make_model(tmp_path / "model", **small)
    model: Any = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.vocab_size == len(AutoTokenizer.from_pretrained(folder))


def test_a_peak_above_what_is_reserved_is_found() -> None:
    peaks = {"load": 5, "train": 9, "evaluate": 0}
    phases = {name: Phase(1.0, peak, 9, reserved_bytes=8) for name, peak in peaks.items()}
    record: Any = SimpleNamespace(cost=SimpleNamespace(phases=phases, predicted_peak_bytes=12))
    assert phases_out_of_order(record) == ["train", "evaluate"]
    assert off_by(record) == pytest.approx(1 / 3)


def test_agreement_is_the_share_of_equal_options() -> None:
    def answered(texts: str) -> Any:
        answers = [SimpleNamespace(id=str(place), text=text) for place, text in enumerate(texts)]
        return SimpleNamespace(answers=lambda: answers)

    assert agreement(answered("abca"), answered("abba")) == 0.75
    with pytest.raises(AssertionError):
        agreement(answered("abc"), answered("ab"))


def test_the_script_is_a_script_and_names_only_what_is_here() -> None:
    path = ROOT / "tests" / "gpu" / "run.sh"
    assert os.access(path, os.X_OK)
    assert subprocess.run(["bash", "-n", str(path)], check=False).returncode == 0
    assert "tests/gpu -m gpu" in path.read_text()
