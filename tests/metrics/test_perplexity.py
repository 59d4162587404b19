"""Held-out text: every token scored once and as read alone, what the metrics mean, and lower is better to the end."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from harness import metrics
from harness.analysis import compare
from harness.analysis.sections import sections
from harness.cli.app import main
from harness.data import loading, published, registry
from harness.errors import HarnessError
from harness.format import markdown
from harness.methods import full
from harness.metrics import scoring
from harness.model import answer as evaluate
from harness.model import tokenize
from harness.record import Answer, Record
from harness.report import comparison, tables
from harness.report.notes import reading
from harness.runs import plan, worker
from harness.runs.forecast import peak_memory
from harness.runs.options import Options
from harness.schema import Example, Task
from harness.store import records, withhold
from harness.verify.checks.answers.arithmetic import GOLD, gold_checks, reparse
from harness.verify.run import verify
from tests.runs.test_worker import Ear
from tests.support.analyses import compare_runs, results_of
from tests.support.finished_runs import make_run
from tests.support.tiny_models import toy_folder, toy_model, toy_spec, toy_tokenizer

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
WORDS = "assets equal liabilities plus equity and the premium rises "
TASK = registry.task("wikitext")
KNOWN = {"wikitext": TASK.metrics}
SPEC = toy_spec(scoring="perplexity", max_tokens=48)


def texts() -> list[Example]:
    """Texts from shorter than a window of 32 tokens to several times as long, one of them not in Latin letters."""
    bodies = ["one word", *(f"{WORDS * n}end {n}" for n in (1, 2, 4)), "杜甫 was a poet", "x"]
    return [Example(f"t{n}", f"Title {n}", body, (), f"Title {n}", body) for n, body in enumerate(bodies)]


@pytest.fixture(scope="module")
def tokenizer() -> Any:
    return toy_tokenizer()


def slow(model: Any, text: tokenize.Pair, window: int) -> list[float]:
    """One token at a time, logits everywhere: from the start while that fits, then from where the stride has put it."""
    tokens = [*text.prompt, *text.target]
    found = []
    for place in range(len(text.prompt), len(tokens)):
        behind = place - window
        steps = 0 if behind < 0 else behind // (window // 2) + 1
        end = min(window + steps * (window // 2), len(tokens))
        with torch.no_grad():
            logits = model(torch.tensor([tokens[max(0, end - window) : place]])).logits[0, -1].double()
        found.append(torch.log_softmax(logits, dim=-1)[tokens[place]].item())
    return found


@pytest.mark.parametrize("window", [32, 33, 256])
def test_every_token_is_scored_as_when_it_is_predicted_alone(tokenizer: Any, window: int) -> None:
    model, spec, examples = toy_model(), replace(SPEC, max_tokens=window), texts()
    answers = evaluate.answer(model, tokenizer, examples, TASK, spec)
    pairs = tokenize.encode_texts(tokenizer, examples, TASK, window)
    for answer, pair in zip(answers, pairs, strict=True):
        assert answer.loglik == pytest.approx(slow(model, pair, window), abs=2e-4)
    assert max(len(pair) for pair in pairs) > 3 * 33  # so that windows had to move


def test_the_same_answers_come_out_again_and_in_any_order(tokenizer: Any) -> None:
    model, examples = toy_model(), texts()
    first = evaluate.answer(model, tokenizer, examples, TASK, SPEC)
    assert evaluate.answer(model, tokenizer, examples, TASK, SPEC) == first
    turned = evaluate.answer(model, tokenizer, examples[::-1], TASK, SPEC)[::-1]
    for one, other in zip(first, turned, strict=True):
        assert one.loglik == pytest.approx(other.loglik, abs=1e-4)


@given(st.integers(1, 20), st.integers(1, 300), st.integers(2, 80))
def test_windows_score_each_token_once_in_order_and_read_half_a_window_before(
    head: int, body: int, window: int
) -> None:
    head = min(head, window // 2)
    text = tokenize.Pair(tuple(range(head)), tuple(range(head, head + body)))
    found = tokenize.windows(text, window)
    assert [token for row in found for token in row.target] == list(text.target)
    assert all(len(row.prompt) >= 1 and len(row) <= window for row in found)
    for row in found:
        assert [*row.prompt, *row.target] == list(range(row.prompt[0], row.target[-1] + 1))
    assert all(len(row.prompt) >= window // 2 for row in found[1:])
    assert found[0].prompt == text.prompt


def test_title_and_text_are_read_as_they_stand_and_no_end_token_is_scored(tokenizer: Any) -> None:
    for example, pair in zip(texts(), tokenize.encode_texts(tokenizer, texts(), TASK, 256), strict=True):
        assert tokenizer.decode(pair.prompt) == f"{example.question}\n"
        assert tokenizer.decode(pair.target) == example.target
    tokenizer = toy_tokenizer()
    tokenizer.chat_template = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    assert tokenizer.decode(tokenize.encode_texts(tokenizer, texts(), TASK, 256)[0].prompt) == "Title 0\n"


def test_training_reads_what_testing_scores_and_counts_what_it_cuts(tokenizer: Any) -> None:
    whole = tokenize.encode_texts(tokenizer, texts(), TASK, 48)
    trained = tokenize.encode_train(tokenizer, texts(), TASK, 48, 0)
    for text, pair in zip(whole, trained, strict=True):
        assert pair.prompt == text.prompt
        assert pair.target == text.target[: 48 - len(text.prompt)]
        assert pair.cut_tokens == len(text) - len(pair)
    assert any(pair.cut_tokens for pair in trained)
    assert max(len(peak_memory.cut(text, 48)) for text in whole) == 48


def test_a_title_that_fills_half_the_window_is_refused(tokenizer: Any) -> None:
    long = replace(texts()[0], question="A very long title " * 20)
    with pytest.raises(HarnessError, match="'t0' needs"):
        tokenize.encode_texts(tokenizer, [long], TASK, 48)


def said(text: str, *loglik: float, id: str = "q", group: str = "") -> Answer:
    return Answer(id, group, text, "", "", loglik=loglik)


def test_a_model_that_is_certain_loses_nothing_and_one_that_knows_nothing_loses_eight_bits_a_byte() -> None:
    certain = [said("two words", 0.0, 0.0), said("杜甫", 0.0)]
    assert [m.combine(certain) for m in TASK.metrics if m.combine] == [0.0, 0.0, 1.0]
    blind = [said(text, *[-math.log(256)] * len(text.encode())) for text in ("two words", "杜甫")]
    assert [m.combine(blind) for m in TASK.metrics if m.combine] == pytest.approx([8.0, math.log(256), 256.0])


def test_texts_count_by_their_length_and_bytes_not_letters_divide() -> None:
    both = [said("a" * 8, -8 * math.log(2)), said("杜甫", -12 * math.log(2))]
    assert metrics.bits_per_byte.combine is not None
    assert metrics.bits_per_byte.combine(both) == pytest.approx(20 / 14)
    assert metrics.bits_per_byte.score(both[1]) == pytest.approx(2.0)


def test_the_metrics_are_those_of_the_whole_model_loss(tokenizer: Any) -> None:
    model, examples = toy_model(), texts()[:1]
    (pair,) = tokenize.encode_texts(tokenizer, examples, TASK, 48)
    labels = torch.tensor([[-100] * len(pair.prompt) + list(pair.target)])
    with torch.no_grad():
        loss = model(torch.tensor([[*pair.prompt, *pair.target]]), labels=labels).loss.item()
    answers = evaluate.answer(model, tokenizer, examples, TASK, SPEC)
    found = scoring.score_answers(answers, TASK.metrics)
    assert found["nats_per_token"].value == pytest.approx(loss, rel=1e-4)
    assert found["perplexity"].value == pytest.approx(math.exp(loss), rel=1e-3)
    size = len(examples[0].target.encode())
    assert found["bits_per_byte"].value == pytest.approx(loss * len(pair.target) / math.log(2) / size, rel=1e-4)


def test_training_lowers_the_loss_on_the_text(tokenizer: Any) -> None:
    from harness.training import loop

    spec = replace(SPEC, epochs=6.0, learning_rate=3e-3, micro_batch=3, batch_size=3)
    model = full.METHOD.adapt(toy_model(), spec)
    before = evaluate.answer(model, tokenizer, texts(), TASK, spec)
    loop.fit(model, tokenizer, tokenize.encode_train(tokenizer, texts(), TASK, spec.max_tokens, 0), spec)
    after = evaluate.answer(model, tokenizer, texts(), TASK, spec)
    losses = [scoring.score_answers(a, TASK.metrics)["bits_per_byte"].value for a in (before, after)]
    assert losses[1] < losses[0]


def test_a_whole_run_is_planned_trained_scored_and_verified(tmp_path: Path) -> None:
    wiki(tmp_path / "wikitext2")
    options = Options(
        tasks=("wikitext",),
        methods=("base", "full"),
        model=str(toy_folder(tmp_path / "toymodel")),
        results=tmp_path / "results",
        data=tmp_path,
        epochs=3.0,
        batch_size=4,
        dtype="fp32",
        device="cpu",
    )
    (planned,) = plan.make(options)
    assert planned.predicted(planned.specs[1]) > 0
    found = []
    for job in planned.jobs():
        records.prepare(job.folder)
        worker.run(replace(job, threads=1), Ear())
        record = records.read_record(job.folder)
        assert record.status == "ok", record.reason
        checks = verify(job.folder, TASK, examples=planned.splits.test)
        assert [check for check in checks if not check.ok] == []
        found.append((record, records.read_answers(job.folder)))
    base, full_run = (record for record, _ in found)
    assert full_run.scores["bits_per_byte"].value < base.scores["bits_per_byte"].value
    (cell, other) = [cell for cell in compare.cells(found, KNOWN) if cell.headline]
    assert (cell.best_or_tied, other.best_or_tied) != ("best", "")
    assert other.vs_base is not None
    assert other.vs_base.value < 0


def paragraphs(shift: float) -> list[Answer]:
    """40 paragraphs of 10 articles, some harder than others; all of them a little harder by `shift`."""
    found = []
    for n in range(40):
        hard = -2.0 - (n * 7 % 11) / 4 - shift
        found.append(said("word " * 5, *[hard] * (5 + n % 3), id=f"p{n}", group=f"article {n // 4}"))
    return found


def run(method: str, rank: int, shift: float) -> tuple[Record, list[Answer]]:
    record, _ = make_run(method, rank, n=40, spec={"task": "wikitext", "scoring": "perplexity"})
    answers = paragraphs(shift)
    scores = scoring.score_answers(answers, TASK.metrics)
    return replace(record, scores=scores, chance=None, parse_rate=scoring.parse_rate(answers)), answers


@pytest.fixture(scope="module")
def runs() -> list[tuple[Record, list[Answer]]]:
    return [run("base", 0, 0.5), run("lora", 8, 0.0), run("full", 0, 0.0004)]


def test_the_lowest_loss_is_best_and_the_difference_is_paired(runs: list[tuple[Record, list[Answer]]]) -> None:
    cells = [cell for cell in compare.cells(runs, KNOWN) if cell.headline]
    assert {cell.spec.method: cell.best_or_tied for cell in cells} == {"base": "", "lora": "best", "full": ""}
    lora = next(cell for cell in cells if cell.spec.method == "lora")
    assert lora.vs_base is not None
    assert lora.low is not None
    assert lora.high is not None
    assert lora.vs_base.value < 0
    # Paired by paragraph: what makes articles differ drops out, and the interval is far narrower than the score's own.
    assert lora.vs_base.high - lora.vs_base.low < (lora.high - lora.low) / 5
    found = compare_runs(runs[0], runs[1], KNOWN)
    assert found.scores["bits_per_byte"].value == pytest.approx(lora.vs_base.value)


def test_tables_and_figures_say_that_lower_is_better(runs: list[tuple[Record, list[Answer]]]) -> None:
    from harness.report.figures import overview

    cells = compare.cells(runs, KNOWN)
    (section,) = sections(cells)
    assert tables.headline(section).columns[2] == "bits per byte ↓"
    further = tables.further(section)
    assert further is not None
    assert further.columns == ("run", "nats per token ↓", "perplexity ↓")
    assert "↓: lower is better." in reading(section)
    assert [row[-1] for row in tables.headline(section).rows] == ["", "◀ best", ""]
    compared = comparison.scores(compare_runs(runs[0], runs[1], KNOWN))
    assert compared.rows[0][0] == "bits per byte ↓"
    assert compared.rows[0][3].startswith("-")
    assert "bits per byte (lower is better)" in overview.accuracy("wikitext", [section]).axes[0].get_xlabel()
    assert "bits per byte ↓" in tables.document(results_of(runs, KNOWN))
    assert "%" not in markdown(tables.headline(section)).replace("95 %", "")


def test_an_answer_to_a_text_is_its_own_parse_and_counts_as_read() -> None:
    answer = said("some text", -1.0)
    assert reparse(answer, TASK, "perplexity") == answer.parsed
    assert scoring.parse_rate([answer]) == 1.0


def test_a_withheld_text_has_the_same_scores_and_its_bytes_are_compared_with_the_data() -> None:
    answers = [replace(said(text.target, -1.0, -2.5), id=text.id, group=text.group) for text in texts()]
    hidden = withhold.stand_in_answers(answers)
    assert all(answer.target.startswith(withhold.MARK) for answer in hidden)
    for metric in TASK.metrics:
        assert metric.combine is not None
        assert metric.combine(hidden) == metric.combine(answers)
    record = make_run("base", 0, n=1, spec={"task": "wikitext", "scoring": "perplexity"})[0]
    assert [c.name for c in gold_checks(record, hidden, TASK, texts()) if not c.ok and c.name == GOLD] == []
    shorter = [replace(hidden[0], option_lengths=(1,)), *hidden[1:]]
    assert [c.name for c in gold_checks(record, shorter, TASK, texts()) if not c.ok and c.name == GOLD] == [GOLD]


def test_nothing_can_be_chosen_or_written_where_a_text_is_read() -> None:
    with pytest.raises(HarnessError, match="does not apply to perplexity"):
        plan.load_task("wikitext", replace(Options(tasks=("wikitext",)), scoring="generate"))


def wiki(folder: Path, name: str = "test.txt", articles: int = 12) -> None:
    lines = [" \n", " before any title \n"]
    for n in range(articles):
        lines += [f" = Article {name} {n} = \n", " \n", f" First of {name} {n} , 1 @.@ 5 % . \n", " = = Life = = \n"]
        lines += [f" = = = Work = = = \n Second of {name} {n} . \n", " Same in all . \n"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text("".join(lines))


def load_of(task: Task) -> published.Load:
    assert isinstance(task.load, published.Load)
    return task.load


def test_paragraphs_stand_below_their_articles_title_and_articles_are_dealt_whole(tmp_path: Path) -> None:
    wiki(tmp_path / "wikitext2")
    splits = loading.load_splits(TASK, data_dir=tmp_path)
    titles = [{e.group for e in part} for _, part in splits.items()]
    assert sum(map(len, titles)) == len(set.union(*titles)) == 12
    (one,) = [e for _, part in splits.items() for e in part if e.target == "First of test.txt 3 , 1 @.@ 5 % ."]
    assert TASK.prompt(one) == one.group == "Article test.txt 3"
    left_out = load_of(TASK).left_out(loading.resolve(TASK.source, tmp_path))
    assert left_out["before the first title"] == 1


def test_check_shows_a_text_below_its_title_and_asks_for_no_gold(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wiki(tmp_path / "wikitext2")
    assert main(["check", "wikitext", "--data", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "the first training text, below the context before it:\n\n    Article test.txt" in printed
    assert "gold" not in printed


def test_the_published_splits_are_kept_where_they_are(tmp_path: Path) -> None:
    for name in ("train.txt", "valid.txt", "test.txt"):
        wiki(tmp_path / "wikitext2", name, 3)
    splits = loading.load_splits(TASK, data_dir=tmp_path)
    assert {e.group.split()[1] for e in splits.train} == {"train.txt"}
    assert {e.group.split()[1] for e in splits.test} == {"test.txt"}


def test_the_test_file_that_is_shared_has_62_articles() -> None:
    if not (SHARED / "wikitext2").is_dir():
        pytest.skip("public data is not beside the project: ../shared/data/wikitext2")
    splits = loading.load_splits(TASK, data_dir=SHARED)
    examples = [e for _, part in splits.items() for e in part]
    assert (len(examples), len({e.group for e in examples})) == (2169, 62)
    assert not any(e.target.startswith("= ") and e.target.endswith(" =") for e in examples)
