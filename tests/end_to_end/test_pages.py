"""The pages below docs/ and results/: links lead to files, and what they list is complete."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

from harness import record
from tests.end_to_end.test_documentation import PAGES, ROOT


@pytest.mark.parametrize(
    "path", [*PAGES, *sorted((ROOT / "results").glob("**/README.md"))], ids=lambda path: str(path.relative_to(ROOT))
)
def test_every_link_of_a_page_leads_to_a_file(path: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", path.read_text(encoding="utf-8"))
    assert [link for link in links if "://" not in link and not (path.parent / link).exists()] == []


def test_the_format_of_a_record_is_described_field_by_field() -> None:
    page = (ROOT / "docs" / "records.md").read_text(encoding="utf-8")
    described = set(re.findall(r"`(\w+)`", page))
    nouns = (record.Record, record.RunSpec, record.Score, record.ProbeResult, record.Cost, record.Phase, record.Parts)
    fields = {field.name for noun in (*nouns, record.Environment, record.Answer) for field in dataclasses.fields(noun)}
    assert fields - described == set()


def test_the_design_page_names_every_room() -> None:
    page = (ROOT / "docs" / "design.md").read_text(encoding="utf-8")
    rooms = {path.parent.name for path in (ROOT / "harness").glob("*/__init__.py")}
    assert {room for room in rooms if f"`{room}/`" not in page} == set()
