"""The only writer of results/: one folder a run, atomic records, every answer kept.

    results/runs/<task>/<model>/<method[-rN]>/s<seed>-<spec.id>/
        record.json     written last and by rename: its presence means that the run came to an end
        answers.jsonl.gz, probe-<task>.jsonl.gz     see `answer_files`; the SHA-256 of their lines stands in the record
        steps.jsonl     one optimizer step a line, written as the run goes
        adapter/        the PEFT adapter          log.txt   what the run's process printed

A trial of `--tune` has a folder of the same kind below results/trials/, and a run that goes on from another one or trains
on several tasks below results/sequences/, where no table looks: these compare with no run that began at the base model.

Words and id in a path: a person reads the words, a program reads the id. The store is files that merge by copying.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO

from harness.errors import HarnessError
from harness.record import SCHEMA_VERSION, Answer, Record, RunSpec
from harness.store import answer_files
from harness.store import files as atomic
from harness.store.answer_files import ANSWERS, PROBES, run_again
from harness.store.answer_files import read as read_answers
from harness.store.answer_files import sha256 as answers_sha256
from harness.store.answer_files import text as answers_text
from harness.store.answer_files import write as write_answers
from harness.store.codec import decode, encode
from harness.store.files import LOCK, WORKING, lock, require_space, require_writable, working
from harness.store.redact import redact

RECORD = "record.json"
STEPS = "steps.jsonl"
LOG = "log.txt"
ADAPTER = "adapter"
MODEL = "model"

PUBLISHABLE = ("ok", "oom")  # that a run does not fit into memory is a result; what was cut short is none

DEFAULT_ROOT = Path("results")
SEQUENCES = "sequences"

# of `harness.store.files` and `harness.store.answer_files`, which a reader need not know
__all__ = ["ANSWERS", "LOCK", "PROBES", "WORKING", "answers_sha256", "answers_text", "lock"]
__all__ += ["read_answers", "require_space", "require_writable", "working", "write_answers"]


class Damaged(HarnessError):
    """A record that is no record, as a crash of the machine or a copy cut short leaves it: the run counts as not done."""


class Missing(HarnessError):
    """There is no record: the run has not come to an end, or another process is doing it again."""


@dataclass(frozen=True)
class Run:
    """A run that came to an end: its folder and its record. `answers()` reads the evidence."""

    folder: Path
    record: Record

    def answers(self) -> tuple[Answer, ...]:
        """The run's answers, in test-set order; empty where it has none."""
        return read_answers(self.folder) if answer_files.locate(self.folder) else ()

    def probed(self) -> dict[str, tuple[Answer, ...]]:
        """The answers to each probe by its task, those left out that are gone."""
        files = {task: probe_file(task) for task in self.record.probes}
        present = {task: name for task, name in files.items() if answer_files.locate(self.folder, name)}
        return {task: read_answers(self.folder, name) for task, name in present.items()}


def run_dir(root: Path, spec: RunSpec) -> Path:
    """The folder of the run that `spec` decides, under `root` (usually `results`). Nothing is created."""
    place = "trials" if spec.split != "test" else SEQUENCES if spec.start or spec.joined else "runs"
    return root / place / relative_dir(spec)


def relative_dir(spec: RunSpec) -> Path:
    """The run's folder below `runs/` or `published/`: words for a person, the id for a program."""
    return Path(path_word(spec.task)) / path_word(spec.model) / path_word(spec.name) / f"s{spec.seed}-{spec.id}"


def probe_file(task: str) -> str:
    """The name of the file that holds the answers to a probe."""
    return answer_files.probe_file(path_word(task))


def path_word(text: str) -> str:
    """A task or model name as one safe folder name: `owner/name` becomes `owner--name`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text.replace("/", "--")).strip(".") or "unnamed"


def prepare(folder: Path) -> None:
    """Create a run's folder, or empty it of what an earlier, unfinished attempt left."""
    with atomic.explained(folder):
        folder.mkdir(parents=True, exist_ok=True)
        answers = {ANSWERS, *(path.name for path in answer_files.all_files(folder))}
        for name in (RECORD, *sorted(answers), STEPS, LOG):  # the record first: without it the rest counts for nothing
            (folder / name).unlink(missing_ok=True)
            atomic.sweep(folder / name)
        for name in (ADAPTER, MODEL):
            shutil.rmtree(folder / name, ignore_errors=True)


