"""The words for a section's metric, for its score of guessing, for the marks of its rows and for settings."""

from __future__ import annotations

from harness.analysis.aggregate import Cell, ConstantAnswer
from harness.analysis.costs import Times
from harness.analysis.sections import Section, like_base, setting_text, shared_settings
from harness.format import NONE, duration, heading, number, percent_sign, short, words
from harness.store.withhold import MARK

SETTINGS = {
    "train_examples": "training examples",
    "epochs": "epochs",
    "batch_size": "examples per optimizer step",
    "max_tokens": "longest input, tokens",
    "max_new_tokens": "longest answer, tokens",
    "warmup": "warm-up, share of steps",
    "weight_decay": "weight decay",
    "dropout": "dropout",
    "scoring": "scoring",
    "dtype": "number format",
    "device": "device",
}
MARKS = {"best": "◀ best", "tied": "≈ best", "": ""}


def metric_words(section: Section) -> str:
    """Return the name of the headline metric in words."""
    return words(section.metric_name)


def metric_heading(section: Section) -> str:
    """Return the headline metric in words with its unit, and an arrow if lower is better."""
    return heading(section.metric_name, section.unit, higher_is_better=section.higher_is_better)


def baseline_words(section: Section) -> str:
    """Return the name of the row from which differences are: the base model, or the base model at its best."""
    cell = section.baseline
    if cell is None or cell.spec.method == "base":
        return "the base model"
    return f"the base model at its best ({section.label(cell)})"


def engine_words(section: Section) -> list[str]:
    """Return a sentence on the program that computed the answers; none if it is transformers."""
    names = {cell.spec.engine for cell in section.with_model} - {""}
    fix = "rows of another engine stand in a table of their own (compare A B tells which answers it changes)"
    return [f"Answers by {name}, after training by PyTorch; {fix}." for name in sorted(names)]


def chance_text(section: Section) -> str:
    """Return the score of guessing with its unit."""
    return f"{number(section.chance, section.unit)}{percent_sign(section.unit)}"


def marks(section: Section, cell: Cell, *, reason: bool = True) -> str:
    """Return the marks of a finished row; of an unfinished one its status, with the reason unless that is shown elsewhere."""
    if cell.status != "ok":
        return f"✗ {cell.status}" + (f": {cell.reason}" if cell.reason and reason else "")
    alone = sum(row.value is not None for row in section.headline) == 1
    row_marks = ["" if alone else MARKS[cell.best_or_tied]]
    row_marks.append(f"▼ below {chance_text(section)}" if cell.below_chance else "")
    row_marks.append("▼ one answer" if cell.constant else "")
    row_marks.append("≈ base" if like_base(cell) else "")
    return ", ".join(mark for mark in row_marks if mark)


def time_words(times: Times | None, cell: Cell | None = None) -> str:
    """Return the median time with its range over seeds, marked if other runs or other work took part of the machine."""
    if times is None:
        return NONE
    low, high = duration(times.low), duration(times.high)
    text = duration(times.median) + (f" [{low}, {high}]" if times.count > 1 and low != high else "")
    return text + time_marks(cell)


def time_marks(cell: Cell | None) -> str:
    """Return the marks of a row's times: ∥ beside other runs, ° on a busy machine, ¦ in parts after an interruption."""
    return "" if cell is None else "∥" * cell.has_neighbours + "°" * cell.busy + "¦" * cell.has_resumptions


def constant_words(constant: ConstantAnswer) -> str:
    """Return a clause about a model that gives nearly always the same answer."""
    share = f"{100 * constant.share:.1f} % of the questions"
    if constant.position is not None:
        return f"picks option {constant.position} of the list in {share}"
    return f"answers {share} with {answer_text(constant.text)}"


def answer_text(text: str) -> str:
    """Return an answer in quotation marks, its middle cut out if it is long; a withheld one as such, with its hash's start."""
    if text.startswith(MARK):
        return f"a withheld text ({text[len(MARK) : len(MARK) + 6]}…)"
    return f"'{short(text, 40)}'"


def equal_settings(section: Section) -> list[tuple[str, str]]:
    """Return the settings that all trained runs of a section share, as (name, value)."""
    return [(SETTINGS[field], setting_text(value)) for field, value in shared_settings(section)[0].items()]


def different_settings(section: Section) -> list[str]:
    """Return the names of the settings that should be shared and differ between the trained runs."""
    return [SETTINGS[field] for field in shared_settings(section)[1]]
