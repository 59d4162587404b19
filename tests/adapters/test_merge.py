"""Merging adapters: on the product of B and A, exact where it can be, and told where it is not."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from peft import PeftModel

from harness.adapters import merge, sparse
from harness.adapters.merge import Adapter, Factors
from harness.cli.app import main
from harness.errors import HarnessError
from harness.store import records
from tests.support.stored_adapters import adapted_spec, logits, write_run
from tests.support.tiny_models import toy_folder, toy_model


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two adapters of one base (ranks 4 and 2), and others that cannot be merged with them."""
    folder = tmp_path_factory.mktemp("desk")
    model = toy_folder(folder / "toy")
    kinds: tuple[tuple[str, dict[str, Any]], ...] = (
        ("lora", {"task": "one"}),
        ("rslora", {"task": "two", "rank": 2}),
        ("lora", {"task": "three"}),
        ("lora", {"task": "other", "model_revision": "ddddeeeeffff"}),
        ("dora", {"task": "one"}),
        ("pissa", {"task": "one"}),
        ("ia3", {"task": "one", "rank": 0, "alpha": 0.0}),
    )
    for start, (method, changes) in enumerate(kinds):
        write_run(folder / "results", model, adapted_spec(method, **changes), start=start)
    return folder


def run_of(desk: Path, name: str, task: str) -> records.Run:
    return next(r for r in records.read_all(desk / "results", task) if r.record.spec.method == name)


def folders(desk: Path, *pairs: tuple[str, str]) -> list[Path]:
    return [
        run_of(desk, name, task).folder / records.ADAPTER
        for name, task in pairs or (("lora", "one"), ("rslora", "two"))
    ]


def with_deltas(adapters: Sequence[Path], weights: Sequence[float]) -> Any:
    """The toy model with the changes of each adapter, as PEFT works them out, added to its weights."""
    model = toy_model()
    plain = dict(model.named_modules())
    for folder, weight in zip(adapters, weights, strict=True):
        adapted = PeftModel.from_pretrained(toy_model(), str(folder))
        for name, layer in adapted.base_model.model.named_modules():
            if hasattr(layer, "get_delta_weight"):
                plain[name].weight.data += weight * layer.get_delta_weight("default").detach()
    return model


def loaded(folder: Path) -> Any:
    return PeftModel.from_pretrained(toy_model(), str(folder))


def merged(desk: Path, tmp_path: Path, how: str, weights: Sequence[float], **options: Any) -> Path:
    made = merge.merge([merge.read(one) for one in folders(desk)], how, weights, **options)
    merge.save(made, tmp_path / "merged", "toy")
    return tmp_path / "merged"


@pytest.mark.parametrize("weights", [(1.0, 1.0), (0.7, -0.4)])
def test_a_merged_sum_gives_the_logits_of_the_base_with_both_changes_added(
    desk: Path, tmp_path: Path, weights: tuple[float, float]
) -> None:
    found = logits(loaded(merged(desk, tmp_path, "sum", weights)))
    torch.testing.assert_close(found, logits(with_deltas(folders(desk), weights)), rtol=1e-4, atol=1e-4)
    assert (found - logits(toy_model())).abs().max() > 0.1, "the adapters change something"
    assert json.loads((tmp_path / "merged" / "adapter_config.json").read_text())["r"] == 6


@pytest.mark.parametrize("how", ["sum", "linear", "svd"])
def test_weights_of_one_and_nothing_give_the_first_adapter_back(desk: Path, tmp_path: Path, how: str) -> None:
    found = logits(loaded(merged(desk, tmp_path, how, (1.0, 0.0))))
    torch.testing.assert_close(found, logits(loaded(folders(desk)[0])), rtol=1e-4, atol=1e-4)


def test_linear_is_the_mean_where_no_weights_are_given() -> None:
    assert merge.default_weights("linear", 4) == (0.25,) * 4
    assert merge.default_weights("sum", 2) == (1.0, 1.0)


