"""The claims task: its data's promises, its parser, its metrics against the oracle and against a bag of words."""

import json
import re
import statistics
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from harness import SPLITS, Answer, Example
from harness.data.loading import hash_folder
from tasks.claims import TASK, parse
from tasks.data.claims import make
from tasks.data.claims.render import WORDING
from tasks.data.claims.sample import CLAUSE_COUNTS
from tasks.data.claims.world import LINES

FOLDER = Path(__file__).parents[2] / "tasks" / "data" / "claims"
ROWS: dict[str, list[dict[str, Any]]] = {
    split: [json.loads(line) for line in (FOLDER / f"{split}.jsonl").read_text().splitlines()] for split in SPLITS
}
EVERY = [row for rows in ROWS.values() for row in rows]
EXAMPLES: dict[str, list[Example]] = {split: list(TASK.load(FOLDER, split)) for split in SPLITS}
METRICS = {metric.name: metric for metric in TASK.metrics}
PAIRS = [(a, b) for a in SPLITS for b in SPLITS if a < b]


def answered(example: Example, text: str) -> Answer:
    return Answer(example.id, example.group, example.target, text, parse(text, example))


def value(name: str, answers: list[Answer]) -> float:
    metric = METRICS[name]
    return metric.combine(answers) if metric.combine else statistics.fmean(map(metric.score, answers))


# ---- data


def test_the_maker_writes_the_shipped_files_again_byte_for_byte(tmp_path: Path) -> None:
    make.write(tmp_path)
    for split in SPLITS:
        assert (tmp_path / f"{split}.jsonl").read_bytes() == (FOLDER / f"{split}.jsonl").read_bytes()


def test_the_checksum_in_the_source_is_that_of_the_shipped_files() -> None:
    assert TASK.source.sha256 == hash_folder(FOLDER)


def test_sizes_and_groups_are_as_promised() -> None:
    assert {split: len(rows) for split, rows in ROWS.items()} == {"train": 2000, "validation": 300, "test": 600}
    assert len({row["file"] for row in ROWS["test"]}) >= 320
    for rows in ROWS.values():
        assert set(Counter(row["file"] for row in rows).values()) == {1, 2, 3}
    assert len({row["id"] for row in EVERY}) == len(EVERY)


