"""The worker's part in training: the loop of the method, with logged steps, checkpoints and the choice of weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from harness.errors import HarnessError
from harness.model import meter as memory
from harness.record import Phase, RunSpec
from harness.runs import checkpoints, inputs
from harness.runs.inputs import Inputs
from harness.runs.job import Interruption, Job, PhaseName
from harness.runs.run_state import RunState
from harness.schema import Method
from harness.store import records
from harness.training import clients

if TYPE_CHECKING:
    from harness.training.loop import FitResult, Step
    from harness.training.selection import Selector
    from harness.training.shard import Shards

VALIDATION_EXAMPLES = 200  # at most, for the choice of weights


class Line(Protocol):
    """The line to the program that started the run."""

    def tell(self, phase: PhaseName, done: int = 0, total: int = 0, loss: float | None = None) -> None:
        """Report the progress of a phase."""

    def say(self, text: str) -> None:
        """Pass a sentence on to the user."""

    def should_stop(self) -> bool:
        """Whether the run was asked to stop."""


def train(
    job: Job,
    data: Inputs,
    model: Any,
    tokenizer: Any,
    method: Method,
    state: RunState,
    line: Line,
    shards: Shards | None = None,
) -> tuple[FitResult, Phase]:
    """Return the result of training and its cost; the rest is noted in `state`.

    Raises:
        Interruption: the run was asked to stop.
        HarnessError: as the loop.
    """
    spec = job.spec
    state.keeper = checkpoints.of_run(job, method, state.start, line.say, _keeper(shards))
    with memory.phase(spec.device) as meter, records.open_steps(job.folder) as steps:
        pairs = inputs.encode_train(data, spec, tokenizer)
        state.cut_examples += sum(pair.cut_tokens > 0 for pair in pairs)
        selector = _selector(data, spec, tokenizer)

        def on_step(step: Step) -> None:
            records.append_step(steps, asdict(step))
            line.tell("train", step.step, step.steps, step.loss)

        fit = _loop(spec, method, data.splits.train, selector, shards)(
            model,
            tokenizer,
            pairs,
            spec,
            on_step=on_step,
            should_stop=line.should_stop,
            meter=meter,
            rate_factor=method.rate_factor,
            keeper=state.keeper,
        )
    if meter.result is None:
        raise RuntimeError("the phase was read before it ended")
    state.final_loss = fit.losses[-1]
    if fit.stopped:
        raise Interruption
    state.selection = selector.result() if selector else None
    return fit, meter.result


def _keeper(shards: Shards | None) -> Callable[..., checkpoints.RunKeeper]:
    """Return what makes the keeper of the state: of one process, or of all that share the model."""
    if shards is None:
        return checkpoints.RunKeeper
    from harness.runs.shards.checkpoints import ShardKeeper

    return partial(ShardKeeper, shards=shards)


def _selector(data: Inputs, spec: RunSpec, tokenizer: Any) -> Selector | None:
    """Return what measures the validation loss, None if the weights of the last step are tested.

    Raises:
        HarnessError: the task has no validation examples.
    """
    if not spec.validations:
        return None
    from harness.training.selection import Selector

    examples = data.splits.validation[:VALIDATION_EXAMPLES]
    if not examples:
        problem = "the weights with the lowest validation loss are to be tested, and there are no validation examples"
        raise HarnessError(problem, where=f"task {spec.task}", fix="leave --keep-best out")
    return Selector(inputs.encode(data, examples, spec, tokenizer), spec)


def _loop(
    spec: RunSpec, method: Method, examples: Sequence[Any], selector: Selector | None, shards: Shards | None
) -> Callable[..., FitResult]:
    """Return the training loop over all examples, or the federated one over the clients that hold them."""
    from harness.training import federated, flower, loop

    if not spec.rounds:
        return partial(
            loop.fit,
            make=method.optimizer,
            penalty=method.penalty,
            after_step=method.after_step,
            selector=selector,
            shards=shards,
        )
    return partial(federated.fit, holders=clients.holders(examples, spec.clients_by), server=flower.serve)
