"""The verdict: one sentence on the benefit of fine-tuning, and one on challengers, by rule from the paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis.compare import MARGIN
from harness.format import interval, number, percent_sign, points
from harness.metrics.stats import LEVEL
from harness.report.names import baseline_words

if TYPE_CHECKING:
    from harness.analysis.aggregate import Cell
    from harness.analysis.sections import Section


# Challengers as subjects of a sentence; any other goes by its name.
CHALLENGERS = {
    "commonest": "the commonest answer in training",
    "options_only": "a guess from the options alone",
    "words": "a word counter",
    "nearest": "the most alike training example",
    "trees": "gradient boosting over columns",
    "embeddings": "a linear model over the frozen base's hidden states",
}


def verdict(section: Section) -> str:
    """Return whether fine-tuning helps on these questions, and whether a challenger does as well; one sentence each.

    The first says too if adapters do as well as full fine-tuning. There is no second one without challengers. It follows by rule from the paired tests at 5 %, Holm-adjusted over all pairs of rows.
    """
    return " ".join(filter(None, (_benefit(section), challenge(section))))


def challenge(section: Section) -> str:
    """Return the sentence on the best tuned row and the challengers; empty if they were not compared."""
    tuned = [cell for cell in section.headline if cell.trains and cell.value is not None]
    best = max(tuned, key=lambda cell: (cell.value or 0.0) * (1 if cell.higher_is_better else -1), default=None)
    if best is None or best.vs_challenger is None or best.challenger is None:
        return ""
    difference, name = best.vs_challenger, CHALLENGERS.get(best.challenger.method, best.challenger.method)
    subject = f"{name[:1].upper()}{name[1:]}"
    if difference.p_holm >= LEVEL:
        row = next(cell for cell in section.headline if cell.spec == best.challenger)
        scores = f"{_score(row, section)}; {section.label(best)} {_score(best, section)}"
        return f"{subject} does as well as the best tuned row ({scores}): no significant difference."
    low, high = (difference.low, difference.high) if difference.value > 0 else (-difference.high, -difference.low)
    apart = f"{points(abs(difference.value), section.unit)} {interval(low, high, section.unit)}"
    if (difference.value > 0) == best.higher_is_better:
        return f"{section.label(best)} is better than every challenger, by {apart} over {name}."
    return f"{subject} beats every tuned row: the best of them, {section.label(best)}, is worse by {apart}."


def _score(cell: Cell, section: Section) -> str:
    return f"{number(cell.value, section.unit)}{percent_sign(section.unit)}"


def _benefit(section: Section) -> str:
    tuned = [cell for cell in section.headline if cell.trains and cell.value is not None]
    compared = [(cell, cell.vs_base) for cell in tuned if cell.vs_base is not None]
    if not tuned:
        return "No verdict: no fine-tuned run has finished."
    if not compared:
        return "No verdict: there is no run of the base model on the same questions."
    significant = [(cell, difference) for cell, difference in compared if difference.p_holm < LEVEL]
    better = [(cell, difference) for cell, difference in significant if (difference.value > 0) == cell.higher_is_better]
    worse = f" and {len(significant) - len(better)} worse" if len(better) < len(significant) else ""
    if better:
        top, difference = max(better, key=lambda pair: abs(pair[1].value))
        low, high = (difference.low, difference.high) if top.higher_is_better else (-difference.high, -difference.low)
        rows = f"{_count(len(better), len(compared))} better than {baseline_words(section)}{worse}"
        gain = f"{points(abs(difference.value), section.unit)} {interval(low, high, section.unit)}"
        largest = f"the largest gain is that of {section.label(top)}, {gain}"
        return f"Fine-tuning helps on these questions: {rows}; {largest}{_adapters(section)}."
    if significant:
        rows, rest = _count(len(significant), len(compared)), ", and none is better"
        return f"Fine-tuning harms on these questions: {rows} worse than {baseline_words(section)}{rest if len(significant) < len(compared) else ''}."
    rows = f"none of the {len(compared)} fine-tuned rows differs"
    if len(compared) == 1:
        rows = "the one fine-tuned row does not differ"
    return (
        f"No benefit of fine-tuning is shown on these questions: {rows} significantly from {baseline_words(section)}."
    )


def _count(some: int, rows: int) -> str:
    if rows == 1:
        return "the one fine-tuned row is"
    if some == rows:
        return f"all {rows} fine-tuned rows are"
    return f"{some} of {rows} fine-tuned rows {'are' if some > 1 else 'is'}"


def _adapters(section: Section) -> str:
    """Return the end of the sentence, about adapters and full fine-tuning; empty if the best row does not decide it."""
    rows = [cell for cell in section.headline if cell.value is not None and not cell.challenges]
    full = next((cell for cell in rows if cell.spec.method == "full"), None)
    adapters = [cell for cell in rows if cell.spec.rank and cell.vs_best is not None]
    best = next((cell for cell in rows if cell.best_or_tied == "best"), None)
    if full is None or not (adapters or (best and best.spec.rank)):
        return ""
    if best is None:  # a challenger leads, and the others are compared with it
        return _enough(section, adapters)
    if best is not full:
        if full.vs_best is None:
            return ""
        relation = "does not differ significantly from" if full.best_or_tied == "tied" else "is worse than"
        return f"; full fine-tuning {relation} {section.label(best)}" if best.spec.rank else ""
    if clause := _enough(section, adapters):
        return clause
    tied = [section.label(cell) for cell in adapters if cell.best_or_tied == "tied"]
    if tied:
        names = " and ".join(filter(None, (", ".join(tied[:-1]), tied[-1])))
        return f"; {names} {'do' if len(tied) > 1 else 'does'} not differ significantly from full fine-tuning"
    return "; every adapter is worse than full fine-tuning"


def _enough(section: Section, adapters: Sequence[Cell]) -> str:
    """Return the clause on the smallest adapter that is shown to be enough; empty without one."""
    enough = [cell for cell in adapters if cell.not_worse]
    if not enough:
        return ""
    name = section.label(min(enough, key=lambda cell: cell.spec.rank))
    return f"; {name} is shown to be less than {points(MARGIN, 'share')} below full fine-tuning"
