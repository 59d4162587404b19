"""Output on the terminal about a plan: before its runs, instead of them, and what they have in common."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from harness import environment
from harness.cli.terminal import output
from harness.cli.terminal import tables as ui_tables
from harness.data import file_task, loading, registry
from harness.format import about, counted, number, quantity, run_name, size, spoken
from harness.methods.parts import packing
from harness.metrics import power
from harness.metrics.sampling import FEWEST_GROUPS

if TYPE_CHECKING:
    from harness.runs.forecast.fit import Outlook, Request
    from harness.runs.forecast.gpu import Price
    from harness.runs.forecast.history import PredictionError
    from harness.runs.plan import Plan
    from harness.runs.server import Transfer
    from harness.schema import Task

UNPREDICTED = "not predicted"


def header(plan: Plan) -> None:
    """Print task, model, device, plan and detectable difference before a run."""
    spec, splits = plan.default_specs[0], plan.splits
    sizes = (("train", splits.train), ("validation", splits.validation), ("test", splits.test))
    counts = " · ".join(f"{name} {len(examples):,}" for name, examples in sizes if examples)
    weights = f" · {quantity(plan.findings.weights)} weights" if plan.findings else ""
    revision = f" @ {plan.model.revision[:7]}…" if plan.model.revision else ""
    quantised = f" · stored {packing.words(plan.model.quantised)}" if plan.model.quantised else ""
    adapters = plan.findings.adapters if plan.findings else ""
    unused, start = loading.passed_over(plan.task, plan.options.data), plan.options.start
    begins = (
        f"from {spoken(start.spec)} of {start.spec.task} ({start.spec.id}); leaderboards do not show it"
        if start
        else ""
    )
    cores, memory = environment.cores(), environment.memory_bytes() / 2**30
    template = [fact for fact in spec.serving if fact != spec.engine]
    device = f"CPU, {cores} core{'s' * (cores != 1)}" if spec.device == "cpu" else environment.cuda_name() or "CUDA"
    device = f"{environment.processor()}, its GPU" if spec.device == "mps" else device
    device = _cards(plan) or device
    lines = (
        (
            f"{plan.task.name} v{plan.task.version}",
            f"{plan.task.title} · {counts} in {counted(plan.test_groups, 'group')}",
        ),
        ("model", f"{plan.model.name}{revision}{weights} · {spec.dtype}{quantised}"),
        *[("format", spec.model_format)] * bool(spec.model_format),
        *[("template", " · ".join(template))] * bool(template),
        *[("engine", spec.engine)] * bool(spec.engine),
        (
            "device",
            f"{device} · {memory:.0f} GiB" + (f" · {plan.options.jobs} runs at a time" * (plan.options.jobs > 1)),
        ),
        *[("--data", unused)] * bool(unused),
        *file_task.reading_notes(plan.task),
        ("plan", plan_line(plan)),
        *[("long row", text) for text in _long_row(plan)],
        *[("adapters", adapters)] * bool(adapters),
        *[("rates", _rates_by_config(plan))] * bool(_rates_by_config(plan)),
        *[("starts", begins)] * bool(start),
        *[("probes", " · ".join(f"{p.task.name}, {len(p.examples):,} questions" for p in plan.probes))]
        * bool(plan.probes),
        *[("detects", line) for line in detects(plan.task, plan.test_groups, _rows(plan))],
    )
    console = output.out()
    for first, rest in lines:
        console.print(output.folded(f"{first:<10} ", rest, indent=11))
    console.print()


def _cards(plan: Plan) -> str:
    """Return the cards of `--devices` by model, as in "cards 0, 1 (NVIDIA T4)"; empty without the flag."""
    models: dict[str, list[str]] = {}
    for card in plan.options.cards:
        models.setdefault(card.model, []).append(card.id if card.number is None else str(card.number))
    return ", ".join(f"card{'s' * (len(names) > 1)} {', '.join(names)} ({model})" for model, names in models.items())


def _long_row(plan: Plan) -> list[str]:
    """Return a line about one training example far longer than the others, which decides the memory; none without it."""
    row = plan.findings.long if plan.findings else None
    if row is None:
        return []
    count = f"{row.shortened:,} example{'s' * (row.shortened != 1)}"
    return [
        f"{plan.splits.train[row.position].id} has {row.tokens:,} tokens, the median is {row.median:,}: it decides the memory; "
        f"--max-tokens {row.window} shortens the context of {count}"
    ]


def _rates_by_config(plan: Plan) -> str:
    """Return the default rate of methods that a PEFT config describes: the config names none; empty without such."""
    if plan.options.learning_rate or plan.options.tune:
        return ""
    names = [method.name for method in plan.methods if method.name not in registry.methods()]
    rates = {spec.method: spec.learning_rate for spec in plan.default_specs}
    parts = [f"{name} {rates[name]:.2g}" for name in names if name in rates]
    why = "LoRA's default, because a PEFT config names no rate, and its best may be ten times that"
    return f"{', '.join(parts)}: {why}; --learning-rate or --tune 3" if parts else ""


def transfer(sent: Transfer) -> None:
    """Print what will leave this machine, before the first request."""
    text = (
        f"{sent.host} is asked up to {sent.test_requests} times with a fixed sentence, then for up to {sent.prompts:,} "
        f"answers to the {sent.questions:,} test questions of {sent.task} (model {sent.model}): questions, contexts and "
        "options leave this machine, gold answers and training examples do not"
    )
    output.out().print(output.folded(f"{'endpoint':<10} ", text, indent=11))


def detects(task: Task, groups: int, rows: int = 2) -> list[str]:
    """Return a line about the difference between two of so many rows that the test split can detect; none if no share."""
    if task.metrics[0].unit != "share" or groups < 2:
        return []
    if groups < FEWEST_GROUPS:
        return [f"no difference: too few groups: {groups}; at least {FEWEST_GROUPS} are needed"]
    pairs = rows * (rows - 1) // 2
    least = number(power.detectable_at_planning(groups, comparisons=pairs))
    corrected = f" after the correction for all {pairs} pairs of rows" * (pairs > 1)
    return [f"a difference of {least} points with a power of 80 %{corrected}, if two differ on 1 question in 5"]


def _rows(plan: Plan) -> int:
    """Return the number of rows that a plan's runs make, each of all seeds of a method and rank."""
    return len({replace(spec, seed=0) for spec in (*plan.specs, *(spec for spec, _ in plan.waiting))})