def write_record(folder: Path, record: Record) -> Path:
    """Write `record.json` last and by rename, so that it is there whole or not at all."""
    return write_text(folder / RECORD, record_text(_without_secrets(record)))


def _without_secrets(record: Record) -> Record:
    """Redact what libraries and machine said; spec, answers and scores are evidence and stay as they are."""
    seen = record.environment
    fields = {name: redact(value) for name, value in vars(seen).items() if isinstance(value, str)}
    return replace(record, reason=redact(record.reason), environment=replace(seen, **fields))  # type: ignore[arg-type]


def record_text(record: Record) -> str:
    """Return what `record.json` holds."""
    return _json_text(encode(record))


def _json_text(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def read_record(folder: Path) -> Record:
    """Read a run's record.

    Raises:
        Damaged: it is cut off or corrupt.
        Missing: there is none.
        HarnessError: naming the file, where it cannot be opened or was written by a newer version.
    """
    path = folder / RECORD
    fix = run_again(folder)
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
            f"the results were written by a newer version (record schema {version}, this program knows {SCHEMA_VERSION})",
            where=str(path),
            fix="update this program, or write to another folder with --results DIR",
        )
    try:
        return decode(Record, data)
    except ValueError as error:
        raise Damaged(f"the record is damaged: {error}", where=str(path), fix=fix) from None


def open_steps(folder: Path) -> TextIO:
    """Open `steps.jsonl` for appending; each line reaches the disk as it is written."""
    with atomic.explained(folder):
        return (folder / STEPS).open("a", encoding="utf-8", buffering=1)


def append_step(steps: TextIO, step: Mapping[str, Any]) -> None:
    """Append one step, such as `{"step": 3, "loss": 0.41, "seconds": 0.2}`."""
    steps.write(json.dumps(encode(step)) + "\n")


def read_steps(folder: Path) -> list[dict[str, Any]]:
    """The steps written so far; a last line cut short by a kill is left out."""
    path = folder / STEPS
    if not path.exists():
        return []
    steps = []
    for line in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):
            steps.append(json.loads(line))
    return steps


def clean_log(folder: Path) -> None:
    """Redact what a run's process printed, in place, since a full disk has no room for a second copy."""
    path = folder / LOG
    with atomic.explained(path), contextlib.suppress(FileNotFoundError):
        said = path.read_bytes()
        clean = redact(said.decode("utf-8", "surrogateescape")).encode("utf-8", "surrogateescape")
        if clean != said:
            with path.open("r+b") as log:
                log.write(clean)
                log.truncate()


def find(root: Path, task: str | None = None, *, skip_damaged: bool = False) -> list[Run]:
    """Every run with a record below `root`, any folder, in path order; `task` keeps one task's.

    A damaged record is an error, since a table without it would be silently another one; a caller that shows no result
    may skip it.
    """
    runs = []
    for path in sorted(root.rglob(RECORD)) if root.is_dir() else []:
        try:
            runs.append(Run(path.parent, read_record(path.parent)))
        except Missing:
            continue  # it was there a moment ago: another process does the run again
        except Damaged:
            if not skip_damaged:
                raise
    return [run for run in runs if task is None or run.record.spec.task == task]


def read_all(root: Path, task: str | None = None, *, skip_damaged: bool = False) -> list[Run]:
    """Every run of this results folder (`root/runs`), finished or not ok; arguments as `find`."""
    return find(root / "runs" / path_word(task) if task else root / "runs", task, skip_damaged=skip_damaged)


def read_trials(root: Path, task: str | None = None) -> list[Run]:
    """Every trial of a learning rate (`root/trials`), tested on the validation split."""
    return find(root / "trials" / path_word(task) if task else root / "trials", task)


def read_kept(root: Path) -> list[Run]:
    """Every run of this results folder that is no trial, damaged ones left out."""
    return read_all(root, skip_damaged=True) + find(root / SEQUENCES, skip_damaged=True)


def read_published(root: Path, task: str | None = None) -> list[Run]:
    """Every published run (`root/published`)."""
    return find(root / "published" / path_word(task) if task else root / "published", task)


