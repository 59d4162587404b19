"""The array script of `plan --sbatch`: SLURM starts one task of it for each group of runs, on any node of a shared disk.

A task calls the program as a user would, so records and locks are those of every run, and a task whose runs are finished ends at
once. Before its time is over, or if it is preempted, it gets SIGTERM: the run writes its checkpoint, the task is queued again
and goes on from there.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from harness.record import RunSpec
from harness.store import records

Group = Literal["run", "cell", "model"]
SCRIPT, RECIPE, LOGS = "array.sbatch", "study.yaml", "logs"
NOTICE = 60  # seconds before the end of a task's time: for the step in hand and a checkpoint
RESTARTS = 50  # of a task at most: one that ends before its first step would begin anew for ever
TIME_MARGIN, TIME_SPARE = 2.0, 600.0  # times what is expected, and seconds for the start of program and node
MEMORY_MARGIN, LIBRARIES = 1.25, 4 * 2**30  # times what is predicted, and bytes of the libraries of two processes
CPUS = 4  # for each GPU of a task, beside which they have little to do


@dataclass(frozen=True)
class Call:
    """A call of the program: the words that name its runs, and the runs."""

    words: tuple[str, ...]
    specs: tuple[RunSpec, ...]


@dataclass(frozen=True)
class Task:
    """A task of the array: the calls that it makes, one after the other."""

    calls: tuple[Call, ...]

    @property
    def specs(self) -> tuple[RunSpec, ...]:
        """The runs of all calls."""
        return tuple(spec for call in self.calls for spec in call.specs)


@dataclass(frozen=True)
class Resources:
    """The share of a node that each task asks for; `seconds` is None if the partition's limit shall hold."""

    gpus: int
    cpus: int
    memory: int
    seconds: float | None

    def lines(self) -> dict[str, str]:
        """Return them as options of `sbatch`."""
        minutes = None if self.seconds is None else max(1, -(-int(self.seconds) // 60))
        return {
            "nodes": "1",
            "ntasks": "1",
            "cpus-per-task": str(self.cpus),
            "mem": f"{-(-self.memory // 2**30)}G",
            **({"time": f"{minutes // 60:02d}:{minutes % 60:02d}:00"} if minutes is not None else {}),
            **({"gres": f"gpu:{self.gpus}"} if self.gpus else {}),
        }


def calls(
    specs: Sequence[RunSpec], *, by_cell: bool, words: Callable[[Sequence[RunSpec]], Sequence[str]]
) -> list[Call]:
    """Return the calls that make these runs of one task.

    Runs without training are one call: they take minutes. The others have one each, or one for all seeds of a method and rank.

    Args:
        specs: all that are still to do.
        by_cell: whether the seeds of a row are one call, as a search for its learning rate needs.
        words: return the words of the program for the runs of a call.
    """
    groups: dict[object, list[RunSpec]] = {}
    for spec in specs:
        trains = spec.epochs and not spec.challenger
        key = (spec.method, spec.rank, None if by_cell else spec.seed) if trains else ""
        groups.setdefault(key, []).append(spec)
    return [Call(tuple(words(group)), tuple(group)) for group in groups.values()]


def tasks(found: Iterable[Call], group: Group) -> list[Task]:
    """Return the tasks of an array: a call each, or all calls of a base model."""
    found = tuple(found)
    return [Task(found)] * bool(found) if group == "model" else [Task((call,)) for call in found]


def resources(
    todo: Sequence[Task],
    *,
    device: str,
    cores: int,
    weights: int,
    peaks: Mapping[str, int],
    seconds: Mapping[str, float],
    shards: int = 1,
) -> Resources:
    """Return what the largest task needs, with margins.

    Args:
        todo: the tasks.
        device: `cpu` or `cuda`, of all runs that train.
        cores: of each task on the CPU.
        weights: bytes of the model's files, which pass through the memory of the node.
        peaks: the predicted peak of each run in bytes, 0 if unknown; on a GPU it is not the node's memory.
        seconds: the expected time of each run by id, empty if unknown.
        shards: the processes of a run, each of which reads the whole model and has a card of its own.
    """
    held = shards * (2 * weights if device == "cuda" else max([4 * weights, *peaks.values()]))
    times = [sum(seconds.get(spec.id, 0.0) for spec in task.specs) for task in todo] if seconds else []
    return Resources(
        gpus=shards * (device == "cuda"),
        cpus=CPUS * shards if device == "cuda" else cores,
        memory=round(MEMORY_MARGIN * held) + LIBRARIES,
        seconds=TIME_MARGIN * max(times) + TIME_SPARE if times else None,
    )


def script(
    todo: Sequence[Task], options: Mapping[str, str], *, program: Sequence[str], folder: Path, here: Path, collect: str
) -> str:
    """Return the script for `sbatch`.

    Args:
        todo: the tasks, in the order of their numbers.
        options: of `sbatch`, without the script's own.
        program: the words that start the program on a node.
        folder: for the output of the tasks.
        here: the folder to which relative paths belong.
        collect: the command that makes the tables afterwards.
    """
    own = {
        "array": f"0-{len(todo) - 1}",
        "output": f"{folder / LOGS}/%A_%a.txt",
        "open-mode": "append",
        "signal": f"B:TERM@{NOTICE}",
    }
    lines = [f"#SBATCH --{name}={_quoted(value)}" for name, value in (own | dict(options)).items()]
    cases = []
    for number, task in enumerate(todo):
        cases += [f"{number})", *(f"    run {shlex.join(call.words)}" for call in task.calls), "    ;;"]
    return "\n".join(
        [
            "#!/bin/bash",
            *lines,
            "#SBATCH --requeue",
            f"# afterwards: {collect}",
            "",
            f"cd {shlex.quote(str(here))} || exit 2",
            f"program=({shlex.join(program)})",
            BODY.replace("RESTARTS", str(RESTARTS)),
            'case "$SLURM_ARRAY_TASK_ID" in',
            *cases,
            "esac",
            END.replace("RESTARTS", str(RESTARTS)),
        ]
    )


def _quoted(value: str) -> str:
    return f'"{value}"' if " " in value else value


BODY = """export OMP_NUM_THREADS="${SLURM_CPUS_PER_TASK:-1}"
child='' stopped='' worst=0
# The notice reaches this shell alone, and is passed on; that of a preemption reaches the program too, which counts both as one.
stop() { stopped=1; [ -z "$child" ] || kill -TERM "$child" 2>/dev/null; }
trap stop TERM
run() {
    [ -z "$stopped" ] || return
    "${program[@]}" "$@" &
    child=$!
    wait "$child"
    code=$?
    while [ -n "$stopped" ] && kill -0 "$child" 2>/dev/null; do  # the signal cut the wait short
        wait "$child"
        code=$?
    done
    child=''
    [ "$code" -le "$worst" ] || worst=$code
}
"""
END = """# Queued again at the end of its time. A preempted task is by SLURM, and one that the user cancelled is not to come back.
if [ -n "$stopped" ] && [ "${SLURM_RESTART_COUNT:-0}" -lt RESTARTS ] \\
    && [ "$(squeue --noheader --jobs="$SLURM_JOB_ID" --format=%T 2>/dev/null)" = RUNNING ]; then
    scontrol requeue "$SLURM_JOB_ID"
fi
exit "$worst"
"""


def write(folder: Path, text: str, recipe: str) -> Path:
    """Write the script and the recipe of its runs, and make the folder of their output; return the script's path."""
    (folder / LOGS).mkdir(parents=True, exist_ok=True)
    records.write_text(folder / RECIPE, recipe)
    return records.write_text(folder / SCRIPT, text)
