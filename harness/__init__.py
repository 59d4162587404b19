"""The public names: task, method and metric files import only from this package; `run` and `load_results` use the program.

Importing it loads neither torch nor another heavy library; names that need more than the schema load on first use.

    from harness import Example, Source, Task, metrics, prompts, read_jsonl
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from harness.errors import HarnessError, did_you_mean
from harness.record import (
    SCHEMA_VERSION,
    SPLITS,
    Answer,
    Cost,
    Environment,
    Parts,
    Phase,
    Record,
    RunSpec,
    Score,
    Scoring,
    Split,
    Status,
)
from harness.schema import Challenger, Example, Method, Metric, Source, Task

if TYPE_CHECKING:
    from harness import data, methods, metrics
    from harness.cli.api import load_answers, load_results, load_steps, run
    from harness.data import prompts, published
    from harness.data.file_task import commonest, first_number
    from harness.data.readers import read_jsonl
    from harness.metrics import stats
    from harness.metrics.expression import equal, parse_expression
    from harness.metrics.number import parse_number
    from tasks import _xbrl_statements as statements

__version__ = "0.2.0"

__all__ = [
    "SCHEMA_VERSION",
    "SPLITS",
    "Answer",
    "Challenger",
    "Cost",
    "Environment",
    "Example",
    "HarnessError",
    "Method",
    "Metric",
    "Parts",
    "Phase",
    "Record",
    "RunSpec",
    "Score",
    "Scoring",
    "Source",
    "Split",
    "Status",
    "Task",
    "commonest",
    "data",
    "did_you_mean",
    "equal",
    "first_number",
    "load_answers",
    "load_results",
    "load_steps",
    "methods",
    "metrics",
    "parse_expression",
    "parse_number",
    "prompts",
    "published",
    "read_jsonl",
    "run",
    "statements",
    "stats",
]

_MODULES = {
    "data": "harness.data",
    "methods": "harness.methods",
    "metrics": "harness.metrics",
    "prompts": "harness.data.prompts",
    "published": "harness.data.published",
    "statements": "tasks._xbrl_statements",
    "stats": "harness.metrics.stats",
}
_FUNCTIONS = {
    "commonest": "harness.data.file_task",
    "equal": "harness.metrics.expression",
    "first_number": "harness.data.file_task",
    "load_answers": "harness.cli.api",
    "load_results": "harness.cli.api",
    "load_steps": "harness.cli.api",
    "parse_expression": "harness.metrics.expression",
    "parse_number": "harness.metrics.number",
    "read_jsonl": "harness.data.readers",
    "run": "harness.cli.api",
}


def __getattr__(name: str) -> Any:
    """Return a public module or function, imported on first use (PEP 562)."""
    if name in _MODULES:
        return importlib.import_module(_MODULES[name])
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(_FUNCTIONS[name]), name)
    raise AttributeError(f"module 'harness' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
