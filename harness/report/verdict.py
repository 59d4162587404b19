"""The verdict: one sentence on whether fine-tuning pays, by rule from the paired tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.analysis.compare import MARGIN
from harness.format import interval, points
from harness.metrics.stats import LEVEL

if TYPE_CHECKING:
    from harness.analysis.sections import Section


def verdict(section: Section) -> str:
    """Say in one sentence whether fine-tuning pays on these questions, and whether adapters do as well as full fine-tuning.

    By rule from the paired tests at 5 %, Holm-adjusted over all pairs of rows; nothing that they do not show is said.
    """
    tuned = [cell for cell in section.headline if cell.spec.method != "base" and cell.value is not None]
    compared = [(cell, cell.vs_base) for cell in tuned if cell.vs_base is not None]
    if not tuned:
        return "No fine-tuned run has finished, so nothing is shown about fine-tuning."
    if not compared:
        return "Whether fine-tuning pays is not shown: no base model stands beside these runs on the same questions."
    significant = [(cell, difference) for cell, difference in compared if difference.p_holm < LEVEL]
    better = [(cell, difference) for cell, difference in significant if (difference.value > 0) == cell.higher_is_better]
    worse = f" and {len(significant) - len(better)} worse" if len(better) < len(significant) else ""
    if better:
        top, difference = max(better, key=lambda pair: abs(pair[1].value))
        low, high = (difference.low, difference.high) if top.higher_is_better else (-difference.high, -difference.low)
        beat = f"{_counted(len(better), len(compared))} better than the base model{worse}, {section.label(top)} by "
        gain = f"{points(abs(difference.value), section.unit)} {interval(low, high, section.unit)}"
        return f"Fine-tuning pays on these questions: {beat}{gain}{_adapters(section)}."
    if significant:
        rows, rest = (
            _counted(len(significant), len(compared)),
            ", and none is better" if len(significant) < len(compared) else "",
        )
        return f"Fine-tuning does harm on these questions: {rows} worse than the base model{rest}."
    rows = "the one tuned row cannot" if len(compared) == 1 else f"none of the {len(compared)} tuned rows can"
    return f"Fine-tuning is not shown to pay on these questions: {rows} be told from the base model."


def _counted(some: int, of: int) -> str:
    if of == 1:
        return "the one tuned row is"
    return f"all {of} tuned rows are" if some == of else f"{some} of {of} tuned rows {'are' if some > 1 else 'is'}"


def _adapters(section: Section) -> str:
    """How adapters stand to full fine-tuning, as the end of a sentence; empty where the best row does not decide it."""
    rows = [cell for cell in section.headline if cell.value is not None]
    full = next((cell for cell in rows if cell.spec.method == "full"), None)
    adapters = [cell for cell in rows if cell.spec.rank and cell.vs_best is not None]
    best = next((cell for cell in rows if cell.best_or_tied == "best"), None)
    if full is None or best is None or not (adapters or best.spec.rank):
        return ""
    if best is not full:
        if full.vs_best is None:
            return ""
        relation = "cannot be told from" if full.best_or_tied == "tied" else "is worse than"
        return f"; full fine-tuning {relation} {section.label(best)}" if best.spec.rank else ""
    enough = [cell for cell in adapters if cell.not_worse]
    if enough:
        name = section.label(min(enough, key=lambda cell: cell.spec.rank))
        return f"; {name} is shown to lose less than {points(MARGIN, 'share')} to full fine-tuning"
    tied = [section.label(cell) for cell in adapters if cell.best_or_tied == "tied"]
    if tied:
        return f"; {' and '.join(filter(None, (', '.join(tied[:-1]), tied[-1])))} cannot be told from full fine-tuning"
    return "; every adapter is worse than full fine-tuning"
