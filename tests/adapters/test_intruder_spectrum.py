"""Intruder dimensions: found where they were planted and nowhere else, in weights that are those of the run."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.adapters.intruders import spectrum, weights
from harness.adapters.intruders.spectrum import BaseVectors
from harness.adapters.intruders.weights import Change
from harness.cli.app import main
from harness.data import registry
from harness.runs import plan, worker
from harness.runs.options import Options
from harness.store import records
from tests.methods.test_more_methods import Ear
from tests.support.sample_inputs import write_task
from tests.support.tiny_models import toy_folder, toy_spec


def base_weight(outputs: int = 48, inputs: int = 32, seed: int = 0) -> torch.Tensor:
    """A matrix whose singular values fall from 2 to 0.2: no two are alike."""
    chance = torch.Generator().manual_seed(seed)
    shape = (outputs, inputs)
    left, _, right = torch.linalg.svd(torch.randn(shape, generator=chance, dtype=torch.float64), full_matrices=False)
    weight: torch.Tensor = (left * torch.linspace(2.0, 0.2, min(shape), dtype=torch.float64)) @ right
    return weight


def rank_one(outputs: int = 48, inputs: int = 32, seed: int = 1) -> torch.Tensor:
    chance = torch.Generator().manual_seed(seed)
    left, right = (torch.randn(side, generator=chance, dtype=torch.float64) for side in (outputs, inputs))
    return torch.outer(left / left.norm(), right / right.norm())


def examined(before: torch.Tensor, after: torch.Tensor, top: int = 10) -> spectrum.WeightSpectrum:
    return spectrum.weight_spectrum(Change("model.layers.0.q_proj", before, after), BaseVectors(keep=False), top)


# --- what is an intruder


def test_a_large_new_direction_is_an_intruder_and_the_only_one() -> None:
    base = base_weight()
    new = rank_one()
    found = examined(base, base + 10 * new)
    assert found.kind == "q_proj"
    assert found.intruders(0.5) == 1
    assert found.cosines[0] < 0.5, "the new direction is the largest"
    assert found.effective_rank == 1
    assert found.change_norm == pytest.approx(10.0)
    assert found.base_norm == pytest.approx(base.norm().item())


def test_the_cosine_is_with_every_base_direction_and_not_with_the_largest_ones() -> None:
    base = base_weight()
    left, values, right = torch.linalg.svd(base, full_matrices=False)
    raised = base + 20 * torch.outer(left[:, -1], right[-1])  # the smallest base direction becomes the largest
    assert values[-1] < 1
    assert examined(base, raised).intruders(0.9) == 0


@pytest.mark.parametrize("sides", [(48, 32), (32, 48), (32, 32)])
def test_no_change_brings_no_intruder_at_any_epsilon(sides: tuple[int, int]) -> None:
    base = base_weight(*sides)
    found = examined(base, base.clone())
    assert found.intruders(0.999) == 0
    assert (found.effective_rank, found.change_norm) == (0, 0.0)


@given(factors=st.lists(st.floats(0.0, 3.0), min_size=32, max_size=32))
@settings(max_examples=20, deadline=None)
def test_a_change_along_the_bases_own_directions_brings_none(factors: list[float]) -> None:
    base = base_weight()
    left, values, right = torch.linalg.svd(base, full_matrices=False)
    # Apart by their place, so that no two of the new values are equal and turn into each other.
    grown = values * (1 + torch.tensor(factors, dtype=torch.float64).round(decimals=1)) + torch.arange(32) * 1e-3
    assert examined(base, (left * grown) @ right).intruders(0.7) == 0 or _some_are_equal(grown)


def _some_are_equal(values: torch.Tensor) -> bool:
    return bool((values.sort().values.diff() < 1e-9).any())


@given(seed=st.integers(0, 1000), size=st.floats(0.0, 5.0), first=st.floats(0.0, 1.0), second=st.floats(0.0, 1.0))
@settings(max_examples=20, deadline=None)
def test_a_larger_epsilon_never_counts_fewer(seed: int, size: float, first: float, second: float) -> None:
    base = base_weight()
    found = examined(base, base + size * rank_one(seed=seed))
    low, high = sorted((first, second))
    assert 0 <= found.intruders(low) <= found.intruders(high) <= len(found.cosines) == 10


def test_vectors_that_a_weight_of_low_rank_has_not_are_no_intruders() -> None:
    low = base_weight()[:, :3] @ base_weight()[:3, :]
    assert len(examined(low, low).cosines) == 3
    assert examined(low, low).intruders(0.9) == 0


@given(rank=st.integers(1, 8), seed=st.integers(0, 100))
@settings(max_examples=15, deadline=None)
def test_a_change_of_rank_r_has_an_effective_rank_of_r_at_most(rank: int, seed: int) -> None:
    change = sum((rank_one(seed=1000 * seed + part) for part in range(rank)), torch.zeros(48, 32, dtype=torch.float64))
    assert 1 <= spectrum.effective_rank(change) <= rank


def test_the_effective_rank_holds_nine_tenths_of_the_energy() -> None:
    assert spectrum.effective_rank(torch.diag(torch.tensor([3.0, 1.0, 0.1]))) == 2  # 9 of 10.01 is less
    assert spectrum.effective_rank(torch.diag(torch.tensor([3.0, 0.9, 0.1]))) == 1
    assert spectrum.effective_rank(torch.eye(10)) == 9


@pytest.mark.parametrize("sides", [(80, 50), (50, 80)])
def test_the_truncated_solver_finds_what_the_full_one_finds(sides: tuple[int, int]) -> None:
    weight = base_weight(*sides) + 3 * rank_one(*sides)
    full, short = (spectrum.largest(weight, 10, truncated=choice) for choice in (False, True))
    torch.testing.assert_close(short[1], full[1])
    torch.testing.assert_close((short[0].T @ full[0]).abs(), torch.eye(10, dtype=torch.float64), atol=1e-8, rtol=0)
    torch.testing.assert_close((short[0] * short[1]) @ short[2], (full[0] * full[1]) @ full[2])


def test_a_base_is_decomposed_once_for_all_runs_that_start_from_it() -> None:
    base, bases = base_weight(), BaseVectors(keep=True)
    first, again = bases.left(base), bases.left(base.clone())
    torch.testing.assert_close(first, again, atol=1e-6, rtol=0)
    bases.left(base_weight(seed=3))
    assert bases.decomposed == 2


@pytest.mark.parametrize("factor", [0.0, 0.25, 1.0, 2.0])
def test_scaling_the_intruders_scales_them_and_leaves_the_rest(factor: float) -> None:
    base = base_weight()
    change = Change("q_proj", base, base + 10 * rank_one())
    made = spectrum.scaled(change, BaseVectors(keep=False), factor)
    left, values, right = torch.linalg.svd(change.after, full_matrices=False)
    values[0] *= factor
    torch.testing.assert_close(made, (left * values) @ right)


# --- whose weights


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


@pytest.mark.parametrize("name", ["lora", "dora", "pissa", "ia3", "qlora", "lora8", "lora+prefix", "lora+bottleneck"])
def test_an_adapters_change_is_what_merging_it_would_make(name: str, folder: Path, tmp_path: Path) -> None:
    method = registry.method(name)
    rank = 4 if method.ranked else 0
    spec = toy_spec(method=name, rank=rank, alpha=32.0 * (rank > 0))
    base = {key: weights._reader(layer)() for key, layer in weights._linear_layers(method.load(str(folder), spec))}
    model = method.adapt(method.load(str(folder), spec), spec)
    with torch.no_grad():
        for weight in model.parameters():
            if weight.requires_grad:
                weight.add_(0.05 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(0)))
    if method.save:
        method.save(model, tmp_path, spec)
    else:
        model.save_pretrained(tmp_path, save_embedding_layers=False)
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    found = list(weights.adapter_changes(folder, spec, tmp_path))
    assert [change.name for change in found] == [key for key in base if name != "ia3" or change_by_ia3(key)]
    for change in found:
        assert torch.equal(change.before, base[change.name])
        # What the layer multiplies with, read off its answers to unit vectors.
        layer = inner.get_submodule(change.name)
        with torch.no_grad():
            answers = layer(torch.eye(change.before.shape[1])).T.double()
        torch.testing.assert_close(change.after, answers, atol=2e-5, rtol=1e-4)
        if rank:
            assert name in ("dora", "pissa") or spectrum.effective_rank(change.after - change.before) <= rank
            assert name == "dora" or int(torch.linalg.matrix_rank(change.after - change.before, atol=1e-5)) <= 2 * rank


def change_by_ia3(name: str) -> bool:
    return name.endswith(("k_proj", "v_proj", "down_proj"))


def test_a_full_models_change_is_the_difference_of_the_two(folder: Path, tmp_path: Path) -> None:
    spec = toy_spec()
    model = registry.method("full").load(str(folder), spec)
    with torch.no_grad():
        model.model.layers[1].mlp.up_proj.weight.add_(1.0)
    model.save_pretrained(tmp_path)
    moved = {
        change.name: (change.after - change.before).abs().max().item()
        for change in weights.model_changes(folder, spec, tmp_path)
    }
    assert len(moved) == 14, "every linear layer but the output layer"
    assert {name for name, distance in moved.items() if distance} == {"model.layers.1.mlp.up_proj"}


# --- the command


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("runs")
    asked = Options(
        tasks=(str(write_task(place / "toy.jsonl", rows=30)),),
        methods=("base", "lora", "full", "prompt"),
        ranks=(2,),
        model=str(toy_folder(place / "model")),
        results=place / "results",
        epochs=1.0,
        memory=False,
        save_full=True,
        jobs=1,
    )
    (made,) = plan.make(asked)
    for job in made.jobs():
        records.prepare(job.folder)
        worker.run(replace(job, threads=1), Ear())
        assert records.read_record(job.folder).status == "ok"
    return place / "results"


def run(results: Path, *words: str) -> int:
    return main(["intruders", *words, "--model", str(results.parent / "model"), "--results", str(results)])


def test_the_command_shows_runs_side_by_side_and_keeps_everything(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(results, "lora-r2", "full", "--epsilon", "0.45") == 0
    shown = capsys.readouterr().out
    assert "|cosine| < 0.45" in shown
    assert all(word in shown for word in ("q_proj", "down_proj", "rank of change", "0.9", "written"))
    assert max(map(len, shown.splitlines())) < 200
    paths = sorted((results / "intruders").rglob("*.json"))
    kept: dict[str, dict[str, Any]] = {found["method"]: found for found in (json.loads(p.read_text()) for p in paths)}
    assert kept.keys() == {"lora", "full"}
    for found in kept.values():
        assert found["epsilon"] == 0.45
        assert list(found["total"]) == ["0.3", "0.4", "0.45", "0.5", "0.6", "0.7", "0.8", "0.9"]
        for bound, total in found["total"].items():
            assert (
                total == sum(found["by_type"][bound].values()) == sum(m["intruders"][bound] for m in found["matrices"])
            )
        assert len(found["matrices"]) == 14
        assert found["vectors"] == 140
    assert all(matrix["effective_rank"] <= 2 for matrix in kept["lora"]["matrices"])
    assert not any(str(results.parent) in path.read_text() for path in paths), "a machine's path"


def test_the_document_for_programs_is_what_is_kept(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(results, "lora-r2", "--output", "json") == 0
    (found,) = json.loads(capsys.readouterr().out)
    (kept,) = [json.loads(p.read_text()) for p in (results / "intruders").rglob("*.json") if found["run"] in p.name]
    assert found == kept


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("base",), "kept no weights"),
        (("prompt",), "changes no weight"),
        (("lora-r3",), "no run is called"),
        (("lora-r2", "--epsilon", "1.5"), "--epsilon 1.5 is not a number above 0 and up to 1"),
        (("lora-r2", "--k", "0"), "--k"),
        (("lora-r2", "--output", "xml"), "--output"),
    ],
)
def test_what_cannot_be_examined_is_told(
    results: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], problem: str
) -> None:
    assert run(results, *words) == 2
    assert problem in capsys.readouterr().err


def test_another_model_than_the_runs_own_is_refused(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = toy_folder(tmp_path, initializer_range=0.1)
    assert main(["intruders", "lora-r2", "--model", str(other), "--results", str(results)]) == 2
    assert "the run began from" in capsys.readouterr().err
