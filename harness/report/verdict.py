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
    judged = [(cell, cell.vs_base) for cell in tuned if cell.vs_base is not None]
    if not tuned:
        return "No fine-tuned run has finished, so nothing is shown about fine-tuning."
    if not judged:
        return "Whether fine-tuning pays is not shown: no base model stands beside these runs on the same questions."
    told = [(cell, found) for cell, found in judged if found.p_holm < LEVEL]
    better = [(cell, found) for cell, found in told if (found.value > 0) == cell.higher_is_better]
    unlike = f" and {len(told) - len(better)} worse" if len(better) < len(told) else ""
    if better:
        top, found = max(better, key=lambda pair: abs(pair[1].value))
        low, high = (found.low, found.high) if top.higher_is_better else (-found.high, -found.low)
        beat = f"{_counted(len(better), len(judged))} better than the base model{unlike}, {section.label(top)} by "
        gain = f"{points(abs(found.value), section.unit)} {interval(low, high, section.unit)}"
        return f"Fine-tuning pays on these questions: {beat}{gain}{_adapters(section)}."
    if told:
        rows, rest = _counted(len(told), len(judged)), ", and none is better" if len(told) < len(judged) else ""
        return f"Fine-tuning does harm on these questions: {rows} worse than the base model{rest}."
    rows = "the one tuned row cannot" if len(judged) == 1 else f"none of the {len(judged)} tuned rows can"
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
        told = "cannot be told from" if full.best_or_tied == "tied" else "is worse than"
        return f"; full fine-tuning {told} {section.label(best)}" if best.spec.rank else ""
    enough = [cell for cell in adapters if cell.not_worse]
    if enough:
        named = section.label(min(enough, key=lambda cell: cell.spec.rank))
        return f"; {named} is shown to lose less than {points(MARGIN, 'share')} to full fine-tuning"
    alike = [section.label(cell) for cell in adapters if cell.best_or_tied == "tied"]
    if alike:
        return (
            f"; {' and '.join(filter(None, (', '.join(alike[:-1]), alike[-1])))} cannot be told from full fine-tuning"
        )
    return "; every adapter is worse than full fine-tuning"
