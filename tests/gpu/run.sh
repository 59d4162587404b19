#!/usr/bin/env bash
# What needs a CUDA device, on a machine that has one:
#
#   bash tests/gpu/run.sh [--only WORD] [--dry-run]     measure 8B shapes: about eight minutes, ten at most; table last
#   bash tests/gpu/run.sh checks [pytest options]       the tests that are marked gpu: about eight minutes
#
# Without a CUDA device the first is a dry run: the same path on the CPU with a toy shape, a minute and a half at most.
#
# Uses the python3 that is there (or PYTHON), with its own torch (2.11 or newer), transformers (5.17 or newer) and PEFT;
# nothing is fetched. What that python lacks comes from wheels in a folder, made where there is a network:
#   python3 -m pip download --no-deps --only-binary=:all: --python-version 3.12 -d DIR bitsandbytes==0.50.2 \
#     --platform manylinux_2_28_x86_64 --platform manylinux_2_24_x86_64 --platform manylinux2014_x86_64
#   WHEELS=DIR bash tests/gpu/run.sh
# To compare with TRL put its wheels there too: trl==1.16.0 datasets dill multiprocess; without them its rows say so.
#
# With OUT set everything is left there: shapes.csv, .jsonl, .log and .md (a section for results/gpu/README.md), or the
# leaderboards and what the commands printed. Else shapes.* are left in results/gpu, those of a dry run nowhere.
set -euo pipefail
cd "$(dirname "$0")/../.."
python=${PYTHON:-python3}
export PYTHONPATH="$PWD${PYTHONPATH:+:$PYTHONPATH}"

if [ -n "${WHEELS:-}" ]; then
  site=$(mktemp -d)
  "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$WHEELS"/*.whl
  export PYTHONPATH="$site:$PYTHONPATH"
fi

"$python" - <<'END'
import importlib.metadata as metadata

for name in ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers", "rich", "scipy", "matplotlib"):
    try:
        print(f"{name:<14}{metadata.version(name)}")
    except metadata.PackageNotFoundError:
        raise SystemExit(f"{name} is missing: put its wheel into a folder and set WHEELS to it") from None
END

if [ "${1:-}" = checks ]; then
  shift
  exec "$python" -m pytest tests/gpu -m gpu -p no:cacheprovider -rs --durations=0 "$@"
fi
exec "$python" -m tests.gpu.shapes "$@"
