"""The labels of a data file: renamed on request, joined if they are one text in two Unicode forms, refused if alike."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.data import lookalikes
from harness.data.intake.faults import Faults
from harness.data.raw import Row
from harness.errors import HarnessError, did_you_mean
from harness.metrics.text import canonical, fold
from harness.schema import Example

MAX_NOTES = 3


def join_forms(examples: list[Example], spellings: Sequence[str] = ()) -> tuple[list[Example], list[str]]:
    """Return the examples with one spelling for targets and options that differ by Unicode form alone, and notes.

    `höher` with one code point for `ö`, with a combining mark, or with a blank of no width inside are one text. Its
    spelling is that of `spellings`, or else the composed one. A text in one form only keeps it.
    """
    counts = Counter(text for e in examples for text in (e.target, *e.choices))
    forms: defaultdict[str, set[str]] = defaultdict(set)
    for text in (*counts, *spellings):
        if not text.isascii():
            forms[canonical(text)].add(text)
    for text in (*counts, *spellings):  # a text of plain letters may be one with an invisible character elsewhere
        if text.isascii() and text in forms:
            forms[text].add(text)
    spelling: dict[str, str] = {}
    for composed, texts in forms.items():
        if len(texts) > 1:
            preferred = next((text for text in spellings if canonical(text) == composed), composed)
            spelling.update((text, preferred) for text in texts if text != preferred)
    if not spelling:
        return examples, []
    notes = [
        f"{counts[text]:,} {new} in another Unicode form joined ({lookalikes.difference(text, new)})"
        for text, new in sorted(spelling.items())[:MAX_NOTES]
    ]
    notes += [f"{len(spelling) - MAX_NOTES:,} more forms joined"] * (len(spelling) > MAX_NOTES)
    joined = [
        replace(
            e,
            target=spelling.get(e.target, e.target),
            choices=tuple(spelling.get(choice, choice) for choice in e.choices),
        )
        for e in examples
    ]
    return joined, notes


def relabel(path: Path, examples: list[Example], names: Mapping[str, str]) -> tuple[list[Example], list[str]]:
    """Return the examples with their labels renamed, and notes about it for the title.

    Raises:
        HarnessError: a label that no row has, or an empty new name.
    """
    counts = Counter(e.target for e in examples)
    spelling = {canonical(target): target for target in counts}
    renamed: dict[str, str] = {}
    for old, new in names.items():
        target = old if old in counts else spelling.get(canonical(old))
        if target is None:
            fix = did_you_mean(old, counts) or f"the most frequent are {', '.join(t for t, _ in counts.most_common(5))}"
            raise HarnessError(f"cannot rename the label {old!r}: no row has it", where=str(path), fix=fix)
        if not new.strip():
            raise HarnessError(f"the new name of label {old!r} is empty", where=str(path), fix="write old=new")
        renamed[target] = new
    notes = [f"relabelled {counts[old]:,} {old} as {new}" for old, new in renamed.items()]
    return [replace(e, target=renamed.get(e.target, e.target)) for e in examples], notes


def given_labels(
    path: Path, rows: Sequence[Row], examples: Sequence[Example], labels: Sequence[str], faults: Faults
) -> tuple[str, ...]:
    """Return the labels that the user gave; a target that is none of them is a fault of its row.

    Raises:
        HarnessError: labels that are alike, or one class only.
    """
    classes = distinct(path, [label.strip() for label in labels])
    by_shape, spellings = {lookalikes.skeleton(label): label for label in classes}, set[str]()
    for row, target in zip(rows, (e.target for e in examples), strict=True):
        if target not in classes:
            fix = did_you_mean(target, classes) or f"the labels are {', '.join(classes)}"
            if "," in target and {part.strip() for part in target.split(",")} <= set(classes):
                fix = "--labels divides at commas: leave it out, as few different targets are labels by themselves"
            problem = f"the target {target!r} is not among the labels"
            faults.row(HarnessError(problem, where=row.location, fix=fix), row.number, row.file)
            spellings.add(target)
    for target in sorted(spellings):
        if lookalikes.skeleton(target) in by_shape:
            faults.suggest_relabel(target, by_shape[lookalikes.skeleton(target)])
    refuse_one_class(path, Counter(e.target for e in examples))
    return classes


def count_shapes(targets: Iterable[str]) -> int:
    """Return the number of labels, those that look the same counted once."""
    return len({lookalikes.skeleton(target) for target in targets})


def gather_alike(path: Path, targets: Mapping[str, int], faults: Faults) -> tuple[str, ...]:
    """Return the labels in order; those that look the same are a fault of the file, mended towards the commonest spelling.

    Raises:
        HarnessError: fewer than two labels.
    """
    commonest: dict[str, str] = {}
    for label in sorted(targets, key=lambda label: (-targets[label], label)):
        commonest.setdefault(lookalikes.skeleton(label), label)
    for label in sorted(targets):
        if (other := commonest[lookalikes.skeleton(label)]) != label:
            faults.whole_file(_likeness_error(path, *sorted((other, label))))
            faults.suggest_relabel(label, other)
    return distinct(path, sorted(commonest.values()))


def refuse_one_class(path: Path, targets: Mapping[str, int]) -> None:
    """Raise the error of a file in which every row has the same answer, if it has."""
    if len(targets) == 1:
        problem = f"one class only: every row has the answer {next(iter(targets))!r}"
        raise HarnessError(problem, where=str(path), fix="add rows with other answers")


def distinct(path: Path, labels: Sequence[str]) -> tuple[str, ...]:
    """Return the labels.

    Raises:
        HarnessError: two of them are the same but for case, spacing or characters that look alike; one is empty; or they
            are fewer than two.
    """
    spellings: dict[str, str] = {}
    for label in labels:
        if not fold(label):
            raise HarnessError("a label is empty", where=str(path), fix="give each row a label, and each label a name")
        shape = lookalikes.skeleton(label)
        if shape in spellings:
            raise _likeness_error(path, spellings[shape], label)
        spellings[shape] = label
    if len(labels) < 2:
        raise HarnessError("fewer than two labels", where=str(path), fix="give at least two, --labels yes,no")
    return tuple(labels)


def _likeness_error(path: Path, first: str, second: str) -> HarnessError:
    """Return the error of two labels that are the same; look-alike characters are named, and escaped in the command."""
    same = fold(first) == fold(second)
    problem = f"labels {first!r} and {second!r} {'are' if same else 'look'} the same"
    if not (difference := lookalikes.difference(first, second)):
        fix = "case and spacing do not tell them apart; join two spellings with --relabel OLD=NEW"
        return HarnessError(f"{problem} but for case and spacing", where=str(path), fix=fix)
    old, new = sorted((first, second), key=str.isascii)
    fix = f"write them alike in the file, or join them: --relabel {lookalikes.quoted(f'{old}={new}')}"
    return HarnessError(f"{problem}: {difference}", where=str(path), fix=fix)
