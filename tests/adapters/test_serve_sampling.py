"""Draws by temperature and seed, several answers to a prompt, and log-likelihoods of tokens, whole and in a stream."""

from __future__ import annotations

import math
import random
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import torch

from harness.adapters.serve.generation import GenerationRequest, TokenLogprob
from harness.adapters.serve.model import SharedBase
from harness.adapters.serve.sampling import draw
from harness.adapters.serve.token_texts import TokenReader, token_bytes
from harness.store import records
from tests.support.http_client import EXAMPLES, TASK, Bench, Client, Stream

PROMPT = TASK.prompt(EXAMPLES[0])
CHAT = "/v1/chat/completions"
ADAPTER = "toy-lora-r4-s0"
LOGITS = torch.tensor([1.0, 3.0, 2.0, -1.0, 2.5])


def texts(found: dict[str, Any]) -> list[str]:
    return [choice["text"] for choice in found["choices"]]


def shares(count: int = 4000, **settings: Any) -> dict[int, float]:
    request, numbers = GenerationRequest((1,), **settings), random.Random(0)
    drawn = Counter(draw(request, numbers, LOGITS) for _ in range(count))
    return {token: number / count for token, number in drawn.items()}


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_tokens_are_drawn_with_the_probabilities_of_the_temperature(temperature: float) -> None:
    expected = (LOGITS / temperature).softmax(-1)
    for token, share in shares(temperature=temperature).items():
        assert share == pytest.approx(float(expected[token]), abs=0.03)


@pytest.mark.parametrize(
    ("settings", "tokens"),
    [
        ({"top_p": 0.5}, {1, 4}),
        ({"top_p": 1e-9}, {1}),
        ({"top_k": 3}, {1, 4, 2}),
        ({"top_k": 99}, {0, 1, 2, 3, 4}),
        ({"min_p": 0.3}, {1, 4, 2}),
        ({"top_k": 3, "top_p": 0.5}, {1, 4}),
    ],
)
def test_unlikely_tokens_are_not_drawn_if_they_are_cut_off(settings: dict[str, Any], tokens: set[int]) -> None:
    assert shares(temperature=1.0, **settings).keys() == tokens


def test_a_seed_gives_the_same_answer_alone_and_beside_others(client: Client) -> None:
    asked = {"temperature": 1.0, "max_tokens": 20, "stop": None}
    alone = {seed: texts(client.complete(ADAPTER, PROMPT, seed=seed, **asked)) for seed in range(6)}
    assert len({text for (text,) in alone.values()}) > 3
    with ThreadPoolExecutor(8) as pool:
        jobs = [(seed, pool.submit(client.complete, ADAPTER, PROMPT, seed=seed, **asked)) for seed in [*range(6)] * 3]
        others = [pool.submit(client.complete, "toy", PROMPT, **asked) for _ in range(6)]
        assert all(texts(job.result()) == alone[seed] for seed, job in jobs)
        assert len({texts(other.result())[0] for other in others}) > 1, "without a seed answers differ"


def test_several_answers_to_a_prompt_stand_side_by_side_and_each_has_a_seed_of_its_own(client: Client) -> None:
    other = TASK.prompt(EXAMPLES[1])
    asked: dict[str, Any] = {"temperature": 0.8, "seed": 5, "max_tokens": 12, "stop": None}
    found = client.complete(ADAPTER, [PROMPT, other], n=3, **asked)
    assert [choice["index"] for choice in found["choices"]] == list(range(6))
    assert len(set(texts(found)[:3])) > 1
    for number, prompt in enumerate((PROMPT, other)):
        own = [client.complete(ADAPTER, prompt, **(asked | {"seed": 5 + choice})) for choice in range(3)]
        assert [texts(one)[0] for one in own] == texts(found)[3 * number : 3 * number + 3]
    single = [client.complete(ADAPTER, prompt, max_tokens=1)["usage"]["prompt_tokens"] for prompt in (PROMPT, other)]
    assert found["usage"]["prompt_tokens"] == sum(single)
    greedy = client.complete(ADAPTER, PROMPT, n=2, best_of=2)
    assert len(set(texts(greedy))) == 1
    streamed: dict[int, str] = {}
    for part in Stream(client, prompt=[PROMPT, other], n=3, **asked):
        choice = part["choices"][0]
        streamed[choice["index"]] = streamed.get(choice["index"], "") + choice["text"]
    assert [streamed[index] for index in range(6)] == texts(found)


