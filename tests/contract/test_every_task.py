"""What every registered task must hold to, whoever wrote it.

Gold answers score 1.0, wrong ones 0.0, shuffled ones what guessing scores; what is no answer is unparsed; the prompt
gives nothing away; the data is the pinned one; nothing depends on Python's hash seed.
"""

from __future__ import annotations

import functools
import json
import random
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

import tests.support.hash_seeds as hash_seeds
from harness import metrics
from harness.data import loading, registry, sources
from harness.metrics.scoring import chance
from harness.schema import Example, Task
from harness.verify import task as oracle
from harness.verify.task import has_common_options, has_sentence_answers, headline, make_answers, margin, share_metrics

ROOT = Path(__file__).resolve().parents[2]
COPIES = ROOT.parent / "shared" / "data"  # data that others published, where it lies beside the project
FOUND = registry.tasks()

NO_CUE = {"openbookqa", "hellaswag", "winogrande"}  # the published form: an option continues the question itself
SOLUTIONS = {"gsm8k"}  # the published form: the answer is a solution of several lines

every_task = pytest.mark.parametrize("name", sorted(FOUND))


@functools.cache
def task_of(name: str) -> Task:
    return registry.task(name)


def is_public(task: Task) -> bool:
    return sources.is_remote(task.source)


def data_dir_of(task: Task) -> Path | None:
    """Return where a task's data lies: None for the project's own, for public data the copies beside the project."""
    return COPIES if is_public(task) else None


def is_here(task: Task) -> bool:
    return loading.sizes(task, data_dir_of(task)) is not None


@functools.cache
def splits_of(name: str) -> loading.Splits:
    task = task_of(name)
    if not is_here(task):
        pytest.skip(f"no copy of {task.source.uri} beside the project")
    return loading.load_splits(task, data_dir=data_dir_of(task))


def answers_of(name: str) -> Task:
    """Return a task whose questions are answered: where a text itself is scored, no answer is right or wrong."""
    task = task_of(name)
    if task.scoring == "perplexity":
        pytest.skip("a text is read on and nothing is answered; see tests/metrics/test_perplexity.py")
    return task


def guessing(task: Task, examples: Sequence[Example]) -> float:
    """Return what guessing scores, next to nothing where that is not known."""
    return chance(task, examples) or 0.0


@every_task
def test_it_loads_and_is_well_formed(name: str) -> None:
    task = task_of(name)
    assert FOUND[name].error == ""
    assert task.version >= 1
    assert task.title
    assert not task.title.endswith(".")
    assert task.metrics[0].unit == ("" if task.scoring == "perplexity" else "share")
    assert len({metric.name for metric in task.metrics}) == len(task.metrics)


@every_task
@pytest.mark.parametrize("split", ["train", "validation", "test"])
@pytest.mark.parametrize("form", ["{}", " {}", "{}\n"])
def test_gold_answers_score_everything(name: str, split: str, form: str) -> None:
    task = answers_of(name)
    if split not in task.splits:
        pytest.skip("a test alone, to be asked and not trained on")
    examples = dict(splits_of(name).items())[split]  # type: ignore[index]
    answers = make_answers(task, examples, [form.format(e.target) for e in examples])
    assert [a.id for a in answers if a.parsed is None] == []
    assert [a.id for a in answers if task.metrics[0].score(a) != 1.0] == []
    for metric in task.metrics:
        values = [metric.score(a) for a in answers]
        value = metric.combine(answers) if metric.combine else sum(values) / len(values)
        assert value == pytest.approx(1.0 if metric in share_metrics(task) else 0.0, abs=1e-12), metric.name


@every_task
def test_an_answer_can_be_read_again_without_question_and_context(name: str) -> None:
    """`verify` has the answers and not the examples: a parser that needs more makes every run look forged."""
    task = answers_of(name)
    parse = task.parse or metrics.default_parse
    for example in splits_of(name).test:
        bare = replace(example, question="", context="")
        assert parse(example.target, bare) == parse(example.target, example)


@every_task
def test_wrong_answers_score_nothing(name: str) -> None:
    task, test = answers_of(name), splits_of(name).test
    examples, texts = [], []
    for position, example in enumerate(test):
        text = oracle.wrong_text(task, test, position)
        if has_sentence_answers(
            task, test
        ):  # another text shares words with this one: what shares none is wrong altogether
            text = "qzx vvv"
        if text is not None:
            examples.append(example)
            texts.append(text)
    assert len(examples) > 0.9 * len(test)
    answers = make_answers(task, examples, texts)
    for metric in share_metrics(task):
        assert [(a.id, a.text, a.target) for a in answers if metric.score(a) != 0.0] == [], metric.name


@every_task
@pytest.mark.parametrize("text", ["", "  \n", "\n\n", "qzx vvv 17 of ???", "I am not sure, it depends."])
def test_what_is_no_answer_is_unparsed_and_scores_nothing(name: str, text: str) -> None:
    task, test = answers_of(name), splits_of(name).test
    answers = make_answers(task, test, [text] * len(test))
    if text.strip() == "" or task.parse is not None or task.scoring == "choices":
        # Where words of the text are asked for, any line is an answer.
        words = {e.id for e in test if e.slices.get("answer") == "text"} if text.strip() else set()
        assert [a.id for a in answers if a.parsed is not None and a.id not in words] == []
    for metric in share_metrics(task):
        if has_sentence_answers(task, test) and text.strip():  # it shares a word with some
            assert sum(map(metric.score, answers)) / len(answers) < guessing(task, test)
        else:
            assert sum(map(metric.score, answers)) == 0.0


