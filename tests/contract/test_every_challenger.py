"""What every registered challenger must hold to, whoever wrote it.

It answers each question with an option or a text, in the same way each time, in any order of the questions, and without
reading a gold answer, a slice or an amount. What it does not apply to, it refuses with a reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from harness import metrics
from harness.challengers import BUILT_IN
from harness.challengers.parts import answers
from harness.data import prompts, registry
from harness.errors import HarnessError
from harness.record import Answer, Scoring
from harness.schema import Challenger, Example, Source, Task

ENTRIES = registry.challengers()
FAMILIES = ("labels", "options", "texts", "columns")
WORDS = ("rises", "falls", "stays")
every_challenger = pytest.mark.parametrize("name", sorted(ENTRIES))
every_family = pytest.mark.parametrize("family", FAMILIES)


def examples(family: str, count: int = 60) -> list[Example]:
    """Questions of a kind of answer, each of which names its answer."""
    made = []
    for number in range(count):
        word = WORDS[number * 7 % 3]
        question, context, target = f"The premium {word} in year {number}", "", f"it {word}"
        choices: tuple[str, ...] = ()
        if family == "labels":
            choices = tuple(f"it {other}" for other in WORDS)
        if family == "options":
            choices = tuple(f"it {other} by {number % 5 + 1}" for other in WORDS)
            target = f"it {word} by {number % 5 + 1}"
        if family == "columns":
            question, context = (
                "Does the premium rise?",
                f"age: {20 + number % 40}\nclaims: {number % 4}\nregion: north",
            )
            target, choices = ("yes", "no")[number % 4 > 1], ("yes", "no")
        made.append(Example(str(number), question, target, choices, context=context, slices={"gold": target}, amount=5))
    return made


def prompt(example: Example) -> str:
    return (prompts.multiple_choice if example.choices else prompts.question_answer)(example)


def task(scoring: Scoring) -> Task:
    return Task("toy", 1, "A toy", Source(""), lambda *_: [], prompt, (metrics.accuracy,), scoring)


def task_of(family: str) -> Task:
    return task("generate" if family == "texts" else "choices")


def challenger(name: str) -> Challenger:
    value = ENTRIES[name].value
    assert value is not None, ENTRIES[name].error
    return value


def embed(lines: Sequence[str]) -> np.ndarray:
    """Stand-in for hidden states: whether a word of the toy is there, and whether it is there twice."""
    words = (*WORDS, "claims: 2", "claims: 3")
    return np.array([[float(line.count(word) > times) for word in words for times in (0, 1)] for line in lines])


class Reader:
    """Stand-in for a model behind an address: it picks the option, or writes the words, that the question names."""

    scores_options = True

    def score(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        return [float(option.split()[:2][-1] in prompt.partition("Options")[0]) for prompt, option in pairs]

    def write(self, prompts: Sequence[str], *, has_options: bool, one_line: bool) -> list[str]:
        return [f"it {next(word for word in WORDS if word in prompt)}" for prompt in prompts]


def asked(name: str, family: str, test: Sequence[Example] | None = None) -> list[Answer]:
    """The answers of a challenger fitted on toy questions; the test is skipped if it does not apply to them."""
    tried, train = challenger(name), examples(family)
    if answers.obstacle(tried, task_of(family), train):
        pytest.skip("does not apply")
    fitted = answers.fit(tried, task_of(family), train, 0, embed, Reader())
    return answers.answer(tried, fitted, examples(family, 30) if test is None else test, task_of(family))


@every_challenger
def test_it_has_its_name_and_a_title_and_applies_to_something(name: str) -> None:
    tried = challenger(name)
    assert (tried.name, bool(tried.title), tried.version >= 1) == (name, True, True)
    assert any(not answers.obstacle(tried, task_of(family), examples(family)) for family in FAMILIES)


@every_challenger
@every_family
def test_each_answer_is_an_option_or_a_text_in_the_order_of_the_questions(name: str, family: str) -> None:
    test = examples(family, 30)
    given = asked(name, family, test)
    assert [answer.id for answer in given] == [example.id for example in test]
    for answer, example in zip(given, test, strict=True):
        assert answer.text
        assert answer.target == example.target
        assert answer.slices == example.slices
        if example.choices:
            assert answer.text in example.choices
            assert np.isclose(sum(np.exp(answer.loglik)), 1.0)


@every_challenger
@every_family
def test_two_fits_give_the_same_answers_to_the_last_digit(name: str, family: str) -> None:
    assert asked(name, family) == asked(name, family)


@every_challenger
@every_family
def test_an_answer_does_not_depend_on_the_other_questions(name: str, family: str) -> None:
    test = examples(family, 30)
    whole = {answer.id: answer for answer in asked(name, family, test)}
    for answer in asked(name, family, [test[17], test[4]]):
        assert answer.text == whole[answer.id].text
        assert np.allclose(answer.loglik, whole[answer.id].loglik, atol=1e-9)


@every_challenger
@every_family
def test_gold_answers_slices_and_amounts_are_not_read(name: str, family: str) -> None:
    test = examples(family, 30)
    blind = [replace(e, target=(e.choices or ("x",))[0], slices={}, amount=0.0) for e in test]
    assert [a.text for a in asked(name, family, blind)] == [a.text for a in asked(name, family, test)]


@every_challenger
def test_a_task_that_asks_nothing_or_has_no_training_examples_is_refused_with_a_reason(name: str) -> None:
    nothing = [(task("choices"), list[Example]())] * (not challenger(name).remote)  # a server's model learns from none
    for asking, train in ((task("perplexity"), examples("texts")), *nothing):
        with pytest.raises(HarnessError, match="does not apply") as caught:
            answers.fit(challenger(name), asking, train, 0, embed, Reader())
        assert caught.value.fix


@every_challenger
def test_questions_without_a_word_or_with_one_answer_only_end_in_no_other_error(name: str) -> None:
    bare = [replace(example, question="?", context="") for example in examples("options")]
    single = [replace(example, target="it rises") for example in examples("labels")]
    for family, train in (("options", bare), ("labels", single)):
        if not answers.obstacle(challenger(name), task_of(family), train):
            fitted = answers.fit(challenger(name), task_of(family), train, 0, embed, Reader())
            assert len(answers.answer(challenger(name), fitted, train[:5], task_of(family))) == 5


@every_challenger
def test_one_that_needs_a_server_is_never_a_default_and_is_refused_without(name: str) -> None:
    if challenger(name).remote:
        assert name not in BUILT_IN
        with pytest.raises(HarnessError, match="none is named"):
            answers.fit(challenger(name), task("choices"), examples("labels"), 0, embed)


@pytest.mark.parametrize(("result", "part"), [([0.0], "the scores 0"), ([float("nan")] * 3, "nan"), ("other", "other")])
def test_a_result_that_is_no_answer_is_refused(result: object, part: str) -> None:
    wrong = Challenger("wrong", "wrong", lambda *_: None, lambda _, test: [result for _ in test])  # type: ignore[misc]
    with pytest.raises(HarnessError, match=part):
        answers.answer(wrong, None, examples("labels", 2), task_of("labels"))


@pytest.mark.parametrize("name", ["words", "nearest", "embeddings"])
@pytest.mark.parametrize("family", ["labels", "options", "texts"])
def test_those_that_read_find_an_answer_that_the_question_names(name: str, family: str) -> None:
    given = asked(name, family)
    assert sum(answer.text == answer.target for answer in given) >= 0.9 * len(given)


def test_the_default_ones_are_registered_and_listed_first() -> None:
    assert tuple(ENTRIES)[: len(BUILT_IN)] == BUILT_IN


def test_more_training_examples_than_the_limit_are_thinned_evenly() -> None:
    train = examples("labels", 2 * answers.MAX_TRAIN)
    selected = answers.limited(train)
    assert len(selected) == answers.MAX_TRAIN
    assert [example.id for example in selected[:3]] == ["0", "2", "4"]