@pytest.mark.parametrize("split", SPLITS)
def test_decisions_lines_and_reasons_are_balanced(split: str) -> None:
    rows = ROWS[split]
    shares = {key: n / len(rows) for key, n in Counter(row["decision"] for row in rows).items()}
    assert 0.3 <= max(shares.values()) <= 0.4
    assert min(shares.values()) >= 0.13
    assert set(Counter(row["line"] for row in rows).values()) == {len(rows) // 4}
    assert min(Counter(row["reason"] for row in rows).values()) >= len(rows) * 0.02
    assert len({row["reason"] for row in rows}) == 12


def test_some_claims_lie_on_an_edge_and_most_do_not() -> None:
    edges = Counter(row["boundary"] for row in ROWS["test"])
    assert edges[""] / len(ROWS["test"]) > 0.8
    assert {"first day", "last day", "last waiting day", "equals the deductible", "equals the limit"} <= set(edges)


def test_prompts_are_short_enough_for_the_smallest_model() -> None:
    lengths = [len(TASK.prompt(example)) for examples in EXAMPLES.values() for example in examples]
    assert max(lengths) <= 900
    assert 560 <= statistics.median(lengths) <= 680


def test_claims_of_one_file_show_the_same_policy_and_different_claims() -> None:
    files = defaultdict(list)
    for row in EVERY:
        files[row["file"]].append(row["context"].split("\n"))
    for texts in files.values():
        schedules = {tuple(line for line in text if PREFIX.match(line)) for text in texts}
        assert len(schedules) == 1
        assert len({"\n".join(text) for text in texts}) == len(texts)


def test_the_number_of_a_clause_is_not_tied_to_its_kind() -> None:
    clauses: dict[str, Counter[int]] = defaultdict(Counter)
    for row in ROWS["train"]:
        clauses[row["reason"]][row["clause"]] += 1
    for seen in clauses.values():
        assert max(seen.values()) / seen.total() < 0.3


# ---- nothing shared between splits

PREFIX = re.compile(r"^(?:Clause |No\. |Cl\. )?[\[(<]?(\d{1,2})(?:[\])>]:?|[.:]\)?| -) ")
SHAPES = {
    **dict.fromkeys(("start", "end", "until", "date"), r"\d{4}-\d\d-\d\d"),
    **dict.fromkeys(("causes", "papers", "cause", "item", "line"), r"[a-z][a-z ,-]*"),
    **dict.fromkeys(("amount", "share"), r"\d+(?:\.\d\d)?"),
    "order": r"\d+(?:, \d+)+",
    "policy": r"[A-Z]\d{5}",
    "holder": r"K\d{4}",
}


def shape(template: str) -> re.Pattern[str]:
    """Return a pattern of the lines that a template can become."""
    parts = re.split(r"\{(\w+)\}", template)
    text = "".join(SHAPES[part] if place % 2 else re.escape(part) for place, part in enumerate(parts))
    return re.compile(text, re.IGNORECASE)


@pytest.mark.parametrize("kind", WORDING)
def test_each_kind_of_sentence_has_enough_templates_and_none_in_two_splits(kind: str) -> None:
    sets = WORDING[kind]
    for split, least in (("train", 6), ("validation", 2), ("test", 4)):
        assert len(set(sets[split])) == len(sets[split]) >= least
    for a, b in PAIRS:
        assert not {text.lower() for text in sets[a]} & {text.lower() for text in sets[b]}


@pytest.mark.parametrize("split", SPLITS)
def test_every_line_of_a_text_fits_a_template_of_its_own_split_and_none_of_another(split: str) -> None:
    shapes = {s: [shape(t) for kind, sets in WORDING.items() if kind != "number" for t in sets[s]] for s in SPLITS}
    numbering = {s: {text.format(n="") for text in WORDING["number"][s]} for s in SPLITS}
    for row in ROWS[split]:
        for line in [*row["context"].split("\n"), row["question"]]:
            if prefix := PREFIX.match(line):
                style = prefix[0].replace(prefix[1], "")
                assert [s for s in SPLITS if style in numbering[s]] == [split]
                line = line[prefix.end() :]
            assert {s for s in SPLITS if any(p.fullmatch(line) for p in shapes[s])} == {split}, line


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_two_splits_share_no_file_number_or_set_of_amounts(first: str, second: str) -> None:
    def found(split: str, pattern: str) -> set[str]:
        return {word for row in ROWS[split] for word in re.findall(pattern, row["context"])}

    for pattern in (r"\b[A-Z]\d{5}\b", r"\bK\d{4}\b"):
        assert found(first, pattern)
        assert not found(first, pattern) & found(second, pattern)
    for key in ("file", "context"):
        assert not {row[key] for row in ROWS[first]} & {row[key] for row in ROWS[second]}
    assert not {frozenset(row["numbers"]) for row in ROWS[first]} & {frozenset(row["numbers"]) for row in ROWS[second]}


def test_the_numbers_of_a_row_are_those_of_its_text() -> None:
    for row in EVERY:
        text = re.sub(
            r"\d{4}-\d\d-\d\d|\b[A-Z]\d+|\d+(?:, \d+)+",
            "",
            "\n".join(PREFIX.sub("", line) for line in row["context"].split("\n")),
        )
        assert set(re.findall(r"\d+(?:\.\d\d)?", text)) == set(row["numbers"])


TIERS = ("one rule", "two rules", "file")


def test_a_tier_says_how_many_clauses_count_and_how_many_there_are() -> None:
    for split, rows in ROWS.items():
        assert Counter(row["tier"] for row in rows) == make.SIZES[split]
    for row in EVERY:
        clauses = sum(bool(PREFIX.match(line)) for line in row["context"].split("\n"))
        low, high = CLAUSE_COUNTS[row["tier"]]
        assert low <= clauses <= high
    assert "pay" not in {row["decision"] for row in EVERY if row["tier"] == "two rules"}


def test_amounts_are_what_the_item_may_cost() -> None:
    prices = {(line.name, item): span for line in LINES for item, span in line.prices.items()}
    for row in EVERY:
        (item,) = [
            item
            for line, item in prices
            if line == row["line"] and re.search(rf"claimed.*\b{item}\b|\b{item}\b.*claimed", row["context"], re.I)
        ]
        low, high = prices[row["line"], item]
        assert low * 0.9 <= float(row["claimed"]) <= high * 1.1, row["id"]


def surface(kind: str, rows: list[dict[str, Any]], train: list[dict[str, Any]]) -> list[str]:
    """Return decisions from words and word pairs, or those of the most alike training claim."""
    texts = [row["context"] + " " + row["question"] for row in (*train, *rows)]
    features = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True).fit_transform(texts)
    model = LogisticRegression(C=3, max_iter=500) if kind == "words" else KNeighborsClassifier(1, metric="cosine")
    model.fit(features[: len(train)], [row["decision"] for row in train])
    return list(model.predict(features[len(train) :]))


@pytest.mark.parametrize("kind", ["words", "nearest"])
def test_neither_words_nor_the_most_alike_claim_decide(kind: str) -> None:
    guesses = dict(zip([row["id"] for row in ROWS["test"]], surface(kind, ROWS["test"], ROWS["train"]), strict=True))
    for tier in TIERS:
        rows = [row for row in ROWS["test"] if row["tier"] == tier]
        commonest = max(Counter(row["decision"] for row in rows).values()) / len(rows)
        right = sum(guesses[row["id"]] == row["decision"] for row in rows) / len(rows)
        assert right <= commonest + 0.10


# ---- parser


