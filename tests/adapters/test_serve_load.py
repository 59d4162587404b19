"""Many connections to mixed adapters, a tenth of whose clients leave early: no answer is lost, none is another's."""

from __future__ import annotations

import asyncio

from harness.adapters.serve.model import SharedBase
from tests.support import load
from tests.support.http_client import EXAMPLES, TASK, Bench, eventually, serving

MODELS = ("toy", "toy-lora-r4-s0", "toy-lora-r4-s1", "toy-rslora-r2-s0")


def test_under_load_with_clients_that_leave_no_answer_is_lost_and_none_is_wrong(bench: Bench, base: SharedBase) -> None:
    prompts = [TASK.prompt(example) for example in EXAMPLES]
    with serving(bench, base, max_batch=8, max_adapters=2) as client:
        port = client.server.port
        answers = asyncio.run(load.alone(port, MODELS, prompts, 8))
        assert len(set(answers.values())) > len(MODELS)
        work = load.jobs(answers, 240, leavers=0.1, seed=0, max_tokens=8)
        found = asyncio.run(load.run(port, work, 16, answers))
        assert (found.wrong, found.lost) == ([], [])
        assert found.right + found.left == 240
        assert found.right >= 216
        eventually(lambda: client.engine.state().waiting == client.engine.state().running == 0)
