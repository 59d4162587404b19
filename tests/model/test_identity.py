"""A local model's revision: whatever decides an answer is in it, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from harness.model import checkpoint
from harness.runs import continuation, plan
from harness.runs.options import Options, Start
from tests.support.records import make_spec
from tests.support.shared_cases import case
from tests.support.tiny_models import toy_folder

TEMPLATE = "{% for m in messages %}<asks>{{ m.content }}{% endfor %}<says>"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return toy_folder(tmp_path / "toy")


def set_value(name: str, key: str, value: object) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / name
        content = json.loads(path.read_text()) if path.is_file() else {}
        path.write_text(json.dumps(content | {key: value}))

    return change


def write(name: str, text: str) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        path = folder / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    return change


@pytest.mark.parametrize(
    "change",
    [
        write("chat_template.jinja", TEMPLATE),
        write("additional_chat_templates/terse.jinja", TEMPLATE),
        set_value("tokenizer_config.json", "chat_template", TEMPLATE),
        set_value("tokenizer_config.json", "add_bos_token", False),
        set_value("special_tokens_map.json", "eos_token", "<end>"),
        set_value("tokenizer.json", "version", "2.0"),
        set_value("config.json", "rope_theta", 50000.0),
        set_value("generation_config.json", "repetition_penalty", 1.3),
        write("vocab.txt", "a\nb\n"),
        write("spiece.model", "pieces"),
    ],
)
def test_every_file_that_decides_an_answer_is_in_the_revision(folder: Path, change: Callable[[Path], object]) -> None:
    before = checkpoint.read(str(folder))
    change(folder)
    after = checkpoint.read(str(folder))
    assert before.revision != after.revision
    assert before.weights_revision == after.weights_revision


@pytest.mark.parametrize("name", ["README.md", "training.log", "loss.jsonl", "optimizer.pt", "trainer_state.json"])
def test_a_file_that_decides_nothing_leaves_the_revision(folder: Path, name: str) -> None:
    before = checkpoint.revision(folder)
    (folder / name).write_text("{}")
    assert checkpoint.revision(folder) == before


def test_a_file_of_another_name_is_another_model(folder: Path) -> None:
    write("chat_template.jinja", TEMPLATE)(folder)
    before = checkpoint.revision(folder)
    (folder / "chat_template.jinja").rename(folder / "tokenizer.model")
    assert checkpoint.revision(folder) != before


def test_an_edited_folder_makes_another_run_and_the_embedded_model_keeps_its_ids(folder: Path, tmp_path: Path) -> None:
    options = Options(("cfa",), ("base",), model=str(folder), results=tmp_path / "results", memory=False)
    (before,) = plan.make(options)[0].specs
    write("chat_template.jinja", TEMPLATE)(folder)
    (after,) = plan.make(options)[0].specs
    assert before.id != after.id
    tiny = checkpoint.read("tiny")
    assert tiny.revision == tiny.weights_revision


def test_a_hub_snapshot_is_pinned_by_its_commit_until_a_file_in_it_is_replaced(tmp_path: Path) -> None:
    blobs = toy_folder(tmp_path / "models--owner--name" / "blobs")
    snapshot = tmp_path / "models--owner--name" / "snapshots" / "0123abcd"
    snapshot.mkdir(parents=True)
    for path in blobs.iterdir():
        (snapshot / path.name).symlink_to(path)
    assert checkpoint.revision(snapshot) == "0123abcd"
    write("chat_template.jinja", TEMPLATE)(snapshot)
    assert checkpoint.revision(snapshot) != "0123abcd"


def test_a_folder_that_is_only_called_snapshots_pins_nothing(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path / "snapshots" / "mine")
    assert len(checkpoint.revision(folder)) == 12


def test_a_record_that_names_the_weights_alone_is_still_of_this_model(folder: Path, tmp_path: Path) -> None:
    model = checkpoint.read(str(folder))
    spec = make_spec(model="toy", model_revision=model.weights_revision)
    assert checkpoint.base_of_runs([spec], str(folder), remote_code=False, describe=str).folder == model.folder
    continued = replace(spec, model_revision=model.revision, start="0123456789")
    continuation.check(Start(spec, tmp_path), [continued], model)


def test_the_shared_case_of_an_edited_folder(folder: Path, tmp_path: Path) -> None:
    task = case("edited-model-folder") / "choices.jsonl"
    options = Options((str(task),), ("base",), model=str(folder), results=tmp_path, memory=False, test_examples=24)
    revisions = set()
    for change in (
        write("README.md", ""),
        write("chat_template.jinja", TEMPLATE),
        set_value("config.json", "rope_theta", 3.0),
    ):
        change(folder)
        revisions.add(plan.make(options)[0].specs[0].id)
    assert len(revisions) == 3
