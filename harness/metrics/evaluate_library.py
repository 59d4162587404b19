"""Any metric of the library `evaluate`, by its name or by the folder of its script.

    metrics.from_evaluate("rouge", key="rougeL")
    metrics.from_evaluate("sacrebleu", key="score", unit="points", whole=True)
    metrics.bertscore("./models/roberta-large", layers=17)

`evaluate` fetches a metric's script, and some metrics a model, when they are first used. Where there is no network both
must be in its cache; what is missing is said before anything trains.
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
    """Return a metric of `evaluate`, loaded once; HarnessError with what to fetch or install where it cannot be."""
    import evaluate

    evaluate.utils.logging.disable_progress_bar()
    try:
        return evaluate.load(name, keep_in_memory=True)  # no files of its own: runs side by side would share them
    except ImportError as error:
        named = re.search(r"pip install [\w \-.]+", str(error))
        fix = named[0].strip() if named else "install what it names"
        problem = f"the metric '{name}' of the library evaluate needs a package: {one_line(error)}"
        raise HarnessError(problem, where=f"evaluate.load({name!r})", fix=fix) from error
    except Exception as error:  # offline, unknown, or a script that fails: the library's errors share no base class
        why = "neither in its cache, nor in a folder of this name, nor to be fetched"
        if not isinstance(error, FileNotFoundError | ConnectionError):
            why = one_line(error)
        problem = f"the metric '{name}' of the library evaluate is not here: {why}"
        fix = (
            f"where there is a network, run: python -c \"import evaluate; evaluate.load('{name}')\", and copy "
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
        name: the metric's name in records; without, module and key.
        title: its heading; without, the name in words.
        unit: "share" where it lies between 0 and 1.
        higher_is_better: False for error rates.
        whole: the value of a set of answers is no mean of single ones (BLEU): it is then computed of the whole set, and
            its interval by bootstrap, which takes a thousand computations.
        settings: passed to the metric's `compute`.

    An answer that cannot be read is compared as an empty text, and scores 0 where higher is better.

    The metric's functions raise a HarnessError where the script, a package or a model that it needs is missing.
    """
    short = re.sub(r"\W+", "_", module.rstrip("/").removesuffix(".py").rpartition("/")[2]).strip("_")
    name = name or f"{short}_{key}".lower()

    def compute(targets: Sequence[str], said: Sequence[str]) -> float:
        loaded = _module(module)
        try:
            found = loaded.compute(predictions=list(said), references=list(targets), **settings)[key]
        except KeyError as error:
            problem = f"the metric '{module}' of the library evaluate has no result {key!r}"
            raise HarnessError(problem, where=f"from_evaluate({module!r})", fix="choose another key") from error
        except Exception as error:  # a model that is not here, above all
            problem = f"the metric '{module}' of the library evaluate cannot be computed: {one_line(error)}"
            fix = "fetch what it names where there is a network, or leave this metric out of the task"
            raise HarnessError(problem, where=f"from_evaluate({module!r})", fix=fix) from error
        values = [float(value) for value in found] if isinstance(found, Sequence) else [float(found)]
        return sum(values) / len(values)

    @lru_cache(maxsize=65536)
    def single(target: str, said: str) -> float:
        return compute([target], [said])

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
        layers: whose output is compared, as the paper chose for each model (17 of roberta-large).
        name: the metric's name in records.

    Values are not rescaled; those of one model and layer are comparable to each other only.
    """
    settings: dict[str, Any] = {"model_type": model, "num_layers": layers, "device": "cpu", "batch_size": 1}
    return from_evaluate("bertscore", key="f1", name=name, title="BERTScore, F1", unit="points", **settings)
