"""Do a run's probes hold as the run itself does? Each is looked at as the record of a run on its task.

The checks have the names of those of a run; what they find says which probe it is about.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.data import loading, probes
from harness.data.loading import Splits
from harness.errors import HarnessError
from harness.record import Record
from harness.schema import Example, Task
from harness.store import records
from harness.verify.check import Check, check, same
from harness.verify.checks import arithmetic, files, identity
from harness.verify.checks import data as data_checks

ASKED = "the probes are those of the spec"

Known = Mapping[str, tuple[Task, Sequence[Example] | None]]  # tasks by name, with what is asked of them if it is here


def of_run(folder: Path, record: Record, known: Known) -> list[Check]:
    """Check every probe of a run that finished.

    Args:
        folder: the run's folder.
        record: its record.
        known: the tasks of its probes.
    """
    recorded = sorted(f"{name}@{probe.data}" for name, probe in record.probes.items())
    found = [same(ASKED, sorted(record.spec.probes), recorded)] if recorded or record.spec.probes else []
    for name in record.probes:
        checks = _of_probe(folder, probes.as_run(record, name), name, known)
        found += [replace(one, detail=f"probe {name}: {one.detail}") if not one.ok else one for one in checks]
    return found


def _of_probe(folder: Path, record: Record, name: str, known: Known) -> list[Check]:
    try:
        answers = records.read_answers(folder, records.probe_file(name))
        digest = records.answers_sha256(folder, records.probe_file(name))
    except (HarnessError, OSError) as error:
        return [Check(files.ANSWERS, False, getattr(error, "problem", str(error)))]
    checks = [same(files.CHECKSUM, record.answers_sha256, digest)]
    if name not in known:
        return [*checks, check(identity.KNOWN, ["without its task its scores are not checked"])]
    task, examples = known[name]
    checks += arithmetic.of_answers(replace(record, spec=replace(record.spec, train_examples=0)), answers, task)
    if examples is None:
        return checks
    fresh = loading.fingerprint(task, Splits((), (), tuple(examples)))
    return [
        *checks,
        *arithmetic.of_gold(record, answers, task, examples),
        same(data_checks.RENDERS, record.spec.data, fresh),
    ]