def test_what_svd_keeps_is_told_and_all_of_it_at_the_sum_of_ranks(desk: Path) -> None:
    adapters = [merge.read(one) for one in folders(desk)]
    whole = merge.merge(adapters, "svd", (1.0, 1.0))
    cut = merge.merge(adapters, "svd", (1.0, 1.0), rank=1)
    assert whole.rank == 6
    assert whole.energy == pytest.approx(1.0, abs=1e-5)
    name = next(iter(cut.adapter.layers))
    full = sum(adapter.layers[name].delta for adapter in adapters if name in adapter.layers)
    assert isinstance(full, torch.Tensor)
    lost = (cut.adapter.layers[name].delta - full).square().sum() / full.square().sum()
    values = torch.linalg.svdvals(full.double()).square()
    assert float(lost) == pytest.approx(float(1 - values[0] / values.sum()), rel=1e-3)
    assert cut.min_energy <= float(1 - lost) + 1e-6
    assert cut.min_energy < cut.energy < 1


def test_ties_agrees_with_an_example_worked_by_hand() -> None:
    # Half of each is trimmed: what is left is [[4, 0], [-3, 0]] and [[2, 0], [0, 5]].
    # Signs: 4 + 2 > 0, -3 < 0, 5 > 0. Means of those that agree: (4 + 2) / 2, -3 alone, 5 alone.
    deltas = torch.tensor([[[4.0, 1.0], [-3.0, 0.5]], [[2.0, -1.0], [1.5, 5.0]]])
    assert sparse.ties(deltas, (1.0, 1.0), 0.5).tolist() == [[3.0, 0.0], [-3.0, 5.0]]
    # Untrimmed, the minority of an entry has no part in it: -3 against 1.5, and 1 against -1 elects nobody.
    assert sparse.ties(deltas, (1.0, 1.0), 1.0).tolist() == [[3.0, 0.0], [-3.0, 2.75]]
    # Three parts of the first: (3 * 4 + 2) / 4; (3 * 1 - 1) elects the first alone.
    assert sparse.ties(deltas, (3.0, 1.0), 1.0).tolist() == [[3.5, 1.0], [-3.0, 1.625]]
    # A negative weight turns a change round.
    assert sparse.ties(deltas, (0.0, -1.0), 1.0).tolist() == [[-2.0, 1.0], [-1.5, -5.0]]


def test_ties_of_one_adapter_at_density_one_is_the_adapter(desk: Path) -> None:
    adapter = merge.read(folders(desk)[0])
    found = merge.merge([adapter], "ties", (1.0,), density=1.0)
    for name, layer in adapter.layers.items():
        torch.testing.assert_close(found.adapter.layers[name].delta, layer.delta, rtol=1e-4, atol=1e-5)


@given(
    deltas=st.lists(st.lists(st.floats(-9, 9, width=32), min_size=6, max_size=6), min_size=2, max_size=4),
    density=st.floats(0.05, 1.0),
)
def test_ties_lies_between_the_changes_that_it_is_the_mean_of(deltas: list[list[float]], density: float) -> None:
    stack = torch.tensor(deltas).view(-1, 2, 3)
    found = sparse.ties(stack, [1.0] * len(deltas), density)
    assert (found <= stack.clamp(min=0).amax(0) + 1e-5).all()
    assert (found >= stack.clamp(max=0).amin(0) - 1e-5).all()


@settings(max_examples=15, deadline=None)
@given(density=st.floats(0.1, 0.9), seed=st.integers(0, 1000))
def test_dare_keeps_the_expectation_of_every_entry(density: float, seed: int) -> None:
    delta, draws = torch.tensor([[1.0, -2.0], [0.5, 3.0]]), 4000
    generator = torch.Generator().manual_seed(seed)
    found = sparse.dare(delta.expand(draws, 2, 2), density, generator)
    assert ((found == 0) | torch.isclose(found, delta / density)).all()
    error = delta.abs() * ((1 - density) / density / draws) ** 0.5
    assert ((found.mean(0) - delta).abs() < 6 * error).all()


@given(values=st.lists(st.integers(-50, 50), min_size=4, max_size=12, unique_by=abs), density=st.floats(0.05, 1.0))
def test_pruning_keeps_the_largest_as_they_are(values: list[int], density: float) -> None:
    delta = torch.tensor(values, dtype=torch.float32).view(1, 1, -1)
    found = sparse.prune(delta, density)[0, 0].tolist()
    count = max(1, round(density * len(values)))
    largest = sorted(values, key=abs, reverse=True)[:count]
    assert found == [value if value in largest else 0 for value in values]


