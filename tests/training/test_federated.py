"""Federated LoRA's promises: who holds what, what an average is, and that one client alone is plain LoRA."""

from __future__ import annotations

import importlib.util
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from harness.analysis.compare import cells
from harness.analysis.sections import sections
from harness.cli import next_command
from harness.cli.app import main
from harness.cli.terminal import tables
from harness.data import loading, registry
from harness.errors import HarnessError
from harness.methods import fedlora, lora
from harness.model import answer
from harness.model.tokenize import Pair, encode_train
from harness.record import GROUP, HASH, RunSpec
from harness.runs import plan
from harness.runs.options import Options
from harness.schema import Example
from harness.training import clients, federated, loop
from harness.training.federated import Reply, Serve, Weights
from harness.training.loop import FitResult, Step
from tests.support.cli_runner import Desk, without_torch
from tests.support.records import make_record, make_spec
from tests.support.sample_inputs import write_model, write_task
from tests.support.tiny_models import toy_examples, toy_folder, toy_spec, toy_task, toy_tokenizer

COUNT = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    return encode_train(toy_tokenizer(), toy_examples(COUNT), toy_task(), 256, 0)


@pytest.fixture
def flwr_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "flwr" else find(name))


@pytest.fixture
def flwr_is_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "missing", lambda method: [])


def spec_of(method: str, **changes: Any) -> RunSpec:
    return toy_spec(**({"method": method, "rank": 4, "alpha": 32.0, "epochs": 2.0} | changes))


def pooled(folder: Path, pairs: list[Pair], spec: RunSpec, **options: Any) -> tuple[Any, FitResult]:
    model = lora.METHOD.adapt(lora.METHOD.load(str(folder), spec), spec)
    return model, loop.fit(model, toy_tokenizer(), pairs, spec, **options)


def spread(
    folder: Path, pairs: list[Pair], spec: RunSpec, holders: list[str], server: Serve = federated.serve, **options: Any
) -> tuple[Any, FitResult]:
    model = fedlora.METHOD.adapt(fedlora.METHOD.load(str(folder), spec), spec)
    return model, federated.fit(model, toy_tokenizer(), pairs, spec, holders=holders, server=server, **options)


def halves(count: int = COUNT) -> list[str]:
    """Two clients, one with a quarter of the examples."""
    return ["small" if place % 4 == 0 else "large" for place in range(count)]


def matrix(*row: float) -> np.ndarray:
    return np.array([row], dtype=np.float32)


def assert_equal(first: Weights, second: Weights) -> None:
    assert first.keys() == second.keys()
    for name, weight in first.items():
        assert np.array_equal(weight, second[name]), name


def test_claims_are_split_by_line_of_business_into_four_insurers_of_five_hundred() -> None:
    examples = loading.load_splits(registry.task("claims")).train
    assert clients.default_key(examples) == "line"
    found = clients.holders(examples, "line")
    assert Counter(found) == {"home": 500, "motor": 500, "health": 500, "travel": 500}
    of_group: dict[str, set[str]] = {}
    for example, who in zip(examples, found, strict=True):
        of_group.setdefault(example.group, set()).add(who)
    assert {len(who) for who in of_group.values()} == {1}, "a claim file is with one insurer"


def test_an_insurer_is_taken_before_a_line_and_a_slice_that_tells_nobody_apart_is_not_taken() -> None:
    def examples(**slices: tuple[str, str]) -> list[Example]:
        return [Example(str(n), "?", "!", slices={name: both[n] for name, both in slices.items()}) for n in range(2)]

    assert clients.default_key(examples(insurer=("A", "B"), line=("home", "motor"))) == "insurer"
    assert clients.default_key(examples(insurer=("A", "A"), line=("home", "motor"))) == "line"
    assert clients.default_key(examples(insurer=("A", ""), line=("home", "home"))) == HASH


def test_without_a_field_groups_are_dealt_whole_to_four_clients_whatever_their_order() -> None:
    examples = [Example(str(number), "?", "!", group=f"policy {number // 3}") for number in range(300)]
    found = dict(zip((e.id for e in examples), clients.holders(examples, HASH), strict=True))
    assert len(set(found.values())) == 4
    assert min(Counter(found.values()).values()) > 30
    assert all(found[str(number)] == found[str(number - number % 3)] for number in range(300))
    turned = examples[::-1]
    assert dict(zip((e.id for e in turned), clients.holders(turned, HASH), strict=True)) == found


def test_each_group_can_be_a_client_and_a_hundred_are_the_most() -> None:
    examples = [Example(str(number), "?", "!", group=f"insurer {number % 3}") for number in range(9)]
    assert set(clients.holders(examples, GROUP)) == {"insurer 0", "insurer 1", "insurer 2"}
    many = [Example(str(number), "?", "!") for number in range(101)]
    with pytest.raises(HarnessError, match="101 clients, at most 100"):
        clients.holders(many, GROUP)


