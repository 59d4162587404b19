"""The row of a model behind an address: against the project's own server, with and without faults between them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from harness.challengers.parts import answers
from harness.data import registry
from harness.endpoint import settings
from harness.endpoint.connection import Connection, Settings
from harness.endpoint.contact import contact
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError
from harness.metrics.text import named_option
from harness.record import Answer
from harness.runs import plan, worker
from harness.runs.server import Transfer
from harness.store import records
from harness.verify.checks.answers import challengers as checks
from harness.verify.run import verify
from tests.challengers.test_runs import Ear, planned
from tests.support.http_server import FAULTS, Response, chat, faulty_proxy, refusal
from tests.support.http_server import serving as replying
from tests.support.scoring_servers import FORMS, Tokens, scoring_server
from tests.support.tiny_models import toy_examples, toy_model, toy_task

if TYPE_CHECKING:
    from tests.support.http_client import Bench, Client

TOKENS = 8


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    from tests.support.http_client import make

    return make(tmp_path_factory.mktemp("served"))


@pytest.fixture(scope="module")
def client(bench: Bench) -> Iterator[Client]:
    """A running server over the toy model."""
    from harness.adapters.serve.model import SharedBase
    from tests.support.http_client import serving

    base = SharedBase(bench.model, bench.spec("lora"), registry.method("lora"))
    with serving(bench, base) as connected:
        yield connected


def local(bench: Bench, count: int) -> list[Answer]:
    """The base model's own answers in writing, as a run of the harness gives them."""
    from harness.model import answer
    from harness.model.loading import load_tokenizer

    spec = replace(bench.spec("base", rank=0, alpha=0.0), scoring="generate", max_new_tokens=TOKENS)
    model = registry.method("base").load(str(bench.model), spec)
    return answer.answer(model, load_tokenizer(bench.model), toy_examples(count), toy_task("generate"), spec)


def behind(url: str, folder: Path, count: int, **changes: Any) -> tuple[list[Answer], Connection]:
    """The answers of the model behind an address."""
    endpoint = replace(Endpoint(url, "toy", "completions", pause=0.01), **changes)
    facts = contact(endpoint, has_options=False)
    challenger, task = registry.challenger("endpoint"), toy_task("generate")
    with Connection(Settings(endpoint, facts, TOKENS, folder)) as connection:
        fitted = answers.fit(challenger, task, [], 0, respondent=connection)
        return answers.answer(challenger, fitted, toy_examples(count), task), connection


def test_the_texts_of_our_own_server_are_those_of_the_base_row(bench: Bench, client: Client, tmp_path: Path) -> None:
    given, connection = behind(f"http://127.0.0.1:{client.server.port}/v1", tmp_path, 24)
    assert [(a.id, a.text, a.parsed) for a in given] == [(a.id, a.text, a.parsed) for a in local(bench, 24)]
    assert connection.facts.model == bench.base.name
    assert connection.usage().uncounted == 0


@pytest.mark.parametrize(
    ("count", "every", "kinds"),
    [
        (120, 4, tuple(kind for kind in FAULTS if kind != "slow")),
        pytest.param(1000, 20, FAULTS, marks=pytest.mark.slow),
    ],
)
def test_no_fault_between_client_and_server_changes_an_answer(
    count: int, every: int, kinds: tuple[str, ...], bench: Bench, client: Client, tmp_path: Path
) -> None:
    with faulty_proxy(client.server.port, every, kinds) as (url, _, sent):
        given, connection = behind(url, tmp_path, count, seconds=10, attempts=12)
    assert [(a.id, a.text, a.parsed) for a in given] == [(a.id, a.text, a.parsed) for a in local(bench, count)]
    assert set(sent) == set(kinds)
    assert len(sent) >= count // every
    assert connection.usage().retries >= len(sent) - 2  # one or two may have met the first contact
    assert not any("error text" in answer.text for answer in given)