def test_a_seed_decides_what_dare_drops(desk: Path) -> None:
    adapters = [merge.read(one) for one in folders(desk)]
    a, b, c = (merge.merge(adapters, "dare", (1.0, 1.0), density=0.5, rank=32, seed=s) for s in (1, 1, 2))
    name = next(iter(a.adapter.layers))
    assert torch.equal(a.adapter.layers[name].delta, b.adapter.layers[name].delta)
    assert not torch.allclose(a.adapter.layers[name].delta, c.adapter.layers[name].delta)


def peft_merged(desk: Path, kind: str, **options: Any) -> dict[str, torch.Tensor]:
    """What PEFT makes of two adapters of rank 4, as the change of each layer."""
    first, second = folders(desk, ("lora", "one"), ("lora", "three"))
    model = loaded(first)
    model.load_adapter(str(second), "second")
    model.add_weighted_adapter(["default", "second"], [1.0, 1.0], "both", combination_type=kind, **options)
    layers = model.base_model.model.named_modules()
    return {
        name: layer.get_delta_weight("both").detach() for name, layer in layers if hasattr(layer, "get_delta_weight")
    }


def ours(desk: Path, how: str, **options: Any) -> dict[str, torch.Tensor]:
    adapters = [merge.read(one) for one in folders(desk, ("lora", "one"), ("lora", "three"))]
    return {
        name: layer.delta for name, layer in merge.merge(adapters, how, (1.0, 1.0), **options).adapter.layers.items()
    }


