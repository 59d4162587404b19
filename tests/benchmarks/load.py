"""Serving under load: python tests/benchmarks/load.py [--requests N] [--connections N] [--model toy|tiny] [--seed N] [--file FILE]

The command `serve` answers mixed adapters over many connections: first one request at a time, then a load in which all
clients stay, then one in which a tenth leave early. No answer may be lost, or differ from that of the adapter alone; the
99th percentile of times with leavers is compared with the median without. A piece with another seed sends other requests;
`--file` collects pieces. Exit code 1 if an answer was lost or wrong.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path[:1] = [str(ROOT)]

from harness.model import checkpoint
from tests.support import load

LEAVERS = 0.1


def words(model: str, folder: Path) -> list[str]:
    """Return the words of `serve` for a model, after writing runs with random adapters."""
    if model == "tiny":
        from tests.benchmarks.serving import adapters

        adapters(folder, 4)
        return ["--model", "tiny", "--results", str(folder)]
    from tests.support.http_client import make

    bench = make(folder)
    return ["--model", str(bench.model), "--results", str(bench.results)]


def prompts(model: str) -> list[str]:
    """Return prompts of different lengths."""
    if model == "tiny":
        from tests.benchmarks.subjects import questions

        task, examples, _ = questions("sec_qa", 12)
    else:
        from tests.support.http_client import TASK as task
        from tests.support.tiny_models import toy_examples

        examples = toy_examples(12)
    return [task.prompt(example) for example in examples]


@contextmanager
def server(model: str) -> Iterator[tuple[int, list[str]]]:
    """Yield the port of a server in a process of its own, and the names of its models."""
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        command = [sys.executable, "run_all.py", "serve", "--port", "0", "--dtype", "fp32"]
        command += words(model, Path(folder) / "bench")
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            assert process.stdout
            first = process.stdout.readline()
            count = int(first.split(" adapter")[0].split()[-1])
            names = [process.stdout.readline().split()[0] for _ in range(count)]
            name = checkpoint.read("tiny").name if model == "tiny" else "toy"
            yield int(first.split()[0].rsplit(":", 1)[1]), [name, *names]
        finally:
            process.terminate()
            process.wait()


async def measure(port: int, names: list[str], arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the figures of one piece."""
    answers = await load.alone(port, names, prompts(arguments.model), arguments.tokens)
    figures: dict[str, Any] = {"requests": arguments.requests, "seed": arguments.seed}
    await load.run(port, load.jobs(answers, 128, leavers=0, seed=-1, max_tokens=arguments.tokens), 64, answers)
    patience = 0.05
    for name, share in (("all stay", 0.0), ("some leave", LEAVERS)):
        work = load.jobs(
            answers,
            arguments.requests,
            leavers=share,
            seed=arguments.seed,
            max_tokens=arguments.tokens,
            patience=patience,
        )
        found = await load.run(port, work, arguments.connections, answers)
        patience = found.percentile(0.5)
        figures[name] = {
            "right": found.right,
            "left": found.left,
            "wrong": found.wrong,
            "lost": found.lost,
            "p50": found.percentile(0.5),
            "p99": found.percentile(0.99),
        }
    return figures


def main() -> int:
    """Run one piece and print it; the exit code is 1 if an answer was lost or wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    parser.add_argument("--connections", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=16)
    parser.add_argument("--model", choices=("toy", "tiny"), default="toy")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--file", type=Path)
    arguments = parser.parse_args()
    with server(arguments.model) as (port, names):
        figures = asyncio.run(measure(port, names, arguments))
    pieces = [figures]
    if arguments.file:
        pieces = [*(json.loads(arguments.file.read_text()) if arguments.file.is_file() else []), figures]
        arguments.file.write_text(json.dumps(pieces, indent=1))
    for name in ("all stay", "some leave"):
        row = figures[name]
        print(f"{name}: {row['right']} right, {row['left']} left, {len(row['wrong'])} wrong, {len(row['lost'])} lost; "
              f"p50 {row['p50']:.3f} s, p99 {row['p99']:.3f} s")  # fmt: skip
        print(*row["wrong"][:3], *row["lost"][:3], sep="\n", end="\n" if row["wrong"] or row["lost"] else "")
    print(f"p99 with leavers is {figures['some leave']['p99'] / figures['all stay']['p50']:.2f} times p50 without")
    return int(any(figures[name][kind] for name in ("all stay", "some leave") for kind in ("wrong", "lost")))


if __name__ == "__main__":
    sys.exit(main())
