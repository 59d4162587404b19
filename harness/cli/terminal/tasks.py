"""Tasks and methods on the terminal: the list of all, and one task with an example as the model sees it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.cli.terminal import output
from harness.format import number, percent_sign, printable, words
from harness.metrics import scoring

if TYPE_CHECKING:
    from harness.data.loading import Splits
    from harness.data.registry import Entry
    from harness.record import Split
    from harness.schema import Method, Source, Task

EXCERPT = 2000  # characters shown of the beginning and of the end of a text of the data


def listing(
    tasks: Iterable[Entry[Task]], methods: Iterable[Entry[Method]], sizes: Mapping[str, Mapping[Split, int] | None]
) -> None:
    """Every task and method by name, where it comes from, and the error of a broken one.

    `sizes` holds each task's examples by split, None where its data is not here.
    """
    console = output.out()
    known = list(tasks)
    indent = max((len(entry.name) for entry in known), default=0) + 1
    for entry in known:
        title = f"v{entry.value.version}  {entry.value.title}" if entry.value else f"broken: {entry.error}"
        console.print(output.folded(f"{entry.name:<{indent}}", title, indent=indent))
        about = _about_data(entry.value.source, sizes[entry.name]) if entry.value else []
        console.print(output.folded(" " * indent, " · ".join([*about, _origin(entry)]), indent=indent))
    console.print()
    rows = [(m.name, m.value.title if m.value else f"broken: {m.error}", _origin(m)) for m in methods]
    width = min(40, max((len(title) for _, title, _ in rows), default=0))
    names = max(len(name) for name, _, _ in (("method", "", ""), *rows))
    for name, title, origin in (("method", "", "from"), *rows):  # a long path gets a line of its own, far on the left
        console.print(output.folded(f"{name:<{names}}  ", f"{title:<{width}}  {origin}", indent=4))
    console.print()


def _about_data(source: Source, sizes: Mapping[Split, int] | None) -> list[str]:
    """Sizes, licence and source of a task's data, and whether it is here."""
    place = source.uri.removeprefix(f"{Path.cwd()}/") + (f" @ {source.revision[:12]}" if source.revision else "")
    counts = [f"{split} {count:,}" for split, count in (sizes or {}).items()]
    return [*counts, source.license or "no licence named", f"{place} ({'not ' * (sizes is None)}here)"]


def _origin(entry: Entry[Any]) -> str:
    return entry.origin.removeprefix(f"{Path.cwd()}/")


def task(
    shown: Task,
    splits: Splits,
    fingerprint: str,
    left_out: Mapping[str, int] = MappingProxyType({}),
    notes: Sequence[tuple[str, str]] = (),
) -> None:
    """A task in short: sizes, groups, a prompt as the model sees it, and the answer it should give.

    `left_out` counts the source's rows that are not among the examples, by reason. `notes` are further lines, heading and
    text.
    """
    console = output.out()
    console.print(output.folded(f"{shown.name} v{shown.version}  ", shown.title, indent=4))
    for name, examples in ((name, found) for name, found in splits.items() if name in shown.splits):
        groups = len({example.group or example.id for example in examples})
        console.print(f"  {name:<11} {len(examples):>6,} examples in {groups:,} groups")
    if left_out:
        console.print(
            f"  left out    {printable(' · '.join(f'{reason} {count:,}' for reason, count in left_out.items()))}"
        )
    first, guessed = shown.metrics[0], scoring.chance(shown, splits.test)
    if guessed is not None:
        value = f"{number(guessed, first.unit):>6}{percent_sign(first.unit)} {words(first.name)}"
        console.print(f"  guessing    {value}" + (f" ({shown.guess})" if shown.guess != "guessing" else ""))
    for line in output.detects(shown, len({example.group or example.id for example in splits.test})):
        console.print(output.folded("  detects     ", line, indent=14))
    console.print(f"  data        {fingerprint}")
    for heading, text in notes:
        console.print(output.folded(f"  {heading:<11} ", text, indent=14))
    _sample(shown, splits)


def _sample(shown: Task, splits: Splits) -> None:
    """One example as the model sees it, and what it should answer, or read on."""
    first, example = ("training", splits.train[0]) if splits.train else ("test", splits.test[0])
    console, prompt = output.out(), shown.prompt(example)
    if shown.scoring == "perplexity":
        console.print(f"\nthe first {first} text, below what is read before it:\n\n{_indented(prompt)}")
        console.print(f"{_indented(example.target)}\n")
        return
    console.print(f"\nthe first {first} prompt, and its answer:\n\n{_indented(prompt)} {_excerpt(example.target)}\n")
    if shown.scoring == "choices" and not all(choice in prompt for choice in example.choices):
        console.print("in testing, each of these is scored as the answer:\n")
        console.print("".join(f"    {_excerpt(choice)}\n" for choice in example.choices))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in _excerpt(text).splitlines())


def _excerpt(text: str) -> str:
    """Return a text of the data as a terminal may show it: without commands to it, and without the middle of a long one."""
    left_out = len(text) - 2 * EXCERPT
    if left_out > 0:
        text = f"{text[:EXCERPT]}\n[… {left_out:,} characters …]\n{text[-EXCERPT:]}"
    return printable(text)
