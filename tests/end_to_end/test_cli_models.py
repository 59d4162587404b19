"""A bad model on the command line: a clear error and exit code 2 before anything trains, with predictions or without."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli.app import main
from harness.runs import plan
from harness.runs.forecast import preflight
from tests.support.sample_inputs import write_model, write_task
from tests.support.tiny_models import toy_folder, toy_model

Break = Callable[[Path], Any]


def refused(capsys: pytest.CaptureFixture[str], *command: str) -> str:
    """Run a command that must end with 2, an error of the one shape and nothing else; return the error."""
    assert main(command) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert "\n  --> " in err
    assert "\n  help: " in err
    assert "Traceback" not in err
    return err


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a task, and with what looks like a model as long as nobody imports torch."""
    monkeypatch.chdir(tmp_path)
    write_task(tmp_path / "toy.jsonl")
    write_model(tmp_path / "model")
    return tmp_path


def overwritten(name: str, content: str | bytes) -> Break:
    return lambda folder: (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def removed(*names: str) -> Break:
    def remove(folder: Path) -> None:
        for name in names:
            (folder / name).unlink()

    return remove


def configured(**changes: Any) -> Break:
    """The config with these settings; None takes one out."""

    def change(folder: Path) -> None:
        config = json.loads((folder / "config.json").read_text()) | changes
        kept = {name: value for name, value in config.items() if value is not None}
        (folder / "config.json").write_text(json.dumps(kept))

    return change


def weights(change: Callable[[bytes], bytes]) -> Break:
    def break_it(folder: Path) -> None:
        path = folder / "model.safetensors"
        path.write_bytes(change(path.read_bytes()))

    return break_it


def folder_for_weights(folder: Path) -> None:
    removed("model.safetensors")(folder)
    (folder / "model.safetensors").mkdir()


CONFIG, WEIGHTS, INDEX = "config.json", "model.safetensors", "model.safetensors.index.json"
BROKEN: dict[str, tuple[Break, str]] = {
    "config is missing": (removed(CONFIG), "no config.json"),
    "config is cut off": (overwritten(CONFIG, '{"model_type": "lla'), "config cannot be read"),
    "config is empty": (overwritten(CONFIG, ""), "config cannot be read"),
    "config is not UTF-8": (overwritten(CONFIG, b'{"model_type": "\xff"}'), "config cannot be read"),
    "config is a list": (overwritten(CONFIG, "[]"), "config is not an object"),
    "config of nothing": (overwritten(CONFIG, "{}"), "names no model_type"),
    "config without width": (configured(hidden_size=None), "names no hidden_size"),
    "config with a width in words": (configured(hidden_size="wide"), "names no hidden_size"),
    "config with a width of 0": (configured(hidden_size=0), "names no hidden_size"),
    "weights are missing": (removed(WEIGHTS), "no weights in safetensors format"),
    "weights are empty": (overwritten(WEIGHTS, b""), "corrupt checkpoint"),
    "weights are cut off": (weights(lambda raw: raw[:-1]), "corrupt checkpoint"),
    "weights are cut off in the header": (weights(lambda raw: raw[:20]), "corrupt checkpoint"),
    "weights with a length of rubbish": (weights(lambda raw: b"\xff" * 8 + raw[8:]), "corrupt checkpoint"),
    "weights with a header of rubbish": (weights(lambda raw: raw[:8] + b"\xfe?" + raw[10:]), "corrupt checkpoint"),
    "weights of none": (overwritten(WEIGHTS, b"\x02" + bytes(7) + b"{}"), "corrupt checkpoint: no weight in it"),
    "weights are a folder": (folder_for_weights, "weights cannot be read"),
    "index is broken": (overwritten(INDEX, "{"), "index of the weights is broken"),
    "index is a list": (overwritten(INDEX, "[]"), "index of the weights is broken"),
    "shard is missing": (overwritten(INDEX, '{"weight_map": {"w": "model-2.safetensors"}}'), "model-2.safetensors is"),
    "tokenizer is missing": (removed("tokenizer.json"), "no tokenizer"),
    "tokenizer only": (removed(CONFIG, WEIGHTS), "no config.json"),
    "nothing in it": (removed(CONFIG, WEIGHTS, "tokenizer.json"), "no config.json"),
    "an adapter": (lambda folder: (folder / CONFIG).rename(folder / "adapter_config.json"), "an adapter, not a model"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_model_folder_is_refused_even_without_predictions(
    place: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    break_it, words = BROKEN[name]
    break_it(place / "model")
    err = refused(capsys, "plan", "--task", "toy.jsonl", "--model", "model", "--no-memory")
    assert words in err
    assert "--> model" in err or f"--> {place}" in err


NAMED: dict[str, tuple[str, str]] = {
    "tiney": ("no model folder 'tiney'", "did you mean 'tiny'?"),
    "modle": ("no model folder 'modle'", "did you mean 'model'?"),
    "./here/modle": ("no model folder './here/modle'", "did you mean './here/model'?"),
    "far/too/deep": ("no model folder 'far/too/deep'", "a hub id such as owner/name"),
    "toy.jsonl": ("is a file, not a model folder", "pass a model folder"),
    "model/model.safetensors": ("is a file, not a model folder", "--model model"),
    "~nobody-of-this-name/model": ("no model folder '~nobody-of-this-name/model'", "a hub id such as owner/name"),
    "x" * 300: ("File name too long", "check the path"),
}


@pytest.mark.parametrize("model", NAMED)
def test_a_model_that_is_not_there_is_answered_with_what_was_meant(
    place: Path, capsys: pytest.CaptureFixture[str], model: str
) -> None:
    shutil.copytree(place / "model", place / "here" / "model")
    problem, fix = NAMED[model]
    err = refused(capsys, "plan", "--task", "toy.jsonl", "--model", model, "--no-memory")
    assert problem in err
    assert fix in err


def test_a_hub_id_without_network_says_what_to_do_instead(
    place: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(*_: object, **__: object) -> str:
        raise OSError("name or service not known\nand much more")

    monkeypatch.setattr("huggingface_hub.snapshot_download", unreachable)
    err = refused(capsys, "--task", "toy.jsonl", "--model", "owner/name")
    assert "'owner/name' cannot be fetched: name or service not known\n" in err
    assert "hf download owner/name --local-dir DIR" in err
    assert "pass --model DIR" in err
    (place / "owner" / "names").mkdir(parents=True)
    assert "did you mean 'owner/names'?   or " in refused(capsys, "--task", "toy.jsonl", "--model", "owner/name")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("models") / "toymodel")


@pytest.fixture
def toy(whole: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A real model of 20,000 weights, looked at in this process, which has torch already."""
    monkeypatch.setitem(plan.make.__kwdefaults__ or {}, "look", preflight.look)
    monkeypatch.setitem(plan.check.__kwdefaults__ or {}, "look", preflight.look)
    return Path(shutil.copytree(whole, place / "toymodel"))


def smaller_vocabulary(folder: Path) -> None:
    """A whole model of forty tokens beside the tokenizer of three hundred."""
    toy_model(vocab_size=40).save_pretrained(folder)


UNFIT: dict[str, tuple[Break, list[str], str]] = {
    "rank above the smallest layer": (lambda _: None, ["--rank", "2,17"], "rank 17 is not between 1 and 16"),
    "window too small": (lambda _: None, ["--max-tokens", "40"], "fit beside the answer"),
    "unknown architecture": (configured(model_type="no-such"), [], "does not know the architecture 'no-such'"),
    "code of its own": (
        configured(model_type="own", auto_map={"AutoConfig": "own.Config"}),
        [],
        "if you trust the Python code that comes with the model, run it with --trust-remote-code",
    ),
    "no language model": (configured(model_type="vit"), [], "'vit' is not a causal language model"),
    "setting of the wrong kind": (configured(num_attention_heads="four"), [], "config cannot be read"),
    "heads that do not divide": (configured(num_attention_heads=3), [], "config cannot be read"),
    "other width": (
        configured(hidden_size=48),
        [],
        "do not fit together: model.embed_tokens.weight is of shape [300, 32]",
    ),
    "more layers": (configured(num_hidden_layers=3), [], "do not fit together: model.layers.2"),
    "no layers": (configured(num_hidden_layers=0), [], "no layer to adapt"),
    "tokenizer is cut off": (overwritten("tokenizer.json", '{"version"'), [], "tokenizer cannot be read"),
    "another model's tokenizer": (smaller_vocabulary, [], "tokenizer and model do not fit"),
    "tokenizer without end": (overwritten("tokenizer_config.json", "{}"), [], "no end-of-text token"),
}


@pytest.mark.parametrize("command", ["plan", "run --no-memory"])
@pytest.mark.parametrize("name", UNFIT)
def test_what_only_torch_finds_is_refused_before_a_run_starts(
    toy: Path, capsys: pytest.CaptureFixture[str], name: str, command: str
) -> None:
    break_it, flags, words = UNFIT[name]
    break_it(toy)
    capsys.readouterr()  # a model that was saved anew
    flags = ["--rank", "2", "--batch-size", "4", *flags]
    assert words in refused(capsys, *command.split(), "--task", "toy.jsonl", "--model", "toymodel", *flags)
    assert not Path("results").exists()


def test_a_base_run_asks_no_room_for_training_examples(toy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [
        {"question": f"Is it {i}?" * times, "choices": ["yes", "no"], "answer": ("yes", "no")[i % 2], "split": split}
        for split, times in (("train", 60), ("test", 1))
        for i in range(9)
    ]
    Path("long.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    command = ("plan", "--task", "long.jsonl", "--model", "toymodel", "--rank", "2")
    assert main([*command, "--method", "base"]) == 0
    capsys.readouterr()
    assert "fit beside the answer" in refused(capsys, *command, "--method", "base,lora")


def test_a_config_that_breaks_the_library_is_no_traceback(
    whole: Path, place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own, as a user has it."""
    configured(text_config="none")(Path(shutil.copytree(whole, place / "toymodel")))
    err = refused(capsys, "plan", "--task", "toy.jsonl", "--model", "toymodel", "--rank", "2")
    assert "the model cannot be built from its config: AttributeError" in err
    assert "--no-memory" in err