def test_a_field_that_an_example_lacks_is_refused_with_those_there_are() -> None:
    examples = [Example("a", "?", "!", slices={"line": "home"}), Example("b", "?", "!", slices={"line": "motor"})]
    with pytest.raises(HarnessError, match="'a' has no value for the slice 'country'") as caught:
        clients.holders(examples, "country")
    assert caught.value.fix == "choose one of line, group, hash"


def test_the_average_is_weighted_by_examples() -> None:
    replies = [Reply({"a": matrix(1, 2)}, 30), Reply({"a": matrix(5, 6)}, 10)]
    found = federated.average(replies)
    assert found["a"].dtype == np.float32
    assert found["a"].tolist() == [[2.0, 3.0]]
    assert federated.average([*replies, Reply({"a": matrix(np.pi, -7)}, 0)])["a"].tolist() == [[2.0, 3.0]]


@pytest.mark.parametrize(("steps", "rounds"), [(7, 1), (7, 3), (7, 7), (2, 5)])
def test_the_rounds_share_every_step_of_a_client_out_once_and_in_order(steps: int, rounds: int) -> None:
    shares = [federated.share_of(steps, number, rounds) for number in range(rounds)]
    assert [step for share in shares for step in share] == list(range(steps))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("rounds", [1, 3, 10])
def test_one_client_alone_is_the_plain_run_to_the_last_bit_and_answers_the_same(
    folder: Path, pairs: list[Pair], rounds: int
) -> None:
    plain, first = pooled(folder, pairs, spec_of("lora"))
    alone, second = spread(folder, pairs, spec_of("fedlora", rounds=rounds), ["all"] * COUNT)
    assert_equal(federated.read(plain), federated.read(alone))
    assert (first.losses, first.tokens) == (second.losses, second.tokens)
    assert first.peak_bytes == second.peak_bytes
    assert first.parts == second.parts
    asked = toy_examples(6)
    one, other = (answer.answer(model, toy_tokenizer(), asked, toy_task(), spec_of("lora")) for model in (plain, alone))
    assert one == other


def test_one_round_is_the_weighted_mean_of_what_the_clients_train_by_themselves(
    folder: Path, pairs: list[Pair]
) -> None:
    spec, who = spec_of("fedlora", rounds=1), halves()
    found = federated.read(spread(folder, pairs, spec, who)[0])
    own = {
        name: [pair for pair, holder in zip(pairs, who, strict=True) if holder == name] for name in ("large", "small")
    }
    large, small = (federated.read(pooled(folder, own[name], spec)[0]) for name in ("large", "small"))
    assert any(np.abs(large[name] - small[name]).max() > 1e-3 for name in found)
    for name, weight in found.items():
        np.testing.assert_allclose(weight, 0.75 * large[name] + 0.25 * small[name], rtol=1e-5, atol=1e-7)


def test_the_average_of_a_and_b_is_not_the_average_of_their_products(folder: Path, pairs: list[Pair]) -> None:
    # What FedIT does and FLoRA criticises, as the method's docstring says.
    spec, seen = spec_of("fedlora", rounds=1), []

    def watching(everyone: Any, rounds: int, weights: Weights) -> Weights:
        replies = [client(0, weights) for client in everyone]
        seen.extend(replies)
        return federated.average(replies)

    mean = federated.read(spread(folder, pairs, spec, halves(), server=watching)[0])
    name = next(name for name in mean if "lora_A" in name)
    product = mean[name.replace("lora_A", "lora_B")] @ mean[name]
    wanted = sum(
        reply.examples / (2 * COUNT) * reply.weights[name.replace("lora_A", "lora_B")] @ reply.weights[name]
        for reply in seen
    )
    assert np.abs(product - wanted).max() > 1e-6


