"""`adapters push`: what is exported is uploaded, and a missing token or network is an error that says what to do."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from harness.adapters import library
from harness.cli.app import main
from tests.support.stored_adapters import adapted_spec, write_run
from tests.support.tiny_models import toy_folder

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pushed")
    model = toy_folder(folder / "toy")
    for method in ("lora", "bottleneck"):
        write_run(folder / "results", model, adapted_spec(method, task="cfa"))
    return folder / "results"


@dataclass
class FakeHub:
    """The hub's client, as far as it is called: keeps what it is given, or raises."""

    calls: list[tuple[str, dict[str, Any]]]
    files: dict[str, bytes]
    fails: Callable[[], Exception] | None = None

    def create_repo(self, repo_id: str, **options: Any) -> None:
        self.calls.append((repo_id, options))
        if self.fails:
            raise self.fails()

    def upload_folder(self, *, folder_path: Path, repo_id: str, **options: Any) -> Any:
        self.calls.append((repo_id, options))
        self.files |= {path.name: path.read_bytes() for path in folder_path.iterdir()}
        return SimpleNamespace(commit_url=f"https://hub/{repo_id}/commit/1")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> FakeHub:
    fake = FakeHub([], {})
    monkeypatch.setattr("huggingface_hub.HfApi", lambda: fake)
    monkeypatch.setattr("huggingface_hub.get_token", lambda: "a token")
    return fake


def push(results: Path, *words: str) -> int:
    return main(["adapters", "push", *words, "--results", str(results)])


def test_what_is_exported_is_uploaded_to_a_private_model(
    results: Path, hub: FakeHub, tmp_path: Path, capsys: Capture
) -> None:
    assert main(["adapters", "export", "lora-r4", str(tmp_path / "out"), "--results", str(results)]) == 0
    assert push(results, "lora-r4", "bank/claims") == 0
    assert "https://hub/bank/claims/commit/1" in capsys.readouterr().out
    assert hub.files == {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    assert set(hub.files) == {library.WEIGHTS, library.CONFIG, library.CARD}
    assert json.loads(hub.files[library.CONFIG])["base_model_name_or_path"] == "toy"
    assert [repo for repo, _ in hub.calls] == ["bank/claims"] * 2
    assert hub.calls[0][1]["private"]


def test_a_model_that_everybody_sees_has_to_be_asked_for(results: Path, hub: FakeHub) -> None:
    assert push(results, "lora-r4", "bank/claims", "--public") == 0
    assert not hub.calls[0][1]["private"]


def test_without_a_token_nothing_is_asked_of_the_hub(
    results: Path, hub: FakeHub, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("huggingface_hub.get_token", lambda: None)
    assert push(results, "lora-r4", "bank/claims") == 2
    assert "hf auth login" in capsys.readouterr().err
    assert not hub.calls


def _http() -> Any:
    """The HTTP library that the hub's client uses, by whatever name."""
    from huggingface_hub import errors

    return importlib.import_module(next(kind.__module__ for kind in errors.HfHubHTTPError.__mro__[1:]).split(".")[0])


def _refused() -> Exception:
    from huggingface_hub.errors import HfHubHTTPError

    httpx = _http()
    response = httpx.Response(403, request=httpx.Request("POST", "https://hub"))
    return HfHubHTTPError("403 Forbidden: you may not write here", response=response)


def _unreachable() -> Exception:
    error: Exception = _http().ConnectError("no route to host")
    return error


@pytest.mark.parametrize(
    ("fails", "said"),
    [
        (_refused, "the hub refuses: "),
        (_unreachable, "cannot be reached"),
        (lambda: OSError("down"), "cannot be reached"),
    ],
)
def test_a_hub_that_refuses_or_is_not_there_is_an_error_with_a_way_out(
    results: Path, hub: FakeHub, fails: Callable[[], Exception], said: str, capsys: Capture
) -> None:
    hub.fails = fails
    assert push(results, "lora-r4", "bank/claims") == 2
    err = capsys.readouterr().err
    assert said in err
    assert "help: " in err
    assert not hub.files


@pytest.mark.parametrize(
    ("run", "repo", "said"),
    [
        ("lora-r4", "claims", "owner/name"),
        ("lora-r4", "a/b/c", "owner/name"),
        ("lora-r4", "bank/..", "owner/name"),
        ("bottleneck-r4", "bank/claims", "the method bottleneck"),
        ("lora-r9", "bank/claims", "no run is called"),
    ],
)
def test_what_cannot_be_uploaded_is_refused_before_the_hub_is_asked(
    results: Path, hub: FakeHub, run: str, repo: str, said: str, capsys: Capture
) -> None:
    assert push(results, run, repo) == 2
    assert said in capsys.readouterr().err
    assert not hub.calls