def plan_line(plan: Plan) -> str:
    """Return the number of runs and of finished ones, the largest predicted memory, and the expected time."""
    count, trials = len(plan.specs) + len(plan.waiting), len(plan.trials)
    parts = [f"{count} run{'s' * (count != 1)}"]
    if trials:
        parts.append(
            f"{trials} trial{'s' * (trials != 1)} of learning rates, {plan.options.tune} for each method and rank, on validation"
        )
    if plan.done:
        parts.append(f"{len(plan.done)} done already" if plan.ahead else "all done already")
    if largest := max((plan.predicted(spec) for spec in (*plan.specs, *plan.ahead)), default=0):
        shards = plan.options.shard
        each = f" in each of {shards} processes" * (shards > 1)
        parts.append(f"largest predicted peak {size(largest)}{each}")
    if plan.seconds and plan.ahead:
        parts.append(about(plan.seconds / plan.options.jobs))
    return " · ".join(parts)


def planned(plan: Plan) -> None:
    """Print each run of a plan: its state and its predicted memory."""
    rows = []
    for spec in (*plan.trials, *plan.specs):
        state = "done" if spec.id in plan.done else "to do"
        rate = f"{spec.learning_rate:.2g}" if spec.learning_rate else ""
        predicted = size(plan.predicted(spec)) if plan.predicted(spec) else UNPREDICTED * plan.lacks_prediction(spec)
        rows.append((run_name(spec), state, predicted, rate, spec.id))
    for spec, _ in plan.waiting:
        predicted = size(plan.predicted(spec)) if plan.predicted(spec) else UNPREDICTED * plan.lacks_prediction(spec)
        rows.append((run_name(spec), "after its trials", predicted, "", ""))
    output.show(ui_tables.text_table(rows, "run", "state", "predicted", "learning rate", "id"))


def forecast(plan: Plan, request: Request, outlook: Outlook, *, price: Price | None) -> None:
    """Print the runs that fit a GPU, their settings, time and cost."""
    from harness.cli.terminal import forecast as ui_forecast

    console = output.out()
    for first, rest in ui_forecast.heading(plan, outlook, request):
        console.print(output.folded(f"{first:<10} ", rest, indent=11))
    console.print()
    output.show(ui_forecast.forecasts(outlook, request, price))
    console.print()
    for line in ui_forecast.notes(outlook, request, price):
        console.print(output.folded("  ", line, indent=4))
    console.print()


def accuracy(errors: Sequence[PredictionError]) -> None:
    """Print the errors of past predictions of memory."""
    from harness.cli.terminal import forecast as ui_forecast

    output.show(ui_forecast.accuracy(errors))


def untuned(plan: Plan) -> None:
    """Print the runs that lack a trial of learning rates, with the reason."""
    for spec, reason in plan.waiting:
        output.note(f"  – {run_name(spec)} is not run: {reason}")


def conditions(plan: Plan) -> None:
    """Print the settings shared by the runs of a plan, and those not tuned."""
    console = output.out()
    console.print()
    for line in ui_tables.conditions(plan):
        console.print(output.folded("", line, indent=13))
