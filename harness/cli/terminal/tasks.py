"""Tasks and methods on the terminal: the list of all, and one task with an example prompt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from harness.cli.terminal import output, plan_output
from harness.format import counted, number, percent_sign, printable, words
from harness.metrics import scoring

if TYPE_CHECKING:
    from harness.data.loading import Splits
    from harness.data.registry import Entry
    from harness.record import Split
    from harness.schema import Challenger, Method, Source, Task

FIRST = ("finance", "insurance", "general")
YOURS = "yours"  # the group of tasks that name no suite
EXCERPT = 2000  # characters shown of each end of a text of the data


def listing(
    tasks: Iterable[Entry[Task]],
    methods: Iterable[Entry[Method]],
    challengers: Iterable[Entry[Challenger]],
    sizes: Mapping[str, Mapping[Split, int] | None],
    suites: Mapping[str, Sequence[str]],
) -> None:
    """Print every task, method and challenger by name, its origin, and the error of a broken one; tasks by suite.

    `sizes` holds the number of examples of each task by split, None if its data is not installed.
    """
    console = output.out()
    entries = list(tasks)
    indent = max((len(entry.name) for entry in entries), default=0) + 1
    groups = grouped(entries)
    for group, members in groups.items():
        console.print(heading(group, members, suites))
        _tasks(members, sizes, indent)
        console.print()
    others = {suite: names for suite, names in suites.items() if suite not in groups}
    for suite, names in others.items():
        console.print(output.folded(f"--task {suite:<10}  ", ", ".join(names), indent=4))
    console.print()
    _plugins("method", methods)
    _plugins("challenger", challengers)


def grouped(entries: Iterable[Entry[Task]]) -> dict[str, list[Entry[Task]]]:
    """Return the tasks by the first of their suites, those without one last, as `YOURS`."""
    groups: dict[str, list[Entry[Task]]] = {}
    for entry in entries:
        suites = entry.value.suites if entry.value else ()
        groups.setdefault(suites[0] if suites else YOURS, []).append(entry)
    order = (
        *(group for group in FIRST if group in groups),
        *(group for group in groups if group not in (*FIRST, YOURS)),
    )
    return {group: groups[group] for group in (*order, *[YOURS] * (YOURS in groups))}


def heading(group: str, members: Sequence[Entry[Task]], suites: Mapping[str, Sequence[str]]) -> str:
    """Return the line above a group of tasks, with the flag that runs them all."""
    count = f"{len(members)} task{'s' * (len(members) != 1)}"
    return f"— {group}: {count}" + f", all with --task {group}" * (group in suites)


def _tasks(entries: Iterable[Entry[Task]], sizes: Mapping[str, Mapping[Split, int] | None], indent: int) -> None:
    console = output.out()
    for entry in entries:
        title = f"v{entry.value.version}  {entry.value.title}" if entry.value else f"broken: {entry.error}"
        console.print(output.folded(f"{entry.name:<{indent}}", title, indent=indent))
        about = _about_data(entry.value.source, sizes[entry.name]) if entry.value else []
        console.print(output.folded(" " * indent, " · ".join([*about, _origin(entry)]), indent=indent))


def _plugins(kind: str, plugins: Iterable[Entry[Method]] | Iterable[Entry[Challenger]]) -> None:
    """Print plugins by name, each with its title and its origin, and an empty line."""
    console = output.out()
    rows = [(m.name, m.value.title if m.value else f"broken: {m.error}", _origin(m)) for m in plugins]
    width = min(40, max((len(title) for _, title, _ in rows), default=0))
    names = max(len(name) for name, _, _ in ((kind, "", ""), *rows))
    for name, title, origin in ((kind, "", "from"), *rows):  # a long path gets a line of its own, far on the left
        console.print(output.folded(f"{name:<{names}}  ", f"{title:<{width}}  {origin}", indent=4))
    console.print()


def _about_data(source: Source, sizes: Mapping[Split, int] | None) -> list[str]:
    """Return sizes, licence and source of a task's data, and whether it is installed."""
    origin = source.uri.removeprefix(f"{Path.cwd()}/") + (f" @ {source.revision[:12]}" if source.revision else "")
    counts = [f"{split} {count:,}" for split, count in (sizes or {}).items()]
    return [*counts, source.license or "no licence named", f"{origin} ({'not ' * (sizes is None)}here)"]


def _origin(entry: Entry[Any]) -> str:
    return entry.origin.removeprefix(f"{Path.cwd()}/")


def task(
    task_: Task,
    splits: Splits,
    fingerprint: str,
    left_out: Mapping[str, int] = MappingProxyType({}),
    notes: Sequence[tuple[str, str]] = (),
) -> None:
    """Print a task in short: sizes, groups, a prompt as the model sees it, and its answer.

    `left_out` counts the rows of the source that are not examples, by reason. `notes` are further lines, heading and text.
    """
    console = output.out()
    console.print(output.folded(f"{task_.name} v{task_.version}  ", task_.title, indent=4))
    for name, examples in ((name, split_examples) for name, split_examples in splits.items() if name in task_.splits):
        groups = len({example.group or example.id for example in examples})
        console.print(
            f"  {name:<11} {len(examples):>6,} example{'s' * (len(examples) != 1)} in {counted(groups, 'group')}"
        )
    if left_out:
        console.print(
            f"  left out    {printable(' · '.join(f'{reason} {count:,}' for reason, count in left_out.items()))}"
        )
    first, guessed = task_.metrics[0], scoring.chance(task_, splits.test)
    if guessed is not None:
        value = f"{number(guessed, first.unit):>6}{percent_sign(first.unit)} {words(first.name)}"
        of = " of the test questions" * task_.guess.startswith("always giving the commonest")
        console.print(f"  guessing    {value}" + (f" ({task_.guess}{of})" if task_.guess != "guessing" else ""))
    for line in plan_output.detects(task_, len({example.group or example.id for example in splits.test})):
        console.print(output.folded("  detects     ", line, indent=14))
    console.print(f"  data        {fingerprint}")
    for heading, text in notes:
        console.print(output.folded(f"  {heading:<11} ", text, indent=14))
    _sample(task_, splits)


def _sample(task_: Task, splits: Splits) -> None:
    """Print one example as the model sees it, with its answer or the text that follows."""
    first, example = ("training", splits.train[0]) if splits.train else ("test", splits.test[0])
    console, prompt = output.out(), task_.prompt(example)
    if task_.scoring == "perplexity":
        console.print(f"\nthe first {first} text, below the context before it:\n\n{_indented(prompt)}")
        console.print(f"{_indented(example.target)}\n")
        return
    console.print(f"\nthe first {first} prompt, and its answer:\n\n{_indented(prompt)} {_excerpt(example.target)}\n")
    if task_.scoring == "choices" and not all(choice in prompt for choice in example.choices):
        console.print("in testing, each of these options is scored as the answer:\n")
        console.print("".join(f"    {_excerpt(choice)}\n" for choice in example.choices))


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in _excerpt(text).splitlines())


def _excerpt(text: str) -> str:
    """Return a text of the data for the terminal, without control sequences and without the middle of a long text."""
    left_out = len(text) - 2 * EXCERPT
    if left_out > 0:
        text = f"{text[:EXCERPT]}\n[… {left_out:,} characters …]\n{text[-EXCERPT:]}"
    return printable(text)
