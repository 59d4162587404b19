"""Methods beyond the default four, from the flag to the record: shots, virtual tokens' window, configs as files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data import registry
from harness.errors import HarnessError
from harness.model import tokenize
from harness.runs import plan, specs, worker
from harness.runs.forecast import preflight
from harness.runs.job import Event
from harness.runs.options import Options
from harness.schema import Example
from harness.store import records
from tests.support.sample_inputs import toy_options, write_task
from tests.support.tiny_models import toy_examples, toy_folder, toy_task, toy_tokenizer

TRAIN = [replace(example, id=f"t{i}", group=f"g{i % 5}") for i, example in enumerate(toy_examples(15))]


class Ear:
    """Hears nothing and asks for nothing."""

    def tell(self, event: Event) -> None:
        """Forget the event."""

    def should_stop(self) -> bool:
        return False


def text_of(item: tokenize.EncodedQuestion) -> str:
    return str(toy_tokenizer().decode(item.prompt))


# --- shots


@given(groups=st.lists(st.integers(0, 4), min_size=1, max_size=20), count=st.integers(0, 12), seed=st.integers(0, 5))
def test_shots_are_train_examples_of_different_groups_drawn_by_the_seed(
    groups: list[int], count: int, seed: int
) -> None:
    examples = [Example(str(i), "?", f"answer {i % 3}", group=f"g{group}") for i, group in enumerate(groups)]
    shots = tokenize.choose_shots(examples, count, seed)
    assert shots == tokenize.choose_shots(examples, count, seed)
    assert len({shot.id for shot in shots}) == len(shots) == min(count, len(examples))
    assert all(shot in examples for shot in shots)
    assert len({shot.group for shot in shots}) == min(len(shots), len(set(groups)))


def test_another_seed_shows_other_examples() -> None:
    assert len({tuple(shot.id for shot in tokenize.choose_shots(TRAIN, 3, seed)) for seed in range(8)}) > 4


def test_shots_stand_with_their_answers_before_the_question() -> None:
    task, shots, (example, *_) = toy_task(), TRAIN[:2], toy_examples(1)
    (shown,) = tokenize.encode_test(toy_tokenizer(), [example], task, 4096, 0, shots)
    (bare,) = tokenize.encode_test(toy_tokenizer(), [example], task, 4096, 0)
    before = "".join(f"{task.prompt(shot)} {shot.target}\n\n" for shot in shots)
    assert text_of(shown) == before + text_of(bare)
    assert shown.options == bare.options
    assert shown.cut_tokens == 0


@pytest.mark.parametrize("window", [125, 130, 200, 300, 400])
def test_with_shots_every_prompt_leaves_room_for_its_answer(window: int) -> None:
    task, examples = toy_task(), toy_examples(6)
    shown = tokenize.encode_test(toy_tokenizer(), examples, task, window, 8, TRAIN[:4])
    for item, example in zip(shown, examples, strict=True):
        assert len(item.prompt) + max(8, *map(len, item.options)) <= window
        assert text_of(item).endswith(
            f"{example.question}\nOptions:\n" + "\n".join(f"- {c}" for c in example.choices) + "\nAnswer:"
        )
        if text_of(item).count("Answer:") > 1:
            assert task.prompt(example) in text_of(item), "a context is cut while shots are shown"
        assert (item.cut_tokens > 0) == (text_of(item).count("Answer:") < 5)


def test_a_narrower_window_shows_fewer_shots() -> None:
    def count(window: int) -> Sequence[int]:
        rows = tokenize.encode_test(toy_tokenizer(), toy_examples(3), toy_task(), window, 0, TRAIN[:4])
        return [text_of(item).count("Answer:") - 1 for item in rows]

    found = [sum(count(window)) for window in (130, 200, 300, 2000)]
    assert found == sorted(found)
    assert found[0] < found[1] < found[-1] == 12


# --- plans


@pytest.fixture
def asked(tmp_path: Path) -> Options:
    return toy_options(tmp_path)


def test_virtual_tokens_take_their_part_of_a_full_window_and_of_no_other(asked: Options) -> None:
    methods = ("base", "lora", "prompt", "prefix", "lora+prefix")
    (full,) = plan.make(replace(asked, methods=methods, ranks=(2,)))
    assert {spec.method: spec.max_tokens for spec in full.specs} == {
        "base": 512,
        "lora": 512,
        "prompt": 492,
        "prefix": 492,
        "lora+prefix": 492,
    }
    (roomy,) = plan.make(replace(asked, methods=methods, ranks=(2,), max_tokens=300))
    assert {spec.max_tokens for spec in roomy.specs} == {300}


def test_each_seed_of_few_shots_is_a_run_of_its_own_and_so_is_each_train_split(asked: Options) -> None:
    (made,) = plan.make(replace(asked, methods=("base", "fewshot"), seeds=(0, 1)))
    assert [(spec.method, spec.seed) for spec in made.specs] == [("base", 0), ("fewshot", 0), ("fewshot", 1)]
    assert {spec.train_examples for spec in made.specs} == {0}, "which means that nothing trains"
    (fewer,) = plan.make(replace(asked, methods=("fewshot",), train_examples=5))
    assert fewer.specs[0].data != made.specs[0].data, "what can be drawn decides the result"


def test_a_config_file_reaches_the_probe_and_the_worker(asked: Options, tmp_path: Path) -> None:
    path = tmp_path / "vera.json"
    path.write_text(json.dumps({"peft_type": "VERA", "r": 8}))
    heard: list[preflight.Preflight] = []

    def look(question: preflight.Preflight) -> preflight.Findings:
        heard.append(question)
        return preflight.Findings(weights=1)

    (made,) = plan.make(replace(asked, methods=("base", str(path)), memory=True), look=look)
    name = registry.method(str(path)).name
    assert [(job.spec.method, job.method) for job in made.jobs()] == [("base", ""), (name, str(path))]
    assert dict(heard[0].method_files) == {name: str(path)}


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(HarnessError, match="no such file"):
        registry.method(str(tmp_path / "adapter_config.json"))


# --- from the flag to the record


@pytest.mark.parametrize(
    "method", ["fewshot", "bottleneck", "lora+bottleneck", "lora+prefix", "prompt", "lora+", "full8", "vera.json"]
)
def test_a_run_ends_with_scores_and_the_adapter_where_there_is_one(tmp_path: Path, method: str) -> None:
    (tmp_path / "vera.json").write_text(json.dumps({"peft_type": "VERA", "r": 8}))
    asked = Options(
        tasks=(str(write_task(tmp_path / "toy.jsonl", rows=30)),),
        methods=(str(tmp_path / method) if method.endswith(".json") else method,),
        ranks=(2,),
        model=str(toy_folder(tmp_path / "model")),
        results=tmp_path / "results",
        epochs=1.0,
        memory=False,
        jobs=1,
    )
    (made,) = plan.make(asked)
    (job,) = made.jobs()
    records.prepare(job.folder)
    worker.run(replace(job, threads=1), Ear())
    record = records.read_record(job.folder)
    assert record.status == "ok", record.reason
    assert record.scores["acc"].n == len(made.splits.test)
    assert record.cost is not None
    adapter = registry.method(asked.methods[0]).adapter
    assert (record.cost.adapter_bytes > 0) == (job.folder / records.ADAPTER).exists() == adapter
    assert not [path for path in job.folder.rglob("*.json") if str(tmp_path) in path.read_text()], "a machine's path"


def test_few_shots_of_a_text_that_is_only_read_are_refused(asked: Options) -> None:
    (made,) = plan.make(replace(asked, methods=("base",)))
    inputs = replace(made.inputs, task=replace(made.task, scoring="perplexity"))
    with pytest.raises(HarnessError, match="perplexity") as refused:
        specs.make(inputs, [registry.method("fewshot")], made.model, asked)
    assert refused.value.where == f"task {made.task.name}"
