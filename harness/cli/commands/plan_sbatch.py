"""`plan --sbatch DIR`: the runs that are still to do as an array script for SLURM, one task a run, a row or a base model."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

from harness import environment, errors
from harness.cli import flags, next_command, recipe
from harness.cli.arguments import Arguments, write
from harness.cli.terminal import output, plan_output, silence
from harness.errors import HarnessError
from harness.format import size
from harness.record import RunSpec
from harness.runs import plan
from harness.runs.executors import slurm
from harness.runs.forecast import fit, gpu
from harness.runs.options import Options
from harness.runs.plan import Plan

DONE = 0


def show(options: Options, arguments: Arguments, card: gpu.Card | None, share: float) -> int:
    """Write the script and print how to submit it, and what to do afterwards."""
    if options.devices:
        fix = "leave --devices out"
        raise HarnessError("SLURM gives each task its card, and cards are named", where="--devices, --sbatch", fix=fix)
    if arguments.each == "run" and options.tune:
        problem = "the seeds of a row share the search for its learning rate, and each run is a task"
        raise HarnessError(problem, where="--each run, --tune", fix="--each cell")
    options = replace(options, device=options.device or "cuda", imagined=True)
    options = replace(options, dtype=options.dtype or ("bf16" if options.device == "cuda" else None))
    with silence.stage(f"planning: reading {', '.join(options.tasks)} and {options.model}"):
        plans = plan.make(options)
        seconds = [_seconds(each, card, share) for each in plans]
    folder: Path = arguments.sbatch.absolute()
    group = cast(slurm.Group, arguments.each or ("cell" if options.tune else "run"))
    by_cell = group == "cell" or bool(options.tune)
    calls = [call for each in plans for call in _calls(each, folder, by_cell=by_cell)]
    todo = slurm.tasks(calls, group)
    for each in plans:
        plan_output.header(each)
    collect = next_command.command("report", results=options.results.absolute())
    if not todo:
        output.say(f"nothing to submit: all runs are done\n{'collect':<10} {collect}")
        return DONE
    share_of_node = slurm.resources(
        todo,
        device=options.device or "cuda",
        cores=environment.cores(),
        weights=plans[0].model.weights_bytes,
        peaks={run: peak for each in plans for run, peak in each.peaks.items()},
        seconds={run: value for each in seconds for run, value in each.items()},
        shards=options.shard,
    )
    chosen = _sbatch_options(share_of_node, arguments)
    text = slurm.script(todo, chosen, program=errors.program(), folder=folder, here=Path.cwd(), collect=collect)
    _tell(todo, plans, chosen, slurm.write(folder, text, recipe.text(options)), (collect, arguments.line))
    return DONE


def _seconds(planned: Plan, card: gpu.Card | None, share: float) -> Mapping[str, float]:
    """Return the expected seconds of each run: by the speed of this processor, on a GPU by that of the card of `--gpu`.

    None are known of runs that are divided over several cards.
    """
    if planned.default_specs[0].device == "cpu":
        return {run: duration.total for run, duration in planned.durations.items()}
    if card is None or not card.flops or planned.options.shard > 1:
        return {}
    request = fit.Request(
        folder=planned.model.folder,
        config=None,
        specs=tuple(spec for spec in planned.default_specs if not spec.challenger),
        train=tuple((planned.task.prompt(e), e.target) for e in planned.splits.train),
        test=tuple((planned.task.prompt(e), max((e.target, *e.choices), key=len)) for e in planned.splits.test),
        card=card,
        share=share,
    )
    found = fit.look_in_own_process(request).forecasts
    by_row = {
        (spec.method, spec.rank): (forecast.train_seconds or 0.0) + (forecast.test_seconds or 0.0)
        for spec, forecast in zip(request.specs, found, strict=True)
    }
    return {spec.id: by_row.get((spec.method, spec.rank), 0.0) for spec in planned.ahead}


def _calls(planned: Plan, folder: Path, *, by_cell: bool) -> list[slurm.Call]:
    options = planned.options
    files = plan.method_files(planned.methods, options)

    def words(specs: Sequence[RunSpec]) -> list[str]:
        first = specs[0]
        trains = bool(first.epochs and not first.challenger)
        methods = [files.get(spec.method, spec.method) for spec in specs if not spec.challenger]
        values = {
            "tasks": (planned.source.name,),
            "methods": tuple(dict.fromkeys(methods)) or ("base",),
            "ranks": (first.rank,) if first.rank else (),
            "seeds": (first.seed,) if trains and not by_cell else options.seeds,
            "challengers": tuple(spec.method for spec in specs if spec.challenger) or ("none",),
            "device": planned.default_specs[0].device,
            "dtype": planned.default_specs[0].dtype,
            "micro_batch": first.micro_batch,
            "jobs": 1,
            "report": False,
        }
        head = ["run", "--recipe", str(folder / slurm.RECIPE)]
        return [*head, *write(flags.RUN, values), "--results", str(options.results.absolute())]

    return slurm.calls(planned.ahead, by_cell=by_cell, words=words)


def _sbatch_options(share: slurm.Resources, arguments: Arguments) -> dict[str, str]:
    """Return the options of `sbatch`: the resources, and what the user names in their place or beside them."""
    named = {"partition": arguments.partition, "account": arguments.account}
    further = {name: value for name, _, value in (text.partition("=") for text in arguments.slurm or ())}
    chosen = (
        {"job-name": "adaptbench"} | share.lines() | {name: value for name, value in named.items() if value} | further
    )
    faulty = [f"{name}={value}" for name, value in chosen.items() if not value or set(name + value) & set('"\n\\')]
    if faulty:
        problem, fix = f"'{faulty[0]}' cannot stand in a script for SLURM", "write NAME=VALUE as sbatch takes them"
        raise HarnessError(problem, where="--slurm, --partition, --account", fix=fix)
    return chosen


def _tell(
    todo: Sequence[slurm.Task],
    plans: Sequence[Plan],
    chosen: Mapping[str, str],
    script: Path,
    following: tuple[str, str],
) -> None:
    collect, command = following
    runs, done = sum(len(task.specs) for task in todo), sum(len(each.done) for each in plans)
    each = [f"{name} {chosen[name]}" for name in ("gres", "cpus-per-task", "mem", "time") if name in chosen]
    told = "" if plans[0].options.shard > 1 else "--gpu H100 tells one, "
    each += [f"no time: the partition's limit holds; {told}--slurm time=… sets it"] * ("time" not in chosen)
    peak = max((peak for planned in plans for peak in planned.peaks.values()), default=0)
    each += [f"largest predicted peak on the card {size(peak)}"] * bool("gres" in chosen and peak)
    lines = (
        ("wrote", f"{script}: {len(todo)} task{'s' * (len(todo) != 1)} for {runs} runs, {done} done already"),
        ("each", " · ".join(each)),
        ("submit", f"sbatch {shlex.quote(str(script))}"),
        ("collect", collect),
        ("again", f"{command}   (lists what is then missing)"),
    )
    for first, rest in lines:
        output.out().print(output.folded(f"{first:<10} ", rest, indent=11))
