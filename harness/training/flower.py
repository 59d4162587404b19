"""Federated averaging by Flower (flwr): its FedAvg, its ClientApp and its messages, every client in this process.

Flower's own simulation runtime starts the clients in processes of Ray, where the run's memory, steps and Ctrl-C are out
of sight, and averages replies in the order in which they come in, so that a run would not repeat to the last digit.
Here a `Grid` hands each message to the client app at once, in the order of the clients; the tests hold that the same
clients come to the same weights under that runtime.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from harness.training.federated import Client, Weights

RUN = 1


def serve(everyone: Sequence[Client], rounds: int, weights: Weights) -> Weights:
    """Do `rounds` rounds of Flower's FedAvg over all clients and return the last average; see `federated.serve`."""
    logging.getLogger("flwr").setLevel(logging.ERROR)  # it tells each message
    _identify()
    app = client_app(everyone)
    result = strategy(len(everyone)).start(_grid(app, len(everyone)), packed(weights), num_rounds=rounds)
    return unpacked(result.arrays)


def strategy(clients: int) -> Any:
    """Return FedAvg over every client in every round; it weighs by `num-examples`, and nothing is tested on the way."""
    from flwr.serverapp.strategy import FedAvg

    return FedAvg(fraction_evaluate=0.0, min_train_nodes=clients, min_available_nodes=clients)


def client_app(everyone: Sequence[Client]) -> Any:
    """Return the app of all clients; the node's partition says which of them it is."""
    from flwr.app import Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp

    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator]
    def train(message: Any, context: Any) -> Any:
        number = int(message.content["config"]["server-round"]) - 1
        client = everyone[int(context.node_config["partition-id"])]
        reply = client(number, unpacked(message.content["arrays"]))
        sent = {"arrays": packed(reply.weights), "metrics": MetricRecord({"num-examples": reply.examples})}
        return Message(RecordDict(sent), reply_to=message)

    return app


def _grid(app: Any, clients: int) -> Any:
    """Return a grid whose nodes are the clients 1, 2, …; a message sent is answered at once.

    What a client raises goes through to who asked, and is no message: a run fails, or stops, for that reason.
    """
    from flwr.app import Context, RecordDict
    from flwr.serverapp import Grid

    contexts = {
        node: Context(
            run_id=RUN,
            node_id=node,
            node_config={"partition-id": node - 1, "num-partitions": clients},
            state=RecordDict(),
            run_config={},
        )
        for node in range(1, clients + 1)
    }

    class Here(Grid):  # type: ignore[misc]
        """In this process."""

        def get_node_ids(self) -> list[int]:
            return list(contexts)

        def send_and_receive(self, messages: Any, *, timeout: float | None = None) -> list[Any]:
            ordered = sorted(messages, key=lambda message: message.metadata.dst_node_id)
            return [app(message, contexts[message.metadata.dst_node_id]) for message in ordered]

        def _unused(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError("FedAvg sends and receives in one")

        set_run = create_message = push_messages = pull_messages = _unused
        run = property(_unused)

    return Here()


def packed(weights: Weights) -> Any:
    """Return weights as a Flower record."""
    from flwr.app import Array, ArrayRecord

    return ArrayRecord({name: Array(weight) for name, weight in weights.items()})


def unpacked(record: Any) -> Weights:
    """Return the weights of a Flower record."""
    return {name: array.numpy() for name, array in record.items()}


def _identify() -> None:
    """Say who sends: outside Flower's own runtimes nobody has, and messages of newer versions ask."""
    with contextlib.suppress(ImportError):
        from flwr.supercore.task_identity import TaskIdentity

        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = RUN, RUN, RUN
