"""The verdict: classes never answered, the benefit of fine-tuning, and challengers; by rule from the paired tests."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.analysis import decision
from harness.analysis.compare import MARGIN
from harness.analysis.decision import Reference
from harness.format import interval, number, percent_sign, points, short, words
from harness.metrics.stats import LEVEL
from harness.report.names import answer_text, baseline_words

if TYPE_CHECKING:
    from harness.analysis.aggregate import Cell, Difference
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
    """Return whether fine-tuning helps on these questions, and whether a challenger does as well; a few sentences.

    A class that the best tuned row never answers is stated first. The benefit is measured against the reference, the best
    of the base model, challengers and guessing (see `decision.reference`). It follows by rule from the paired tests at 5 %, Holm-adjusted over all pairs of rows.
    """
    against, best = decision.reference(section), decision.best_tuned(section)
    tied = best is not None and best.vs_challenger is not None and best.vs_challenger.p_holm >= LEVEL
    named = (
        against is not None and against.cell is not None and best is not None and best.challenger == against.cell.spec
    )
    rest = "" if tied and named else challenge(section)  # the benefit's sentence has it already
    return " ".join(filter(None, (gaps(section), _benefit(section), rest)))


def gaps(section: Section) -> str:
    """Return a sentence on the classes that the best tuned row never answers; empty if there are none."""
    best = decision.best_tuned(section)
    missing = decision.missing_classes(best) if best is not None else []
    if best is None or not missing:
        return ""
    questions = sum(count.targets for count in best.classes)
    parts = [f"{answer_text(count.name)} (0 of {count.targets:,})" for count in missing]
    right = "the right answer" if len(missing) == 1 else "right answers"
    return f"{section.label(best)} never answers {' or '.join(parts)}, {right} to {sum(c.targets for c in missing):,} of {questions:,} questions."


def challenge(section: Section) -> str:
    """Return the sentence on the best tuned row and the challengers; empty if they were not compared."""
    best = decision.best_tuned(section)
    if best is None or best.vs_challenger is None or best.challenger is None:
        return ""
    difference, name = best.vs_challenger, challenger_words(best.challenger.method)
    subject = f"{name[:1].upper()}{name[1:]}"
    if difference.p_holm >= LEVEL:
        row = next(cell for cell in section.headline if cell.spec == best.challenger)
        scores = f"{score(row.value, section)}; {section.label(best)} {score(best.value, section)}"
        return f"{subject} does as well as the best tuned row ({scores}): no significant difference."
    low, high = (difference.low, difference.high) if difference.value > 0 else (-difference.high, -difference.low)
    apart = f"{points(abs(difference.value), section.unit)} {interval(low, high, section.unit)}"
    if (difference.value > 0) == best.higher_is_better:
        return f"{section.label(best)} is better than every challenger, by {apart} over {name}."
    return f"{subject} beats every tuned row: the best of them, {section.label(best)}, is worse by {apart}."


def challenger_words(method: str) -> str:
    """Return a challenger as the subject of a sentence."""
    return CHALLENGERS.get(method, method)


def reference_words(section: Section, against: Reference) -> str:
    """Return the name of what tuned rows have to beat, with its score unless it is the base model."""
    if against.cell is None:
        return f"{section.guess} ({score(against.value, section)})"
    if against.cell.challenges:
        return f"{challenger_words(against.cell.spec.method)} ({score(against.value, section)})"
    return baseline_words(section)


def beside(section: Section) -> list[str]:
    """Return the lines beside the verdict: recall of each class, and amounts of money, of the best tuned row."""
    best = decision.best_tuned(section)
    if best is None:
        return []
    lines = []
    if best.classes:
        parts = [f"{short(c.name, 40)} {number(c.recall)} % ({c.hits:,} of {c.targets:,})" for c in best.classes]
        lines.append(f"Recall of {section.label(best)}: {', '.join(parts)}.")
    amounts = [
        cell
        for cell in section.cells
        if cell.spec == best.spec and cell.unit not in ("share", "") and not cell.headline
    ]
    if parts := [_amount(section, cell) for cell in amounts]:
        lines.append(f"Money, {section.label(best)}: {'; '.join(parts)}.")
    return lines


def _amount(section: Section, cell: Cell) -> str:
    """Return the amount of a row beside that of the row from which differences are."""
    text = f"{words(cell.metric)} {number(cell.value, cell.unit)} {cell.unit}"
    base = section.baseline
    other = next((c for c in section.cells if base and c.spec == base.spec and c.metric == cell.metric), None)
    return f"{text} ({section.label(other)}: {number(other.value, other.unit)})" if other else text


def score(value: float | None, section: Section) -> str:
    """Return a score with its unit."""
    return f"{number(value, section.unit)}{percent_sign(section.unit)}"


def _benefit(section: Section) -> str:
    tuned = decision.tuned_rows(section)
    if not tuned:
        return "No verdict: no fine-tuned run has finished."
    if not any(cell.parse_rate for cell in tuned):
        return "No verdict on fine-tuning: none of the fine-tuned rows gives an answer that can be read."
    against = decision.reference(section)
    if against is None:
        return "No verdict: there is no run of the base model on the same questions."
    compared = [(cell, gain) for cell in tuned if (gain := decision.gain(section, cell, against)) is not None]
    better = [pair for pair in compared if decision.beats(section, pair[0], against)]
    if better:
        return _helps(section, against, compared, better)
    if against.cell is None or against.cell.challenges or _significant(compared, better=True):
        return _no_advantage(section, against)
    worse = _significant(compared, better=False)
    if worse:
        rows, rest = _count(len(worse), len(compared)), ", and none is better" if len(worse) < len(compared) else ""
        return f"Fine-tuning harms on these questions: {rows} worse than {baseline_words(section)}{rest}."
    rows = f"none of the {len(compared)} fine-tuned rows differs"
    if len(compared) == 1:
        rows = "the one fine-tuned row does not differ"
    return (
        f"No benefit of fine-tuning is shown on these questions: {rows} significantly from {baseline_words(section)}."
    )


def _helps(
    section: Section,
    against: Reference,
    compared: Sequence[tuple[Cell, Difference]],
    better: Sequence[tuple[Cell, Difference]],
) -> str:
    below = len(_significant(compared, better=False))
    worse = f" and {below} worse" if below else ""
    rows = f"{_count(len(better), len(compared))} better than {reference_words(section, against)}{worse}"
    best = decision.best_tuned(section)
    gain = ""
    if against.cell is None or best is None or best.challenger != against.cell.spec:  # else `challenge` has the gain
        top, difference = max(better, key=lambda pair: abs(pair[1].value))
        low, high = (difference.low, difference.high) if top.higher_is_better else (-difference.high, -difference.low)
        amount = f"{points(abs(difference.value), section.unit)} {interval(low, high, section.unit)}"
        gain = f"; the largest gain is that of {section.label(top)}, {amount}"
    end = _base_clause(section, against)
    return f"Fine-tuning helps on these questions: {rows}{gain}{_adapters(section)}.{f' {end}' if end else ''}"


def _no_advantage(section: Section, against: Reference) -> str:
    """Return the sentence that no tuned row is shown to beat the reference, or guessing."""
    best = decision.best_tuned(section)
    assert best is not None
    name = reference_words(section, against)
    if against.cell is not None and not against.cell.challenges:  # better than it, and not shown to beat guessing
        name = reference_words(section, Reference(None, section.chance or 0.0))
    text = f"Nothing here is shown to beat {name}: the best tuned row, {section.label(best)}, scores {score(best.value, section)} "
    text += f"{interval(best.low, best.high, section.unit)}{_adapters(section)}."
    end = _base_clause(section, against)
    return f"{text} {end}" if end else text


def _base_clause(section: Section, against: Reference) -> str:
    """Return a sentence on the base model if it is not the reference; one that cannot be read is called that."""
    base = section.baseline
    if base is None:
        return ""
    name = baseline_words(section)
    if decision.unreadable(base):
        share = number(1 - (base.parse_rate or 0.0))
        return f"{share} % of the answers of {name} cannot be read, so a gain over it is no evidence of knowledge."
    if against.cell is base:
        return ""
    pairs = [(cell, cell.vs_base) for cell in decision.tuned_rows(section) if cell.vs_base is not None]
    better = len(_significant(pairs, better=True))
    rows = f"{better or 'none'} of {len(pairs)} tuned rows {'are' if better > 1 else 'is'} shown to be better"
    if len(pairs) == 1:
        rows = f"the one tuned row is {'' if better else 'not '}shown to be better"
    return f"{name[:1].upper()}{name[1:]} scores {score(base.value, section)}; {rows}."


def _significant(compared: Sequence[tuple[Cell, Difference]], *, better: bool) -> list[Cell]:
    return [
        cell
        for cell, difference in compared
        if difference.p_holm < LEVEL and ((difference.value > 0) == cell.higher_is_better) is better
    ]


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
