#!/usr/bin/env bash
# The checks that need a CUDA device, on a machine that has one:   bash tests/gpu/run.sh [pytest options, such as -k larger]
#
# Uses the python3 that is there, with its own torch (2.11 or newer) and transformers (5.17 or newer); nothing is
# fetched. What that python lacks comes from wheels in a folder: WHEELS=DIR bash tests/gpu/run.sh
# With OUT set, the leaderboards and what the commands printed are left there. About eight minutes on one large GPU.
set -euo pipefail
cd "$(dirname "$0")/../.."

if [ -n "${WHEELS:-}" ]; then
  site=$(mktemp -d)
  python3 -m pip install --quiet --no-index --no-deps --no-compile --target "$site" "$WHEELS"/*.whl
  export PYTHONPATH="$site${PYTHONPATH:+:$PYTHONPATH}"
fi

python3 - <<'END'
import importlib.metadata as metadata

import torch

for name in ("torch", "transformers", "peft", "bitsandbytes", "accelerate", "tokenizers", "rich", "scipy", "matplotlib"):
    try:
        print(f"{name:<14}{metadata.version(name)}")
    except metadata.PackageNotFoundError:
        raise SystemExit(f"{name} is missing: put its wheel into a folder and set WHEELS to it") from None
print(torch.cuda.get_device_name() if torch.cuda.is_available() else "no CUDA device")
END

python3 -m pytest tests/gpu -m gpu -p no:cacheprovider -rs --durations=0 "$@"
