"""Errors in money: costs from a dictionary, amounts at stake, bands of charges, and confusion by line of business."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import metrics
from harness.analysis import compare
from harness.analysis.results import TaskResults
from harness.analysis.sections import Section, sections
from harness.data import loading, registry
from harness.errors import HarnessError
from harness.metrics import scoring
from harness.record import Answer
from harness.report import breakdowns
from harness.schema import Example, Metric, Source, Task
from tasks import auto_claims, medical_charges
from tests.support.analyses import results_of
from tests.support.finished_runs import Run, make_run

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"
PAY, DENY = "pay", "deny"
COSTS = {(DENY, PAY): 900.0, (PAY, DENY): 250.0, (PAY, "by hand"): 30.0, (DENY, "by hand"): 30.0}


def said(target: str, parsed: str | None, amount: float = 0.0, line: str = "") -> Answer:
    return Answer("q", "", target, parsed or "?", parsed, amount=amount, slices={"line": line} if line else {})


def cost(**changes: object) -> Metric:
    settings: dict[str, object] = {"unread": "by hand", "name": "cost", "title": "Cost"}
    return metrics.cost_of(COSTS, **(settings | changes))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("target", "parsed", "usd"),
    [(PAY, PAY, 0), (DENY, DENY, 0), (DENY, " PAY", 900), (PAY, "Deny", 250), (PAY, None, 30), (PAY, "maybe", 0)],
)
def test_an_error_costs_what_the_dictionary_says_and_the_two_directions_differ(
    target: str, parsed: str | None, usd: float
) -> None:
    assert cost().score(said(target, parsed)) == usd


def test_of_the_amount_at_stake_the_costs_are_shares() -> None:
    found = metrics.cost_of({(DENY, PAY): 1.0, (PAY, DENY): 0.05}, unread=DENY, name="c", title="C", of_amount=True)
    assert found.score(said(DENY, PAY, 2_000.0)) == 2_000.0
    assert found.score(said(PAY, DENY, 2_000.0)) == 100.0
    assert found.score(said(PAY, None, 2_000.0)) == 100.0  # what cannot be read is denied
    assert (found.higher_is_better, found.unit) == (False, "USD per answer")


@pytest.mark.parametrize(
    ("costs", "problem"),
    [
        ({(PAY, DENY): -1.0}, "is -1.0, it must be 0 or more"),
        ({(PAY, DENY): float("nan")}, "is nan, it must be 0 or more"),
        ({(PAY, "Pay "): 5.0}, "the right decision 'pay' costs 5"),
        ({(PAY, DENY): 1.0, ("Pay", DENY): 2.0}, "given twice"),
    ],
)
def test_costs_that_cannot_be_meant_are_refused(costs: dict[tuple[str, str], float], problem: str) -> None:
    with pytest.raises(HarnessError, match=problem):
        metrics.cost_of(costs, unread=DENY, name="cost", title="Cost")


@given(st.lists(st.tuples(st.sampled_from([PAY, DENY]), st.sampled_from([PAY, DENY, None])), min_size=1))
def test_the_total_is_the_sum_over_the_cells_of_the_confusion_matrix(pairs: list[tuple[str, str | None]]) -> None:
    answers = [said(*pair) for pair in pairs]
    matrix = metrics.confusion(answers)
    expected = sum(n * COSTS.get((t, "by hand" if s is None else s), 0.0) for (t, s), n in matrix.items())
    assert sum(map(cost().score, answers)) == pytest.approx(expected)


def value(task: Task, name: str, answer: Answer) -> float:
    return next(metric for metric in task.metrics if metric.name == name).score(answer)


def test_motor_claims_count_what_is_paid_on_fraud_and_what_is_held_back_of_sound_claims() -> None:
    task, settle, refer = auto_claims.TASK, auto_claims.SETTLE, auto_claims.REFER
    fraud_paid, sound_held = said(refer, settle, 8_000.0), said(settle, refer, 8_000.0)
    found = [[value(task, n, a) for n in ("leakage", "wrongly_withheld", "cost")] for a in (fraud_paid, sound_held)]
    assert found == [[8_000.0, 0.0, 8_000.0], [0.0, 8_000.0, 400.0]]
    unread = said(settle, None, 8_000.0)
    assert value(task, "wrongly_withheld", unread) == 8_000.0
    assert value(task, "leakage", said(refer, None, 8_000.0)) == 0.0


@pytest.mark.parametrize(
    ("charges", "named", "under", "over"),
    [
        (4_000.0, "below 5,000", 0, 0),
        (7_600.5, "below 5,000", 2_600.5, 0),
        (7_600.5, "20,000 and above", 0, 12_399.5),
        (35_000.0, "10,000 to 20,000", 15_000, 0),
        (35_000.0, "20,000 and above", 0, 0),
        (35_000.0, None, 0, 0),
    ],
)
def test_a_band_costs_what_the_charges_are_beyond_it(
    charges: float, named: str | None, under: float, over: float
) -> None:
    answer = said(medical_charges.band(charges), named, charges)
    assert value(medical_charges.TASK, "undercharged", answer) == under
    assert value(medical_charges.TASK, "overcharged", answer) == over


def test_a_charge_lies_within_the_limits_of_its_band() -> None:
    for charges in (0.0, 4_999.99, 5_000.0, 19_999.99, 20_000.0, 1e6):
        low, high = medical_charges.LIMITS[medical_charges.band(charges)]
        assert low <= charges < high


@pytest.mark.parametrize(
    ("name", "folder"), [("auto_claims", "sagemaker_auto_claims"), ("medical_charges", "medical_insurance_charges")]
)
def test_every_example_has_its_amount_and_the_model_does_not_see_charges(name: str, folder: str) -> None:
    if not (SHARED / folder).is_dir():
        pytest.skip(f"public data is not beside the project: ../shared/data/{folder}")
    task = registry.task(name)
    for example in loading.load_splits(task, data_dir=SHARED).test:
        assert example.amount > 0
        if name == "medical_charges":
            assert f"{example.amount:g}" not in task.prompt(example)


def test_an_amount_is_part_of_what_a_run_is_scored_on(tmp_path: Path) -> None:
    def task(amount: float) -> Task:
        def load(folder: Path, split: str) -> list[Example]:
            return [Example(f"{split}{n}", f"{split} {n}?", PAY, (PAY, DENY), amount=amount) for n in range(3)]

        source = Source(str(tmp_path), license="none")
        return Task("toy", 1, "Toy", source, load, lambda e: f"{e.question}\nAnswer:", (metrics.accuracy,))

    none, some, more = (loading.fingerprint(task(a), loading.load_splits(task(a))) for a in (0.0, 10.0, 11.0))
    assert len({none, some, more}) == 3
    with pytest.raises(HarnessError, match=r"the amount -1\.0 is not a number of 0 or more"):
        loading.load_splits(task(-1.0))


LINES = ("motor", "home")


def run(method: str, wrong: int, unread: int = 0) -> Run:
    """40 claims in two lines; the first `wrong` of them are paid or denied wrongly, the next `unread` cannot be read."""
    record, _ = make_run(method, 8 if method == "lora" else 0, n=40, spec={"task": "lines"})
    answers = []
    for n in range(40):
        target = (PAY, DENY)[n % 2]
        parsed = None if wrong <= n < wrong + unread else (DENY, PAY)[n % 2] if n < wrong else target
        line = {"line": LINES[n // 2 % 2]}
        answers.append(Answer(f"q{n}", f"g{n}", target, parsed or "?", parsed, (PAY, DENY), slices=line, amount=100.0))
    scores = scoring.score_answers(answers, METRICS)
    return replace(record, scores=scores, parse_rate=scoring.parse_rate(answers)), answers


LEAKAGE = metrics.cost_of({(DENY, PAY): 1.0}, unread=DENY, name="leakage", title="L", unit="USD", of_amount=True)
METRICS = (metrics.accuracy, metrics.macro_f1, LEAKAGE)


@pytest.fixture(scope="module")
def compared() -> tuple[Section, list[Run]]:
    runs = [run("base", 20, 4), run("lora", 4)]
    (section,) = sections(compare.cells(runs, {"lines": METRICS}))
    return section, runs


def test_confusion_is_shown_of_base_and_of_the_best_by_line_of_business(compared: tuple[Section, list[Run]]) -> None:
    section, runs = compared
    base, best = breakdowns.confusion(section, results_of(runs, {"lines": METRICS}))
    assert (base.title, best.title) == ("Confusion of base", "Confusion of lora r8")
    assert base.columns == ("line", "right answer", "answered deny", "answered pay", "unreadable")
    assert base.rows[:2] == (("all", "deny", "8", "10", "2"), ("all", "pay", "10", "8", "2"))
    assert [row[:2] for row in base.rows[2:]] == [
        ("home", "deny"),
        ("home", "pay"),
        ("motor", "deny"),
        ("motor", "pay"),
    ]
    for column in (2, 3, 4):  # the lines add up
        assert sum(int(row[column]) for row in base.rows[2:]) == sum(int(row[column]) for row in base.rows[:2])
    assert sum(int(count) for row in best.rows[:2] for count in row[2:]) == 40


def test_money_is_broken_down_by_line_of_business(compared: tuple[Section, list[Run]]) -> None:
    section, runs = compared
    titles = [table.title for table in breakdowns.breakdown(section, results_of(runs, {"lines": METRICS}))]
    assert titles == ["Accuracy % by line", "Leakage USD ↓ by line"]
    leaked = breakdowns.breakdown(section, results_of(runs, {"lines": METRICS}))[1]
    assert [row[0] for row in leaked.rows] == ["home", "motor"]
    total = sum(float(row[3]) * int(row[1]) for row in leaked.rows)
    assert total == pytest.approx(10 * 100.0, abs=1)  # ten claims are paid that should be denied


def test_without_lines_classes_or_answers_there_is_no_such_table(compared: tuple[Section, list[Run]]) -> None:
    section, runs = compared
    bare = [(record, [replace(a, slices={}) for a in answers or ()]) for record, answers in runs]
    (base, _) = breakdowns.confusion(section, results_of(bare, {"lines": METRICS}))
    assert base.columns == ("right answer", "answered deny", "answered pay", "unreadable")
    assert breakdowns.confusion(section, results_of(runs, {"lines": (metrics.accuracy,)})) == []
    assert breakdowns.confusion(section, results_of([(record, None) for record, _ in runs], {"lines": METRICS})) == []


def test_a_confusion_of_many_classes_or_of_a_text_that_is_no_class_is_still_read(
    compared: tuple[Section, list[Run]],
) -> None:
    section, runs = compared

    def changed(form: str) -> TaskResults:
        out: list[Run] = []
        for record, answers in runs:
            out.append((record, [replace(a, target=form.format(n)) for n, a in enumerate(answers or ())]))
        return replace(results_of(runs, {"lines": METRICS}), runs=tuple(out))

    assert breakdowns.confusion(section, changed("class {}")) == []
    base, _ = breakdowns.confusion(section, changed("settle"))
    assert base.columns == ("line", "right answer", "answered settle", "another answer", "unreadable")
    assert base.rows[0] == ("all", "settle", "0", "36", "4")