@pytest.mark.parametrize(
    ("text", "parsed"),
    [
        (" pay in part; 1240.00; clause 4", "pay in part; 1240.00; clause 4"),
        ("pay; $1,240; clause 4.", "pay; 1240.00; clause 4"),
        ("Deny; 0; Clause 12\nand more", "deny; 0.00; clause 12"),
        ("refer; USD 0.00; clause 1", "refer; 0.00; clause 1"),
        ("pay; 12.5; clause 1", "pay; 12.50; clause 1"),
    ],
)
def test_an_answer_of_the_form_is_read(text: str, parsed: str) -> None:
    assert parse(text, EXAMPLES["test"][0]) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "pay",
        "pay; clause 4",
        "pay; 100.00",
        "pay; 100.00; 4",
        "pay; -100.00; clause 4",
        "pay; 100.005; clause 4",
        "pay; 80%; clause 4",
        "pay; 1,24; clause 4",
        "pay; 1 2; clause 4",
        "pay; ; clause 4",
        "pay; " + "9" * 60 + "; clause 4",
        "partly pay; 100.00; clause 4",
        "pay or deny; 100.00; clause 4",
        "The answer is pay; 100.00; clause 4",
        "pay; 100.00; clause four",
        "pay; 100.00; clause 4; clause 5",
        "nonsense\npay; 100.00; clause 4",
    ],
)
def test_anything_else_is_unparsed_and_never_an_error(text: str) -> None:
    example = EXAMPLES["test"][0]
    assert parse(text, example) is None
    assert value("decision", [answered(example, text)]) == 0.0


@settings(max_examples=50)
@given(
    st.sampled_from(["pay", "pay in part", "deny", "refer"]),
    st.decimals(0, 10**9, places=2),
    st.integers(0, 999),
    st.text(max_size=20),
)
def test_reading_a_canonical_answer_gives_it_back(decision: str, amount: Decimal, clause: int, more: str) -> None:
    text = f"{decision}; {abs(amount):.2f}; clause {clause}"
    assert parse(text, EXAMPLES["test"][0]) == text
    assert parse(f"{text}\n{more}", EXAMPLES["test"][0]) == text
    assert parse(more, EXAMPLES["test"][0]) is None


# ---- metrics


def test_gold_scores_one_everywhere_and_costs_nothing() -> None:
    answers = [answered(example, " " + example.target) for example in EXAMPLES["test"]]
    for name, metric in METRICS.items():
        assert value(name, answers) == (1.0 if metric.higher_is_better else 0.0)


def test_wrong_answers_score_zero_everywhere() -> None:
    other = {"pay": "deny", "deny": "refer", "refer": "pay in part", "pay in part": "pay"}
    answers = []
    for example in EXAMPLES["test"]:
        decision, amount, clause = example.target.split("; ")
        wrong = f"{other[decision]}; {Decimal(amount) + 1:.2f}; clause {int(clause[7:]) + 1}"
        answers.append(answered(example, wrong))
    assert all(answer.parsed for answer in answers)
    for name in ("decision", "amount", "clause", "all_three", "decision_f1"):
        assert value(name, answers) == 0.0


def test_each_part_is_scored_alone() -> None:
    example = Example("a", "?", "pay in part; 1240.00; clause 4")
    right = {"pay in part; 1.00; clause 9": "decision", "pay; 1240; clause 9": "amount", "deny; 0; clause 4": "clause"}
    for text, part in right.items():
        scores = {name: METRICS[name].score(answered(example, text)) for name in ("decision", "amount", "clause")}
        assert scores == {name: float(name == part) for name in scores}
        assert METRICS["all_three"].score(answered(example, text)) == 0.0


@pytest.mark.parametrize(
    ("gold", "text", "over", "withheld"),
    [
        ("pay in part; 1000.00; clause 4", "pay; 1240.50; clause 1", 240.5, 0.0),
        ("pay in part; 1000.00; clause 4", "pay in part; 400.00; clause 4", 0.0, 600.0),
        ("pay; 1000.00; clause 4", "deny; 0.00; clause 2", 0.0, 1000.0),
        ("pay; 1000.00; clause 4", "deny; 1000.00; clause 2", 0.0, 1000.0),
        ("pay; 1000.00; clause 4", "no idea", 0.0, 1000.0),
        ("refer; 0.00; clause 4", "pay; 70.00; clause 2", 70.0, 0.0),
        ("deny; 0.00; clause 4", "refer; 0.00; clause 2", 0.0, 0.0),
    ],
)
def test_money_is_what_is_paid_above_and_below_what_is_due(gold: str, text: str, over: float, withheld: float) -> None:
    answer = answered(Example("a", "?", gold), text)
    assert METRICS["overpaid"].score(answer) == over
    assert METRICS["wrongly_withheld"].score(answer) == withheld


def test_a_denied_or_referred_claim_pays_nothing_and_a_paid_one_something() -> None:
    for row in EVERY:
        assert (Decimal(row["amount"]) > 0) == row["decision"].startswith("pay")
        assert (row["amount"] == f"{Decimal(row['claimed']):.2f}") == (row["decision"] == "pay")
        assert row["answer"] == f"{row['decision']}; {row['amount']}; clause {row['clause']}"


def test_chance_is_what_the_commonest_decision_scores() -> None:
    examples = EXAMPLES["test"]
    assert TASK.chance is not None
    answers = [answered(example, "pay in part; 1.00; clause 1") for example in examples]
    assert TASK.chance(examples) == pytest.approx(value("decision", answers)) == pytest.approx(0.34)
