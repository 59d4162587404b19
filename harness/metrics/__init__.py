"""The metrics, which turn answers into numbers, one small file each. A new metric is one new file in this folder.

A module here computes with answers and numbers alone: it opens no file and knows no task.

A file defines its metrics as module-level `Metric` values; each is then `metrics.<its name>` and `by_name("its name")`.
Factories (`numeric`, `macro_f1_of`, `cost_of`, `from_evaluate`, `bertscore`) make a metric from arguments.
"""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from harness.errors import HarnessError, did_you_mean
from harness.metrics.accuracy import METRIC as accuracy
from harness.metrics.cost import cost_of
from harness.metrics.evaluate_library import bertscore, from_evaluate
from harness.metrics.exact_match import METRIC as exact_match
from harness.metrics.macro_f1 import METRIC as macro_f1
from harness.metrics.macro_f1 import UNPARSED, confusion, macro_f1_of
from harness.metrics.number import parse_number
from harness.metrics.numeric import numeric
from harness.metrics.options import ACC as acc
from harness.metrics.options import ACC_NORM as acc_norm
from harness.metrics.perplexity import bits_per_byte, nats_per_token, perplexity
from harness.metrics.rouge import METRIC as rouge_l
from harness.metrics.text import default_parse, fold
from harness.schema import Metric

__all__ = [
    "UNPARSED",
    "acc",
    "acc_norm",
    "accuracy",
    "bertscore",
    "bits_per_byte",
    "by_name",
    "confusion",
    "cost_of",
    "default_parse",
    "exact_match",
    "fold",
    "from_evaluate",
    "macro_f1",
    "macro_f1_of",
    "names",
    "nats_per_token",
    "numeric",
    "parse_number",
    "perplexity",
    "rouge_l",
]

_metrics: dict[str, Metric] = {}


def names() -> list[str]:
    """Return the names of the metrics that need no argument, sorted."""
    return sorted(_all())


def by_name(name: str) -> Metric:
    """Return the metric of this name.

    Raises:
        HarnessError: there is no metric of this name.
    """
    metric = _all().get(name)
    if metric is None:
        raise HarnessError(
            f"no metric named '{name}'", where=f"known: {', '.join(names())}", fix=did_you_mean(name, names())
        )
    return metric


def _all() -> dict[str, Metric]:
    """Return the `Metric` values of all files of this folder by name; the files are imported once."""
    if not _metrics:
        for file in sorted(pkgutil.iter_modules(__path__), key=lambda file: file.name):
            for value in vars(importlib.import_module(f"{__name__}.{file.name}")).values():
                if not isinstance(value, Metric):
                    continue
                if _metrics.setdefault(value.name, value) is not value:
                    raise HarnessError(
                        f"two metrics are named '{value.name}'", where=f"metrics/{file.name}.py", fix="rename one"
                    )
        # A metric takes precedence over the module of its name, which Python has just set as an attribute.
        globals().update({k: v for k, v in _metrics.items() if isinstance(globals().get(k), ModuleType | None)})
    return _metrics


def __getattr__(name: str) -> Metric:
    """Return a metric of a file that is not imported above (PEP 562)."""
    if not name.startswith("_") and name in _all():
        return _metrics[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