def test_every_choice_of_a_streamed_chat_begins_with_the_role(client: Client) -> None:
    messages = [{"role": "developer", "content": "Be brief."}, {"role": "user", "content": PROMPT}]
    deltas: dict[int, list[dict[str, str]]] = {0: [], 1: []}
    for part in Stream(client, CHAT, prompt=None, messages=messages, n=2, temperature=1, seed=1):
        deltas[part["choices"][0]["index"]].append(part["choices"][0]["delta"])
    for parts in deltas.values():
        assert parts[0] == {"role": "assistant", "content": ""}
        assert all("role" not in part for part in parts[1:])


def test_log_likelihoods_are_those_of_the_model_whatever_the_temperature(
    client: Client, bench: Bench, base: SharedBase
) -> None:
    asked: dict[str, Any] = {"temperature": 1.5, "seed": 3, "max_tokens": 10, "stop": None, "logprobs": 2}
    choice = client.complete(ADAPTER, PROMPT, **asked)["choices"][0]
    found = choice["logprobs"]
    ids = base.tokenizer(PROMPT)["input_ids"]
    answer = base.tokenizer(choice["text"])["input_ids"]
    layers = base.read(bench.run("lora").folder / records.ADAPTER)
    with base.computing():
        base.assign([layers])
        nats = base.model(torch.tensor([ids + answer])).logits[0].float().log_softmax(-1)
    tokens = [base.tokenizer.decode([token]) for token in answer]
    if found["tokens"] == tokens:  # a text may have other tokens than those that were drawn
        expected = [float(nats[len(ids) - 1 + place, token]) for place, token in enumerate(answer)]
        assert found["token_logprobs"] == pytest.approx(expected, abs=1e-4)
    assert found["token_logprobs"][0] == pytest.approx(
        max(float(nats[len(ids) - 1, t]) for t in range(300) if base.tokenizer.decode([t]) == found["tokens"][0]),
        abs=1e-4,
    )
    assert len(found["tokens"]) == len(found["top_logprobs"]) == 10
    for token, logprob, top in zip(found["tokens"], found["token_logprobs"], found["top_logprobs"], strict=True):
        assert top[token] == logprob
        assert 1 <= len(top) <= 3
        assert all(value <= 0 for value in top.values())
    best = sorted(found["top_logprobs"][0].values())[-2:]
    assert best == pytest.approx(nats[len(ids) - 1].topk(2).values.flip(0).tolist(), abs=1e-4)


def test_a_chat_reports_tokens_with_their_bytes_and_alternatives(client: Client) -> None:
    asked = {"model": ADAPTER, "messages": [{"role": "user", "content": PROMPT}], "max_tokens": 12}
    plain = client.ask("POST", CHAT, asked)[1]["choices"][0]
    assert plain["logprobs"] is None
    choice = client.ask("POST", CHAT, asked | {"logprobs": True, "top_logprobs": 3})[1]["choices"][0]
    assert choice["message"] == plain["message"]
    content = choice["logprobs"]["content"]
    for token in content:
        assert len(token["top_logprobs"]) == 3
        assert token["top_logprobs"][0]["logprob"] == token["logprob"], "a greedy token is the likeliest"
    data = b"".join(bytes(token["bytes"]) for token in content)
    assert data.decode("utf-8", "replace").removesuffix("<end>") == choice["message"]["content"]
    assert math.isfinite(sum(token["logprob"] for token in content))


def test_a_token_that_is_a_part_of_a_character_has_its_bytes(base: SharedBase) -> None:
    tokens = base.tokenizer("a\u00e9 \u4e16b")["input_ids"]
    texts = TokenReader(base.tokenizer).read([TokenLogprob(token, 0.0) for token in tokens])
    assert b"".join(text.data or b"" for text in texts).decode() == "a\u00e9 \u4e16b"
    assert [text.text for text in texts if text.text.startswith("bytes:")][:2] == ["bytes:\\xc3", "bytes:\\xa9"]
    assert token_bytes("<0xE4>") == b"\xe4"
    assert token_bytes("\u2581the") is None


@pytest.mark.parametrize("path", ["/v1/completions", CHAT])
def test_the_log_likelihoods_of_a_stream_joined_are_those_of_the_whole_answer(client: Client, path: str) -> None:
    asked: dict[str, Any] = {"model": ADAPTER, "max_tokens": 20, "stop": ["zz", "\n"]}
    if path == CHAT:
        asked |= {"messages": [{"role": "user", "content": PROMPT}], "logprobs": True, "top_logprobs": 1}
    else:
        asked |= {"prompt": PROMPT, "logprobs": 1}
    _, whole, _ = client.ask("POST", path, asked)
    parts = [part["choices"][0]["logprobs"] for part in Stream(client, path, **({"prompt": None} | asked))]
    merged: dict[str, list[Any]] = {}
    for logprobs in parts:
        for name, values in (logprobs or {}).items():
            merged.setdefault(name, []).extend(values or [])
    assert merged == {name: values or [] for name, values in whole["choices"][0]["logprobs"].items()}
