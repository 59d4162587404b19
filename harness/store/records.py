"""The only writer of results/: a folder for each run, with an atomic record and all answers.

    results/runs/<task>/<model>/<method[-rN]>/s<seed>-<spec.id>/
        record.json     written last and by rename: its presence means that the run has ended
        answers.jsonl.gz, probe-<task>.jsonl.gz     see `answer_files`; the record has the SHA-256 of their lines
        steps.jsonl, adapter/                       the logged steps and the trained weights, see `training_files`
        checkpoint/     of a training that is not finished, see `checkpoint_files`
        log.txt         the output of the run's process

Trials of `--tune` are stored in results/trials/. Runs that continue another run or train on several tasks are stored in
results/sequences/. Tables skip both, because they do not compare with runs that start from the base model.

A path has words for a person and an id for a program. Two stores are merged by copying their files.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from harness.errors import HarnessError
from harness.record import SCHEMA_VERSION, Answer, Record, RunSpec
from harness.store import answer_files, links, training_files, withhold
from harness.store import files as atomic
from harness.store.answer_files import ANSWERS, PROBES, VALIDATION, run_again
from harness.store.answer_files import read as read_answers
from harness.store.answer_files import sha256 as answers_sha256
from harness.store.answer_files import text as answers_text
from harness.store.answer_files import write as write_answers
from harness.store.codec import decode, encode
from harness.store.files import LOCK, WORKING, lock, require_space, require_writable, work_lock
from harness.store.links import protect
from harness.store.redact import redact
from harness.store.training_files import ADAPTER, MODEL, STEPS, append_step, open_steps, read_steps

RECORD = "record.json"
LOG = "log.txt"

PUBLISHABLE = ("ok", "oom")  # out of memory is a result; interrupted and failed runs are none

DEFAULT_ROOT = Path("results")
SEQUENCES = "sequences"

# Defined in `harness.store.files`, `answer_files` and `training_files`; readers use them from here.
__all__ = ["ADAPTER", "ANSWERS", "LOCK", "MODEL", "PROBES", "STEPS", "VALIDATION", "WORKING"]
__all__ += ["answers_sha256", "answers_text", "append_step", "lock", "open_steps", "read_steps"]
__all__ += ["protect", "read_answers", "require_space", "require_writable", "work_lock", "write_answers"]


class Damaged(HarnessError):
    """The record is damaged, as by a crash of the machine or an incomplete copy; the run counts as not done."""


class Missing(HarnessError):
    """There is no record: the run has not ended, or another process is running it again."""


@dataclass(frozen=True)
class Run:
    """A run that has ended: its folder and its record. `answers()` reads the evidence."""

    folder: Path
    record: Record

    def answers(self) -> tuple[Answer, ...]:
        """Return the run's answers, in test-set order; empty if it has none."""
        return read_answers(self.folder) if answer_files.locate(self.folder) else ()

    def probe_answers(self) -> dict[str, tuple[Answer, ...]]:
        """Return the answers to each probe by its task, without those of missing files."""
        files = {task: probe_file(task) for task in self.record.probes}
        present = {task: name for task, name in files.items() if answer_files.locate(self.folder, name)}
        return {task: read_answers(self.folder, name) for task, name in present.items()}


def run_dir(root: Path, spec: RunSpec) -> Path:
    """Return the folder of the run of `spec` below `root` (usually `results`); nothing is created."""
    kind = "trials" if spec.split != "test" else SEQUENCES if spec.start or spec.joined else "runs"
    return root / kind / relative_dir(spec)


def relative_dir(spec: RunSpec) -> Path:
    """Return the run's folder below `runs/` or `published/`: words for a person, the id for a program."""
    return Path(path_word(spec.task)) / path_word(spec.model) / path_word(spec.name) / f"s{spec.seed}-{spec.id}"


def probe_file(task: str) -> str:
    """Return the name of the file of answers to a probe."""
    return answer_files.probe_file(path_word(task))


def path_word(text: str) -> str:
    """Return a task or model name as a safe folder name: `owner/name` becomes `owner--name`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text.replace("/", "--")).strip(".") or "unnamed"


def prepare(folder: Path) -> None:
    """Create a run's folder, or remove the files of an earlier, unfinished attempt, but for its checkpoint and its steps."""
    links.require_inside(folder / RECORD)
    with atomic.write_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        answers = {ANSWERS, *(path.name for path in answer_files.all_files(folder))}
        for name in (RECORD, *sorted(answers), LOG):  # the record first: without it the other files do not count
            (folder / name).unlink(missing_ok=True)
            atomic.sweep(folder / name)
        training_files.clear(folder)


