"""`list`, `check` and `new`: tasks and methods, without results and without a model."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from harness import data, gold, likeness, program, published, registry, score, skeleton, store, ui, ui_tasks
from harness.errors import HarnessError
from harness.metrics import default_parse
from harness.options import Options
from harness.schema import Answer, Example, Metric, Task
from harness.verify import Check

DONE, DIFFERS = 0, 1


def show_list(tasks_dirs: Sequence[Path], data_dir: Path | None = None) -> int:
    """List tasks, with their data at a glance, and methods; a broken one is listed with its error."""
    tasks = registry.tasks(tasks_dirs)
    sizes = {name: data.sizes(entry.value, data_dir) for name, entry in tasks.items() if entry.value}
    ui_tasks.listing(tasks.values(), registry.methods().values(), sizes)
    return DONE


def check(options: Options) -> int:
    """Check each task as a run would, and that its metrics give the gold answers full marks."""
    return max(_check(name, options) for name in options.tasks)


def _check(name: str, options: Options) -> int:
    task = registry.task(name, options.tasks_dirs, options.labels, dict(options.relabel), options.gold)
    score.require(task.metrics)
    splits = data.load_splits(task, data_dir=options.data)
    apart = "; train, validation and test share nothing" if len(task.splits) > 1 else ""
    found = [Check(f"examples can be read{apart}", True)]
    if task.scoring != "perplexity":  # where a text is read on, no answer is right
        found += [gold_check(task, metric, splits.test) for metric in task.metrics]
    found += [_prompt_check(task, [*splits.train, *splits.test])]
    load = task.load
    left_out = load.left_out(data.resolve(task.source, options.data)) if isinstance(load, published.Load) else {}
    notes = [*_about_gold(task, splits), *likeness.notes(splits.items(), task.prompt)]
    if not splits.train:  # nothing that a test could be too much like
        notes = [(heading, text) for heading, text in notes if heading != "alike"]
    ui_tasks.task(task, splits, data.fingerprint(task, splits), left_out, notes)
    ui.checks(task.name, found)
    return DONE if all(one.ok for one in found) else DIFFERS


def _about_gold(task: Task, splits: data.Splits) -> list[tuple[str, str]]:
    """Count the gold answers by what the task's audit says of them; nothing where it has none."""
    found = gold.counts(task, [example for _, part in splits.items() for example in part])
    said = " · ".join(f"{verdict} {count:,}" for verdict, count in sorted(found.items()))
    used = "corrected" if task.gold == "audited" else "as in the source; --gold audited corrects it"
    return [("gold", f"{said} ({used})")] if said else []


def gold_check(task: Task, metric: Metric, examples: Sequence[Example]) -> Check:
    """Whether the gold answers, fed back as output, are read and get a perfect score on a metric."""
    answers = [_gold(task, example) for example in examples]
    name = f"gold answers are perfect in {metric.name}"
    if unread := [answer.id for answer in answers if answer.parsed is None]:
        return Check(name, False, f"the parser cannot read the gold of {unread[0]} and {len(unread) - 1} more")
    value = (
        metric.combine(answers)
        if metric.combine
        else sum(metric.score(answer) for answer in answers) / max(1, len(answers))
    )
    perfect = 1.0 if metric.higher_is_better else 0.0
    bounded = metric.unit == "share" or not metric.higher_is_better
    return Check(name, not bounded or abs(value - perfect) < 1e-9, f"they score {value:g}")


def _gold(task: Task, example: Example) -> Answer:
    parse = task.parse or default_parse
    parsed = example.target if task.scoring == "choices" else parse(example.target, example)
    return Answer(
        id=example.id,
        group=example.group,
        target=example.target,
        text=example.target,
        parsed=parsed,
        choices=example.choices,
        slices=example.slices,
        amount=example.amount,
    )


def _prompt_check(task: Task, examples: Sequence[Example]) -> Check:
    """Whether every prompt renders and ends where the answer begins, without a trailing blank."""
    name = "prompts render and do not end in a blank"
    for example in examples:
        text = task.prompt(example)
        if not text or text != text.rstrip():
            return Check(name, False, f"example {example.id}")
    return Check(name, True)


def new(name: str, folder: Path | None) -> int:
    """Write a task file and a little data to start from; nothing that exists is overwritten."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise HarnessError(f"'{name}' cannot be a task's name", where="new NAME", fix="small letters, digits and _")
    place = folder or data.tasks_folder()
    known = registry.tasks([place] if place.is_dir() else [])
    if name in known or (place / f"{name}.py").exists():
        where = known[name].origin if name in known else str(place / f"{name}.py")
        raise HarnessError(f"a task named '{name}' exists", where=where, fix="choose another name")
    try:
        paths = [store.write_text(place / path, text) for path, text in skeleton.files(name).items()]
    except HarnessError as error:
        fix = "check the path and its permissions, or write to another folder with --tasks-dir DIR"
        raise HarnessError(error.problem.replace("results", "the task"), where=error.where, fix=fix) from error
    ui.written(paths, program.command("check", name, *(("--tasks-dir", str(folder)) if folder else ())))
    return DONE
