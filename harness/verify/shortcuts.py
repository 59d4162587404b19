"""The shortcuts of a task: what challengers score on it without a language model, and warnings that follow.

An alarm is raised if options without their question, or the position of an option, beat guessing; and if a challenger
that reads the question comes more than half of the way from guessing to perfect, so that little is left to a model. The bounds are wide, so that
a sound task raises none by chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.challengers.parts import answers, texts
from harness.data import registry
from harness.data.loading import Splits
from harness.errors import HarnessError
from harness.format import number, percent_sign, words
from harness.metrics import stats
from harness.metrics.scoring import chance, cluster_key
from harness.metrics.text import fold
from harness.record import Answer
from harness.schema import Example, Task

ERRORS = 3.5  # standard errors above guessing: less than one sound task in a thousand
LEAST = 0.05  # share above guessing: less is of no use to a model
GIVEAWAYS = ("commonest", "options_only")  # challengers that do not read the question
POSITION = "position"


@dataclass(frozen=True)
class Shortcut:
    """The score of a challenger on a task's headline metric, and its standard error, infinite if unknown."""

    name: str
    value: float
    error: float


def measure(task: Task, splits: Splits) -> list[Shortcut]:
    """Return the scores of the challengers that apply and need no model; of options, that of the best position too."""
    scores = []
    for name, entry in registry.challengers().items():
        challenger = entry.value
        if challenger is None or challenger.embeds or challenger.remote or not splits.test:
            continue
        if answers.obstacle(challenger, task, splits.train):
            continue
        try:
            fitted = answers.fit(challenger, task, splits.train, 0)
            scores.append(_shortcut(name, answers.answer(challenger, fitted, splits.test, task), task))
        except HarnessError:  # a plugin's fault, which a run that names it reports
            continue
    return scores + _position(task, splits)


def _shortcut(name: str, given: Sequence[Answer], task: Task) -> Shortcut:
    metric = task.metrics[0]
    values = [metric.score(answer) for answer in given]
    if metric.combine is not None:
        return Shortcut(name, metric.combine(given), float("inf"))
    return Shortcut(name, sum(values) / len(values), stats.standard_error(values, list(map(cluster_key, given))))


def _position(task: Task, splits: Splits) -> list[Shortcut]:
    """Return the score of the position that is right most often in training, if options vary."""
    if task.scoring == "perplexity" or not splits.train or texts.kind(splits.train) != "options" or not splits.test:
        return []
    (first, _), *_ = Counter(map(_answer_position, splits.train)).most_common(1)
    values = [float(_answer_position(example) == first) for example in splits.test]
    return [
        Shortcut(POSITION, sum(values) / len(values), stats.standard_error(values, list(map(cluster_key, splits.test))))
    ]


def _answer_position(example: Example) -> int:
    options = list(map(fold, example.choices))
    return options.index(fold(example.target)) if fold(example.target) in options else -1


def alarms(task: Task, splits: Splits, shortcuts: Sequence[Shortcut]) -> list[str]:
    """Return a warning for each way to the answers that needs no question, or no language model."""
    metric, level = task.metrics[0], chance(task, splits.test)
    if level is None or metric.unit != "share" or not metric.higher_is_better:
        return []
    warnings = []
    for shortcut in shortcuts:
        gain = shortcut.value - level
        text = f"{subject(shortcut.name)}: {number(shortcut.value)} %; {task.guess}: {number(level)} %"
        if shortcut.name in (*GIVEAWAYS, POSITION):
            if texts.kind(splits.train) == "options" and gain >= max(LEAST, ERRORS * shortcut.error):
                warnings.append(f"{text}. The options give answers away without their question")
        elif gain >= max((1 - level) / 2, LEAST):
            warnings.append(f"{text}. Little is left that needs a language model")
    return warnings


def subject(name: str) -> str:
    """Return a challenger with its title, as in `trees (gradient boosting over columns)`; a position has none."""
    entry = registry.challengers().get(name)
    if entry is None or entry.value is None:
        return "the position that is right most often in training"
    return f"{name} ({entry.value.title})"


def notes(task: Task, splits: Splits) -> list[tuple[str, str]]:
    """Return the scores of challengers and the warnings, as (heading, text); without scores the reason why there are none."""
    shortcuts, metric = measure(task, splits), task.metrics[0]
    if not shortcuts:
        reason = "there are no training examples to fit on" if not splits.train else "none applies to this task"
        return [("challengers", reason)]
    scores = " · ".join(f"{shortcut.name} {number(shortcut.value, metric.unit)}" for shortcut in shortcuts)
    headline = f"{scores}{percent_sign(metric.unit)} {words(metric.name)}, without a language model"
    return [("challengers", headline), *(("! shortcut", warning) for warning in alarms(task, splits, shortcuts))]