def toy_server(bench: Bench, form: str) -> Callable[[str, Any], Response]:
    """Serve the toy model with log-probabilities of given tokens, in the form of a kind of server."""
    import torch

    from harness.model.loading import load_tokenizer

    model, tokenizer, lock = toy_model(), load_tokenizer(bench.model), threading.Lock()

    def encode(text: str) -> Tokens:
        with lock:
            encoded = tokenizer(text, return_offsets_mapping=True, add_special_tokens=False)
        spans = encoded["offset_mapping"]
        return Tokens(encoded["input_ids"], [text[start:end] for start, end in spans], [start for start, _ in spans])

    def score(numbers: Sequence[int]) -> list[float]:
        with lock, torch.inference_mode():
            ids = torch.tensor([list(numbers)])
            logprobs = torch.log_softmax(model(input_ids=ids).logits[0, :-1].float(), -1)
        values: list[float] = logprobs.gather(1, ids[0, 1:, None])[:, 0].tolist()
        return values

    return scoring_server(form, encode, score)


@pytest.mark.parametrize("form", FORMS)
def test_a_server_that_scores_given_tokens_gives_the_log_likelihoods_of_the_base_row(
    form: str, bench: Bench, tmp_path: Path
) -> None:
    from harness.model import answer
    from harness.model.loading import load_tokenizer

    task, examples = toy_task("choices"), toy_examples(12)
    spec = bench.spec("base", rank=0, alpha=0.0)
    model = registry.method("base").load(str(bench.model), spec)
    base = answer.answer(model, load_tokenizer(bench.model), examples, task, spec)
    with replying(toy_server(bench, form)) as (url, _):
        endpoint = Endpoint(url, "toy", pause=0.01)
        facts = contact(endpoint, has_options=True)
        assert (facts.options, facts.api) == ("loglik", "completions")
        with Connection(Settings(endpoint, facts, TOKENS, tmp_path)) as connection:
            fitted = answers.fit(registry.challenger("endpoint"), task, [], 0, respondent=connection)
            scores = registry.challenger("endpoint").answer(fitted, examples)
            given = answers.answer(registry.challenger("endpoint"), fitted, examples, task)
    for own, score in zip(base, scores, strict=True):
        assert score == pytest.approx(own.loglik, abs=1e-3)
    assert [a.text for a in given] == [a.text for a in base]


def test_our_own_server_refuses_to_echo_so_options_are_named_in_writing(client: Client) -> None:
    url = f"http://127.0.0.1:{client.server.port}/v1"
    assert contact(Endpoint(url, "toy", "completions", pause=0.01), has_options=True).options == "written"
    with pytest.raises(HarnessError, match="gives no log-probabilities of given tokens"):
        contact(Endpoint(url, "toy", options="loglik", pause=0.01), has_options=True)


def gold_server(path: str, body: Any) -> Response:
    """Repeat the option that the question names, if a chat shows it."""
    if body is None or "messages" not in body:
        return refusal(404, "no such path")
    text = body["messages"][-1]["content"]
    options = [line.removeprefix("- ") for line in text.splitlines() if line.startswith("- ")]
    return chat(f"**{next((o for o in options if f'says {o}?' in text), 'I do not know')}**.")


def run_of(folder: Path, url: str, **changes: Any) -> tuple[records.Run, plan.Plan]:
    """Plan and do the run of the challenger."""
    made = planned(folder, "endpoint", endpoint=url, endpoint_model="m", **changes)
    (job,) = [job for job in made.jobs() if job.spec.challenger]
    worker.run(job, Ear())
    return records.Run(job.folder, records.read_record(job.folder)), made


def test_a_run_leaves_a_record_that_names_the_server_and_verifies(tmp_path: Path) -> None:
    with replying(gold_server) as (url, _):
        run, made = run_of(tmp_path, url, endpoint_price=(1.0, 2.0))
        assert planned(tmp_path, "endpoint", endpoint=url, endpoint_model="m").done == {run.record.spec.id}
    record, facts = run.record, dict(fact.split("=", 1) for fact in run.record.spec.server)
    assert (record.status, record.reason) == ("ok", "")
    assert (facts["host"], facts["model"], facts["api"], facts["options"]) == (url[7:-3], "m", "chat", "written")
    assert set(facts) >= {"date", "server"}
    assert {answer.parsed == answer.target for answer in run.answers()} == {True}
    assert record.usage is not None
    assert record.usage.usd == pytest.approx(record.spec.test_examples * (10 * 1.0 + 2 * 2.0) / 1e6)
    task = made.source.task()
    splits = made.source.splits(task)
    found = [*verify(run.folder, task, examples=splits.test), *checks.task_checks(task, [run], splits)]
    assert [(check.name, check.detail) for check in found if not check.ok] == []


