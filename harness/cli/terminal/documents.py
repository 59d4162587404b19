"""Documents in JSON on stdout, for programs: the list of tasks and methods, a plan, the checks of a task, a verification."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.cli.terminal import output

if TYPE_CHECKING:
    from harness.data.loading import Splits
    from harness.data.registry import Entry
    from harness.record import RunSpec, Split
    from harness.runs.forecast.fit import Forecast, Outlook
    from harness.runs.forecast.gpu import Price
    from harness.runs.plan import Plan
    from harness.schema import Challenger, Method, Task
    from harness.verify.check import Check
    from harness.verify.review import Review


def show(document: Mapping[str, Any]) -> None:
    """Print a document on stdout."""
    output.document(json.dumps(document, indent=1, ensure_ascii=False))


def listing(
    tasks: Iterable[Entry[Task]],
    methods: Iterable[Entry[Method]],
    challengers: Iterable[Entry[Challenger]],
    sizes: Mapping[str, Mapping[Split, int] | None],
    suites: Mapping[str, Sequence[str]],
) -> None:
    """Print every task, method, challenger and suite; arguments as for the terminal's list."""
    show(
        {
            "tasks": [_task(entry, sizes.get(entry.name)) for entry in tasks],
            "methods": [_plugin(entry) for entry in methods],
            "challengers": [_plugin(entry) for entry in challengers],
            "suites": {suite: list(names) for suite, names in suites.items()},
        }
    )


def _plugin(entry: Entry[Any]) -> dict[str, Any]:
    title = entry.value.title if entry.value else ""
    return {"name": entry.name, "title": title, "origin": entry.origin, "error": entry.error}


def _task(entry: Entry[Task], sizes: Mapping[Split, int] | None) -> dict[str, Any]:
    if entry.value is None:
        return _plugin(entry)
    task = entry.value
    more = {
        "version": task.version,
        "suites": list(task.suites),
        "scoring": task.scoring,
        "metrics": [metric.name for metric in task.metrics],
        "source": task.source.uri,
        "revision": task.source.revision,
        "license": task.source.license,
        "here": sizes is not None,
        "examples": dict(sizes or {}),
    }
    return _plugin(entry) | more


def task(
    task_: Task,
    splits: Splits,
    fingerprint: str,
    left_out: Mapping[str, int],
    notes: Sequence[tuple[str, str]],
    checked: Sequence[Check],
) -> dict[str, Any]:
    """Return the facts and the checks of a task; arguments as for the terminal's text."""
    return {
        "task": task_.name,
        "version": task_.version,
        "title": task_.title,
        "data": fingerprint,
        "examples": {name: len(examples) for name, examples in splits.items()},
        "left_out": dict(left_out),
        "notes": [{"heading": heading, "text": text} for heading, text in notes],
        "passed": all(check.ok for check in checked),
        "checks": [_check(check) for check in checked],
    }


def _check(check: Check) -> dict[str, Any]:
    return {"check": check.name, "ok": check.ok, "detail": "" if check.ok else check.detail, "path": check.path}


def verification(
    verdict: Review, checks: Mapping[str, Sequence[Check]], unknown: Sequence[str], blind: Sequence[str]
) -> dict[str, Any]:
    """Return the checks of a folder by run, those of all runs together under an empty name."""
    waived = {finding.check for finding in verdict.findings if finding.waiver}
    return {
        "folder": str(verdict.path),
        "passed": verdict.ok,
        "unknown_tasks": sorted(set(unknown)),
        "tasks_without_data": sorted(set(blind)),
        "runs": {
            name: [_check(check) | ({"waived": True} if check in waived else {}) for check in of_run]
            for name, of_run in checks.items()
        },
    }


def plans(made: Sequence[Plan]) -> None:
    """Print the runs of every task with their settings, states and predicted peaks."""
    show({"tasks": [_plan(plan) for plan in made]})


def _plan(plan: Plan) -> dict[str, Any]:
    waiting = [spec for spec, _ in plan.waiting]
    return {
        "task": plan.task.name,
        "title": plan.task.title,
        "model": plan.model.name,
        "seconds": plan.seconds,
        "runs": [
            _run(spec)
            | {
                "state": "done" if spec.id in plan.done else "after its trials" if spec in waiting else "to do",
                "predicted_peak_bytes": plan.predicted(spec) or None,
            }
            for spec in (*plan.trials, *plan.specs, *waiting)
        ],
    }


def _run(spec: RunSpec) -> dict[str, Any]:
    names = ("method", "rank", "seed", "epochs", "learning_rate", "batch_size", "micro_batch", "checkpointing", "dtype")
    return {"id": spec.id} | {name: getattr(spec, name) for name in names}


def forecasts(outlooks: Sequence[tuple[Plan, Outlook]], price: Price | None) -> None:
    """Print the fit, the peak, the time and the cost of every run on a GPU."""
    show(
        {
            "tasks": [
                {
                    "task": plan.task.name,
                    "model": plan.model.name,
                    "weights": outlook.weights,
                    "runs": [_forecast(forecast, price) for forecast in outlook.forecasts],
                }
                for plan, outlook in outlooks
            ]
        }
    )


def _forecast(forecast: Forecast, price: Price | None) -> dict[str, Any]:
    from harness.cli.terminal.forecast import cost

    return _run(forecast.spec) | {
        "fits": forecast.fits,
        "peak_bytes": forecast.peak,
        "train_seconds": forecast.train_seconds,
        "test_seconds": forecast.test_seconds,
        "cost": cost(forecast, price.amount) if price and forecast.fits else None,
        "currency": price.currency if price else "",
    }
