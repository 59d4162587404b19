"""The cards of a machine, read from what `nvidia-smi` prints, and the choice among them."""

from __future__ import annotations

import pytest

from harness.errors import HarnessError
from harness.runs.executors import inventory
from harness.runs.executors.inventory import Card, choose, parsed, visible

TABLE = """0, GPU-aaaa1111, NVIDIA A100-SXM4-40GB, 40960, 40338, Disabled
1, GPU-bbbb2222, NVIDIA A100-SXM4-40GB, 40960, 40338, Enabled
2, GPU-cccc3333, NVIDIA T4, 15360, 9000, [N/A]
"""
LISTING = """GPU 0: NVIDIA A100-SXM4-40GB (UUID: GPU-aaaa1111)
GPU 1: NVIDIA A100-SXM4-40GB (UUID: GPU-bbbb2222)
  MIG 3g.20gb     Device  0: (UUID: MIG-1111)
  MIG 1g.5gb      Device  1: (UUID: MIG-2222)
  MIG 1g.10gb+me  Device  2: (UUID: MIG-3333)
GPU 2: NVIDIA T4 (UUID: GPU-cccc3333)
"""
MACHINE = parsed(TABLE, LISTING)


def ids(cards: tuple[Card, ...]) -> list[str]:
    return [card.id for card in cards]


def test_cards_have_number_id_model_and_memory() -> None:
    assert ids(MACHINE) == ["GPU-aaaa1111", "GPU-bbbb2222", "MIG-1111", "MIG-2222", "MIG-3333", "GPU-cccc3333"]
    assert MACHINE[0] == Card(0, "GPU-aaaa1111", "NVIDIA A100-SXM4-40GB", 40960 * 2**20, 40338 * 2**20)
    assert [card.number for card in MACHINE] == [0, 1, None, None, None, 2]
    assert [card.divided for card in MACHINE] == [False, True, False, False, False, False]


def test_a_slice_has_no_more_memory_than_its_name_says() -> None:
    sizes = [card.memory / 2**30 for card in MACHINE if card.number is None]
    assert sizes == pytest.approx([19.0, 4.75, 9.5])


def test_all_are_the_cards_without_slices_and_the_slices_of_the_others() -> None:
    assert ids(choose(["all"], MACHINE)) == ["GPU-aaaa1111", "MIG-1111", "MIG-2222", "MIG-3333", "GPU-cccc3333"]


def test_cards_are_named_by_number_by_id_or_by_its_beginning() -> None:
    assert ids(choose(["2", "GPU-aaaa1111", "MIG-2"], MACHINE)) == ["GPU-cccc3333", "GPU-aaaa1111", "MIG-2222"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["3"], "there is no card 3: this machine has cards 0, 1, 2 and 3 slices of them"),
        (["GPU-dddd"], "there is no card GPU-dddd"),
        (["2", "2"], "card 2 (NVIDIA T4) is named twice"),
        (["0", "GPU-aaaa"], "card 0 (NVIDIA A100-SXM4-40GB) is named twice"),
        (["MIG-"], "MIG- is the beginning of 3 ids"),
        (["1"], "card 1 (NVIDIA A100-SXM4-40GB) is divided into slices"),
    ],
)
def test_a_name_that_means_no_card_or_one_twice_is_an_error(words: list[str], message: str) -> None:
    with pytest.raises(HarnessError) as error:
        choose(words, MACHINE)
    assert message in error.value.problem
    assert error.value.where == f"--devices {','.join(words)}"
    assert error.value.fix


def test_without_a_card_every_choice_is_an_error() -> None:
    with pytest.raises(HarnessError, match="no CUDA device was found"):
        choose(["all"], ())


@pytest.mark.parametrize(
    ("setting", "seen"),
    [
        ("2,0", [(0, "GPU-cccc3333"), (1, "GPU-aaaa1111")]),
        ("GPU-cc", [(0, "GPU-cccc3333")]),
        ("MIG-3333", [(0, "MIG-3333")]),
        ("0,9,2", [(0, "GPU-aaaa1111")]),  # as CUDA: the list ends there
        ("", []),
        ("-1", []),
    ],
)
def test_numbers_count_the_cards_that_cuda_may_see(setting: str, seen: list[tuple[int, str]]) -> None:
    assert [(card.number, card.id) for card in visible(MACHINE, setting)] == seen


def test_a_machine_without_cuda_has_no_cards_and_asks_no_tool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.environment.cuda_present", lambda: False)
    monkeypatch.setattr(inventory, "_tool", lambda *_: pytest.fail("the tool was called"))
    assert inventory.read() == ()


def test_the_driver_s_tool_is_asked_and_torch_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.environment.cuda_present", lambda: True)
    monkeypatch.setattr(inventory, "_tool", lambda first, *_: LISTING if first == "-L" else TABLE)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2")
    assert ids(inventory.read()) == ["GPU-cccc3333"]
