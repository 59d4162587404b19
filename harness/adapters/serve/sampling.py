"""The choice of next tokens: the likeliest, or drawn by temperature, for each row by its own request and seed.

A draw is one uniform number of the row's own generator, looked up in the cumulative probabilities, the likeliest token
first. So an answer with a seed does not depend on the other rows of its batch.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

import torch

from harness.adapters.serve.generation import GenerationRequest, TokenLogprob


def choose(
    requests: Sequence[GenerationRequest], draws: Sequence[random.Random], logits: torch.Tensor
) -> list[TokenLogprob | None]:
    """Return the next token of each row, None for a row whose logits are no numbers.

    Args:
        requests: the request of each row.
        draws: the random numbers of each row.
        logits: [rows, vocabulary].
    """
    logits = logits.float()
    likeliest = logits.argmax(-1)
    totals = logits.logsumexp(-1)
    tokens, sound = likeliest.tolist(), torch.isfinite(totals).tolist()
    for line, request in enumerate(requests):
        if request.temperature > 0 and sound[line]:
            tokens[line] = draw(request, draws[line], logits[line])
    values = logits.gather(-1, torch.tensor(tokens, device=logits.device)[:, None])[:, 0]
    logprobs = (values - totals).tolist()
    return [
        TokenLogprob(tokens[line], logprobs[line], _alternatives(request, logits[line], totals[line]))
        if sound[line]
        else None
        for line, request in enumerate(requests)
    ]


def draw(request: GenerationRequest, numbers: random.Random, logits: torch.Tensor) -> int:
    """Return a token drawn from logits [vocabulary] by the request's temperature and limits."""
    scaled = (logits.double() - logits.max()) / request.temperature
    probabilities, tokens = scaled.softmax(-1).sort(descending=True, stable=True)
    count = min(request.top_k or len(tokens), len(tokens))
    below = probabilities.cumsum(-1) - probabilities  # of the likelier tokens together
    allowed = (below < request.top_p) & (probabilities >= request.min_p * probabilities[0])
    allowed[count:] = False
    allowed[0] = True
    sums = (probabilities * allowed).cumsum(-1)
    index = torch.searchsorted(sums, sums[-1] * numbers.random(), right=True)
    return int(tokens[min(int(index), int(allowed.nonzero()[-1]))])


def _alternatives(
    request: GenerationRequest, logits: torch.Tensor, total: torch.Tensor
) -> tuple[tuple[int, float], ...]:
    if not request.logprobs:
        return ()
    best = logits.topk(min(request.logprobs, len(logits)))
    return tuple(zip(best.indices.tolist(), (best.values - total).tolist(), strict=True))
