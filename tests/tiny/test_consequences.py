"""The skill of drawing a conclusion: answers follow from a remembered family and from what the text says of a name or figure."""

from __future__ import annotations

import random
import re

from harness.tiny import consequences, draws
from harness.tiny.consequences import LEVELED, VALUED, Family


def figures(text: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", text)]


def families_of(answer: str, families: list[Family]) -> list[Family]:
    return [family for family in families if answer in family.outcomes]


def test_families_are_the_same_in_every_process_and_no_value_belongs_to_two() -> None:
    assert consequences.families() == (VALUED, LEVELED)
    values = [value for family in VALUED for value in family.values]
    assert len(values) == len(set(values))
    for family in VALUED:
        assert len(family.values) == len(set(family.outcomes)) == len(family.outcomes)


def test_texts_repeat_themselves_by_seed_and_ask_in_the_harness_s_form() -> None:
    for seed in range(200):
        pairs = consequences.consequences(draws.Draw(f"form {seed}"))
        assert pairs == consequences.consequences(draws.Draw(f"form {seed}"))
        assert all(prompt.endswith("\nAnswer:") for prompt, _ in pairs)


def test_the_outcome_is_that_of_the_value_beside_the_name() -> None:
    """Every form of a statement has the value and the name in one sentence, which no other sentence shares."""
    decided = 0
    for seed in range(300):
        pairs = consequences._of_values(random.Random(seed))
        context = pairs[0][0].split("\n\n")[0]
        for prompt, answer in pairs:
            question = prompt.split("\n\n")[-1].split("\nAnswer:")[0]
            for family in families_of(answer, VALUED):
                value = family.values[family.outcomes.index(answer)]
                near = [text for text in re.split(r"\.(?: |$)", context) if value.lower() in text.lower()]
                names = {word.strip("?:.,-") for text in near for word in text.split()}
                decided += bool(names & {word.strip("?:.,-") for word in question.split()})
    assert decided > 600


def test_the_figure_of_the_question_decides_against_that_of_the_text() -> None:
    places = set()
    for seed in range(300):
        pairs = consequences._of_figures(random.Random(seed))
        (figure,) = figures(pairs[0][0].rsplit("\n\n", 1)[0])
        for prompt, answer in pairs:
            (value,) = figures(prompt.rsplit("\n\n", 1)[-1])
            place = 0 if value > figure else 1 if value < figure else 2
            assert any(family.outcomes[place] == answer for family in families_of(answer, LEVELED))
            places.add(place)
    assert places == {0, 1, 2}


def test_easy_texts_use_few_families() -> None:
    rng = draws.Draw("easy")
    rng.easy = True
    answers = {answer for _ in range(300) for _, answer in consequences._of_values(rng)}
    known = {text for family in VALUED[: consequences.EASY] for text in (*family.outcomes, *family.values)}
    assert answers <= known
