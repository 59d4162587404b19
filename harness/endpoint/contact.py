"""The first contact with a server: whether it answers, needs a key, knows the model, and how it can be asked.

The requests hold no text of a task. Whatever would stop a run is reported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from harness.endpoint import forms, likelihood, settings
from harness.endpoint.client import Client, InvalidReply, Refused, Reply
from harness.endpoint.forms import PATHS, ServerFacts
from harness.endpoint.settings import Api, Endpoint
from harness.errors import HarnessError, did_you_mean

ATTEMPTS = 3  # a server that is down is reported soon
REQUESTS = 12  # sent at most before the first prompt of a task, further attempts aside
TEXT = "The sum of two and two is four."
# In nats: a beginning of a text behind its end is less likely, unless a bias has changed its log-probability.
UNLIKELY = -0.5
TOKENS = 8
VERSIONS = (("/version", "version"), ("/api/version", "version"), ("/props", "build_info"))
NO_MODEL = (400, 404, 422)


def contact(endpoint: Endpoint, *, has_options: bool) -> ServerFacts:
    """Return the facts of a server; those of the cache's date and of the task are not among them.

    Args:
        endpoint: the server.
        has_options: whether the task's answers are options, which are scored by log-likelihood if the server gives
            log-probabilities of given tokens.

    Raises:
        HarnessError: no server, no or a wrong key, an unknown model, no form of request that the server accepts, or no
            log-likelihoods although the endpoint's `options` name them.
    """
    with Client(endpoint, attempts=min(ATTEMPTS, endpoint.attempts)) as client:
        names = _models(client)
        facts = ServerFacts(endpoint.host, endpoint.model, tokens=str(endpoint.tokens or ""))
        facts = replace(facts, version=_version(client))
        if has_options and endpoint.options != "written":
            if endpoint.api != "chat" and (scoring := _scoring(client, facts)):
                return replace(scoring, options="loglik", limit="max_tokens", temperature="0")
            if endpoint.options:
                raise _no_likelihood(endpoint)
        facts = replace(facts, options="written" if has_options else "")
        refusals = []
        for api in (endpoint.api,) if endpoint.api else PATHS:
            try:
                return _generation(client, facts, api)
            except Refused as refusal:
                if refusal.status in (401, 403):
                    raise
                refusals.append(refusal)
        raise _unknown(endpoint, names, refusals[0])


def _models(client: Client) -> list[str]:
    """Return the names of the server's models; none if it has no list.

    Raises:
        HarnessError: no server, or it refuses the key.
    """
    try:
        data = client.get("/models").content.get("data")
    except Refused as refusal:
        if refusal.status in (401, 403):
            raise
        return []
    except HarnessError as error:
        if "status" in error.problem:
            return []  # a server that answers all the same
        raise HarnessError(
            error.problem, where=error.where, fix="check the address, and that a server runs there"
        ) from None
    rows = data if isinstance(data, list) else []
    return [row["id"] for row in rows if isinstance(row, Mapping) and isinstance(row.get("id"), str)]


def _version(client: Client) -> str:
    """Return the version that vLLM, Ollama, llama.cpp and others report; empty without one."""
    for path, name in VERSIONS:
        try:
            version = client.get(path, root=True).content.get(name)
        except Refused:
            continue
        except HarnessError:
            return ""
        if isinstance(version, str):
            return version[:60]
    return ""


def _scoring(client: Client, facts: ServerFacts) -> ServerFacts | None:
    """Return the facts of a server that gives log-probabilities of given tokens, None if it does not."""
    facts = replace(facts, api="completions")
    if reply := _reply(client, PATHS["completions"], likelihood.request(facts, TEXT)):
        named = _with_names(facts, reply)
        if likelihood.has_offsets(reply, TEXT):
            return named
        if likelihood.covers(reply, replace(named, likelihood=likelihood.TOKENS), TEXT):
            return replace(named, likelihood=likelihood.TOKENS)
    asked = replace(facts, likelihood=likelihood.PROMPT)
    if reply := _reply(client, PATHS["completions"], likelihood.request(asked, TEXT)):
        named = _with_names(asked, reply)
        if likelihood.covers(reply, named, TEXT):
            return named
    return _forcing(client, replace(facts, likelihood=likelihood.FORCED))


def _forcing(client: Client, facts: ServerFacts) -> ServerFacts | None:
    """Return the facts of a server whose log-probabilities are those before a bias, as llama.cpp's, else None."""
    if not (reply := _reply(client, likelihood.TOKENIZE, likelihood.tokenization(TEXT), root=True)):
        return None
    try:
        numbers = [int(name) for name in likelihood.names(likelihood.read_numbers(reply))]
        if not (reply := _reply(client, PATHS["completions"], likelihood.forcing(facts, numbers, numbers[0]))):
            return None
        named = _with_names(facts, reply)
        return named if likelihood.read_forced(reply, named, numbers[0]).loglik < UNLIKELY else None
    except InvalidReply:
        return None


