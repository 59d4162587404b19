"""The imports of every run, done once by the fork server. They must start no thread and touch no device."""

import contextlib
import gc
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
    """Keep the libraries' output on import off the terminal; a run's own output goes into its log."""
    terminal = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)
        os.close(nowhere)


set_environment(QUIET)
with _silent():
    for _name in MODULES:
        # A module that fails here fails again in the run that needs it, which can report it.
        with contextlib.suppress(Exception):
            importlib.import_module(_name)
# A run collects garbage before each phase. Half a million objects of libraries are none, and to look through them takes
# a quarter of a second and copies their memory into each fork.
gc.collect()
gc.freeze()
