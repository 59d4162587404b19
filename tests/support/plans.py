"""Plans of a single task, and finished runs of them on this machine."""

from __future__ import annotations

from harness import environment
from harness.runs import plan
from harness.runs.options import Options
from harness.runs.plan import Plan
from harness.store import records
from tests.support.records import make_environment, make_record


def only(asked: Options) -> Plan:
    """Return the plan of options with a single task."""
    (made,) = plan.make(asked)
    return made


def finish(asked: Options, made: Plan) -> None:
    """Write a finished record of this machine for each run of a plan."""
    for spec in made.specs:
        machine = environment.describe("cpu", threads=environment.threads_per_run(made.options.jobs)).machine
        record = make_record(spec, environment=make_environment(machine=machine))
        records.write_record(records.run_dir(asked.results, spec), record)
