"""The flags that several commands share, and what they mean as `Options`."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from harness import errors
from harness.data import registry
from harness.errors import HarnessError
from harness.runs import continuation, options
from harness.runs.options import Options, Start
from harness.store import records

SCORINGS, DTYPES, DEVICES = ("choices", "generate", "both"), ("bf16", "fp32"), ("cpu", "cuda")
GOLDS = ("source", "audited")
REMOTE_CODE = "run the Python code that comes with the model, with your rights: only if you have read it"


def run_flags(parser: argparse.ArgumentParser) -> None:
    """What `run` and `plan` take."""
    what = parser.add_argument_group("what runs")
    what.add_argument("--task", action="append", metavar="NAME|FILE", help="task, or a .jsonl, .csv or .parquet file")
    what.add_argument(
        "--method",
        action="append",
        metavar="A,B",
        help="what is compared (default: base,lora,qlora,full); all for every method there is",
    )
    what.add_argument("--rank", action="append", metavar="2,8,32", help="ranks of LoRA and its like (default: 2,8,32)")
    what.add_argument("--seeds", metavar="3|0,1,2", help="how many seeds, or which (default: 0, one seed)")
    what.add_argument(
        "--model", metavar="DIR|ID", default="tiny", help="model folder or hub id (default: tiny, embedded)"
    )
    what.add_argument("--trust-remote-code", action="store_true", help=REMOTE_CODE)
    by = "for federated methods, whose an example is: insurer, line or another slice, group, hash (default: insurer, else line, else hash)"
    what.add_argument("--clients-by", metavar="NAME", help=by)
    what.add_argument(
        "--probe",
        action="append",
        metavar="general|shifted|reordered|A,B",
        help="tasks to ask as well, or general for what is forgotten, shifted for the task in other words, reordered for its options"
        " in another order",
    )
    what.add_argument(
        "--continue-from", metavar="RUN", help="train from this run's weights on; method and rank are its own"
    )
    data_flags(parser)
    how = parser.add_argument_group("how it trains and tests")
    for flag, text in (
        ("--epochs", "passes over the training examples (default: the task's)"),
        ("--batch-size", "examples per optimizer step (default: 16)"),
        ("--micro-batch", "of them at once: memory, not results (default: by how long they are)"),
        ("--learning-rate", "for every method that trains (default: by method and model width)"),
        (
            "--tune",
            "try so many learning rates for each method and rank, choose on the validation split (default: none)",
        ),
        ("--alpha", "LoRA's alpha (default: 32, and 90 times the rank's root for models as narrow as tiny)"),
        ("--train-examples", "use at most so many training examples, whole groups (default: all)"),
        ("--test-examples", "use at most so many test examples, whole groups (default: all)"),
        ("--max-tokens", "window for prompt and answer (default: the model's, 4096 at most)"),
        ("--rounds", "for federated methods: how often adapters are averaged (default: the method's)"),
        ("--jobs", "runs at a time, sharing the cores (default: one per core for a small model on the CPU, else 1)"),
    ):
        how.add_argument(flag, metavar="N", help=text)
    for flag, known, text in (
        (
            "--scoring",
            SCORINGS,
            "by log-likelihood of the options, by what is written, or base by both (default: the task's)",
        ),
        ("--dtype", DTYPES, "number format (default: bf16 where the processor is fast at it)"),
        ("--device", DEVICES, "where it runs (default: cuda where there is one)"),
    ):
        how.add_argument(flag, metavar="|".join(known), help=text)
    how.add_argument(
        "--checkpointing", action="store_true", help="compute activations twice: memory and time, not results"
    )
    how.add_argument("--save-full", action="store_true", help="keep the weights of full fine-tuning (large)")
    how.add_argument("--no-memory", action="store_true", help="plan without predicting memory")
    results_flag(parser)


def data_flags(parser: argparse.ArgumentParser) -> None:
    """Where tasks and data come from."""
    data = parser.add_argument_group("where tasks and data come from")
    folder_flags(data)
    data.add_argument(
        "--labels",
        action="append",
        metavar="A,B",
        help="for a data file: its classes (default: its targets, where they are few)",
    )
    data.add_argument(
        "--relabel",
        action="append",
        metavar="OLD=NEW",
        help="for a data file: rename labels, several joined by commas, all at once",
    )
    text = "gold answers of the source, or corrected by the task's audit (default: source)"
    data.add_argument("--gold", metavar="|".join(GOLDS), default=GOLDS[0], help=text)


def folder_flags(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """The folders of tasks and of data."""
    parser.add_argument("--tasks-dir", action="append", metavar="DIR", help="a folder of further task files")
    parser.add_argument(
        "--data",
        "--data-dir",
        dest="data",
        metavar="DIR",
        help="where data lies that the project does not ship: a data set's folder, or one that holds several",
    )


def results_flag(parser: argparse.ArgumentParser) -> None:
    """The results folder."""
    parser.add_argument(
        "--results",
        metavar="DIR",
        default=str(records.DEFAULT_ROOT),
        help="where runs and tables lie (default: results)",
    )


def read_options(found: argparse.Namespace) -> Options:
    """Turn the run's flags into `Options`, refusing what makes no sense."""

    def given(name: str, read: Callable[[str, str], Any]) -> Any:
        text = getattr(found, name.strip("-").replace("-", "_"))
        return None if text is None else read(text, name)

    def word(name: str, known: Sequence[str]) -> Any:
        return given(name, lambda text, flag: options.one_of(text, known, flag))

    if not found.task:
        fix = f"{errors.command('--task', 'cfa')}   ({errors.command('list')})"
        raise HarnessError("no task given", where="--task", fix=fix)
    tasks_dirs, data = folders(found)
    start = _start(found.continue_from, options.path(found.results))
    methods, ranks = ("base", start.spec.method) if start else options.METHODS, options.RANKS
    return Options(
        tasks=options.words(found.task, "--task"),
        methods=_methods(options.words(found.method, "--method")) if found.method else methods,
        ranks=options.ranks(",".join(found.rank)) if found.rank else (start.spec.rank or 1,) if start else ranks,
        start=start,
        seeds=options.seeds(found.seeds) if found.seeds is not None else (0,),
        model=found.model,
        results=options.path(found.results),
        save_full=found.save_full,
        checkpointing=found.checkpointing,
        remote_code=found.trust_remote_code,
        memory=not found.no_memory,
        tasks_dirs=tasks_dirs,
        data=data,
        labels=options.words(found.labels, "--labels") if found.labels else (),
        relabel=options.relabel(found.relabel),
        gold=gold(found),
        probes=options.words(found.probe, "--probe") if found.probe else (),
        epochs=given("--epochs", options.positive),
        batch_size=given("--batch-size", options.count),
        micro_batch=given("--micro-batch", options.count),
        learning_rate=given("--learning-rate", options.positive),
        tune=given("--tune", options.count) or 0,
        rounds=given("--rounds", options.count),
        clients_by=found.clients_by or "",
        alpha=given("--alpha", options.positive),
        max_tokens=given("--max-tokens", options.count),
        train_examples=given("--train-examples", options.count) or 0,
        test_examples=given("--test-examples", options.count) or 0,
        scoring=word("--scoring", SCORINGS),
        dtype=word("--dtype", DTYPES),
        device=word("--device", DEVICES),
        jobs=given("--jobs", options.count) or 0,
    )