@pytest.mark.parametrize("rounds", [1, 4])
def test_clients_together_see_each_example_as_often_as_the_pooled_run(
    folder: Path, pairs: list[Pair], rounds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: Counter[Pair] = Counter()
    step = loop.train_step

    def counting(model: Any, optimizer: Any, rows: list[Pair], *rest: Any) -> torch.Tensor:
        seen.update(rows)
        return step(model, optimizer, rows, *rest)

    monkeypatch.setattr(loop, "train_step", counting)
    told: list[Step] = []
    spec = spec_of("fedlora", rounds=rounds)
    result = spread(folder, pairs, spec, halves(), on_step=told.append)[1]
    assert seen == Counter(pairs * 2)  # two epochs
    assert result.tokens == 2 * sum(map(len, pairs))
    assert [step.step for step in told] == list(range(1, told[0].steps + 1)), "steps are counted through all clients"
    assert len(result.losses) == len(told)


def test_a_client_with_fewer_steps_than_rounds_sits_some_out_and_does_not_hold_the_others_back(
    folder: Path, pairs: list[Pair]
) -> None:
    who = ["tiny" if place == 0 else "large" for place in range(COUNT)]  # 1 step an epoch beside 5
    trained: list[list[int]] = []

    def watching(everyone: Any, rounds: int, weights: Weights) -> Weights:
        for number in range(rounds):
            replies = [client(number, weights) for client in everyone]
            trained.append([reply.examples for reply in replies])
            weights = federated.average(replies)
        return weights

    spread(folder, pairs, spec_of("fedlora", rounds=10), who, server=watching)
    assert [large > 0 for large, _ in trained] == [True] * 10
    assert sorted(tiny for _, tiny in trained) == [0] * 8 + [1, 1]


def test_asked_to_stop_it_ends_after_the_step_in_hand(folder: Path, pairs: list[Pair]) -> None:
    told: list[Step] = []
    spec = spec_of("fedlora", rounds=2)
    result = spread(folder, pairs, spec, halves(), on_step=told.append, should_stop=lambda: len(told) == 3)[1]
    assert result.stopped
    assert len(result.losses) == len(told) == 3


def planned(folder: Path, **changes: Any) -> plan.Plan:
    asked = Options(
        tasks=(str(write_task(folder / "toy.jsonl")),),
        methods=("lora", "fedlora"),
        ranks=(4,),
        model=str(write_model(folder / "model")),
        results=folder / "results",
        memory=False,
    )
    (made,) = plan.make(replace(asked, **changes))
    return made


@pytest.mark.usefixtures("flwr_is_here")
def test_a_spec_states_clients_and_rounds_and_is_else_that_of_lora(tmp_path: Path) -> None:
    pooled_spec, spec = planned(tmp_path).specs
    assert spec.clients_by == "hash"
    assert spec.clients == 4
    assert 1 <= spec.rounds <= 10
    plain = replace(spec, method="lora", rounds=0, clients=0, clients_by="")
    assert plain == pooled_spec
    assert not {"rounds", "clients", "clients_by"} & pooled_spec.fields().keys(), "ids of other runs stay"
    one_each = planned(tmp_path, clients_by="group", rounds=2).specs[1]
    assert (one_each.clients, one_each.rounds) == (36, 2)


@pytest.mark.usefixtures("flwr_is_here")
@pytest.mark.parametrize(
    ("methods", "order"),
    [
        (("lora",), "in the same order"),
        (("lora", "fedlora"), "in the same order, but fedlora: each client has its own examples and order"),
        (("fedlora",), "each client has its own examples and order"),
    ],
)
def test_what_ends_a_run_says_whose_order_was_the_same(tmp_path: Path, methods: tuple[str, ...], order: str) -> None:
    held = tables.conditions(planned(tmp_path, methods=methods))[0]
    assert held.split(" epochs ")[1].split(" · ")[0] == order


@pytest.mark.usefixtures("flwr_is_here")
def test_more_rounds_than_steps_are_refused(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="500 rounds are more than") as caught:
        planned(tmp_path, rounds=500)
    assert caught.value.where == "--rounds 500"


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Desk:
    without_torch(monkeypatch)
    return Desk(tmp_path, capsys)


@pytest.mark.usefixtures("flwr_is_missing")
def test_without_flower_nothing_starts_and_the_error_says_what_to_install(desk: Desk) -> None:
    assert desk.train("--method", "base,fedlora") == 2
    assert "pip install 'adaptbench[federated]'" in desk.err
    assert not (desk.results / "runs").exists()


@pytest.mark.usefixtures("flwr_is_missing")
def test_every_method_means_every_one_whose_packages_are_here(desk: Desk) -> None:
    flags = ["--task", str(desk.task), "--model", str(desk.model), "--method", "all", "--rank", "2", "--no-memory"]
    assert main(["plan", *flags, "--results", str(desk.results)]) == 0
    said = desk.capsys.readouterr().out
    assert "lora" in said
    assert "fedlora" not in said


def test_the_tables_say_who_the_clients_are(tmp_path: Path) -> None:
    spec = make_spec(method="fedlora", rounds=10, clients=4, clients_by="line")
    lines = notes(spec)
    assert "10 rounds of federated averaging over 4 clients (one for each line)." in lines[0]
    assert "each example equally often" in lines[1]
    assert "assigned by hash" in notes(replace(spec, clients_by="hash"))[0]
    assert notes(make_spec()) == []


def notes(spec: RunSpec) -> list[str]:
    from harness.report.notes import federated as said

    (section,) = sections(cells([(make_record(spec), None)]))
    return said(section)


def test_the_command_that_rebuilds_a_run_names_clients_and_rounds() -> None:
    words = next_command.rebuild(make_spec(method="fedlora", rounds=7, clients=4, clients_by="line"))
    assert words[words.index("--rounds") + 1] == "7"
    assert words[words.index("--clients-by") + 1] == "line"
    assert "--rounds" not in next_command.rebuild(make_spec())