def finished(root: Path, spec: RunSpec) -> Run | None:
    """The run of exactly this spec if it ended ok: it is reused. Anything else runs again."""
    return finished_in(run_dir(root, spec), spec)


def finished_in(folder: Path, spec: RunSpec) -> Run | None:
    """As `finished`, of one folder."""
    try:
        record = read_record(folder)
    except (Missing, Damaged):
        return None
    return Run(folder, record) if record.status == "ok" and record.spec.id == spec.id else None


def publish(
    root: Path,
    runs: Iterable[Run],
    answers: Mapping[str, Sequence[Answer]] | None = None,
    probed: Mapping[str, Mapping[str, Sequence[Answer]]] | None = None,
) -> list[Path]:
    """Copy the records and answers of these runs into `root/published`, which only ever grows.

    Answers are published packed, so a record of schema 1 is published with the current schema.

    Args:
        root: the results folder.
        runs: the runs, those that were interrupted or failed are left out.
        answers: by run id, answers to publish in place of the run's own (see `withhold`).
        probed: the same for those to probes, by run id and task.

    Returns the folders that are new. Raises `HarnessError` where a published file would change.
    """
    new = []
    for run in (run for run in runs if run.record.status in PUBLISHABLE):
        target = root / "published" / relative_dir(run.record.spec)
        name = run.record.spec.id
        evidence, record = _publication_of(run, (answers or {}).get(name), (probed or {}).get(name, {}))
        if differing := _differing(target, evidence, record):
            raise HarnessError(
                "a published run is never overwritten, and this one differs",
                where=str(target / differing[0]),
                fix="change the task's version, or remove the published folder in a commit of its own",
            )
        if not (target / RECORD).exists():
            for name, content in evidence.items():
                answer_files.write_bytes(target, content, name)
            write_text(target / RECORD, record)
            new.append(target)
    return new


def _differing(target: Path, evidence: Mapping[str, bytes], record: str) -> list[str]:
    """Return the names of published files that differ from these, however their answers are packed."""
    present = [name for name in evidence if answer_files.locate(target, name)]
    names = [name for name in present if answer_files.read_bytes(target, name) != evidence[name]]
    path = target / RECORD
    if path.exists() and with_schema(path.read_bytes().decode("utf-8"), SCHEMA_VERSION) != record:
        names.append(RECORD)
    return names


def _publication_of(
    run: Run, answers: Sequence[Answer] | None, probed: Mapping[str, Sequence[Answer]]
) -> tuple[dict[str, bytes], str]:
    """Return the lines of each file of answers of a published run, and the text of its record."""
    record, folder = run.record, run.folder
    substitutes = {ANSWERS: answers} | {probe_file(task): probed.get(task) for task in record.probes}
    present = [name for name in substitutes if answer_files.locate(folder, name)]
    evidence = {name: answer_files.read_bytes(folder, name) for name in present}
    evidence |= {name: answers_text(rows).encode() for name, rows in substitutes.items() if rows is not None}
    if answers is None and not probed:
        return evidence, with_schema((folder / RECORD).read_bytes().decode("utf-8"), SCHEMA_VERSION)
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in evidence.items()}
    if answers is not None:
        record = replace(record, answers_sha256=digests[ANSWERS])
    probes = {task: replace(record.probes[task], answers_sha256=digests[probe_file(task)]) for task in probed}
    return evidence, record_text(replace(record, schema=SCHEMA_VERSION, probes={**record.probes, **probes}))


def with_schema(text: str, version: int) -> str:
    """Return a record's text with another schema version. Versions 1 and 2 have the same fields.

    Raises:
        ValueError: the text is not a JSON object.
    """
    data = json.loads(text)
    if not isinstance(data, dict):
        raise ValueError("a record is a JSON object")
    return text if data.get("schema") == version else _json_text(data | {"schema": version})


def sha256(text: str) -> str:
    """The SHA-256 of a text as it lies in a file."""
    return hashlib.sha256(text.encode()).hexdigest()


def write_text(path: Path, text: str) -> Path:
    """Write a file of text below results/, whole or not at all."""
    return atomic.write(path, text.encode("utf-8"))


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a picture below results/, whole or not at all."""
    return atomic.write(path, content)
