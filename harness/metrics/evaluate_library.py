"""Metrics of the library `evaluate`, by name or by the folder of the script.

    metrics.from_evaluate("rouge", key="rougeL")
    metrics.from_evaluate("sacrebleu", key="score", unit="points", whole=True)
    metrics.bertscore("./models/roberta-large", layers=17)

`evaluate` fetches a metric's script, and for some metrics a model, on first use. Without a network both must be in its
cache; if something is missing, the run ends with an error before training starts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from harness.errors import HarnessError, one_line
from harness.record import Answer
from harness.schema import Metric

TRIAL = "net income rose by four million"


@lru_cache(maxsize=32)
def _module(name: str) -> Any:
    """Return a metric of `evaluate`, loaded once.

    Raises:
        HarnessError: it cannot be loaded; the fix names the files to fetch or the package to install.
    """
    import evaluate

    evaluate.utils.logging.disable_progress_bar()
    try:
        return evaluate.load(name, keep_in_memory=True)  # no files, which runs side by side would share
    except ImportError as error:
        command = re.search(r"pip install [\w \-.]+", str(error))
        fix = command[0].strip() if command else "install the package that the error names"
        problem = f"the metric '{name}' of the library evaluate needs a package: {one_line(error)}"
        raise HarnessError(problem, where=f"evaluate.load({name!r})", fix=fix) from error
    except Exception as error:  # offline, unknown, or a script that fails: the library's errors share no base class
        why = "it is neither in the cache nor in a folder of this name, and cannot be fetched"
        if not isinstance(error, FileNotFoundError | ConnectionError):
            why = one_line(error)
        problem = f"the metric '{name}' of the library evaluate is missing: {why}"
        fix = (
            f"run on a machine with a network: python -c \"import evaluate; evaluate.load('{name}')\", and copy "
            "~/.cache/huggingface/modules; or name the folder of its script"
        )
        raise HarnessError(problem, where=f"evaluate.load({name!r})", fix=fix) from error


def from_evaluate(
    module: str,
    *,
    key: str,
    name: str = "",
    title: str = "",
    unit: str = "share",
    higher_is_better: bool = True,
    whole: bool = False,
    **settings: Any,
) -> Metric:
    """Return a metric of the library `evaluate`.

    Args:
        module: its name on the hub ("rouge", "bertscore", "wer"), or a folder or file with its script.
        key: the result to use ("rougeL", "f1").
        name: the metric's name in records; by default module and key.
        title: its heading; by default the name in words.
        unit: "share" for values between 0 and 1.
        higher_is_better: False for error rates.
        whole: True if the value of a set of answers is not the mean of single values (BLEU). It is then computed for the
            whole set, and its interval by bootstrap, which takes a thousand computations.
        settings: further arguments of the metric's `compute`.

    An answer that cannot be parsed counts as an empty text, and scores 0 if higher is better.

    The metric's functions raise a HarnessError if the script, a package or a model is missing.
    """
    short = re.sub(r"\W+", "_", module.rstrip("/").removesuffix(".py").rpartition("/")[2]).strip("_")
    name = name or f"{short}_{key}".lower()

    def compute(targets: Sequence[str], texts: Sequence[str]) -> float:
        library_metric = _module(module)
        try:
            result = library_metric.compute(predictions=list(texts), references=list(targets), **settings)[key]
        except KeyError as error:
            problem = f"the metric '{module}' of the library evaluate has no result {key!r}"
            raise HarnessError(problem, where=f"from_evaluate({module!r})", fix="choose another key") from error
        except Exception as error:  # mostly a missing model
            problem = f"the metric '{module}' of the library evaluate cannot be computed: {one_line(error)}"
            fix = (
                "fetch the files that the error names on a machine with a network, or remove this metric from the task"
            )
            raise HarnessError(problem, where=f"from_evaluate({module!r})", fix=fix) from error
        values = [float(value) for value in result] if isinstance(result, Sequence) else [float(result)]
        return sum(values) / len(values)

    @lru_cache(maxsize=65536)
    def single(target: str, texts: str) -> float:
        return compute([target], [texts])

    def score(answer: Answer) -> float:
        if answer.parsed is None and higher_is_better:
            return 0.0
        return single(answer.target, answer.parsed or "")

    def combine(answers: Sequence[Answer]) -> float:
        return compute([answer.target for answer in answers], [answer.parsed or "" for answer in answers])

    def ready() -> None:
        single(TRIAL, TRIAL)

    return Metric(
        name=name,
        title=title or name.replace("_", " "),
        score=score,
        higher_is_better=higher_is_better,
        combine=combine if whole else None,
        unit=unit,
        ready=ready,
    )


def bertscore(model: str, *, layers: int, name: str = "bertscore") -> Metric:
    """Return BERTScore, the F1 of matched word vectors (Zhang et al. 2020), by `evaluate` and the package `bert_score`.

    Args:
        model: an encoder: a folder, or a hub id that is in the cache or can be fetched.
        layers: the layer with the output to compare, chosen by the paper for each model (17 for roberta-large).
        name: the metric's name in records.

    Values are not rescaled; only values of the same model and layer are comparable.
    """
    settings: dict[str, Any] = {"model_type": model, "num_layers": layers, "device": "cpu", "batch_size": 1}
    return from_evaluate("bertscore", key="f1", name=name, title="BERTScore, F1", unit="points", **settings)
