"""Addresses and keys of servers: what is refused, and where a key may go."""

from __future__ import annotations

import pytest

from harness.endpoint import settings
from harness.endpoint.settings import Endpoint
from harness.errors import HarnessError

SECRET = "sk-1234567890abcdef"


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (settings.KEY, settings.OPENAI_KEY):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("http://localhost:8000", "http://localhost:8000/v1"),
        ("http://localhost:8000/", "http://localhost:8000/v1"),
        ("https://api.example.com/openai/v1/", "https://api.example.com/openai/v1"),
        (" https://x.example.com/v2?api-version=2024-10-21", "https://x.example.com/v2?api-version=2024-10-21"),
    ],
)
def test_an_address_gets_a_version_if_it_has_no_path(text: str, address: str) -> None:
    assert settings.address(text) == address


@pytest.mark.parametrize(
    "text", ["localhost:8000", "ftp://x", "http://", "http://x y", "http://x:99999", "file:///etc"]
)
def test_another_text_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(HarnessError) as caught:
        settings.address(text)
    assert caught.value.fix == settings.EXAMPLE


@pytest.mark.parametrize(
    "text",
    [f"https://me:{SECRET}@x.com/v1", f"https://{SECRET}@x.com/v1", f"https://x.com/v1?key={SECRET}&a=1"],
)
def test_an_address_with_a_key_is_refused_and_the_key_is_not_repeated(text: str) -> None:
    with pytest.raises(HarnessError) as caught:
        settings.address(text)
    assert SECRET not in str(caught.value)
    assert settings.KEY in caught.value.fix


def test_the_host_has_neither_user_nor_query() -> None:
    assert Endpoint("https://API.example.com:8443/v1?api-version=1", "m").host == "api.example.com:8443"


def test_the_key_of_openai_goes_to_openai_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.OPENAI_KEY, SECRET)
    assert settings.key(Endpoint("https://api.openai.com/v1", "m")) == SECRET
    assert settings.key(Endpoint("https://api.openai.com.example.com/v1", "m")) == ""
    assert settings.key(Endpoint("http://localhost:1/v1", "m")) == ""


def test_a_key_crosses_no_network_without_encryption(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.KEY, SECRET)
    for url in ("http://localhost:1/v1", "http://127.0.0.2:1/v1", "http://[::1]:1/v1", "https://x.com/v1"):
        assert settings.key(Endpoint(url, "m")) == SECRET
    for url in ("http://10.0.0.7:8000/v1", "http://localhost.example.com/v1"):
        with pytest.raises(HarnessError, match="without encryption") as caught:
            settings.key(Endpoint(url, "m"))
        assert SECRET not in str(caught.value)


def test_a_key_with_a_line_break_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(settings.KEY, "a\nb")
    with pytest.raises(HarnessError, match="characters"):
        settings.key(Endpoint("https://x.com/v1", "m"))
