"""ROUGE-L, and metrics of the library `evaluate` by name: what they give, and what is said where they are missing."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import metrics
from harness.cli import app
from harness.data import loading, published, registry
from harness.errors import HarnessError
from harness.metrics import evaluate_library
from harness.metrics import rouge as rouge_file
from harness.metrics.scoring import require, score_answers
from harness.record import Answer
from harness.schema import Metric

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
WORDS = st.lists(
    st.sampled_from(["net", "income", "rose", "by", "four", "percent", "in", "the", "year"]), min_size=1, max_size=12
)

SCRIPT = """
import datasets
import evaluate


class Overlap(evaluate.Metric):
    def _info(self):
        features = datasets.Features({"predictions": datasets.Value("string"), "references": datasets.Value("string")})
        return evaluate.MetricInfo(description="Words shared", citation="", inputs_description="", features=features)

    def _compute(self, predictions, references, floor=0.0):
        each = [len(set(p.split()) & set(r.split())) / len(set(r.split())) for p, r in zip(predictions, references)]
        return {"each": each, "mean": max(floor, sum(each) / len(each)), "wrong": 1 - sum(each) / len(each)}
"""


def said(target: str, parsed: str | None, id: str = "q") -> Answer:
    return Answer(id, id, target, parsed or "", parsed)


@pytest.fixture
def script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A metric of one's own in the library's form, which needs no network."""
    monkeypatch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
    folder = tmp_path / "overlap"
    folder.mkdir()
    (folder / "overlap.py").write_text(SCRIPT)
    return str(folder)


@pytest.mark.parametrize(
    ("target", "text", "value"),
    [
        ("Net income rose.", "net INCOME rose", 1.0),
        ("net income rose", "income rose fast", 2 / 3),  # precision and recall are both 2 of 3
        ("net income rose by four", "income fell", 2 / 7),  # 1 of 2 and 1 of 5
        ("one two three", "three two one", 1 / 3),  # order counts
        ("net income", "杜甫", 0.0),
    ],
)
def test_rouge_l_is_the_f_measure_of_the_longest_common_sequence_of_words(target: str, text: str, value: float) -> None:
    assert metrics.rouge_l.score(said(target, text)) == pytest.approx(value)
    assert metrics.rouge_l.score(said(target, None)) == 0.0


def longest_common(a: list[str], b: list[str]) -> int:
    """The slow way, by definition."""
    if not a or not b:
        return 0
    if a[-1] == b[-1]:
        return longest_common(a[:-1], b[:-1]) + 1
    return max(longest_common(a[:-1], b), longest_common(a, b[:-1]))


@pytest.mark.parametrize(
    "text", ["a b", "Net, net income!", "", "...", "÷ é", "\u212a", "x" * 3, "12 %", "no\nnet\tincome"]
)
def test_rouge_l_of_a_text_and_itself_is_that_of_the_library(text: str) -> None:
    expected = rouge_file._scorer().score(text, text)["rougeL"].fmeasure
    assert metrics.rouge_l.score(said(text, text)) == expected


@given(WORDS.map(lambda words: words[:7]), WORDS.map(lambda words: words[:7]))
def test_rouge_l_agrees_with_its_definition(target: list[str], text: list[str]) -> None:
    shared = longest_common(target, text)
    expected = 2 * shared / (len(target) + len(text))
    assert metrics.rouge_l.score(said(" ".join(target), " ".join(text))) == pytest.approx(expected)


def test_a_missing_package_is_named_with_what_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    rouge_file._scorer.cache_clear()
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    with pytest.raises(HarnessError, match="needs the package rouge_score") as caught:
        require([metrics.accuracy, metrics.rouge_l])
    assert caught.value.fix == "pip install rouge_score"


def test_any_metric_of_the_library_can_be_used_by_the_folder_of_its_script(script: str) -> None:
    metric = metrics.from_evaluate(script, key="mean", floor=0.25)
    assert (metric.name, metric.unit, metric.higher_is_better) == ("overlap_mean", "share", True)
    require([metric])
    answers = [said("net income rose", "net income", "a"), said("net", "gross", "b"), said("net", None, "c")]
    assert [metric.score(a) for a in answers] == pytest.approx([2 / 3, 0.25, 0.0])
    assert score_answers(answers, [metric])["overlap_mean"].value == pytest.approx((2 / 3 + 0.25) / 3)


def test_a_result_that_is_a_list_and_one_of_the_whole_set_are_understood(script: str) -> None:
    each = metrics.from_evaluate(script, key="each", name="shared_words", title="Words shared")
    assert each.score(said("net income", "net loss")) == 0.5
    answers = [said("net income", "net loss", "a"), said("net", "net", "b")]
    whole = metrics.from_evaluate(script, key="mean", floor=0.9, whole=True)
    assert whole.combine is not None
    assert whole.combine(answers) == 0.9


