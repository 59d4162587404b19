"""Plugin files and packages written against version 0.1 keep working: the names that it offered are still there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import harness

ROOT = Path(__file__).resolve().parent.parent

NAMES = """
    SCHEMA_VERSION SPLITS Answer Cost Environment Example HarnessError Method Metric Parts Phase Record RunSpec Score Scoring
    Source Split Status Task commonest data did_you_mean equal first_number methods metrics parse_expression parse_number prompts
    published read_jsonl statements stats
"""
MEMBERS = {
    "data": "Splits check fingerprint hash_folder load_splits read_jsonl refuse_overlap resolve sizes tasks_folder",
    "metrics": "accuracy bertscore confusion cost_of default_parse exact_match fold from_evaluate macro_f1 numeric perplexity",
    "prompts": "multiple_choice question_answer",
    "published": "Load digest instruction output patterns read_cells",
    "stats": "LEVEL Interval Paired bootstrap_interval clustered_interval holm paired_difference sign_flip_p",
    "statements": "Filing Line Statement Sum read_filing scaled written",
}


def test_every_public_name_of_version_0_1_is_there() -> None:
    assert set(NAMES.split()) <= set(harness.__all__)
    for name in NAMES.split():
        assert getattr(harness, name) is not None


def test_every_function_that_plugins_call_by_its_module_is_there() -> None:
    missing = [
        f"{module}.{name}"
        for module, names in MEMBERS.items()
        for name in names.split()
        if not hasattr(getattr(harness, module), name)
    ]
    assert missing == []


def test_the_names_are_imported_in_any_order_and_without_torch() -> None:
    names = NAMES.split()
    for order in (names, names[::-1]):
        code = f"from harness import {', '.join(order)}; import sys; data.read_jsonl; assert 'torch' not in sys.modules"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