def _reply(client: Client, path: str, body: Mapping[str, Any], *, root: bool = False) -> Reply | None:
    """Return a reply in any form, None if the server gives none.

    Raises:
        Refused: the key.
    """
    try:
        return client.post(path, body, lambda reply: reply, root=root)
    except Refused as refusal:
        if refusal.status in (401, 403):
            raise
    except HarnessError:
        pass
    return None


def _no_likelihood(endpoint: Endpoint) -> HarnessError:
    """Return the error for a server without log-probabilities of given tokens."""
    if endpoint.api == "chat":
        problem = "chats have no log-probabilities of given tokens"
        return HarnessError(problem, where="--endpoint-options loglik", fix="leave --endpoint-api out")
    problem = (
        f"{endpoint.host} gives no log-probabilities of given tokens: not by echo, prompt_logprobs or a forced token"
    )
    fix = "--endpoint-options written, or a server that does: vLLM, SGLang, llama.cpp"
    return HarnessError(problem, where="--endpoint-options loglik", fix=fix)


def _generation(client: Client, facts: ServerFacts, api: Api) -> ServerFacts:
    """Return the facts of a server that writes in this form; fields that it refuses are left out or renamed.

    Raises:
        Refused: it does not serve this form.
    """
    facts = replace(facts, api=api)
    variants = [facts, replace(facts, limit="max_completion_tokens")] if api == "chat" else [facts]
    variants += [replace(variant, temperature="") for variant in variants]
    refusals = []
    for variant in variants:
        body: dict[str, Any] = forms.generation(variant, TEXT, TOKENS, stop="", system=forms.SYSTEM)

        def read(reply: Reply, variant: ServerFacts = variant) -> Reply:
            if not forms.reported_model(reply) and not reply.content.get("choices"):
                raise InvalidReply("it has no choices")
            forms.read_text(reply, replace(variant, model=""))
            return reply

        try:
            return _with_names(variant, client.post(PATHS[api], body, read))
        except Refused as refusal:
            refusals.append(refusal)
            if refusal.status != 400 or not any(name in refusal.message for name in ("max_tokens", "temperature")):
                break
    raise refusals[0]


def _with_names(facts: ServerFacts, reply: Reply) -> ServerFacts:
    """Return the facts with the names that a reply reports for model and server."""
    model = forms.reported_model(reply) or facts.model
    requested = facts.model if facts.model != model else ""
    return replace(facts, model=model, requested=requested, server=reply.headers.get("server", "")[:60])


def _unknown(endpoint: Endpoint, names: list[str], refusal: Refused) -> HarnessError:
    """Return the error for a model that the server does not serve, with its names if it lists them."""
    if refusal.status not in NO_MODEL or endpoint.model in names:
        return refusal
    listing = f"it lists {', '.join(names[:8])}" if names else "see the server's documentation"
    fix = did_you_mean(endpoint.model, names) or listing
    problem = f"{endpoint.host} does not serve the model '{endpoint.model}'"
    detail = f"{problem}, or its address is another: {refusal.message}" if refusal.message and not names else problem
    return HarnessError(detail, where=f"--endpoint-model {endpoint.model}", fix=fix)


def require(endpoint: Endpoint | None, challenger: str) -> Endpoint:
    """Return the server of a challenger that asks one.

    Raises:
        HarnessError: none is named.
    """
    if endpoint is None:
        problem = f"the challenger {challenger} asks a server, and none is named"
        fix = f"{settings.EXAMPLE} --endpoint-model NAME"
        raise HarnessError(problem, where=f"--challengers {challenger}", fix=fix)
    return endpoint