def test_an_unread_answer_is_an_empty_one_to_an_error_rate(script: str) -> None:
    wrong = metrics.from_evaluate(script, key="wrong", higher_is_better=False)
    assert wrong.score(said("net income", None)) == 1.0
    assert wrong.score(said("net income", "net income")) == 0.0


def test_a_key_that_the_metric_does_not_have_is_said(script: str) -> None:
    with pytest.raises(HarnessError, match="has no result 'rougeL'"):
        require([metrics.from_evaluate(script, key="rougeL")])


def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Cut the library off from the network and from what was fetched before."""
    evaluate_library._module.cache_clear()
    monkeypatch.setattr("evaluate.config.HF_EVALUATE_OFFLINE", True)
    monkeypatch.setattr("evaluate.config.HF_MODULES_CACHE", tmp_path)


def test_without_a_network_it_says_what_to_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    offline(monkeypatch, tmp_path)
    for metric in (metrics.from_evaluate("meteor", key="meteor"), metrics.bertscore("an/encoder", layers=9)):
        with pytest.raises(HarnessError, match="of the library evaluate is missing") as caught:
            require([metric])
        assert "run on a machine with a network: python -c" in caught.value.fix
        assert str(Path.cwd()) not in str(caught.value)


def test_a_package_that_a_metric_needs_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(name: str, **_: object) -> None:
        raise ImportError(
            "To be able to use x, you need to install the following dependencies['b'] using 'pip install b'"
        )

    evaluate_library._module.cache_clear()
    monkeypatch.setattr("evaluate.load", load)
    with pytest.raises(HarnessError, match="needs a package") as caught:
        require([metrics.from_evaluate("bertscore", key="f1")])
    assert caught.value.fix == "pip install b"


TASK_FILE = '''
"""A task that asks for a metric which is not here."""
from dataclasses import replace
from harness import metrics
from tasks import xbrl_term

TASK = replace(xbrl_term.TASK, name="terms", metrics=(*xbrl_term.TASK.metrics, metrics.bertscore("an/encoder", layers=9)))
'''


@pytest.mark.parametrize("command", [("plan", "--no-memory", "--task"), ("run", "--no-memory", "--task"), ("check",)])
def test_nothing_is_planned_or_trained_for_a_metric_that_is_not_here(
    command: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    offline(monkeypatch, tmp_path / "modules")
    monkeypatch.setattr("harness.cli.commands.run.runner.run", None)  # which nothing may reach
    (tmp_path / "extra").mkdir()
    (tmp_path / "extra" / "terms.py").write_text(TASK_FILE)
    results = () if command[0] == "check" else ("--results", str(tmp_path / "results"))
    assert app.main([*command, "terms", "--tasks-dir", str(tmp_path / "extra"), *results]) == 2
    assert "the metric 'bertscore' of the library evaluate is missing" in capsys.readouterr().err
    assert not list(tmp_path.glob("results/runs/*"))


def terms() -> loading.Splits:
    if not (SHARED / "finlora_xbrl_term").is_dir():
        pytest.skip("public data is not beside the project: ../shared/data/finlora_xbrl_term")
    return loading.load_splits(registry.task("xbrl_term"), data_dir=SHARED)


def test_xbrl_terms_without_an_explanation_are_left_out_and_counted() -> None:
    splits, task = terms(), registry.task("xbrl_term")
    assert isinstance(task.load, published.Load)
    left_out = task.load.left_out(loading.resolve(task.source, SHARED))
    assert left_out == {"contradictory": 12, "explanation missing": 8, "repeated": 5}
    assert [len(part) for _, part in splits.items()] == [5000, 833, 649]
    assert sum(left_out.values()) + 5000 + 833 + 649 == 651 + 5856
    assert not any("nan" in (e.target, e.question.rpartition(": ")[2]) for e in splits.train)
    first = splits.test[0]
    assert first.question == "Explain this term of XBRL reporting in a sentence: Frequent Flier Liability, Current"
    assert first.target.startswith("Value of revenue deferred")


def test_explaining_another_term_scores_what_guessing_scores_and_no_more() -> None:
    splits, task = terms(), registry.task("xbrl_term")
    assert task.chance is not None
    guessed = task.chance(splits.test)
    assert 0.05 < guessed < 0.3
    assert task.chance(splits.test[::-1]) == guessed


def test_a_metric_can_be_added_to_a_task_without_an_edit() -> None:
    task = registry.task("xbrl_term")
    own = Metric("length", "Letters", lambda answer: float(len(answer.text)), unit="letters")
    assert [m.name for m in replace(task, metrics=(*task.metrics, own)).metrics] == ["rouge_l", "length"]
