"""Texts of the generator: slots filled with numbers and names, articles before numbers, words that carry content."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping
from decimal import Decimal

NUMBER_WITH_VOWEL = re.compile(r"\b([Aa]) (?=\$?(?:8|1[18](?![\d])))")
SLOT = re.compile(r"\{(?:(\w+)([+-]))?(\d+):(\d+)\}")
MONEY = re.compile(r"\$\{(\w+)\}")
UNIT = re.compile(r"(\$?)\{(\w+)\}(%|,000| million| billion| days| years| months| shares)?")
_FUNCTION = """a an the of to in on at by for from with and or not is are was be been being has have had having it its this that
    these those which what when where who whose whom how why if then than as so such can could may might must should will
    would shall do does did done each every all any some no more most less least other another others only also between
    under over into after before but he she his her him hers they them their theirs i you your we us our one ones two out
    up down off both per about here there because while during until since without within through against very too just
    own itself himself herself themselves neither nor either even still yet ever never although though whether again
    once called known"""
FUNCTION_WORDS = frozenset(_FUNCTION.split())
_ENDINGS = ("ations", "ation", "ings", "ing", "ers", "er", "ies", "ied", "ly", "ed", "es", "s", "e", "y")


def plain(value: Decimal) -> str:
    """Return a number in the format of questions: thousands separated, no trailing zeros."""
    integer = value == value.to_integral_value()
    return f"{int(value):,}" if integer else f"{value.normalize():,f}"


def amount(value: Decimal) -> str:
    """Return an amount in the format of questions: whole, or with two decimals."""
    return plain(value) if value == value.to_integral_value() else f"{value:,.2f}"


def articles(text: str) -> str:
    """Return the text with "an" before numbers that begin with a vowel sound: an 8.75% coupon, an 11-year bond."""
    return NUMBER_WITH_VOWEL.sub(r"\1n ", text)


def with_numbers(text: str, numbers: Mapping[str, Decimal]) -> str:
    """Return a text with its numbers; a number behind a dollar sign is an amount."""
    text = MONEY.sub(lambda match: "$" + amount(numbers[match[1]]) if match[1] in numbers else match[0], text)
    return text.format_map({key: plain(value) for key, value in numbers.items()} | {"firm": "{firm}"})


def units(text: str) -> dict[str, str]:
    """Return the unit of each slot of a text: what stands before and behind its number, such as "$" and " million"."""
    return {match[2]: f"{match[1]}{match[3] or ''}" for match in UNIT.finditer(text)}


def with_draws(text: str, numbers: Mapping[str, int], rng: random.Random) -> str:
    """Return a text with whole numbers for `{a:b}`, `{x+a:b}` and `{x-a:b}`, where x is one of `numbers`."""

    def draw(match: re.Match[str]) -> str:
        step = rng.randint(int(match[3]), int(match[4]))
        start = numbers[match[1]] if match[1] else 0
        return str(start - step if match[2] == "-" else start + step)

    return SLOT.sub(draw, text)


def stem_of(word: str) -> str:
    """Return a word without its ending, so that forms of one word are equal."""
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word


def content(text: str) -> set[str]:
    """Return the stems of a text's content words."""
    words = re.findall(r"[a-z']+", text.lower().replace("'s", ""))
    return {stem_of(word) for word in words if word not in FUNCTION_WORDS and len(word) > 1}