def test_answers_made_up_for_another_row_are_reported(tmp_path: Path) -> None:
    with replying(gold_server) as (url, _):
        run, made = run_of(tmp_path, url)
    task, (first, *others) = made.source.task(), run.answers()
    records.write_answers(run.folder, [replace(first, parsed="it falls a little"), *others])
    bad = [check.name for check in verify(run.folder, task) if not check.ok]
    assert "parsed answers are reproducible" in bad
    for spec in (replace(run.record.spec, server=()), replace(run.record.spec, method="words")):
        folder = records.run_dir(tmp_path / "changed", spec)
        records.prepare(folder)
        records.write_answers(folder, run.answers())
        records.write_record(folder, replace(run.record, spec=spec))
        assert "settings fit the method" in [check.name for check in verify(folder, task) if not check.ok]


def test_a_server_that_fails_makes_a_failed_run_which_goes_on_later(tmp_path: Path) -> None:
    def breaks(path: str, body: Any) -> Response:
        return gold_server(path, body) if len(seen.posts) < 5 else refusal(400, "out of credit")

    with replying(breaks) as (url, seen):
        run, _ = run_of(tmp_path, url)
        assert run.record.status == "failed"
        assert "out of credit" in run.record.reason
        assert run.record.scores == {}


def test_what_leaves_the_machine_is_announced_before_the_first_request(tmp_path: Path) -> None:
    heard: list[tuple[Transfer, int]] = []
    options = planned(tmp_path).options
    with replying(gold_server) as (url, seen):
        asking = replace(options, challengers=("endpoint",), endpoint=url, endpoint_model="m")
        plan.make(asking, announce=lambda transfer: heard.append((transfer, len(seen.requests))))
    ((transfer, before),) = heard
    assert before == 0
    assert (transfer.host, transfer.model, transfer.task) == (url[7:-3], "m", "toy")
    assert transfer.prompts == 3 * transfer.questions > 0


def test_it_is_never_asked_by_default_and_needs_an_address(tmp_path: Path) -> None:
    assert "endpoint" not in [spec.method for spec in planned(tmp_path).specs]
    with pytest.raises(HarnessError, match="none is named"):
        planned(tmp_path, "endpoint")


def test_neither_key_nor_query_nor_path_is_in_any_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.KEY, "sk-1234567890abcdef")
    with replying(gold_server) as (url, seen):
        run, _ = run_of(tmp_path, f"{url}/hidden-path?api-version=hidden-query")
    assert seen.requests[-1][2]["Authorization"] == "Bearer sk-1234567890abcdef"
    assert run.record.status == "ok"
    for path in (tmp_path / "results").rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            assert not [word for word in (b"sk-1234567890", b"hidden-path", b"hidden-query") if word in content], path


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("it rises", "it rises"),
        ("**It rises**.", "it rises"),
        ("Answer: it rises", "it rises"),
        ("- it rises", "it rises"),
        ("“it rises”", "it rises"),
        ("Let me think.\nIt does not fall.\nThe answer is: it rises", "it rises"),
        ("I think that it rises", None),
        ("it rises or it falls", None),
        ("it rises a little", None),
        ("", None),
        ("it falls\nit rises", "it falls"),
    ],
)
def test_a_reply_names_an_option_word_for_word_or_not_at_all(text: str, option: str | None) -> None:
    assert named_option(text, ("it rises", "it falls", "A", "5 %")) == option


def test_options_that_differ_in_what_does_not_count_are_named_by_none() -> None:
    assert named_option("yes", ("Yes", "yes.")) is None


def test_a_model_that_echoes_gets_the_rule_of_the_headline_metric() -> None:
    from harness import metrics
    from tests.contract.test_every_challenger import Reader

    task = replace(toy_task("choices"), metrics=(metrics.options.ACC_NORM,))
    challenger = registry.challenger("endpoint")

    class Even(Reader):
        def score(self, pairs: Any) -> list[float]:
            return [-12.0] * len(pairs)

    fitted = answers.fit(challenger, task, [], 0, respondent=Even())
    (answer,) = answers.answer(challenger, fitted, toy_examples(1), task)
    assert answer.text == max(answer.choices, key=len)
