"""Two processes against one: how far the losses of 20 steps differ, and a process's share of the memory.

    python tests/benchmarks/shard.py [--model DIR] [--steps N] [--processes N] [--method full,lora,qlora,dora] [--rows N]

Without `--model` it is a Llama of eight layers of width 64 with a vocabulary of 300. The targets are a relative difference of
1e-4 at most and a share of 60 % at most.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.support import shards
from tests.support.tiny_models import toy_folder, toy_spec


def main() -> int:
    """Print the table; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--method", default="full,lora,qlora,dora")
    parser.add_argument("--rows", type=int, default=16, help="examples of a step")
    arguments = parser.parse_args()
    missed = 0
    with tempfile.TemporaryDirectory() as scratch:
        shape = {"num_hidden_layers": 8, "hidden_size": 64, "intermediate_size": 128}
        folder = arguments.model or toy_folder(Path(scratch), **shape)
        print("| method | largest relative difference of a step's loss | share of memory | MiB of one, of each |")
        print("| --- | --: | --: | --: |")
        for method in arguments.method.split(","):
            spec = toy_spec(
                method=method,
                rank=0 if method.startswith("full") else 8,
                alpha=16.0,
                learning_rate=1e-3,
                batch_size=arguments.rows,
                micro_batch=arguments.rows,
                train_examples=arguments.rows * arguments.steps,
                max_tokens=256,
            )
            one, many = (shards.train(folder, spec, n) for n in (1, arguments.processes))
            difference, share = shards.difference(one, many), shards.share(one, many)
            missed += difference > 1e-4 or share > 0.6
            sizes = [course.peak_bytes / 2**20 for course in (one[0], *many)]
            print(
                f"| {method} | {difference:.1e} | {share:.1%} | {', '.join(f'{size:.1f}' for size in sizes)} |",
                flush=True,
            )
    return int(missed > 0)


if __name__ == "__main__":
    sys.exit(main())