def apart(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    """The difference over the size of the second, over all layers."""
    assert a.keys() == b.keys()
    return math.sqrt(sum(float((a[n] - b[n]).square().sum()) for n in a) / sum(float(b[n].square().sum()) for n in b))


def test_pefts_linear_is_not_the_sum_of_the_changes_and_its_cat_is(desk: Path) -> None:
    exact = ours(desk, "sum")
    assert apart(peft_merged(desk, "cat"), exact) < 1e-5
    assert apart(peft_merged(desk, "linear"), exact) > 0.5, "B1 A2 and B2 A1 are in it"


def test_pefts_ties_is_not_ties_of_the_changes_and_its_ties_svd_is(desk: Path) -> None:
    exact = ours(desk, "ties", density=0.5, rank=16)
    assert apart(peft_merged(desk, "ties_svd", density=0.5, svd_rank=16), exact) < 1e-4
    assert apart(peft_merged(desk, "ties", density=0.5), exact) > 0.5


def test_pefts_pruning_is_of_the_factors_and_its_svd_of_the_changes(desk: Path) -> None:
    exact = ours(desk, "prune", density=0.25, rank=16)
    assert apart(peft_merged(desk, "magnitude_prune_svd", density=0.25, svd_rank=16), exact) < 1e-4
    assert apart(peft_merged(desk, "magnitude_prune", density=0.25), exact) > 0.5


def test_what_pefts_linear_gives_depends_on_a_rotation_that_changes_no_adapter() -> None:
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(4, 6, generator=generator), torch.randn(5, 4, generator=generator)
    turn = torch.linalg.qr(torch.randn(4, 4, generator=generator))[0]
    plain, turned = Factors(a, b), Factors(turn.T @ a, b @ turn)
    torch.testing.assert_close(plain.delta, turned.delta)
    other = Factors(torch.randn(4, 6, generator=generator), torch.randn(5, 4, generator=generator))
    apart_a = (plain.b + other.b) @ (plain.a + other.a)
    apart_b = (turned.b + other.b) @ (turned.a + other.a)
    assert not torch.allclose(apart_a, apart_b, atol=0.1)
    for one in (plain, turned):
        whole = merge.concatenate([(one, 1.0), (other, 1.0)], 8)
        torch.testing.assert_close(whole.delta, plain.delta + other.delta)


def test_a_layer_that_one_adapter_lacks_is_merged_of_the_others() -> None:
    first = Adapter({"x": Factors(torch.eye(2), torch.eye(2)), "y": Factors(torch.eye(2), torch.eye(2))}, ("x", "y"))
    second = Adapter({"x": Factors(torch.ones(1, 2), torch.ones(2, 1))}, ("x",))
    made = merge.merge([first, second], "sum", (1.0, 2.0))
    assert made.rank == 3
    assert made.adapter.layers["x"].delta.tolist() == [[3.0, 2.0], [2.0, 3.0]]
    assert made.adapter.layers["y"].delta.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    assert made.adapter.targets == ("x", "y")


@pytest.mark.parametrize(
    ("method", "why"), [("dora", "use_dora"), ("pissa", "init_lora_weights=pissa"), ("ia3", "IA3")]
)
def test_adapters_that_are_more_than_a_product_are_refused(desk: Path, method: str, why: str) -> None:
    with pytest.raises(HarnessError, match="cannot be merged") as caught:
        merge.read(folders(desk, (method, "one"))[0])
    assert why in caught.value.problem


# --- the command


def command(desk: Path, out: Path, *words: str) -> int:
    return main(["adapters", "merge", *words, "--out", str(out), "--results", str(desk / "results")])


def ids(desk: Path) -> tuple[str, str]:
    return run_of(desk, "lora", "one").record.spec.id, run_of(desk, "rslora", "two").record.spec.id


def test_the_command_writes_an_adapter_that_peft_loads_with_a_card_and_the_command_that_makes_it_again(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = ids(desk)
    assert command(desk, tmp_path / "sum", first[:6], second, "--how", "sum") == 0
    assert "rank 6: exact" in capsys.readouterr().out
    expected = logits(with_deltas(folders(desk), (1.0, 1.0)))
    torch.testing.assert_close(logits(loaded(tmp_path / "sum")), expected, rtol=1e-4, atol=1e-4)
    document = json.loads((tmp_path / "sum" / "merge.json").read_text())
    assert [run["id"] for run in document["runs"]] == [first, second]
    card = (tmp_path / "sum" / "README.md").read_text()
    again = next(line for line in card.splitlines() if line.startswith("python ")).split()
    assert main([*again[2:-1], str(tmp_path / "again"), "--results", str(desk / "results")]) == 0
    for name in ("adapter_model.safetensors", "adapter_config.json", "merge.json", "README.md"):
        assert (tmp_path / "again" / name).read_bytes() == (tmp_path / "sum" / name).read_bytes()


def test_the_command_tells_what_a_cut_keeps(desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ("--how", "ties", "--weights", "0.5,0.5", "--density", "0.3", "--rank", "3")
    assert command(desk, tmp_path / "ties", *ids(desk), *words) == 0
    out = capsys.readouterr().out
    document = json.loads((tmp_path / "ties" / "merge.json").read_text())
    assert 0 < document["least"] < document["kept"] < 1
    assert f"rank 3: {100 * document['kept']:.1f} %" in out
    assert f"{100 * document['kept']:.1f} %" in (tmp_path / "ties" / "README.md").read_text()
    logits(loaded(tmp_path / "ties"))


def test_different_bases_are_refused_naming_both(
    desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = run_of(desk, "lora", "other").record.spec.id
    assert command(desk, tmp_path / "x", ids(desk)[0], other, "--how", "sum") == 2
    err = capsys.readouterr().err
    assert "different base models" in err
    assert "toy@aaaabbbbcccc" in err
    assert "toy@ddddeeeeffff" in err
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--how sum --density 0.2", "--density has no part in --how sum"),
        ("--how linear --rank 4", "--rank has no part in --how linear"),
        ("--how tise", "did you mean 'ties'"),
        ("--how sum --weights 1", "1 weight for 2 adapters"),
        ("--how sum --weights 1,x", "not a list of numbers"),
        ("--how sum --weights nan,1", "not a list of numbers"),
        ("--how sum --weights 0,0", "every weight is 0"),
        ("--how ties --density 1.5", "above 0 and up to 1"),
        ("--how dare --seed -1", "whole number from 0"),
        ("", "--how"),
    ],
)
def test_flags_that_make_no_sense_are_refused_before_anything_is_read(
    desk: Path, tmp_path: Path, words: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(desk, tmp_path / "x", *ids(desk), *words.split()) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_one_run_named_twice_is_refused(desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = ids(desk)[0]
    assert command(desk, tmp_path / "x", first, first[:8], "--how", "sum") == 2
    assert "named twice" in capsys.readouterr().err


def test_help_names_every_way_that_there_is() -> None:
    from harness.adapters.card import MERGE_SOURCES
    from harness.cli.commands import adapters_merge as flags

    assert set(flags.HOW) == set(merge.METHODS) == set(MERGE_SOURCES)
    assert {*flags.TRIMMED} == {*merge.SPARSE}
