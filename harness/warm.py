"""What every run imports, imported once by the fork server. It must start no thread and touch no device."""

import contextlib
import importlib

from harness.local import QUIET, set_environment

MODULES = (
    "torch",
    "transformers",
    "transformers.models.llama.modeling_llama",
    "peft",
    "harness.worker",
    "harness.models",
    "harness.train",
    "harness.evaluate",
)

set_environment(QUIET)
for _name in MODULES:
    # A module that fails here fails again in the run that needs it, where it can be told.
    with contextlib.suppress(Exception):
        importlib.import_module(_name)
