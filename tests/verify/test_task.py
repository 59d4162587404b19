"""The oracle tests of `check`: each finds the kind of broken task that it is there for, and nothing in a sound one."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from harness import metrics
from harness.cli import app
from harness.cli.commands import check as checking
from harness.data import prompts
from harness.data.loading import Splits
from harness.data.source import TaskSource
from harness.errors import HarnessError
from harness.record import Answer, Split
from harness.schema import Example, Metric, Source, Task
from harness.verify import task as oracle

WORDS = ("alpha", "bravo", "charlie", "delta")


def load(folder: Path, split: Split) -> Iterable[Example]:
    raise NotImplementedError


def question(number: int, place: int | None = None) -> Example:
    """One of four options of its own for each question; the right one's place varies unless it is given."""
    options = [f"{word} {number}" for word in WORDS]
    return Example(
        f"q{number}", f"Which is number {number}?", options[number % 4 if place is None else place], tuple(options)
    )


def splits(examples: list[Example]) -> Splits:
    return Splits(tuple(examples[:40]), tuple(examples[40:60]), tuple(examples[60:]))


SOUND = Task(
    "toy", 1, "Toy", Source("toy", license="none"), load, prompts.multiple_choice, (metrics.accuracy, metrics.macro_f1)
)
QUESTIONS = [question(n) for n in range(200)]
NUMBERS = [Example(f"q{n}", f"What is {n} + 7?", str(n * 100 + 7)) for n in range(200)]
FREE = replace(
    SOUND, prompt=prompts.question_answer, metrics=(metrics.numeric(),), scoring="generate", chance=lambda _: 0.0
)


def found(task: Task, examples: list[Example]) -> list[str]:
    """The names of what does not hold, with the details."""
    return [f"{one.name}: {one.detail}" for one in oracle.checks(task, splits(examples)) if not one.ok]


@pytest.mark.parametrize(("task", "examples"), [(SOUND, QUESTIONS), (FREE, NUMBERS)])
def test_a_sound_task_passes_everything(task: Task, examples: list[Example]) -> None:
    assert found(task, examples) == []


def broken(name: str) -> tuple[Task, list[Example]]:
    by_substring = Metric("substring", "Substring", lambda a: float(a.target[:1] in a.text))
    reads_all = replace(FREE, parse=lambda text, example: text or "nothing")
    listens = Metric("always", "Always right", lambda a: 1.0)
    tells = replace(SOUND, prompt=lambda e: f"{e.question} (it is {e.target})\nAnswer:")
    blank = replace(SOUND, prompt=lambda e: prompts.multiple_choice(e) + " ")
    strict = replace(FREE, parse=lambda text, example: None)
    first = [question(n, place=0) for n in range(200)]
    low = replace(SOUND, chance=lambda _: 0.01)
    return {
        "a metric that looks for a part": (replace(FREE, metrics=(by_substring,)), NUMBERS),
        "a parser that reads everything": (reads_all, NUMBERS),
        "a metric that is always content": (replace(FREE, metrics=(listens,)), NUMBERS),
        "a prompt that tells the answer": (tells, QUESTIONS),
        "a prompt that ends in a blank": (blank, QUESTIONS),
        "a parser that reads nothing": (strict, NUMBERS),
        "options of which the first is right": (SOUND, first),
        "a chance that is too low": (low, QUESTIONS),
    }[name]


@pytest.mark.parametrize(
    ("name", "check"),
    [
        ("a metric that looks for a part", "wrong answers"),
        ("a parser that reads everything", "nonsense"),
        ("a metric that is always content", "shuffled answers"),
        ("a prompt that tells the answer", "depends on its answer"),
        ("a prompt that ends in a blank", "ends in a blank"),
        ("a parser that reads nothing", "gold answers"),
        ("options of which the first is right", "number 1 "),
        ("a chance that is too low", "shuffled answers"),
    ],
)
def test_what_is_broken_is_found_by_the_check_that_is_there_for_it(name: str, check: str) -> None:
    assert any(check in text for text in found(*broken(name)))


def test_the_other_answer_is_clearly_another_number() -> None:
    assert oracle.clearly_differ("100", "250")
    assert not oracle.clearly_differ("100", "101")  # a tolerance might take one for the other
    assert not oracle.clearly_differ("pay; 100; clause 3", "deny; 0; clause 3")


UNSTABLE = '''
"""A task that reads its data in the order of a set."""
from harness import Example, Source, Task, metrics, prompts

def load(folder, split):
    for n, word in enumerate({f"{split}{k}" for k in range(60)}):
        yield Example(f"{split}-{n}", f"Which word is {word}?", word, (word, f"no {word}"))

TASK = Task("unstable", 1, "Unstable", Source(".", license="none"), load, prompts.multiple_choice, (metrics.accuracy,))
'''


def test_check_finds_data_that_hangs_on_the_hash_seed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "unstable.py").write_text(UNSTABLE, encoding="utf-8")
    assert app.main(["check", "unstable", "--tasks-dir", str(tmp_path)]) == 1
    shown = capsys.readouterr().out
    assert "✗ the data is the same under two hash seeds" in shown
    assert "✓ gold answers are perfect in accuracy" in shown


def test_the_two_hash_seeds_are_asked_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    class Call:
        def __init__(self, *_: object, **__: object) -> None:
            done.append(f"seed {os.environ['PYTHONHASHSEED']}")

        def __enter__(self) -> Call:
            return self

        def __exit__(self, *_: object) -> None: ...

        def result(self) -> str:
            done.append("answer")
            return "here"

    monkeypatch.setattr("harness.processes.Call", Call)
    assert checking._stable(TaskSource("cfa"), "here").ok
    assert done == ["seed 1", "seed 2", "answer", "answer"]


def test_check_says_how_long_examples_are_for_the_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = "long text " * 900
    rows = "".join(f'{{"context": "{text} {n}", "target": "yes {n % 7}"}}\n' for n in range(60))
    path = tmp_path / "long.jsonl"
    path.write_text(rows, encoding="utf-8")
    app.main(["check", str(path)])
    shown = " ".join(capsys.readouterr().out.split())
    assert "60 of 60 exceed the 1,024 of tiny: their context is shortened" in shown


def test_unparsed_answers_are_made_as_a_run_makes_them() -> None:
    (answer,) = oracle.make_answers(FREE, NUMBERS[:1], ["about 7"])
    assert answer == Answer("q0", "", "7", "about 7", "about 7", ())


def test_a_process_that_dies_while_it_reads_the_data_again_is_an_error_in_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checking, "fingerprint", _die)
    with pytest.raises(HarnessError, match="killed by signal 9"):
        checking._stable(TaskSource("cfa"), "here")


def _die(_: TaskSource) -> str:
    os.kill(os.getpid(), signal.SIGKILL)
    return ""
