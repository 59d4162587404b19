"""`plan`: the runs to be made, their fit on a GPU that need not be here, and the errors of past predictions."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cli import flags, parse, settings
from harness.cli.arguments import Arguments, Flag
from harness.cli.flags_slurm import SLURM
from harness.cli.terminal import documents, plan_output, silence
from harness.errors import HarnessError
from harness.model import architectures
from harness.record import RunSpec
from harness.runs import plan
from harness.runs.forecast import fit, gpu, history
from harness.runs.forecast.gpu import Card, Price
from harness.runs.options import Options
from harness.store import records

DONE = 0
FULL, BF16 = "full", "full-bf16"
GPU = "on which GPU, which need not be here"
FLAGS = (
    *flags.RUN,
    Flag(
        "--gpu",
        "a card or a size: what fits, in which way, and how fast",
        metavar="H100|24GiB",
        example="H100",
        group=GPU,
    ),
    Flag(
        "--price",
        "price of an hour of the GPU with its currency, for the cost of each run",
        gpu.price,
        lambda price: [f"{price.amount:g}{price.currency}"],
        metavar="2.50USD",
        example="2.50USD",
        group=GPU,
    ),
    Flag(
        "--share-of-peak",
        "share of the GPU's peak that products of matrices reach",
        parse.share,
        example="0.4",
        unset=f"{gpu.SHARE:g}",
        group=GPU,
    ),
    *SLURM,
    flags.JSON,
    Flag("--accuracy", "show only how near past predictions of memory came", switch=True, group=GPU),
)


@dataclass(frozen=True)
class Gpu:
    """The GPU flags: the card (None where not named), the price of an hour of it, and the share of its peak reached."""

    card: Card | None = None
    price: Price | None = None
    share: float = gpu.SHARE


def main(arguments: Arguments) -> int:
    """Show what `run` would do, or how near past predictions came."""
    if arguments.accuracy:
        return show_accuracy(arguments.results)
    options, target = settings.run_options(arguments), read_gpu(arguments)
    if arguments.sbatch is not None:
        from harness.cli.commands import plan_sbatch

        return plan_sbatch.show(options, arguments, target.card, target.share)
    return show(options, target, as_json=arguments.as_json)


def read_gpu(arguments: Arguments) -> Gpu:
    """Return the values of the GPU flags.

    Raises:
        HarnessError: an unknown card, a price or a share of its peak without a card, or a size that tells no speed.
    """
    price, share = arguments.price, arguments.share_of_peak
    if arguments.gpu is None:
        if price is not None or share is not None:
            flag = "--price" if price is not None else "--share-of-peak"
            raise HarnessError("no card named, so there is no time to tell", where=flag, fix="--gpu H100")
        return Gpu()
    card = gpu.card(arguments.gpu)
    if price is not None and not card.flops:
        names = ", ".join(entry.name for entry in gpu.CARDS)
        problem = f"no listed card has about {arguments.gpu}, so its speed is not known, nor the cost"
        raise HarnessError(problem, where="--price", fix=f"--gpu with one of {names}")
    if not arguments.memory:
        raise HarnessError("--gpu asks for memory and --no-memory for none", where="--gpu", fix="leave one of them out")
    return Gpu(card, price, gpu.SHARE if share is None else share)


def show(options: Options, target: Gpu, *, as_json: bool = False) -> int:
    """Show what `run` would do and do nothing."""
    only_shipped = architectures.is_only_shipped(options.model)
    if not options.memory or (target.card is None and not only_shipped):
        shipped_model = architectures.read(options.model)[0] if only_shipped else None
        with silence.stage(f"looking at {options.model}: its memory for {len(options.methods)} methods"):
            plans = plan.make(options, model=shipped_model, announce=plan_output.transfer)
        if as_json:
            documents.plans(plans)
        for planned in () if as_json else plans:
            plan_output.header(planned)
            plan_output.planned(planned)
        return DONE
    model, shipped = architectures.read(options.model)
    device, dtype = options.device or "cuda", options.dtype or "bf16"
    imagined = replace(options, device=device, dtype=dtype, imagined=True, memory=False, challengers=())
    with silence.stage(f"reading the examples of {', '.join(options.tasks)}"):
        plans = plan.make(imagined, model=model)
    outlooks = []
    for planned in plans:
        request = fit.Request(
            folder=model.folder,
            config=shipped.config if shipped else None,
            specs=with_both_recipes(planned.default_specs),
            train=tuple((planned.task.prompt(e), e.target) for e in planned.splits.train),
            test=tuple((planned.task.prompt(e), max((e.target, *e.choices), key=len)) for e in planned.splits.test),
            card=target.card,
            share=target.share,
            names=tuple(example.id for example in planned.splits.train),
        )
        outlooks.append((planned, outlook := _look(request)))
        if not as_json:
            plan_output.forecast(planned, request, outlook, price=target.price)
    if as_json:
        documents.forecasts(outlooks, target.price)
    return DONE


def _look(request: fit.Request) -> fit.Outlook:
    """Return the outlook; a line every few seconds tells how many runs have been looked at."""
    with tempfile.TemporaryDirectory() as folder:
        request = replace(request, tally=Path(folder) / "runs")
        total = len({replace(spec, seed=0) for spec in request.specs})
        with silence.stage(lambda: f"predicted the memory of {request.done()} of {total} runs"):
            return fit.look_in_own_process(request)


def with_both_recipes(specs: Sequence[RunSpec]) -> tuple[RunSpec, ...]:
    """Return the specs, full fine-tuning with fp32 weights followed by that with bf16 weights.

    They take 16 and 8 bytes a weight, and either may be meant by "full fine-tuning".
    """
    both = [(spec, replace(spec, method=BF16)) if spec.method == FULL else (spec,) for spec in specs]
    return tuple(dict.fromkeys(spec for pair in both for spec in pair))


def show_accuracy(results: Path) -> int:
    """Show how far the predicted training peaks of all past runs were from the measured ones."""
    errors = history.prediction_errors(run.record for run in records.read_all(results))
    if not errors:
        raise HarnessError(
            "no finished run has both a predicted and a measured peak",
            where=str(results),
            fix="run a task first, without --no-memory, or name another folder: --results DIR",
        )
    plan_output.accuracy(errors)
    return DONE
