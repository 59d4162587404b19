"""The forms of a publication for a paper and for the hub: the metadata, the card and LaTeX."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import ModelCard

from harness import metrics
from harness.analysis import compare
from harness.data import registry
from harness.report import exports
from harness.store.codec import strict_json
from tests.support.finished_runs import make_runs


@pytest.fixture(scope="module")
def forms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    cells = compare.cells(make_runs(3, n=60), {"cfa": (metrics.accuracy,)})
    exports.write(folder, cells, {"cfa": registry.task("cfa")})
    return folder / "leaderboard"


def test_the_metadata_is_what_the_hub_reads(forms: Path) -> None:
    text = (forms / "cfa.model-index.json").read_text(encoding="utf-8")
    content = strict_json(text)
    with (forms.parent / "leaderboard" / "all.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(content["model-index"]) == len(rows) == 8
    for entry, row in zip(content["model-index"], rows, strict=True):
        front_matter = json.dumps({"model-index": [entry]}, indent=1)  # of the one model that the card is about
        read: Any = ModelCard(f"---\n{front_matter}\n---\n").data
        name, (result,) = read.model_name, read.eval_results
        assert name.startswith(f"tiny {row['method']}")
        assert (result.task_type, result.dataset_type, result.dataset_split) == ("multiple-choice", "cfa", "test")
        assert result.metric_type == "accuracy"
        assert repr(result.metric_value) == row["value"]
        assert result.metric_args["seeds"] == list(range(int(row["seeds"])))


def test_the_card_shows_what_the_table_shows_and_what_it_was_made_of(forms: Path) -> None:
    text = (forms / "cfa.card.md").read_text(encoding="utf-8")
    assert "◀ best" in text
    assert "peak memory in training, MiB" in text
    assert "- seeds: 0, 1, 2" in text
    assert "- code: abcdef012345" in text
    assert len({line.count("|") - line.count("\\|") for line in text.splitlines() if line.startswith("|")}) == 1


def test_latex_has_a_cell_for_each_column_and_only_rules_of_booktabs(forms: Path) -> None:
    text = (forms / "cfa.tex").read_text(encoding="utf-8")
    columns = re.search(r"\\begin\{tabular\}\{([lr]+)\}", text)
    assert columns is not None
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if line.endswith(r"\\")]
    assert len(rows) == 9
    assert {len(re.findall(r"(?<!\\)&", row)) + 1 for row in rows} == {len(columns[1])}
    assert r"\hline" not in text
    assert text.isascii()
    assert r"\textbf{best}" in text
    assert r"\%" in text
    assert not re.search(r"(?<!\\)%", text)


def test_latex_has_a_short_caption_and_no_column_twice(forms: Path) -> None:
    text = (forms / "cfa.tex").read_text(encoding="utf-8")
    caption = re.search(r"\\caption\{(.*)\}", text)
    assert caption is not None
    assert len(caption[1].split()) < 70
    heads = text.split(r"\toprule")[1].splitlines()[1].removesuffix(r" \\").split(" & ")
    assert len(set(heads)) == len(heads)
