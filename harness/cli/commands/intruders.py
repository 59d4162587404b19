"""The flags of `intruders`, and which of its two commands they ask for: counting them, or scaling them."""

from __future__ import annotations

import argparse
from dataclasses import replace

from harness.cli import flags
from harness.errors import HarnessError
from harness.runs import options


def flags_of(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run's name such as lora-r8, its id, or its folder")
    parser.add_argument("--epsilon", metavar="N", help="an intruder's |cosine| with every base direction (default 0.5)")
    parser.add_argument("--k", metavar="N", help="how many of each weight's largest directions (default 10)")
    parser.add_argument("--task", metavar="NAME|FILE", help="where a name alone is not enough; the data file of a run")
    parser.add_argument("--model", metavar="DIR|ID", help="where the base model is, if its recorded name does not say")
    parser.add_argument("--trust-remote-code", action="store_true", help=flags.REMOTE_CODE)
    parser.add_argument("--output", metavar="json", help="everything that was found, as a document")
    scale = parser.add_argument_group("do they matter? the runs asked again with them scaled")
    scale.add_argument(
        "--scale", metavar="0,0.5,1", help="factors of the intruders; 0 takes them out, 1 leaves them as trained"
    )
    scale.add_argument(
        "--probe", action="append", metavar="general|A,B", help="what is asked as well (default general)"
    )
    scale.add_argument(
        "--test-examples", metavar="N", help="ask at most so many questions of each, whole groups (default: all)"
    )
    flags.data_flags(parser)
    flags.results_flag(parser)


def call(found: argparse.Namespace) -> int:
    """Read the flags and look for intruders, or ask the runs again with them scaled.

    Raises:
        HarnessError: a flag cannot be read, or has no part in what is asked for.
    """
    epsilon = 0.5 if found.epsilon is None else options.positive(found.epsilon, "--epsilon")
    if epsilon > 1:
        raise HarnessError(f"no cosine is above 1, and {epsilon:g} is", where="--epsilon", fix="--epsilon 0.5")
    top = 10 if found.k is None else options.count(found.k, "--k")
    output = None if found.output is None else options.one_of(found.output, ("json",), "--output")
    if found.scale is not None:
        return _scale(found, epsilon, top, output)
    for flag, given in (("--probe", found.probe), ("--test-examples", found.test_examples)):
        if given is not None:
            raise HarnessError(f"{flag} has no part without --scale", where=flag, fix="--scale 0,0.5,1")
    from harness.cli.commands import intruders_count

    return intruders_count.show(
        found.runs,
        options.path(found.results),
        epsilon=epsilon,
        top=top,
        task=found.task,
        model=found.model,
        output=output,
        remote_code=found.trust_remote_code,
    )


def _scale(found: argparse.Namespace, epsilon: float, top: int, output: str | None) -> int:
    factors, limit = options.factors(found.scale, "--scale"), found.test_examples
    probes = options.words(found.probe, "--probe") if found.probe else ("general",)
    found.task = [found.task] if found.task else None
    asked = replace(
        flags.task_options(found),
        results=options.path(found.results),
        probes=probes,
        test_examples=0 if limit is None else options.count(limit, "--test-examples"),
    )
    from harness.cli.commands import intruders_scale

    return intruders_scale.scale(found.runs, factors, asked, epsilon=epsilon, top=top, model=found.model, output=output)
