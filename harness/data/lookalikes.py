"""Labels and options that look the same on paper and are different texts to a computer.

A Cyrillic `а` beside a Latin `a`, a full-width letter, a minus sign beside a hyphen: a model cannot be right on both of two
such labels, and no reader of a table can tell them apart. The table holds the letters of Cyrillic and Greek that have the
shape of a Latin one in nearly every typeface (Unicode Technical Standard 39); Greek small letters that differ in shape
(alpha beside a) are left apart, because formulas use both.
"""

from __future__ import annotations

import unicodedata

from harness.metrics.text import canonical, fold

_CYRILLIC = dict(zip("АВЕЅІЈКМНОРСТУХԌԚԜаеѕіјорсухһԁԛԝ", "ABESIJKMHOPCTYXGQWaesijopcyxhdqw", strict=True))
_GREEK = dict(zip("ΑΒΕΖΗΙΚΜΝΟΡΤΥΧοϲ", "ABEZHIKMNOPTYXoc", strict=True))
_MARKS = {
    **dict.fromkeys("\u2010\u2011\u2012\u2013\u2212\ufe63\uff0d\u02d7", "-"),
    **dict.fromkeys("\u2018\u2019\u02bc\u2032\u00b4\u0060", "'"),
    **dict.fromkeys("\u201c\u201d\u2033", '"'),
}
_TABLE = str.maketrans({**_CYRILLIC, **_GREEK, **_MARKS})
_SAME_SHAPE = ("<wide>", "<narrow>", "<font>", "<noBreak>", "<compat>")  # and not <super>: 10² is not 102


def skeleton(text: str) -> str:
    """Return a text that is equal for two texts if and only if they look the same, case and spacing apart."""
    if text.isascii() and "`" not in text:
        return fold(text)
    plain = "".join(map(_shape, canonical(text)))
    return fold(plain.translate(_TABLE))


def _shape(character: str) -> str:
    kind, _, rest = unicodedata.decomposition(character).partition(" ")
    return "".join(chr(int(code, 16)) for code in rest.split()) if kind in _SAME_SHAPE else character


def difference(first: str, second: str) -> str:
    """Return in words how two texts of one look differ; empty if all of their characters are plain."""
    for text, twin in ((first, second), (second, first)):
        for character in text:
            if character not in twin and not character.isascii():
                name = unicodedata.name(character, "without a name")
                return f"U+{ord(character):04X} {name} in one of them"
    return ""


def quoted(text: str) -> str:
    """Return a text as one word of a shell; characters that cannot be told apart by eye are escaped."""
    if text.isascii():
        return text
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "$'" + "".join(c if c.isascii() else f"\\U{ord(c):08x}" for c in escaped) + "'"
