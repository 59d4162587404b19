"""The server of a challenger: an announcement of what will be sent there, and the facts that its row names."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from harness.runs.inputs import Inputs
from harness.runs.options import Options
from harness.schema import Challenger


@dataclass(frozen=True)
class Transfer:
    """The texts that leave this machine for a row of a server's model, at most.

    `test_requests` hold a fixed sentence. `prompts` hold questions, contexts and options of the task's test split.
    """

    host: str
    model: str
    task: str
    questions: int
    prompts: int
    test_requests: int


Announce = Callable[[Transfer], None]


def no_announcement(transfer: Transfer) -> None:
    """Say nothing: nobody reads it."""


def facts(
    challengers: Sequence[Challenger], inputs: Inputs, options: Options, announce: Announce = no_announcement
) -> tuple[str, ...]:
    """Return the facts of the server that one of these challengers asks, for its spec; none if none does.

    Raises:
        HarnessError: no server is named, or it is not there, refuses the key or does not serve the model.
    """
    names = [challenger.name for challenger in challengers if challenger.remote]
    if not names:
        return ()
    from harness.endpoint import cache, settings
    from harness.endpoint.contact import REQUESTS, contact, require

    endpoint = require(options.server, names[0])
    settings.key(endpoint)
    test, has_options = inputs.splits.test, inputs.task.scoring == "choices"
    prompts = sum(len(example.choices) for example in test) if has_options else len(test)
    announce(Transfer(endpoint.host, endpoint.model, inputs.task.name, len(test), prompts, REQUESTS))
    reported = contact(endpoint, has_options=has_options)
    today = datetime.now(UTC).date().isoformat()
    dated = cache.with_date(reported, cache.path(options.results, endpoint, reported), today)
    return dated.settings()
