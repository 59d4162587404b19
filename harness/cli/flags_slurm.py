"""The rows of the flags of `plan --sbatch`."""

from __future__ import annotations

from dataclasses import replace

from harness.cli import parse
from harness.cli.arguments import Flag, choice

GROUP = "as an array job of SLURM"
SLURM = (
    Flag(
        "--sbatch",
        "write the runs still to do as an array script into this folder",
        parse.path,
        metavar="DIR",
        example="jobs",
        group=GROUP,
    ),
    replace(
        choice(
            "--each",
            "with --sbatch: the runs of a task of the array",
            ("run", "cell", "model"),
            unset="run; cell if --tune",
        ),
        group=GROUP,
    ),
    Flag("--partition", "with --sbatch: the partition", metavar="NAME", example="gpu", unset="SLURM's", group=GROUP),
    Flag("--account", "with --sbatch: the account", metavar="NAME", example="credit", unset="SLURM's", group=GROUP),
    Flag(
        "--slurm",
        "with --sbatch: further options of sbatch by name, such as a type of GPU or the time of a task; they have precedence",
        parse.assignments,
        list,
        metavar="NAME=VALUE",
        example="gres=gpu:a100:1,time=08:00:00",
        group=GROUP,
        repeat=True,
    ),
)
