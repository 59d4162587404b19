"""Texts of the command line become values, or errors that name the flag, the value found and the value needed."""

from __future__ import annotations

from typing import Any

import pytest

from harness.cli import parse
from harness.errors import HarnessError


@pytest.mark.parametrize(("text", "seeds"), [("3", (0, 1, 2)), ("0,1,2", (0, 1, 2)), ("7,", (7,)), ("1", (0,))])
def test_one_number_of_seeds_is_how_many_and_a_list_names_them(text: str, seeds: tuple[int, ...]) -> None:
    assert parse.seeds(text, "--seeds", "3") == seeds


REFUSED: list[tuple[parse.Reader, Any]] = [
    (parse.ranks, "0"),
    (parse.ranks, "-1,8"),
    (parse.ranks, "eight"),
    (parse.ranks, ""),
    (parse.ranks, "1.5"),
    (parse.seeds, "0"),
    (parse.seeds, "-1,2"),
    (parse.seeds, "31"),
    (parse.count, "0"),
    (parse.count, "1.5"),
    (parse.integer(0, 65535), "65536"),
    (parse.positive, "nan"),
    (parse.positive, "inf"),
    (parse.positive, "-1"),
    (parse.positive, "much"),
    (parse.share, "0"),
    (parse.share, "1.01"),
    (parse.number(least=0, below=1), "1"),
    (parse.number(least=0, below=1), "-0.1"),
    (parse.numbers, "0.5,x"),
    (parse.factors, "0.5,-1"),
    (parse.factors, ""),
    (parse.one_of(("bf16", "fp32")), "bf61"),
    (parse.words, [",,"]),
    (parse.relabel, ["positive"]),
    (parse.relabel, ["a=b,a=c"]),
    (parse.folder, "no/such/folder"),
]


@pytest.mark.parametrize(("reader", "text"), REFUSED)
def test_a_value_that_makes_no_sense_is_refused_with_its_flag(reader: parse.Reader, text: Any) -> None:
    with pytest.raises(HarnessError) as caught:
        reader(text, "--flag", "EXAMPLE")
    assert caught.value.where.startswith("--flag")
    assert caught.value.fix


@pytest.mark.parametrize(
    ("reader", "text", "needed"),
    [
        (parse.count, "1.5", "a whole number from 1 on"),
        (parse.integer(0, 65535), "x", "a whole number from 0 to 65535"),
        (parse.positive, "-1", "a number above 0"),
        (parse.share, "1.5", "a number above 0 and up to 1"),
        (parse.number(least=0, below=1), "1", "a number from 0 and below 1"),
    ],
)
def test_an_error_names_flag_value_found_and_value_needed(reader: parse.Reader, text: str, needed: str) -> None:
    with pytest.raises(HarnessError) as caught:
        reader(text, "--flag", "EXAMPLE")
    assert caught.value.problem == f"--flag {text} is not {needed}"
    assert caught.value.fix == "--flag EXAMPLE"


def test_numbers_within_their_bounds_are_read() -> None:
    assert parse.integer(0)(" 0 ", "--seed", "0") == 0
    assert parse.share("1", "--density", "0.2") == 1.0
    assert parse.number(least=0, below=1)("0", "--flag", "0.1") == 0.0
    assert parse.numbers("0.5,-2", "--weights", "1,1") == (0.5, -2.0)
    assert parse.factors("1,0.5,-0,1", "--scale", "0,1") == (0.0, 0.5, 1.0)


def test_lists_may_be_repeated_or_joined_by_commas_and_name_each_thing_once() -> None:
    assert parse.words(["a,b", "c", "a"], "--task", "a") == ("a", "b", "c")
    assert parse.words("a,b", "TASK", "a") == ("a", "b")
    assert parse.ranks(["8,2", "8"], "--rank", "8") == (8, 2)
    assert parse.relabel(["up=down,down=up"], "--relabel", "a=b") == (("up", "down"), ("down", "up"))
