"""`intruders`: the directions that training brought into the weights of runs: counted, or scaled to see their effect."""

from __future__ import annotations

from dataclasses import replace

from harness.adapters.intruders import EPSILON, TOP
from harness.cli import flags, parse, settings
from harness.cli.arguments import Arguments, Flag
from harness.cli.flags import choice
from harness.errors import HarnessError

SCALING = "do they matter? the runs asked again with them scaled"
FLAGS = (
    Flag("runs", "a run's name such as lora-r8, its id, or its folder", metavar="RUN", example="lora-r8", nargs="+"),
    Flag(
        "--epsilon",
        "an intruder's |cosine| with every base direction is below it",
        parse.share,
        example="0.5",
        default=EPSILON,
    ),
    Flag("--k", "how many of each weight's largest directions", parse.count, example="10", default=TOP),
    Flag(
        "--task", "the task, if a name alone is not enough; the data file of a run", metavar="NAME|FILE", example="cfa"
    ),
    flags.BASE_MODEL,
    flags.REMOTE_CODE,
    choice("--output", "every direction, as a document", ("json",)),
    Flag(
        "--scale",
        "factors of the intruders; 0 takes them out, 1 leaves them as trained",
        parse.factors,
        metavar="0,0.5,1",
        example="0,0.25,0.5,0.75,1",
        group=SCALING,
    ),
    Flag(
        "--probe",
        "further tasks to ask",
        parse.words,
        field="probes",
        metavar="general|A,B",
        example="general",
        unset="general",
        group=SCALING,
        repeat=True,
    ),
    Flag(
        "--test-examples",
        "ask at most so many questions of each task, whole groups",
        parse.count,
        example="200",
        unset="all",
        group=SCALING,
    ),
    *flags.SOURCES,
    flags.RESULTS,
)


def main(arguments: Arguments) -> int:
    """Count the intruders of runs, or ask the runs again with their intruders scaled.

    Raises:
        HarnessError: a flag of scaling without `--scale`.
    """
    if arguments.scale is not None:
        return _scale(arguments)
    for flag, value in (("--probe", arguments.probes), ("--test-examples", arguments.test_examples)):
        if value is not None:
            raise HarnessError(f"{flag} has no part without --scale", where=flag, fix="--scale 0,0.5,1")
    from harness.cli.commands import intruders_count

    return intruders_count.show(
        arguments.runs,
        arguments.results,
        epsilon=arguments.epsilon,
        top=arguments.k,
        task=arguments.task,
        model=arguments.model,
        output=arguments.output,
        remote_code=arguments.remote_code,
    )


def _scale(arguments: Arguments) -> int:
    from harness.cli.commands import intruders_scale

    tasks = (arguments.task,) if arguments.task else ()
    return intruders_scale.scale(
        arguments.runs,
        arguments.scale,
        replace(settings.options(arguments), tasks=tasks, probes=arguments.probes or ("general",)),
        epsilon=arguments.epsilon,
        top=arguments.k,
        model=arguments.model,
        output=arguments.output,
    )
