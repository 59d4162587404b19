"""Inputs longer than the window: the question stays whole, what is cut is counted, and every table says so."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")

from harness.analysis import compare
from harness.analysis.sections import sections
from harness.data import loading, registry
from harness.model import tokenize
from harness.model.loading import load_tokenizer
from harness.report import tables
from harness.report.alarms import alarms
from harness.runs import plan, worker
from harness.runs.options import Options
from harness.schema import Example
from harness.store import records
from tests.runs.test_worker import Ear
from tests.support.analyses import results_of
from tests.support.records import make_record
from tests.support.tiny_models import toy_folder

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"
TINY = ROOT / "harness" / "tiny" / "model"
WINDOW = 1024
LONG = ("xbrl_value", "xbrl_tag", "xbrl_formula", "xbrl_calculation")


@pytest.mark.parametrize("name", LONG)
def test_a_filing_longer_than_the_window_keeps_its_question_and_counts_what_it_loses(name: str) -> None:
    task = registry.task(name)
    if loading.sizes(task, SHARED) is None or not (TINY / "tokenizer.json").exists():
        pytest.skip(f"neither {task.source.folder} beside the project nor the embedded model's tokenizer")
    tokenizer = load_tokenizer(TINY)
    longest = sorted(loading.load_splits(task, data_dir=SHARED).test, key=lambda e: -len(e.context))[:4]
    room = tokenize.answer_room(task.scoring, task.max_new_tokens)
    for example in longest:
        (item,) = tokenize.encode_test(tokenizer, [example], task, WINDOW, room)
        whole, _ = tokenize.encode_pair(tokenizer, task.prompt(example), example.target)
        assert item.cut_tokens == max(0, len(whole) - len(item.prompt))
        assert len(item.prompt) + room <= WINDOW
        asked = task.prompt(replace(example, context=""))
        tail = tokenizer.decode(item.prompt, skip_special_tokens=True)[-len(asked) :]
        assert "".join(tail.split()) == "".join(asked.split())
    assert longest[0].context


def test_of_a_context_of_megabytes_both_ends_and_the_question_are_kept() -> None:
    from tests.support.tiny_models import toy_task, toy_tokenizer

    words = ("rises", "falls")
    huge = Example("q", "What does it do?", "rises", words, context=f"Beginning. {'filler words ' * 80_000} End.")
    (item,) = tokenize.encode_test(toy_tokenizer(), [huge], toy_task(), 256, 0)
    text = toy_tokenizer().decode(item.prompt)
    assert text.startswith("Beginning.")
    assert "End.\n\nWhat does it do?" in text
    assert 200 < len(item.prompt) <= 256
    assert item.cut_tokens > 100_000


@pytest.fixture(scope="module")
def long_task(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty questions; the context of every third is longer than the toy model's window."""
    rows = [
        {
            "context": f"Filing {n}. " + "Assets equal liabilities. " * (80 if n % 3 == 0 else 1),
            "question": f"What does filing {n} say?",
            "choices": ["it rises", "it falls"],
            "answer": ("it rises", "it falls")[n % 2],
            "split": "test" if n >= 40 else "train",
        }
        for n in range(60)
    ]
    path = tmp_path_factory.mktemp("data") / "long.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_a_run_counts_what_it_cut_and_the_tables_say_so(long_task: Path, tmp_path: Path) -> None:
    options = Options(
        tasks=(str(long_task),),
        methods=("base", "full"),
        model=str(toy_folder(tmp_path / "toymodel")),
        results=tmp_path / "results",
        epochs=1.0,
        dtype="fp32",
        device="cpu",
        memory=False,
    )
    (planned,) = plan.make(options)
    splits = planned.splits
    expected = {
        "base": sum(len(e.context) > 1000 for e in splits.test),
        "full": sum(len(e.context) > 1000 for e in (*splits.test, *splits.train)),
    }
    runs = []
    for job in planned.jobs():
        records.prepare(job.folder)
        worker.run(replace(job, threads=1), Ear())
        runs.append((records.read_record(job.folder), records.read_answers(job.folder)))
    for record, answers in runs:
        assert record.status == "ok", record.reason
        assert record.cut_examples == expected[record.spec.method] > 0
        assert sum(answer.cut_tokens > 0 for answer in answers) == expected["base"]
    text = tables.document(results_of(runs))
    for method, count in expected.items():
        assert f"{method}: {count} inputs were too long and lost part of their context" in text


def test_a_task_in_which_nothing_is_cut_says_nothing_of_it() -> None:
    (section,) = sections(compare.cells([(make_record(), None)]))
    assert not any("too long" in line for line in alarms(section))
