"""LoRA by federated averaging: clients do not share their examples and send their adapters, which a server averages.

FedAvg (McMahan et al. 2017, arXiv:1602.05629) averages A and B separately, as FedIT does (Zhang et al. 2023,
arXiv:2305.05644). This is not exact: mean(B) mean(A) is not mean(B A). FFA-LoRA (Sun et al. 2024, arXiv:2403.12313) avoids
the error by freezing A, and FLoRA (Wang et al. 2024, arXiv:2409.05976) by stacking the adapters. All clients start a round
from one adapter, so the error comes only from the clients' differences within a round.

Rank, alpha, rate and number of examples are LoRA's, so that the two compare. The steps are not: with K clients each takes a
K-th of the pooled run's steps, in parallel, so the averaged adapter is about as far as one client's steps lead. See
`harness.training.federated` for the rounds and `harness.training.clients` for the clients.
"""

from __future__ import annotations

import dataclasses

from harness.methods import lora

METHOD = dataclasses.replace(
    lora.METHOD,
    name="fedlora",
    title="LoRA, averaged over clients by rounds",
    requires=("peft", "flwr"),
    rounds=10,
)