@every_task
def test_shuffled_gold_answers_score_what_guessing_scores(name: str) -> None:
    task, test = answers_of(name), splits_of(name).test
    order = random.Random(20).sample(range(len(test)), len(test))
    if task.scoring == "choices" and not has_common_options(test):  # the place of another question's gold
        places = [test[i].choices.index(test[i].target) for i in order]
        texts = [e.choices[place % len(e.choices)] for e, place in zip(test, places, strict=True)]
        assert headline(task, test, texts) == pytest.approx(guessing(task, test), abs=margin(task, test))
    else:
        texts = [test[i].target for i in order]
        assert headline(task, test, texts) <= guessing(task, test) + margin(task, test)


@every_task
def test_no_place_among_the_options_gives_the_answer_away(name: str) -> None:
    task = task_of(name)
    if task.scoring != "choices" or has_common_options(splits_of(name).test):
        pytest.skip("no options of its own for each question")
    if is_public(task):
        pytest.skip("the options are the source's, not the project's to write")
    for examples in filter(None, (splits_of(name).train, splits_of(name).test)):
        for place in range(max(len(e.choices) for e in examples)):
            texts = [e.choices[place % len(e.choices)] for e in examples]
            assert headline(task, examples, texts) == pytest.approx(
                guessing(task, examples), abs=margin(task, examples)
            )


@every_task
def test_neither_the_longest_nor_the_shortest_option_gives_the_answer_away(name: str) -> None:
    task = task_of(name)
    if task.scoring != "choices" or has_common_options(splits_of(name).test):
        pytest.skip("no options of its own for each question")
    if is_public(task):
        pytest.skip("the options are the source's, not the project's to write")
    test = splits_of(name).test
    for pick in (max, min):
        texts = [pick(e.choices, key=len) for e in test]
        assert headline(task, test, texts) <= guessing(task, test) + 2 * margin(task, test)


@every_task
def test_ids_are_unique_and_splits_share_no_group_and_no_prompt(name: str) -> None:
    task, splits = task_of(name), splits_of(name)
    ids = [e.id for _, part in splits.items() for e in part]
    assert len(set(ids)) == len(ids)
    for key in (lambda e: e.group or e.id, lambda e: task.prompt(e)):
        seen: dict[str, str] = {}
        for split, part in splits.items():
            assert {seen.setdefault(key(e), split) for e in part} <= {split}


@every_task
def test_the_prompt_ends_with_the_cue_and_does_not_depend_on_the_gold_answer(name: str) -> None:
    task = task_of(name)
    for _, part in splits_of(name).items():
        for example in part:
            prompt = task.prompt(example)
            assert prompt == prompt.rstrip()
            assert prompt.endswith("Answer:") or task.scoring == "perplexity" or name in NO_CUE
            assert prompt == task.prompt(replace(example, target="another answer"))
            assert "\x00" not in prompt
            # The gold may stand in the context, where it is to be looked up; the cue must not be answered beforehand.
            assert not re.search(rf"Answer:\s*{re.escape(example.target)}", prompt)


@every_task
def test_targets_are_written_as_they_are_trained(name: str) -> None:
    """What is trained is " " + target + end of text: blanks at an end or several lines would be trained as well."""
    for _, part in splits_of(name).items():
        assert [e.id for e in part if e.target != e.target.strip()] == []
        assert [e.id for e in part if "\n" in e.target] == [] or name in SOLUTIONS


@every_task
def test_the_data_is_the_pinned_one(name: str) -> None:
    source = task_of(name).source
    assert source.license
    if is_public(task_of(name)):
        assert source.citation
        assert source.files
        assert re.fullmatch("|[0-9a-f]{40}", source.revision)
        pytest.skip("the data does not come with the project")
    assert loading.hash_folder(loading.tasks_folder() / source.uri) == source.sha256


@pytest.mark.slow
def test_nothing_depends_on_pythons_hash_seed() -> None:
    code = """
import json, pathlib, sys
from harness import data
from harness.data import registry
tasks = [(registry.task(name), pathlib.Path(folder) if folder else None) for name, folder in json.loads(sys.argv[1])]
limited = [data.fingerprint(t, data.load_splits(t, data_dir=d, train_limit=100, test_limit=50)) for t, d in tasks]
print(json.dumps([[data.fingerprint(t, data.load_splits(t, data_dir=d)) for t, d in tasks], limited]))
"""
    names = [name for name in FOUND if is_here(task_of(name))]
    assert {"cfa", "claims", "sec_qa"} <= set(names)
    folders = json.dumps([(name, str(data_dir_of(task_of(name)) or "")) for name in names])
    (text,) = hash_seeds.said(code, folders)
    assert json.loads(text)[0] == [loading.fingerprint(task_of(name), splits_of(name)) for name in names]
