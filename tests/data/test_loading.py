"""Finding, pinning, checking and fingerprinting a task's examples."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import tests.support.hash_seeds as hash_seeds
from harness import metrics
from harness.data import loading, prompts, registry
from harness.data.loading import Splits, fingerprint, hash_folder, load_splits, passed_over, resolve, tasks_folder
from harness.errors import HarnessError
from harness.record import Split
from harness.schema import Example, Source, Task

ROOT = Path(__file__).resolve().parents[2]


def example(number: int, **changes: Any) -> Example:
    plain = Example(f"e{number}", f"question {number}", "yes", ("yes", "no"), group=f"g{number // 2}")
    return replace(plain, **changes)


def task_of(train: Iterable[Example], validation: Iterable[Example], test: Iterable[Example], **changes: Any) -> Task:
    splits: dict[Split, list[Example]] = {"train": list(train), "validation": list(validation), "test": list(test)}

    def load(folder: Path, split: Split) -> Iterable[Example]:
        return splits[split]

    plain = Task("toy", 1, "Toy", Source(str(ROOT)), load, prompts.multiple_choice, (metrics.accuracy,))
    return replace(plain, **changes)


def toy(**changes: Any) -> Task:
    return task_of(map(example, range(20)), map(example, range(20, 24)), map(example, range(24, 34)), **changes)


def refusal(call: Callable[[], object]) -> HarnessError:
    with pytest.raises(HarnessError) as caught:
        call()
    assert caught.value.fix
    return caught.value


def test_splits_keep_the_order_of_the_task() -> None:
    splits = load_splits(toy())
    assert [len(part) for _, part in splits.items()] == [20, 4, 10]
    assert [name for name, _ in splits.items()] == ["train", "validation", "test"]
    assert splits.train == tuple(map(example, range(20)))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"id": ""}, "no id"),
        ({"target": " "}, "target is empty"),
        ({"choices": ()}, "0 choices"),
        ({"choices": ("yes",)}, "1 choices"),
        ({"choices": ("yes", "no", "NO ")}, "not distinct"),
        ({"choices": ("yes", "")}, "not distinct, or one is empty"),
        ({"target": "maybe"}, "'maybe' is not among the choices"),
    ],
)
def test_an_example_that_cannot_be_asked_or_scored_is_refused(changes: dict[str, Any], said: str) -> None:
    task = task_of([example(0, **changes)], [example(2)], [example(4)])
    error = refusal(lambda: load_splits(task))
    assert said in error.problem
    assert "toy" in error.where
    assert "train" in error.where


def test_generation_needs_no_choices_but_refuses_wrong_ones() -> None:
    free = [example(n, choices=()) for n in (0, 2, 4)]
    generate = {"scoring": "generate", "prompt": prompts.question_answer}
    assert load_splits(task_of([free[0]], [free[1]], [free[2]], **generate)).test == (free[2],)
    wrong = task_of([free[0]], [free[1]], [example(4, target="maybe")], **generate)
    assert "not among" in refusal(lambda: load_splits(wrong)).problem


@pytest.mark.parametrize("empty", [0, 1, 2])
def test_an_empty_split_is_refused(empty: int) -> None:
    parts = [[example(n)] for n in (0, 2, 4)]
    parts[empty] = []
    assert "split is empty" in refusal(lambda: load_splits(task_of(*parts))).problem


def test_an_id_used_twice_is_refused_within_and_across_splits() -> None:
    across = task_of([example(0)], [example(2)], [example(4, id="e0")])
    assert refusal(lambda: load_splits(across)).where == "train and test"
    within = task_of([example(0), example(0, question="other")], [example(2)], [example(4)])
    assert refusal(lambda: load_splits(within)).where == "twice in train"


@pytest.mark.parametrize("splits", [(0, 2), (0, 1), (1, 2)])
def test_a_group_in_two_splits_is_refused(splits: tuple[int, int]) -> None:
    parts = [[example(n)] for n in (0, 2, 4)]
    for position in splits:
        parts[position] = [replace(parts[position][0], group="shared")]
    assert "share a group" in refusal(lambda: load_splits(task_of(*parts))).problem


def test_ungrouped_examples_share_no_group() -> None:
    assert load_splits(task_of(*([example(n, group="")] for n in (0, 2, 4)))).train[0].group == ""


def test_the_same_question_in_two_splits_is_refused_even_with_its_options_shuffled() -> None:
    copy = example(4, question="Question  0", choices=("no", "yes"))
    error = refusal(lambda: load_splits(task_of([example(0)], [example(2)], [copy])))
    assert "share a question" in error.problem
    assert error.where == "examples 'e0' and 'e4'"


def test_the_same_words_about_another_context_or_with_other_options_are_another_question() -> None:
    other = example(4, question="question 0", choices=("yes", "never"))
    assert load_splits(task_of([example(0)], [example(2)], [other])).test == (other,)
    there = example(4, question="question 0", context="another filing")
    assert load_splits(task_of([example(0, context="a filing")], [example(2)], [there])).test == (there,)
    same = task_of([example(0, context="a filing")], [example(2)], [replace(there, context="A filing")])
    assert "share a question" in refusal(lambda: load_splits(same)).problem


def test_limits_keep_groups_whole_and_give_the_same_examples_each_time() -> None:
    splits = load_splits(toy(), train_limit=7, test_limit=4)
    assert [len(part) for _, part in splits.items()] == [6, 4, 4]
    for part in (splits.train, splits.test):
        assert all(sum(e.group == other.group for other in part) == 2 for e in part)
    assert splits == load_splits(toy(), train_limit=7, test_limit=4)
    assert refusal(lambda: load_splits(toy(), train_limit=-1)).where == "limit -1"


def test_an_error_in_a_tasks_own_code_names_the_task_and_the_split() -> None:
    def load(folder: Path, split: Split) -> Iterable[Example]:
        raise KeyError("anwser")

    error = refusal(lambda: load_splits(replace(toy(), load=load)))
    assert error.problem == "task 'toy' failed to load its train split: KeyError: 'anwser'"


def test_the_fingerprint_changes_with_whatever_is_asked_or_scored() -> None:
    task = toy()
    splits = load_splits(task)
    first = fingerprint(task, splits)
    assert len(first) == 16
    assert int(first, 16) >= 0
    assert first == fingerprint(task, load_splits(toy()))
    changed = [
        fingerprint(replace(task, version=2), splits),
        fingerprint(replace(task, name="other"), splits),
        fingerprint(replace(task, prompt=prompts.question_answer), splits),
        fingerprint(task, replace(splits, test=splits.test[:-1])),
        fingerprint(task, replace(splits, train=splits.train[::-1])),
        fingerprint(task, Splits(splits.train[:-1], (splits.train[-1], *splits.validation), splits.test)),
    ]
    for change in ({"id": "z"}, {"question": "z"}, {"target": "no"}, {"choices": ("no", "yes")}, {"group": "z"}):
        changed.append(fingerprint(task, replace(splits, test=(replace(splits.test[0], **change), *splits.test[1:]))))
    assert len({first, *changed}) == len(changed) + 1


def test_a_folders_hash_covers_names_and_bytes_of_its_jsonl_files_only(tmp_path: Path) -> None:
    (tmp_path / "b.jsonl").write_bytes(b"2")
    (tmp_path / "a.jsonl").write_bytes(b"1")
    first = hash_folder(tmp_path)
    assert first == hashlib.sha256(b"a.jsonl\x001\x00b.jsonl\x002\x00").hexdigest()
    (tmp_path / "make.py").write_text("print()")
    assert hash_folder(tmp_path) == first
    (tmp_path / "a.jsonl").rename(tmp_path / "c.jsonl")
    assert hash_folder(tmp_path) != first
    assert "no .jsonl" in refusal(lambda: hash_folder(tmp_path / "none")).problem


def test_a_wrong_checksum_tells_what_was_expected_and_found(tmp_path: Path) -> None:
    (tmp_path / "test.jsonl").write_text("{}\n")
    found = hash_folder(tmp_path)
    assert resolve(Source(str(tmp_path), sha256=found)) == tmp_path
    error = refusal(lambda: resolve(Source(str(tmp_path), sha256="0" * 64)))
    assert error.problem == f"the data has changed: expected checksum {'0' * 64}, found {found}"
    single = hashlib.sha256(b"{}\n").hexdigest()
    assert resolve(Source(str(tmp_path / "test.jsonl"), sha256=single)).name == "test.jsonl"


def test_a_source_is_found_in_the_tasks_folder_or_in_the_users_data_folder(tmp_path: Path) -> None:
    assert resolve(Source("data")) == tasks_folder() / "data"
    (tmp_path / "loans").mkdir()
    assert resolve(Source("data/loans"), tmp_path) == tmp_path / "loans"
    assert resolve(Source("hf:bank/loans", revision="abc"), tmp_path) == tmp_path / "loans"
    assert resolve(Source(str(ROOT)), tmp_path) == ROOT
    assert refusal(lambda: resolve(Source("data/none"))).where.endswith("none")
    assert refusal(lambda: resolve(Source("data/none"), tmp_path)).where == str(tmp_path / "none")


def test_what_comes_with_the_project_is_used_where_the_users_folder_has_no_copy(tmp_path: Path) -> None:
    claims, arc = registry.task("claims"), registry.task("arc_challenge")
    shipped = resolve(claims.source)
    assert resolve(claims.source, tmp_path) == shipped
    assert (
        passed_over(claims, tmp_path)
        == f"not used for claims: its data comes with the project, and {tmp_path} has no copy"
    )
    assert not passed_over(claims, None)
    assert not passed_over(arc, tmp_path)
    (tmp_path / "claims").mkdir()  # an own copy counts, and is checked as such
    assert refusal(lambda: resolve(claims.source, tmp_path)).where == str(tmp_path / "claims")
    assert not passed_over(claims, tmp_path)


def test_a_hub_data_set_needs_a_revision_and_without_a_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "revision" in refusal(lambda: resolve(Source("hf:bank/loans"))).problem
    huggingface_hub = pytest.importorskip("huggingface_hub")

    def offline(*_: object, **__: object) -> str:
        raise ConnectionError("no route")

    monkeypatch.setattr(huggingface_hub, "snapshot_download", offline)
    error = refusal(lambda: resolve(Source("hf:bank/loans", revision="abc")))
    assert "hf download bank/loans --repo-type dataset --revision abc" in error.fix
    assert "--data" in error.fix


def test_the_tasks_folder_sits_beside_the_harness(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert tasks_folder() == ROOT / "tasks"
    (tmp_path / "harness").mkdir()
    monkeypatch.setattr(loading, "__file__", str(tmp_path / "harness" / "data" / "loading.py"))
    assert refusal(tasks_folder).where == str(tmp_path / "tasks")


def test_another_module_called_tasks_that_took_the_place_is_named(tmp_path: Path) -> None:
    shutil.copytree(
        ROOT / "harness", tmp_path / "site" / "harness", ignore=shutil.ignore_patterns("model", "__pycache__")
    )
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "tasks.py").write_text("print('not ours')\n")
    run = subprocess.run(
        [sys.executable, "-c", "from harness.data.loading import tasks_folder; tasks_folder()"],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(tmp_path / "mine"), str(tmp_path / "site")])},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert f"{tmp_path / 'mine' / 'tasks.py'} has their name" in run.stderr
    assert "not ours" not in run.stdout


def test_a_fingerprint_does_not_depend_on_pythons_hash_seed() -> None:
    code = "from tests.data.test_loading import *; t = toy(); print(fingerprint(t, load_splits(t, train_limit=7)))"
    assert len(hash_seeds.said(code)) == 1
