"""LoRA by federated averaging: clients keep their examples and send their adapters, which a server averages.

FedAvg (McMahan et al. 2017, arXiv:1602.05629) over A and B apart, as FedIT does (Zhang et al. 2023, arXiv:2305.05644).
That averages the wrong thing by a little: mean(B) mean(A) is not mean(B A), which FFA-LoRA (Sun et al. 2024,
arXiv:2403.12313) avoids by freezing A and FLoRA (Wang et al. 2024, arXiv:2409.05976) by stacking the adapters. Clients
start each round from one adapter, so the two differ only by what the clients learned apart within that round.

Rank, alpha, rate and examples seen are LoRA's, so that the two compare. The steps are not: with K clients each takes a
K-th of the pooled run's, side by side, so the averaged adapter has come about as far as so many steps go. See
`harness.training.federated` for the rounds and `harness.clients` for who holds what.
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
