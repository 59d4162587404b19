"""Every stored field is recomputed, cross-checked or listed as taken on trust, and the review prints that list."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

from harness import record
from harness.verify import review, trust

ROOT = Path(__file__).resolve().parents[2]
STORED = (
    record.RunSpec,
    record.Record,
    record.Cost,
    record.Phase,
    record.Parts,
    record.Environment,
    record.Score,
    record.ProbeResult,
    record.Answer,
    record.Usage,
    record.Checkpoints,
    record.Selection,
    record.Placement,
)


def test_every_stored_field_is_in_one_of_the_three_lists() -> None:
    names = [f"{kind.__name__}.{field.name}" for kind in STORED for field in dataclasses.fields(kind)]
    listed = [*trust.RECOMPUTED, *trust.CHECKED, *trust.TRUSTED]
    assert sorted(set(names) - set(listed)) == []
    assert sorted(set(listed) - set(names)) == []
    assert len(listed) == len(set(listed))


def test_the_page_is_the_one_that_the_module_writes() -> None:
    done = subprocess.run([sys.executable, "-m", "harness.verify.trust"], capture_output=True, text=True, check=True)
    assert (ROOT / "docs" / "trust.md").read_text(encoding="utf-8") == done.stdout


def test_a_review_prints_what_is_on_trust() -> None:
    judged = review.judge(Path("results/published"), {})
    text, page = review.as_markdown(judged), review.page(judged)
    for name in (*trust.TRUSTED, *trust.PARTLY):
        assert name.replace("_", "") in text.replace("\\", "").replace("_", "")
        assert name in page
