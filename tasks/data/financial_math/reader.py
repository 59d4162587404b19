"""A reader for the numbers of a worded problem: each number gets exactly one role, or the problem is unreadable.

A formula names its roles and, for each, the cues around its number. Every number of the text (and every number word such as
"two" or "half") must belong to exactly one role, and every role must have one value. A number without a role or with two, and
a role without a value, make the problem unreadable. Nothing is guessed.

A cue is a regular expression over the text in small letters, in which

    #m #p #n #w   stand for the number of the role: an amount of money, a percentage, a plain number, a number word
    @m @p @n @w   stand for a number that is not the role's
    ~             stands for words of the same clause, none of them a joining word and none a number

A cue with a factor gives its number times the factor ("#n months" is a twelfth of a year each); without a number in
it, it gives the factor itself ("quarterly" is 4).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

Cue = str | tuple[str, Fraction | int]

_SCALES = {"million": 10**6, "billion": 10**9, "trillion": 10**12}
_WORDS = {
    word: Fraction(n)
    for n, word in enumerate(["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"], start=2)
}
_WORDS |= {"twelve": Fraction(12), "dozen": Fraction(12), "twice": Fraction(2), "double": Fraction(2)}
_WORDS |= {"triple": Fraction(3), "half": Fraction(1, 2)}
_NUMBER = re.compile(
    r"(?<![\w.,])(?P<minus>-)?(?P<money>\$)?"
    r"(?P<digits>\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?)(?![\d_])"
    r"(?:\s(?P<scale>million|billion|trillion)\b)?(?P<percent>\s?%|\spercentage points?\b|\spercent\b)?"
    rf"|\b(?P<word>{'|'.join(_WORDS)})\b"
)
_YEAR = re.compile(
    r"(?:(?<=\bin )|(?<=year )|(?<=during )|(?<=ending ))(?:19|20)\d\d\b"
)  # in 2022, the year 2022, during 2022, ending 2022
_LINK = r"(?:(?!\b(?:and|with|against|while|but|versus|when|where|if|from|compared|includes)\b)[^<>.,;:?!]){0,70}?"


class UnreadableProblem(ValueError):
    """An error for a problem that cannot be read with certainty; the message gives the reason, without quoting it."""


@dataclass(frozen=True)
class Reading:
    """One wording of the problems of a formula.

    `value` is called with the roles as keyword arguments. `optional` roles may be missing. Numbers beside an `ignored`
    cue have no role. `refused` maps forbidden patterns of the text to the reason for not reading it.
    """

    roles: Mapping[str, tuple[Cue, ...]]
    value: Callable[..., Fraction | float]
    optional: frozenset[str] = frozenset()
    ignored: tuple[str, ...] = ()
    refused: Mapping[str, str] | None = None


def numbers_of(text: str) -> tuple[str, list[Fraction]]:
    """Return the text in small letters with its numbers replaced by `<kind index>`, and their values.

    Percentages become fractions of one.
    """
    values: list[Fraction] = []

    def mask(match: re.Match[str]) -> str:
        if match["word"]:
            values.append(_WORDS[match["word"]])
            return f"<w{len(values) - 1}>"
        value = Fraction(match["digits"].replace(",", "")) * _SCALES.get(match["scale"] or "", 1)
        values.append((-value if match["minus"] else value) / (100 if match["percent"] else 1))
        kind = "p" if match["percent"] else "m" if match["money"] else "n"
        return f"<{kind}{len(values) - 1}>"

    plain = " ".join(text.lower().replace("\u2019", "'").replace("*", " ").split())
    return _NUMBER.sub(mask, _YEAR.sub("that year", plain)), values


@lru_cache(maxsize=4096)
def _pattern(cue: str) -> re.Pattern[str]:
    body = re.sub(r"#([mpnw]+)", r"<[\1](?P<at>\\d+)>", cue)
    body = re.sub(r"@([mpnw]+)", r"<[\1]\\d+>", body)
    return re.compile(body.replace("~", _LINK))


def read(text: str, reading: Reading) -> Fraction | float:
    """Return the value of the formula for this problem.

    Raises:
        UnreadableProblem: a number without a role or with two, a role without a value or with two, or a refused pattern.
    """
    masked_text, values = numbers_of(text)
    for refused, reason in (reading.refused or {}).items():
        if re.search(refused, masked_text):
            raise UnreadableProblem(reason)
    claims: dict[int, set[str]] = {}
    values_of_role: dict[str, set[Fraction]] = {}
    for role, cues in reading.roles.items():
        for cue in cues:
            body, factor = cue if isinstance(cue, tuple) else (cue, 1)
            for match in _pattern(body).finditer(masked_text):
                value = Fraction(factor)
                if "at" in match.groupdict():
                    claims.setdefault(int(match["at"]), set()).add(role)
                    value *= values[int(match["at"])]
                values_of_role.setdefault(role, set()).add(value)
    for cue in reading.ignored:
        for match in _pattern(cue).finditer(masked_text):
            claims.setdefault(int(match["at"]), set()).add("")
    _refuse_loose_ends(reading, claims, values_of_role, len(values))
    try:
        return reading.value(**{role: next(iter(several)) for role, several in values_of_role.items()})
    except (ZeroDivisionError, OverflowError) as error:
        raise UnreadableProblem("the formula has no value here") from error


def _refuse_loose_ends(
    reading: Reading, claims: Mapping[int, set[str]], values_of_role: Mapping[str, set[Fraction]], count: int
) -> None:
    """Raise an error for numbers and roles that are not matched one to one."""
    for role in reading.roles:
        if role not in values_of_role and role not in reading.optional:
            raise UnreadableProblem(f"no value for {role.replace('_', ' ')}")
        if len(values_of_role.get(role, ())) > 1:
            raise UnreadableProblem(f"several values for {role.replace('_', ' ')}")
    if any(len(roles) > 1 for roles in claims.values()):
        raise UnreadableProblem("a number that could play several parts")
    if len(claims) < count:
        raise UnreadableProblem("a number that plays no part in the formula")


def amount(*names: str) -> tuple[Cue, ...]:
    """Return the cues of an amount that follows or precedes one of these names: "sales of $5", "$5 in sales"."""
    lead = r"(?:(?:in|of|as|for|worth of|total|its|their|annual|net|average|yearly|towards?|a|the) ){0,4}"
    return tuple(cue for name in names for cue in (rf"\b{name}~#m", rf"#m {lead}{name}\b"))


def ratio(
    top: tuple[Cue, ...],
    bottom: tuple[Cue, ...],
    *,
    scale: int = 1,
    ignored: tuple[str, ...] = (),
    refused: Mapping[str, str] | None = None,
) -> Reading:
    """Return the reading of one amount over another; `scale` is 100 for per cent."""

    def value(numerator: Fraction, denominator: Fraction) -> Fraction:
        return scale * numerator / denominator

    return Reading({"numerator": top, "denominator": bottom}, value, ignored=ignored, refused=refused)
