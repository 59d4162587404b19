"""Federated averaging by Flower (flwr): its FedAvg, its ClientApp and its messages, with every client in this process.

Flower's own simulation runtime starts the clients in Ray processes. The run could not see their memory and steps or stop
them by Ctrl-C. Ray also averages replies in the order of their arrival, so that a run would not repeat to the last digit.
This module's `Grid` passes each message to the client app at once, in the order of the clients. The tests show that the
same clients reach the same weights under Flower's runtime.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Sequence
from typing import Any

from harness.training.federated import Client, Weights

RUN = 1


def serve(clients: Sequence[Client], rounds: int, weights: Weights) -> Weights:
    """Return the average after `rounds` rounds of Flower's FedAvg over all clients; see `federated.serve`."""
    logging.getLogger("flwr").setLevel(logging.ERROR)  # it logs each message
    _identify()
    app = client_app(clients)
    result = strategy(len(clients)).start(_grid(app, len(clients)), to_record(weights), num_rounds=rounds)
    return from_record(result.arrays)


def strategy(clients: int) -> Any:
    """Return FedAvg over every client in every round, weighted by `num-examples`, without tests between rounds."""
    from flwr.serverapp.strategy import FedAvg

    return FedAvg(fraction_evaluate=0.0, min_train_nodes=clients, min_available_nodes=clients)


def client_app(clients: Sequence[Client]) -> Any:
    """Return the app of all clients; the node's partition is the client's index."""
    from flwr.app import Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp

    app = ClientApp()

    @app.train()  # type: ignore[untyped-decorator]
    def train(message: Any, context: Any) -> Any:
        number = int(message.content["config"]["server-round"]) - 1
        client = clients[int(context.node_config["partition-id"])]
        reply = client(number, from_record(message.content["arrays"]))
        content = {"arrays": to_record(reply.weights), "metrics": MetricRecord({"num-examples": reply.examples})}
        return Message(RecordDict(content), reply_to=message)

    return app


def _grid(app: Any, clients: int) -> Any:
    """Return a grid whose nodes are the clients 1, 2, …; each message is answered at once.

    A client's exception is passed on to the caller, not sent as a message: the run fails or stops for that reason.
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

    class LocalGrid(Grid):  # type: ignore[misc]
        """A grid in this process."""

        def get_node_ids(self) -> list[int]:
            return list(contexts)

        def send_and_receive(self, messages: Any, *, timeout: float | None = None) -> list[Any]:
            ordered = sorted(messages, key=lambda message: message.metadata.dst_node_id)
            return [app(message, contexts[message.metadata.dst_node_id]) for message in ordered]

        def _unused(self, *_: Any, **__: Any) -> Any:
            raise NotImplementedError("FedAvg sends and receives in one call")

        set_run = create_message = push_messages = pull_messages = _unused
        run = property(_unused)

    return LocalGrid()


def to_record(weights: Weights) -> Any:
    """Return weights as a Flower record."""
    from flwr.app import Array, ArrayRecord

    return ArrayRecord({name: Array(weight) for name, weight in weights.items()})


def from_record(record: Any) -> Weights:
    """Return the weights of a Flower record."""
    return {name: array.numpy() for name, array in record.items()}


def _identify() -> None:
    """Set the sender's identity: messages of newer versions need it, and only Flower's own runtimes set it."""
    with contextlib.suppress(ImportError):
        from flwr.supercore.task_identity import TaskIdentity

        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = RUN, RUN, RUN
