"""`--seed` and `--seeds`, each for the commands that have the other: `--seed 7` is `--seeds 7,`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.errors import HarnessError

ONE, SEVERAL = "--seed", "--seeds"


def as_known(words: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the words of a command line with the form of the seed that the command has; `names` are its options.

    Raises:
        HarnessError: several seeds for a command with one.
    """
    if SEVERAL in names and ONE not in names:
        return _replaced(words, ONE, SEVERAL, lambda text: f"{text}," if text.isdigit() else text)
    if ONE in names and SEVERAL not in names:
        return _replaced(words, SEVERAL, ONE, _single)
    return list(words)


def _replaced(words: Sequence[str], old: str, new: str, convert: Callable[[str], str]) -> list[str]:
    result, follows = list[str](), False
    for word in words:
        name, sign, text = word.partition("=")
        if follows:
            result.append(convert(word))
        elif name == old:
            result.append(f"{new}={convert(text)}" if sign else new)
        else:
            result.append(word)
        follows = not follows and word == old
    return result


def _single(text: str) -> str:
    """Return the one seed of `7,` or of `1`, which means seed 0."""
    numbers = text.removesuffix(",")
    if text.endswith(",") and numbers.isdigit():
        return numbers
    if text == "1":
        return "0"
    if text.isdigit() or "," in text:
        fix = f"{ONE} 0; then the command again with {ONE} 1"
        raise HarnessError("this command has one seed", where=f"{SEVERAL} {text}", fix=fix)
    return text