def write_record(folder: Path, record: Record) -> Path:
    """Write `record.json` atomically, after all other files; return its path."""
    return write_text(folder / RECORD, record_text(_without_secrets(record)))


def _without_secrets(record: Record) -> Record:
    """Return a record with redacted texts of libraries and machine; spec, answers and scores are unchanged evidence."""
    environment = record.environment
    fields = {name: redact(value) for name, value in vars(environment).items() if isinstance(value, str)}
    return replace(record, reason=redact(record.reason), environment=replace(environment, **fields))  # type: ignore[arg-type]


def record_text(record: Record) -> str:
    """Return the text of `record.json`."""
    return _json_text(encode(record))


def _json_text(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(folder: Path) -> Record:
    """Return a run's record.

    Raises:
        Damaged: it is truncated or corrupt.
        Missing: there is none.
        HarnessError: the file cannot be opened, or a newer or an older version wrote it.
    """
    path = folder / RECORD
    fix = run_again(folder)
    if path.exists() and not path.is_file():
        raise Damaged("the record is no regular file", where=str(path), fix=fix)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing("the run has no record", where=str(path), fix=fix) from None
    except OSError as error:
        raise HarnessError(f"the record cannot be read: {error}", where=str(path), fix=fix) from None
    except (ValueError, RecursionError) as error:
        raise Damaged(f"the record cannot be read: {error}", where=str(path), fix=fix) from None
    version = data.get("schema") if isinstance(data, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise HarnessError(
            f"the results were written by a newer version (record schema {version}, this program reads up to {SCHEMA_VERSION})",
            where=str(path),
            fix="update this program, or write to another folder with --results DIR",
        )
    if isinstance(version, int) and version < SCHEMA_VERSION:
        raise HarnessError(
            f"the results were written by version 0.1 (record schema {version}, this program needs {SCHEMA_VERSION}), "
            "whose scores follow another rule",
            where=str(path),
            fix="run it again into another folder with --results DIR, or use version 0.1 for this one",
        )
    try:
        return decode(Record, data)
    except ValueError as error:
        raise Damaged(f"the record is damaged: {error}", where=str(path), fix=fix) from None


def open_log(folder: Path) -> BinaryIO:
    """Return the file for the output of a run's process, opened to append."""
    return os.fdopen(links.open_regular(folder / LOG, links.APPEND), "ab")


def clean_log(folder: Path) -> None:
    """Redact the output of a run's process, in place, because a full disk has no space for a second copy."""
    path = folder / LOG
    with atomic.write_errors(path), contextlib.suppress(FileNotFoundError):
        content = path.read_bytes()
        clean = redact(content.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if clean != content:
            with os.fdopen(links.open_regular(path, os.O_RDWR), "r+b") as log:
                log.write(clean)
                log.truncate()


def find(root: Path, task: str | None = None, *, skip_damaged: bool = False) -> list[Run]:
    """Return every run with a record below `root`, in path order; `task` selects the runs of one task.

    A damaged record is an error, because a table without it would silently differ. A caller that shows no results may
    skip it.
    """
    runs = []
    for path in sorted(root.rglob(RECORD)) if root.is_dir() else []:
        try:
            runs.append(Run(path.parent, read_record(path.parent)))
        except Missing:
            continue  # removed just now: another process is running it again
        except Damaged:
            if not skip_damaged:
                raise
    return [run for run in runs if task is None or run.record.spec.task == task]


def read_all(root: Path, task: str | None = None, *, skip_damaged: bool = False) -> list[Run]:
    """Return every run of a results folder (`root/runs`), of any status; arguments as in `find`."""
    return find(root / "runs" / path_word(task) if task else root / "runs", task, skip_damaged=skip_damaged)


def read_trials(root: Path, task: str | None = None) -> list[Run]:
    """Return every trial of a learning rate (`root/trials`), scored on the validation split."""
    return find(root / "trials" / path_word(task) if task else root / "trials", task)


def read_with_sequences(root: Path) -> list[Run]:
    """Return every run of a results folder except trials, including sequences; damaged ones are skipped."""
    return read_all(root, skip_damaged=True) + find(root / SEQUENCES, skip_damaged=True)


def read_published(root: Path, task: str | None = None) -> list[Run]:
    """Return every published run (`root/published`)."""
    return find(root / "published" / path_word(task) if task else root / "published", task)


def finished_run(root: Path, spec: RunSpec) -> Run | None:
    """Return the run of exactly this spec if its status is ok, otherwise None; it is reused."""
    return finished_run_in(run_dir(root, spec), spec)


def finished_run_in(folder: Path, spec: RunSpec) -> Run | None:
    """Return the run in a folder if it has this spec and its status is ok, otherwise None."""
    try:
        record = read_record(folder)
    except (Missing, Damaged):
        return None
    return Run(folder, record) if record.status == "ok" and record.spec.id == spec.id else None


def publish(
    root: Path,
    runs: Iterable[Run],
    answers: Mapping[str, Sequence[Answer]] | None = None,
    probe_answers: Mapping[str, Mapping[str, Sequence[Answer]]] | None = None,
    weights: Collection[str] = (),
) -> list[Path]:
    """Copy records, answers and steps of runs into `root/published`; return the new folders. Nothing there is overwritten.

    Answers are published packed, so a record of schema 1 is published with the current schema.

    Args:
        root: the results folder.
        runs: the runs; interrupted and failed runs are skipped.
        answers: answers by run id, to publish instead of the run's answers (see `withhold`).
        probe_answers: the same for probes, by run id and task.
        weights: the ids of the runs whose trained weights are copied, too.

    Raises:
        HarnessError: a published file would change.
    """
    links.protect(root)
    new = []
    for run in (run for run in runs if run.record.status in PUBLISHABLE):
        target = root / "published" / relative_dir(run.record.spec)
        name = run.record.spec.id
        evidence, record = _published_form(run, (answers or {}).get(name), (probe_answers or {}).get(name, {}))
        if changed := _changed_files(target, evidence, record):
            raise HarnessError(
                "a published run is never overwritten, and this file differs",
                where=str(target / changed[0]),
                fix="change the task's version, or remove the published folder in a commit of its own",
            )
        if not (target / RECORD).exists():
            for name, content in evidence.items():
                answer_files.write_bytes(target, content, name)
            training_files.publish(run.folder, target, weights=run.record.spec.id in weights)
            write_text(target / RECORD, record)
            new.append(target)
    return new


def _changed_files(target: Path, evidence: Mapping[str, bytes], record: str) -> list[str]:
    """Return the names of published files that differ from these, independent of packing."""
    present = [name for name in evidence if answer_files.locate(target, name)]
    names = [name for name in present if answer_files.read_bytes(target, name) != evidence[name]]
    path = target / RECORD
    if path.exists() and path.read_bytes().decode("utf-8") != record:
        names.append(RECORD)
    return names


def _published_form(
    run: Run, answers: Sequence[Answer] | None, probe_answers: Mapping[str, Sequence[Answer]]
) -> tuple[dict[str, bytes], str]:
    """Return the lines of each file of answers to publish, and the text of the record."""
    record, folder = run.record, run.folder
    substitutes: dict[str, Sequence[Answer] | None] = {ANSWERS: answers, VALIDATION: _validation(run, answers)}
    substitutes |= {probe_file(task): probe_answers.get(task) for task in record.probes}
    present = [name for name in substitutes if answer_files.locate(folder, name)]
    evidence = {name: answer_files.read_bytes(folder, name) for name in present}
    evidence |= {name: answers_text(rows).encode() for name, rows in substitutes.items() if rows is not None}
    if answers is None and not probe_answers:
        return evidence, (folder / RECORD).read_bytes().decode("utf-8")
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in evidence.items()}
    if answers is not None:
        record = replace(record, answers_sha256=digests[ANSWERS])
    if record.validation is not None and answers is not None:
        record = replace(record, validation=replace(record.validation, answers_sha256=digests[VALIDATION]))
    probes = {task: replace(record.probes[task], answers_sha256=digests[probe_file(task)]) for task in probe_answers}
    return evidence, record_text(replace(record, schema=SCHEMA_VERSION, probes={**record.probes, **probes}))


def _validation(run: Run, answers: Sequence[Answer] | None) -> Sequence[Answer] | None:
    """Return the answers to validation questions as stand-ins if the run's own answers are, else None."""
    if answers is None or run.record.validation is None:
        return None
    return withhold.stand_in_answers(read_answers(run.folder, VALIDATION))


def sha256(text: str) -> str:
    """Return the SHA-256 of a text in UTF-8."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_text(path: Path, text: str) -> Path:
    """Write a file of text below results/ atomically; return its path."""
    return atomic.write(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a binary file below results/ atomically; return its path."""
    return atomic.write(path, content)
