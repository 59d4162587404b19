"""README and docs are true: commands parse and run, code works, links lead somewhere, figures are the published ones."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli import app, settings
from harness.data import loading, registry
from harness.data.columns import COLUMNS
from harness.record import Answer
from harness.schema import Example
from harness.verify import task as oracle
from results import make_readme
from tests.contract import test_every_task as contract

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *(path for path in sorted((ROOT / "docs").glob("*.md")) if path.name != "flags.md")]
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
BLOCKS = re.findall(r"^ *```(\w*)\n(.*?)^ *```$", TEXT, re.MULTILINE | re.DOTALL)
LINES = [line.strip() for kind, text in BLOCKS if kind == "bash" for line in text.splitlines() if line.strip()]
_TYPED = dict.fromkeys(line.partition("#")[0].strip() for line in LINES if line.startswith("python run_all.py"))
COMMANDS = [shlex.split(line)[2:] for line in _TYPED]
FILES = {text.split("\n", 1)[0].removeprefix("# "): text for kind, text in BLOCKS if kind == "python"}
RUN_WITHOUT = {
    "run",
    "sequence",
    "compare",
    "calibration",
    "report",
    "serve",
    "verify",
    "publish",
    "adapters",
    "intruders",
}  # they need results, or train


def only(kind: str, fragment: str = "") -> str:
    """The one code block of a language that holds this fragment."""
    texts: list[str] = [text for language, text in BLOCKS if language == kind and fragment in text]
    assert len(texts) == 1, kind
    return texts[0]


def words(command: list[str]) -> str:
    return " ".join(command)


def name_of(command: list[str]) -> str:
    return command[0] if command[0] in app.COMMANDS else "run"


def cheap(command: list[str]) -> bool:
    name, asks = name_of(command), " ".join(command)
    return name not in RUN_WITHOUT and (name != "plan" or "--no-memory" in asks)


def has_its_task(command: list[str]) -> bool:
    """Whether a command needs the task that the README writes; test_documented_commands runs the others."""
    return command[0] == "new" or "my_tasks" in command or "renewals" in command


def has_tiny() -> bool:
    return any((ROOT / "harness" / "tiny" / "model").glob("*.safetensors"))


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to type the README's commands in, with the data files that they name."""
    monkeypatch.chdir(tmp_path)
    for name in {word for command in COMMANDS for word in command if re.fullmatch(r"\w+\.(jsonl|csv)", word)}:
        many = many_rows(jsonl_rows() if name.endswith(".jsonl") else csv_rows())
        (tmp_path / name).write_text(jsonl_text(many) if name.endswith(".jsonl") else csv_text(many))
    (tmp_path / "tweets.csv").write_text(csv_text(many_rows(csv_rows())))
    (tmp_path / "study.yaml").write_text(only("yaml"))
    return tmp_path


def jsonl_rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in only("jsonl").splitlines()]


def csv_rows() -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(only("csv"))))


def many_rows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The README's rows twenty times over, each time about another policy or company."""
    own = {"context", "question", "group"}
    return [{k: f"{v} ({i})" if k in own else v for k, v in row.items()} for i in range(20) for row in rows]


