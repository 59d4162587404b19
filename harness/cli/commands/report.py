"""`report`: tables, figures and the page anew, without a model."""

from __future__ import annotations

from harness.cli import flags, next_command
from harness.cli.arguments import Arguments
from harness.cli.terminal import output
from harness.data import registry
from harness.report.write import write_outputs
from harness.store.find import own_or_published

DONE = 0
FLAGS = (flags.RESULTS,)


def main(arguments: Arguments) -> int:
    """Write tables, figures and the page, and the tables' forms for a paper and for model cards."""
    results = arguments.results
    runs, folder = own_or_published(results)
    if not runs:
        raise next_command.no_results("there are no results to report", results)
    unknown = {run.record.spec.task for run in runs if run.record.data_file is None} - registry.recorded().keys()
    paths = write_outputs(results, runs, forms=True)
    output.note(f"from {folder}, {len(runs):,} run{'s' * (len(runs) != 1)}")
    output.closing(
        paths,
        next_command.command("verify", *["--task", "FILE"] * bool(unknown), results=results),
    )
    return DONE
