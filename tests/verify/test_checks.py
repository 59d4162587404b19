"""The checks one by one, where a publication as a whole does not show their limits."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness import environment, metrics
from harness.errors import HarnessError
from harness.metrics.scoring import score_answers
from harness.record import Cost, Parts, Phase, Record
from harness.schema import Source, Task
from harness.store.codec import strict_json
from harness.verify.check import Check
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.publication import files
from harness.verify.checks.record import cost, provenance, seeds
from tests.support.cli_runner import clean_commit
from tests.support.records import make_answers, make_cost, make_environment, make_record, make_spec

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def failed(checks: list[Check]) -> list[str]:
    return [check.name for check in checks if not check.ok]


# --- files


@given(JSON)
def test_strict_json_reads_what_json_is(value: Any) -> None:
    assert strict_json(json.dumps(value)) == value


@pytest.mark.parametrize(
    "text", ["NaN", '{"a": [Infinity]}', "-Infinity", '{"a": 1, "a": 1}', '[{"b": {"c": 1, "c": 2}}]']
)
def test_strict_json_refuses_what_programs_read_differently(text: str) -> None:
    assert json.loads(text) is not None
    with pytest.raises(ValueError, match=r"not JSON|twice"):
        strict_json(text)


NAMES = st.text(
    st.characters(codec="utf-8", exclude_characters="/\0\n\r", exclude_categories=["Cs"]), min_size=1, max_size=20
)


@given(
    st.dictionaries(
        NAMES.filter(lambda name: name.strip(" .") and not name[0].isspace()), st.binary(max_size=9), max_size=5
    )
)
def test_the_list_of_checksums_comes_back_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, bytes]
) -> None:
    root = tmp_path_factory.mktemp("sums")
    for name, text in content.items():
        (root / name).write_bytes(text)
    (root / files.SUMS).write_text(files.sums_text(root), encoding="utf-8")
    assert set(files.read_sums(root)) == set(content) - {files.SUMS}
    assert failed(files.publication_checks(root)) == []


@pytest.mark.parametrize("line", ["0" * 63 + "  a", "0" * 64 + " a", "0" * 64 + "  ", "0" * 64 + "  /etc/passwd", "0" * 64 + "  a/../../b", "G" * 64 + "  a", ""])  # fmt: skip
def test_a_list_of_another_form_is_refused_by_its_line(line: str, tmp_path: Path) -> None:
    (tmp_path / files.SUMS).write_text(f"{'1' * 64}  first\n{line}\n")
    with pytest.raises(HarnessError, match="line 2 "):
        files.read_sums(tmp_path)


def test_runs_that_changed_since_they_were_listed_are_named_and_tables_are_not(tmp_path: Path) -> None:
    assert files.changed_runs(tmp_path) == []
    for name in ("a/record.json", "b/answers.jsonl", "c/record.json", "table.csv"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("{}")
    (tmp_path / files.SUMS).write_text(files.sums_text(tmp_path))
    (tmp_path / "a/record.json").write_text("{ }")
    (tmp_path / "b/answers.jsonl").unlink()
    (tmp_path / "table.csv").write_text("")
    assert files.changed_runs(tmp_path) == ["a/record.json", "b/answers.jsonl"]


# --- arithmetic

TASK = Task("toy", 1, "toy", Source("toy"), lambda *_: [], lambda example: example.question, (metrics.accuracy,))


@pytest.mark.parametrize(("version", "holds"), [("0.0.1", True), (None, False)])
def test_the_last_digit_of_a_bound_counts_unless_the_run_names_another_scipy(version: str | None, holds: bool) -> None:
    answers = make_answers(40, 0)
    packages = {"torch": "2.13.0", "transformers": "5.23.0"} | ({"scipy": version} if version else {})
    score = score_answers(answers, TASK.metrics)["accuracy"]
    near = {"accuracy": replace(score, low=math.nextafter(score.low, 0))}
    record = make_record(scores=near, environment=make_environment(packages=packages))
    checks = {check.name: check.ok for check in arithmetic.answer_checks(record, answers, TASK)}
    assert checks[arithmetic.SCORES] is holds
    far = make_record(scores={"accuracy": replace(score, low=score.low - 1e-9)}, environment=record.environment)
    checks = {check.name: check.ok for check in arithmetic.answer_checks(far, answers, TASK)}
    assert not checks[arithmetic.SCORES]


@pytest.mark.parametrize(("cut", "train", "holds"), [(0, 24, False), (2, 24, True), (26, 24, True), (27, 24, False), (2, 0, True), (3, 0, False)])  # fmt: skip
def test_inputs_that_were_cut_are_those_of_the_answers_and_of_training(cut: int, train: int, holds: bool) -> None:
    answers = [replace(answer, cut_tokens=5 * (place < 2)) for place, answer in enumerate(make_answers(12, 0))]
    record = make_record(make_spec(train_examples=train), cut_examples=cut)
    checks = {check.name: check.ok for check in arithmetic.answer_checks(record, answers, TASK)}
    assert checks[arithmetic.TRUNCATION] is holds


# --- cost


def test_a_cost_that_can_be_true_passes_and_one_of_cuda_needs_driver_and_allocator() -> None:
    assert failed(cost.run_checks(make_record())) == []
    spec = make_spec(device="cuda")
    phases = {name: replace(phase, reserved_bytes=phase.peak_bytes) for name, phase in make_cost().phases.items()}
    made = replace(make_cost(), phases=phases)
    gpu = make_environment(driver="580.1", allocator="torch")
    assert failed(cost.run_checks(make_record(spec, cost=made, environment=gpu))) == []
    for lacking in (replace(gpu, driver=""), replace(gpu, allocator="")):
        assert failed(cost.run_checks(make_record(spec, cost=made, environment=lacking))) == [cost.ENVIRONMENT]
    assert failed(cost.run_checks(make_record(spec, environment=gpu))) == [
        cost.PLAUSIBLE
    ]  # less reserved than handed out


@given(
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(0, 10**9),
    st.integers(-(10**9), 10**9),
)
def test_a_peak_is_sane_only_where_it_holds_weights_gradients_and_state(
    frozen: int, trained: int, gradients: int, state: int, rest: int
) -> None:
    parts = Parts(frozen, trained, gradients, state, rest)
    peak = frozen + trained + gradients + state + rest
    made = make_cost()
    phases = dict(made.phases) | {"train": replace(made.phases["train"], peak_bytes=peak)}
    phases["evaluate"] = replace(phases["evaluate"], peak_bytes=frozen + trained)
    record = make_record(
        cost=replace(made, phases=phases, parts=parts, weights_bytes=frozen + trained, trained_weights=1 + trained // 4)
    )
    names = failed(cost.run_checks(record))
    assert cost.PARTS_SUM not in names
    assert (cost.PLAUSIBLE in names) == (rest < 0 or state < 4 * (1 + trained // 4) * 0.99)


@pytest.mark.parametrize(("method", "bytes_per_weight", "holds"), [
    ("full", 8.0, True), ("full", 2.03, False), ("full8", 2.03, True), ("full8", 1.0, False),
    ("full-bf16", 4.0, True), ("full-bf16", 2.03, False), ("a plugin", 2.03, True),
])  # fmt: skip
def test_the_state_of_an_optimizer_of_its_own_may_have_one_byte_a_number(
    method: str, bytes_per_weight: float, holds: bool
) -> None:
    trained = 1_000_000
    state = round(bytes_per_weight * trained)
    parts = Parts(0, 4 * trained, 4 * trained, state, 0)
    peak = 8 * trained + state
    phases = {"train": Phase(1.0, peak, peak, tokens=1), "evaluate": Phase(1.0, peak, peak, tokens=1)}
    measured = Cost(phases, parts, 0, trained, trained, 4 * trained, 0, 1, 1.0)
    record = make_record(make_spec(method=method, rank=0), cost=measured)
    assert (cost.PLAUSIBLE not in failed(cost.run_checks(record))) == holds


def test_a_finished_run_without_a_cost_is_noticed_and_one_that_did_not_fit_needs_none() -> None:
    assert failed(cost.run_checks(make_record(cost=None))) == [cost.PLAUSIBLE]
    assert failed(cost.run_checks(make_record(status="oom", cost=None))) == []


# --- seeds


def rows(*given: tuple[int, int], **changes: Any) -> list[Record]:
    """Records of LoRA, one for each (rank, seed)."""
    return [
        make_record(make_spec(rank=rank, seed=seed, **changes), answers_sha256=f"{rank} {seed}") for rank, seed in given
    ]


@pytest.mark.parametrize(
    ("given_seeds", "expected"),
    [
        ((0, 1, 2), []),
        ((0, 1, 2, 3), []),
        ((0, 1), [seeds.SEED_COUNT]),
        ((0, 1, 3), [seeds.NO_GAPS]),
        ((1, 2, 3), [seeds.NO_GAPS]),
        ((7,), [seeds.SEED_COUNT, seeds.NO_GAPS]),
        ((0,), []),
    ],
)
def test_seeds_count_from_zero_and_are_three_or_more(given_seeds: tuple[int, ...], expected: list[str]) -> None:
    assert failed(seeds.publication_checks(rows(*((8, seed) for seed in given_seeds)))) == expected


def test_a_table_has_three_seeds_or_seed_0_alone_in_all_of_its_rows() -> None:
    assert failed(seeds.publication_checks(rows((2, 0), (8, 0)))) == []
    assert seeds.single_seed_tables(rows((2, 0), (8, 0))) == {("toy", "tiny")}
    mixed = rows((2, 0), (8, 0), (8, 1), (8, 2))
    assert failed(seeds.publication_checks(mixed)) == [seeds.SEED_COUNT, seeds.NO_GAPS]
    assert seeds.single_seed_tables(mixed) == set()
    assert seeds.single_seed_tables([*rows((8, 0)), *rows((8, 0), (8, 1), model="other")]) == {("toy", "tiny")}


def test_a_seed_of_any_size_is_reported_in_a_line() -> None:
    (gaps,) = [
        check for check in seeds.publication_checks(rows((8, 0), (8, 1), (8, 10**15))) if check.name == seeds.NO_GAPS
    ]
    assert gaps.detail.endswith("lacks seed 2, 3, 4, 5, 6, 7, 8, 9, 10, 11 and 999,999,999,999,988 more")


def test_all_rows_of_a_table_have_the_same_seeds_and_other_tables_their_own() -> None:
    three, four = [(8, seed) for seed in range(3)], [(2, seed) for seed in range(4)]
    assert failed(seeds.publication_checks(rows(*three, *four))) == [seeds.NO_GAPS]
    assert failed(seeds.publication_checks([*rows(*three), *rows(*four, data="f" * 16)])) == []


def test_the_base_model_needs_no_seeds_and_a_row_that_did_not_fit_none() -> None:
    base = make_record(make_spec(method="base", rank=0, train_examples=0))
    oom = make_record(make_spec(method="full", rank=0), status="oom", scores={}, cost=None)
    assert failed(seeds.publication_checks([base, oom, *rows((8, 0), (8, 1), (8, 2))])) == []


def test_generated_answers_may_be_equal_by_chance_and_with_the_same_loss_they_are_a_copy() -> None:
    made = [replace(record, answers_sha256="same") for record in rows((8, 0), (8, 1), (8, 2), scoring="generate")]
    assert failed(seeds.publication_checks(made)) == [seeds.DISTINCT_SEEDS]
    apart = [replace(record, final_loss=0.1 * place) for place, record in enumerate(made)]
    assert failed(seeds.publication_checks(apart)) == []
    chosen = [replace(record, spec=replace(record.spec, scoring="choices")) for record in apart]
    assert failed(seeds.publication_checks(chosen)) == [seeds.DISTINCT_SEEDS]


@pytest.mark.parametrize(("change", "expected"), [({"learning_rate": 0.5}, [seeds.ONE_SETTING]), ({"epochs": 9.0}, [seeds.ONE_SETTING]), ({"micro_batch": 4}, [])])  # fmt: skip
def test_a_method_with_two_settings_was_searched_on_the_test(change: dict[str, Any], expected: list[str]) -> None:
    made = rows((8, 0), (8, 1), (8, 2)) + rows((8, 0), (8, 1), (8, 2), **change)
    assert failed(seeds.publication_checks(made)) == expected


# --- where it comes from


def test_a_commit_is_known_where_the_history_has_it() -> None:
    assert environment.knows_commit(clean_commit())
    assert environment.knows_commit(environment.code_hash())
    for name in ("", "0123456789ab", "HEAD", "--help", "code-000000000000"):
        assert not environment.knows_commit(name)


@pytest.mark.parametrize(("revision", "holds"), [("a" * 12, True), ("0" * 40, True), ("main", False), ("", False), ("none", False)])  # fmt: skip
def test_weights_are_pinned_by_a_checksum_or_a_commit(revision: str, holds: bool) -> None:
    record = make_record(make_spec(model_revision=revision), environment=make_environment(commit=clean_commit()))
    assert failed(provenance.record_checks(record)) == ([] if holds else [provenance.MODEL])


def test_the_allocator_is_named_with_its_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LD_PRELOAD", "PYTORCH_ALLOC_CONF", "PYTORCH_CUDA_ALLOC_CONF"):
        monkeypatch.delenv(name, raising=False)
    assert environment.allocator("cpu")
    assert environment.allocator("cuda") == "torch"
    monkeypatch.setenv("PYTORCH_CUDA_ALLOC_CONF", "expandable_segments:True")
    assert environment.allocator("cuda") == "torch expandable_segments:True"
    monkeypatch.setenv("LD_PRELOAD", "/somewhere/libjemalloc.so.2")
    assert environment.allocator("cpu") == "jemalloc"
