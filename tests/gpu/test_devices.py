"""`--devices` on a machine with CUDA: runs that share its cards leave the answers of runs one by one, and name their card."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from harness.runs.executors import inventory
from harness.store import records

ROOT = Path(__file__).resolve().parents[2]
GRID = (
    "--task cfa --method base,lora,qlora --rank 8 --challengers none --train-examples 64 --test-examples 60 --no-report"
)

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module", autouse=True)
def cuda() -> None:
    torch = pytest.importorskip("torch")
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")


def made(results: Path, *words: str) -> dict[str, records.Run]:
    command = [sys.executable, "run_all.py", *GRID.split(), *words, "--results", str(results)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    return {run.record.spec.id: run for run in records.read_all(results, "cfa")}


def test_runs_on_named_cards_leave_the_answers_of_runs_one_by_one(tmp_path: Path) -> None:
    on_cards, plain = made(tmp_path / "cards", "--devices", "all"), made(tmp_path / "plain", "--jobs", "1")
    assert on_cards.keys() == plain.keys()
    cards = {card.id: card.model for card in inventory.read()}
    for name, run in on_cards.items():
        placement = run.record.placement
        assert placement
        assert cards[placement.card] == placement.model
        assert run.answers() == plain[name].answers()
        assert run.record.final_loss == plain[name].record.final_loss