def jsonl_text(rows: list[dict[str, Any]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def csv_text(rows: list[dict[str, Any]]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def put_task(folder: Path) -> None:
    """Do what the README says: `new`, then its own file in place of the one that was written."""
    (path,) = [path for path in FILES if path.startswith("my_tasks/")]
    assert app.main(["new", Path(path).stem, "--tasks-dir", "my_tasks"]) == 0
    (folder / path).write_text(FILES[path])


# --- the commands


def test_the_pages_name_every_command_and_only_make_targets_and_files_that_exist() -> None:
    assert {name_of(command) for command in COMMANDS} == set(app.COMMANDS)
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    made = {line.split()[1] for line in LINES if line.startswith("make ")}
    assert made == {"cfa", "test"}
    assert made <= targets
    known = re.compile(
        r"make |python run_all\.py|python3 -m venv \.venv$|\. \.venv/bin/activate$|pip install |\(cd results/published && sha256sum"
    )
    assert [line for line in LINES if not known.match(line)] == []
    paths = set(re.findall(r"`(?:bash |python )?([\w./]+/[\w.]+\.(?:py|sh|md))`", TEXT))
    assert [
        path for path in sorted(paths) if not (ROOT / path).exists() and not (ROOT / "harness" / path).exists()
    ] == []


@pytest.mark.parametrize("command", COMMANDS, ids=words)
def test_every_command_parses(command: list[str], place: Path) -> None:
    (place / "my_tasks").mkdir()
    name = name_of(command)
    arguments = app.read(name, command[1:] if command[0] == name else command)
    if name in ("run", "plan") and not arguments.continue_from:  # which has to be there
        options = settings.run_options(arguments)
        for method in options.methods:
            assert registry.method(method).name == method
        for task in options.tasks:
            assert task in registry.tasks() or Path(task).exists() or f"my_tasks/{task}.py" in FILES


@pytest.mark.parametrize("command", [c for c in COMMANDS if cheap(c) and has_its_task(c)], ids=words)
def test_a_command_that_trains_nothing_runs(
    command: list[str], place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if name_of(command) == "plan" and "--model" not in command and not has_tiny():
        pytest.skip("the weights of the embedded model are not here")
    if command[0] != "new" and "my_tasks" in command:
        put_task(place)
    assert app.main(command) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


def test_the_first_line_of_the_main_command_is_as_shown(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if not has_tiny():
        pytest.skip("the weights of the embedded model are not here")
    assert app.main(["plan", "--task", "cfa", "--no-memory"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert [line for line in only("text").splitlines() if line.strip() and line not in printed] == []


def test_the_pip_lines_name_files_and_options_that_exist() -> None:
    for line in LINES:
        if line.startswith("pip install"):
            found = shlex.split(line, comments=True)[2:]
            assert set(found) <= {"-r", "requirements.lock", "--no-deps", "-e", "."}
            assert all((ROOT / word).exists() for word in found if not word.startswith("-"))


def test_the_exit_codes_are_the_programs() -> None:
    shown = {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)}
    assert shown == {app.DONE, app.DIFFERS, app.CANNOT_START, app.INTERRUPTED}


def test_the_columns_of_a_data_file_are_those_that_the_harness_reads() -> None:
    table = TEXT.split("| column | meaning |")[1].split("\n\n")[0]
    shown = {name for line in table.splitlines()[2:] for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert shown == {name for needed in COLUMNS.values() for name in needed} | {"group", "split", "id"}
    for rows, layout in ((jsonl_rows(), "choices"), (csv_rows(), "target")):
        for row in rows:
            assert set(row) <= shown
            assert set(COLUMNS[layout]) <= set(row)  # type: ignore[index]


# --- the code blocks


def test_the_code_blocks_are_a_task_a_method_a_metric_and_a_challenger() -> None:
    folders = ["harness/challengers", "harness/methods", "harness/metrics", "my_tasks"]
    assert sorted(str(Path(path).parent) for path in FILES) == folders
    assert sum(kind == "python" for kind, _ in BLOCKS) == 4


def test_the_python_of_the_pages_uses_public_names_and_flags() -> None:
    texts = [text for kind, text in BLOCKS if kind == "py"]
    names = {name for text in texts for name in re.findall(r"harness\.(\w+)", text)}
    assert {"run", "load_results", "load_answers", "load_steps"} <= names <= set(harness.__all__)
    for text in texts:
        compile(text, "a page", "exec")


def test_the_task_passes_the_contract_of_every_task(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_task(place)
    (name,) = set(registry.tasks(["my_tasks"])) - set(registry.tasks())
    task = registry.task(name, ["my_tasks"])
    splits = loading.load_splits(task)
    monkeypatch.setattr(contract, "FOUND", registry.tasks(["my_tasks"]))
    monkeypatch.setattr(contract, "task_of", lambda _: task)
    monkeypatch.setattr(contract, "splits_of", lambda _: splits)
    contract.test_it_loads_and_is_well_formed(name)
    for split, _ in splits.items():
        contract.test_gold_answers_score_everything(name, split, " {}")
    contract.test_wrong_answers_score_nothing(name)
    contract.test_what_is_no_answer_is_unparsed_and_scores_nothing(name, "I am not sure.")
    contract.test_ids_are_unique_and_splits_share_no_group_and_no_prompt(name)
    contract.test_the_prompt_ends_with_the_cue_and_does_not_depend_on_the_gold_answer(name)
    contract.test_targets_are_written_as_they_are_trained(name)


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The README's files as an installed package with the README's entry points."""
    site = tmp_path / "site"
    points = tomllib.loads(only("toml", "entry-points"))["project"]["entry-points"]
    modules = {value.split(":")[0] for named in points.values() for value in named.values()}
    (name,) = {module.split(".")[0] for module in modules}
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text('"""A package that brings plugins."""\n')
    for path, text in FILES.items():
        assert f"{name}.{Path(path).stem}" in modules
        (site / name / Path(path).name).write_text(text)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{key} = {value}\n" for key, value in named.items())
            for group, named in points.items()
        )
    )
    monkeypatch.syspath_prepend(str(site))
    yield site
    for module in [module for module in sys.modules if module.split(".")[0] == name]:
        del sys.modules[module]


def test_the_entry_points_bring_all_four(package: Path) -> None:
    kinds: Mapping[str, Mapping[str, registry.Entry[Any]]] = {
        "my_tasks": registry.tasks(),
        "methods": registry.methods(),
        "metrics": registry.metrics(),
        "challengers": registry.challengers(),
    }
    for path in map(Path, FILES):
        entry = kinds[path.parent.name][path.stem]
        assert entry.error == ""
        assert entry.origin.startswith("my_package 1.0")


def test_a_method_and_a_metric_are_found_by_their_place(tmp_path: Path) -> None:
    for path in [*(ROOT / "harness").rglob("*.py"), ROOT / "run_all.py"]:
        copy = tmp_path / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    (tmp_path / "tasks" / "data").mkdir(parents=True)
    for name, text in FILES.items():
        if name.startswith("harness/"):
            (tmp_path / name).write_text(text)
    code = "from harness import metrics; print(metrics.quote_cost.title)"
    printed = [
        subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, check=True).stdout
        for words in (["run_all.py", "list"], ["-c", code])
    ]
    assert re.search(r"^norms +norm weights only +harness/methods/norms.py", printed[0], re.MULTILINE)
    assert printed[1].strip() == "Cost of wrong quotes"


def test_the_method_trains_what_it_says_and_nothing_else(package: Path) -> None:
    torch = pytest.importorskip("torch")
    from harness.model import tokenize
    from harness.training import loop
    from tests.support.tiny_models import toy_examples, toy_folder, toy_spec, toy_task, toy_tokenizer

    (name,) = [Path(path).stem for path in FILES if path.startswith("harness/methods")]
    method = registry.method(name)
    spec = toy_spec(method=name, learning_rate=method.learning_rate(32), epochs=4.0)
    folder = toy_folder(package.parent / "model")
    model = method.adapt(method.load(str(folder), spec), spec)
    before = {key: weight.detach().clone() for key, weight in model.named_parameters()}
    tokenizer = toy_tokenizer()
    pairs = tokenize.encode_train(tokenizer, toy_examples(24), toy_task(), spec.max_tokens, 8)
    result = loop.fit(model, tokenizer, pairs, spec)
    assert len(result.losses) == 12
    assert sum(result.losses[-3:]) < sum(result.losses[:3])
    moved = {key for key, weight in model.named_parameters() if not torch.equal(weight, before[key])}
    assert moved == {key for key in before if "norm" in key}


def test_the_metric_scores_answers_and_gold_costs_nothing(package: Path) -> None:
    (name,) = [Path(path).stem for path in FILES if path.startswith("harness/metrics")]
    metric = registry.metric(name)
    rises, falls = "the premium rises", "the premium falls"
    given = [(rises, rises, 0.0), (rises, falls, 120.0), (falls, rises, 45.0), (rises, None, 20.0)]
    for target, parsed, cost in given:
        assert metric.score(Answer("q", "g", target, parsed or "?", parsed)) == cost
    check = oracle.check_gold(registry.task("renewals"), metric, [Example("q", "Which?", rises, (rises, falls))])
    assert (check.ok, metric.higher_is_better) == (True, False)


# --- the results


def test_the_results_are_those_that_are_published_and_no_figure_stands_there_if_none_are() -> None:
    shown = make_readme.current(README)
    fresh = make_readme.block(ROOT / "results")
    assert shown == fresh, "the README's results are stale: python results/make_readme.py"
    if not any((ROOT / "results" / "published").rglob("record.json")):
        assert shown == make_readme.NOTHING
    for path in re.findall(r"\]\((results/[^)]+)\)", shown):
        assert (ROOT / path).is_file(), path


def test_the_readme_is_short_and_no_page_holds_a_machine_path() -> None:
    assert len(README.splitlines()) <= 200
    assert README.index("make cfa") < 1200  # in the first screen
    assert not re.search(r"/(work|home|root|tmp)/", TEXT)
    wide = ("|", "{", "METHOD", "![", "COSTS", "python run_all.py")
    assert max(len(line) for line in TEXT.splitlines() if not line.startswith(wide)) <= 135