def _start(name: str | None, results: Path) -> Start | None:
    """Return the run that `--continue-from` names.

    Raises:
        HarnessError: there is none, it did not finish, or its weights are not here.
    """
    if name is None:
        return None
    from harness.store.find import find_run

    runs = records.read_kept(results)
    if not runs and not (options.path(name) / records.RECORD).is_file():
        fix = "name the results folder with --results, or a run by its folder"
        raise HarnessError("there are no runs to go on from", where=str(results), fix=fix)
    found = find_run(name, runs, several="pass an id")
    if found.record.status != "ok":
        problem = f"the run did not finish ({found.record.status}), so nothing can go on from it"
        raise HarnessError(problem, where=str(found.folder), fix="name a finished run")
    start = Start(found.record.spec, found.folder)
    continuation.require(start)
    return start


def _methods(names: tuple[str, ...]) -> tuple[str, ...]:
    """Take `all` for every method that is registered, plugins' too, and whose packages are installed.

    A broken one, or one that lacks a package, stops only a run that names it.
    """
    if "all" not in names:
        return names
    known = registry.methods().values()
    working = [entry.name for entry in known if entry.value is not None and not registry.missing(entry.value)]
    return tuple(dict.fromkeys(part for name in names for part in (working if name == "all" else [name])))


def plan_flags(parser: argparse.ArgumentParser) -> None:
    """What `plan` takes on top."""
    run_flags(parser)
    gpu = parser.add_argument_group("on which GPU, which need not be here")
    gpu.add_argument("--gpu", metavar="H100|24GiB", help="a card or a size: what fits, in which way, and how fast")
    gpu.add_argument("--price", metavar="N", help="of an hour of it: the cost of each run")
    gpu.add_argument("--share-of-peak", metavar="N", help="of its peak that products of matrices reach (default 0.4)")
    gpu.add_argument("--accuracy", action="store_true", help="how near past predictions of memory came; nothing else")


def folders(found: argparse.Namespace) -> tuple[tuple[Path, ...], Path | None]:
    """The folders of tasks and of data; each must be there."""
    tasks_dirs = tuple(options.folder(text, "--tasks-dir") for text in found.tasks_dir or ())
    return tasks_dirs, options.folder(found.data, "--data") if found.data else None


def gold(found: argparse.Namespace) -> Any:
    """Which gold answers `--gold` asks for."""
    return options.one_of(found.gold, GOLDS, "--gold")


def task_options(found: argparse.Namespace) -> Options:
    """The flags that say which tasks and where from, for commands that do not run anything."""
    tasks_dirs, data = folders(found)
    return Options(
        tasks=options.words(found.task, "--task") if found.task else (),
        tasks_dirs=tasks_dirs,
        data=data,
        labels=options.words(found.labels, "--labels") if found.labels else (),
        relabel=options.relabel(found.relabel),
        gold=gold(found),
        remote_code=getattr(found, "trust_remote_code", False),
    )
