"""What every run imports, imported once by the fork server. It must start no thread and touch no device."""

import contextlib
import importlib
import os
from collections.abc import Iterator

from harness.processes import QUIET, set_environment

MODULES = (
    "torch",
    "transformers",
    "transformers.models.llama.modeling_llama",
    "peft",
    "harness.runs.worker",
    "harness.model.loading",
    "harness.training.loop",
    "harness.model.answer",
)


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Keep what libraries say on import off the terminal; a run's own output goes into its log."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


set_environment(QUIET)
with _silent():
    for _name in MODULES:
        # A module that fails here fails again in the run that needs it, where it can be told.
        with contextlib.suppress(Exception):
            importlib.import_module(_name)
