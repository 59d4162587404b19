"""A strict parser of numbers as people in finance write them: the whole text must be one number.

Accepted, alone and together: thousands separators if well formed (`1,234.5`), currency signs and codes
(`$7,600.00`, `EUR 12`, `12 dollars`), minus signs and parentheses for negatives (`(123)`, `$(1.5) million`), scale
words (`1.2 million`, `3k`, `4bn`), scientific notation (`5e3`), multiples (`2.5x`) and percent.

Percent is not converted: `12.3%` is 12.3, so it equals a plain `12.3` and not `0.123`. Basis points are hundredths
of a percent: `25 bp` is 0.25. An ambiguous text (`1,23`, `12,5`, `-(5)`, `about 5`, `5 or 6`) is no number.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_SCALES = {
    **dict.fromkeys(("thousand", "thousands", "k"), 3),
    **dict.fromkeys(("million", "millions", "mm", "mn", "mio", "m"), 6),
    **dict.fromkeys(("billion", "billions", "bn", "b"), 9),
    **dict.fromkeys(("trillion", "trillions", "tn", "t"), 12),
}
_BASIS_POINTS = ("basis points", "basis point", "bps", "bp")
_PERCENT = ("%", "percentage points", "percent", "per cent", "pct", "pp")
_TIMES = ("x", "times")
_SIGNS = ("us$", "a$", "c$", "hk$", "s$", "$", "€", "£", "¥", "₹")
_CODES = ("usd", "eur", "gbp", "chf", "jpy", "cad", "aud", "nzd", "cny", "inr", "hkd", "sgd", "sek", "nok", "dkk")
_MONEY_WORDS = ("dollars", "dollar", "euros", "euro", "pounds", "pound", "yen", "francs")


def _any_of(words: tuple[str, ...]) -> str:
    """Return a pattern of the words, with the longest first so that `million` is not read as `m`."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_MONEY_BEFORE = rf"(?:{_any_of(_SIGNS + _CODES)})"
_MONEY_AFTER = rf"(?:{_any_of(_SIGNS + _CODES + _MONEY_WORDS)})"
_DIGITS = r"(?:[1-9][0-9]{0,2}(?:,[0-9]{3})+(?:\.[0-9]+)?|(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:e(?P<exponent>[+-]?[0-9]{1,3}))?)"
_NUMBER = re.compile(
    rf"(?P<sign>[+-])?\ ?(?P<money1>{_MONEY_BEFORE})?\ ?(?P<sign2>[+-])?"
    rf"(?P<open>\()?\ ?(?P<money2>{_MONEY_BEFORE})?\ ?(?P<digits>{_DIGITS})"
    rf"\ ?(?P<scale1>{_any_of(tuple(_SCALES))})?\ ?(?P<rate1>{_any_of(_PERCENT + _BASIS_POINTS + _TIMES)})?\ ?(?P<close>\))?"
    rf"\ ?(?P<scale2>{_any_of(tuple(_SCALES))})?\ ?(?P<rate2>{_any_of(_PERCENT + _BASIS_POINTS + _TIMES)})?"
    rf"\ ?(?P<money3>{_MONEY_AFTER})?"
)
# Typographic minus signs and blanks to plain ones.
_PLAIN = str.maketrans(
    {**dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"), **dict.fromkeys("\u00a0\u2009\u202f", " ")}
)


@lru_cache(maxsize=65536)
def parse_number(text: str) -> Decimal | None:
    """Return the exact number of the whole text, or None if it is not a single number in a known notation."""
    match = _NUMBER.fullmatch(re.sub(r"\s+", " ", text.translate(_PLAIN)).strip().lower())
    if match is None:
        return None
    part = match.groupdict(default="")
    signs, monies, scales, rates = (
        [part[name] for name in names if part[name]]
        for names in (
            ("sign", "sign2", "open"),
            ("money1", "money2", "money3"),
            ("scale1", "scale2"),
            ("rate1", "rate2"),
        )
    )
    if bool(part["open"]) != bool(part["close"]) or max(map(len, (signs, monies, scales, rates))) > 1:
        return None
    if rates and (scales or monies):
        return None
    plain = part["digits"].replace(",", "").partition("e")[0]
    exponent = int(part["exponent"] or 0) + (_SCALES[scales[0]] if scales else 0)
    exponent -= 2 if rates and rates[0] in _BASIS_POINTS else 0
    minus = "-" if signs and signs[0] in "-(" else ""
    return Decimal(f"{minus}{plain}e{exponent}")  # from text: Decimal arithmetic would round at 28 digits
