"""A recipe has the names of the flags; it is read as if they were typed, and what `run` writes is read as the same settings."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from harness.cli import app, recipe, settings
from harness.cli.arguments import Arguments
from harness.errors import HarnessError
from harness.runs.options import Options

YAML = """
task: claims.csv
columns: {note: context, decision: target}
labels: [yes, no]        # texts, not truth values
method: [base, lora]
rank: [4, 16]
seeds: [7]
learning-rate: 2e-4
max_tokens: 512
drop-bad: true
quick: false
"""
TOML = """
task = "claims.csv"
columns = {note = "context", decision = "target"}
labels = ["yes", "no"]
method = ["base", "lora"]
rank = [4, 16]
seeds = [7]
learning-rate = 2e-4
max_tokens = 512
drop-bad = true
quick = false
"""


def read(tmp_path: Path, text: str, *words: str, name: str = "study.yaml") -> Arguments:
    (tmp_path / name).write_text(text, encoding="utf-8")
    return app.read("run", ["--recipe", str(tmp_path / name), *words])


@pytest.mark.parametrize(("text", "name"), [(YAML, "study.yaml"), (TOML, "study.toml")])
def test_a_recipe_is_read_as_if_its_flags_were_typed(tmp_path: Path, text: str, name: str) -> None:
    typed = "--task claims.csv --columns note=context,decision=target --labels yes,no --method base,lora --rank 4,16"
    more = "--seeds 7, --learning-rate 2e-4 --max-tokens 512 --drop-bad"
    expected = settings.options(app.read("run", [*typed.split(), *more.split()]))
    assert settings.options(read(tmp_path, text, name=name)) == expected


def test_a_typed_flag_has_precedence(tmp_path: Path) -> None:
    arguments = read(tmp_path, YAML, "--rank", "8", "--seed", "3", "--lr=0.1", "--task", "cfa")
    assert (arguments.ranks, arguments.seeds, arguments.tasks) == ((8,), (3,), ("cfa",))
    assert arguments.learning_rate == 0.1
    assert arguments.methods == ("base", "lora")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("rnak: 4", r"no flag has the name 'rnak'(?s:.*)did you mean 'rank'"),
        ("rank: 4\nrank: 8", "the entry 'rank' is there twice"),
        ("- rank", "the recipe has no names"),
        ("rank: [4", "the recipe cannot be read"),
        ("drop-bad: perhaps", "neither true nor false"),
        ("rank: [[4], 8]", "a list in a list"),
        ("rank: four", "not a list of whole numbers"),
        ("recipe: other.yaml", "no flag has the name 'recipe'"),
    ],
)
def test_a_fault_in_a_recipe_is_named(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(HarnessError, match=problem):
        read(tmp_path, text)


def test_a_recipe_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such file"):
        app.read("plan", ["--recipe", str(tmp_path / "none.yaml")])


@pytest.mark.parametrize(
    "options",
    [
        Options(tasks=("cfa",), challengers=("words",)),
        Options(
            tasks=("my claims.csv", "sec_qa"),
            methods=("base", "lora", "full"),
            ranks=(4,),
            seeds=(7,),
            columns=(("Police Nr.", "group"), ("note: text", "context")),
            relabel=(("no", "reject"),),
            labels=("yes", "no"),
            instruction="Pay? Answer #1 or 'no'",
            learning_rate=2e-4,
            dropout=0.1,
            memory=False,
            drop_bad=True,
            template_args=("enable_thinking=true",),
            dtype="fp32",
            tasks_dirs=(Path("harness"),),
        ),
    ],
)
def test_a_written_recipe_is_read_as_the_same_settings(tmp_path: Path, options: Options) -> None:
    path = recipe.write(replace(options, results=tmp_path))
    assert path.parent == tmp_path / "recipes"
    words = ["--recipe", str(path), "--results", str(tmp_path)]
    assert settings.run_options(app.read("run", words)) == replace(options, results=tmp_path)
    assert recipe.write(replace(options, results=tmp_path)) == path
    other = recipe.write(replace(options, results=tmp_path, epochs=9))
    assert (path.stem, other.stem) == (path.stem, f"{path.stem}-2")
