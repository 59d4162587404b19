"""A strict parser of numbers as people in finance write them: the whole text must be one number.

Accepted, alone and together: thousands separators if well formed (`1,234.5`, Swiss `1'234.5`, Indian `12,34,567`, a
blank that does not break), currency signs and codes (`$7,600.00`, `EUR 12`, `12 dollars`, `CHF 50.-`), minus signs and
parentheses for negatives (`(123)`, `$(1.5) million`), scale words (`1.2 million`, `3k`, `4bn`, `2 crore`), scientific
notation (`5e3`), multiples (`2.5x`) and percent.

Percent is not converted: `12.3%` is 12.3, so it equals a plain `12.3` and not `0.123`. Basis points are hundredths
of a percent: `25 bp` is 0.25. An ambiguous text (`1,23`, `12,5`, `-(5)`, `about 5`, `5 or 6`) is no number.

With a decimal comma, as in most of Europe, `1.234,5` and `1 234,5` are 1234.5, `12,5` is 12.5, and `1.234` is 1234.
"""

from __future__ import annotations

import re
from decimal import Decimal
from functools import lru_cache

_SCALES = {
    **dict.fromkeys(("thousand", "thousands", "k"), 3),
    **dict.fromkeys(("lakh", "lakhs", "lac", "lacs"), 5),
    **dict.fromkeys(("million", "millions", "millionen", "mm", "mn", "mio", "mio.", "m"), 6),
    **dict.fromkeys(("crore", "crores", "cr"), 7),
    **dict.fromkeys(("billion", "billions", "bn", "b", "milliarden", "mrd", "mrd."), 9),
    **dict.fromkeys(("trillion", "trillions", "tn", "t"), 12),
}
_BASIS_POINTS = ("basis points", "basis point", "bps", "bp")
_PERCENT = ("%", "percentage points", "percent", "per cent", "pct", "pp")
_TIMES = ("x", "times")
_SIGNS = ("us$", "a$", "c$", "hk$", "s$", "$", "€", "£", "¥", "₹", "rs", "rs.")
_CODES = ("usd", "eur", "gbp", "chf", "jpy", "cad", "aud", "nzd", "cny", "inr", "hkd", "sgd", "sek", "nok", "dkk")
_MONEY_WORDS = ("dollars", "dollar", "euros", "euro", "pounds", "pound", "yen", "francs")


def _any_of(words: tuple[str, ...]) -> str:
    """Return a pattern of the words, with the longest first so that `million` is not read as `m`."""
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_MONEY_BEFORE = rf"(?:{_any_of(_SIGNS + _CODES)})"
_MONEY_AFTER = rf"(?:{_any_of(_SIGNS + _CODES + _MONEY_WORDS)})"
_EXPONENT = r"(?:e(?P<exponent>[+-]?[0-9]{1,3}))?"
_GROUPED = (r"[1-9][0-9]{0,2}(?:,[0-9]{3})+", r"[1-9][0-9]?(?:,[0-9]{2})+,[0-9]{3}")  # everywhere; in India
_APOSTROPHES, _BLANKS = r"[1-9][0-9]{0,2}(?:'[0-9]{3})+", r"[1-9][0-9]{0,2}(?:_[0-9]{3})+"
_ROUND = r"\.-{1,2}"  # no centimes: 50.-


def _pattern(grouped: tuple[str, ...], mark: str) -> re.Pattern[str]:
    """Return the pattern of a number with these groups of digits and this decimal mark."""
    digits = (
        rf"(?:(?:{'|'.join(grouped)})(?:{mark}[0-9]+|{_ROUND})?"
        rf"|(?:[0-9]+(?:{mark}[0-9]+)?|{mark}[0-9]+){_EXPONENT}|[0-9]+{_ROUND})"
    )
    rates = _any_of(_PERCENT + _BASIS_POINTS + _TIMES)
    scales = _any_of(tuple(_SCALES))
    return re.compile(
        rf"(?P<sign>[+-])?\ ?(?P<money1>{_MONEY_BEFORE})?\ ?(?P<sign2>[+-])?"
        rf"(?P<open>\()?\ ?(?P<money2>{_MONEY_BEFORE})?\ ?(?P<digits>{digits})"
        rf"\ ?(?P<scale1>{scales})?\ ?(?P<rate1>{rates})?\ ?(?P<close>\))?"
        rf"\ ?(?P<scale2>{scales})?\ ?(?P<rate2>{rates})?"
        rf"\ ?(?P<money3>{_MONEY_AFTER})?"
    )


_POINT = _pattern((*_GROUPED, _APOSTROPHES, _BLANKS), r"\.")
_COMMA = _pattern((r"[1-9][0-9]{0,2}(?:\.[0-9]{3})+", _APOSTROPHES, _BLANKS.replace("_", "[_ ]")), ",")
_UNGROUPED = (str.maketrans("", "", ",'_"), str.maketrans(",", ".", ".'_ "))  # with a point; with a comma
_UNBROKEN = re.compile("(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9])")  # between groups of digits
# Typographic minus signs, blanks and apostrophes to plain ones.
_PLAIN = str.maketrans(
    {
        **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d", "-"),
        **dict.fromkeys("\u00a0\u2009\u202f", " "),
        **dict.fromkeys("\u2018\u2019\u02bc\u2032", "'"),
    }
)


@lru_cache(maxsize=65536)
def parse_number(text: str, *, decimal_comma: bool = False) -> Decimal | None:
    """Return the exact number of the whole text, or None if it is not a single number in a known notation."""
    plain = re.sub(r"\s+", " ", _UNBROKEN.sub("_", text).translate(_PLAIN)).strip().lower()
    match = None if "_" in text else (_COMMA if decimal_comma else _POINT).fullmatch(plain)
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
    digits = part["digits"].translate(_UNGROUPED[decimal_comma]).rstrip("-").removesuffix(".").partition("e")[0]
    exponent = int(part["exponent"] or 0) + (_SCALES[scales[0]] if scales else 0)
    exponent -= 2 if rates and rates[0] in _BASIS_POINTS else 0
    minus = "-" if signs and signs[0] in "-(" else ""
    return Decimal(f"{minus}{digits}e{exponent}")  # from text: Decimal arithmetic would round at 28 digits
