"""Readers of the command line: a text becomes a value, or an error names the flag, the value found and the value needed.

A reader takes the text of a flag (its texts, if the flag may be repeated), the flag's name and an example of a good value.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.data import raw
from harness.endpoint import settings as endpoint
from harness.errors import HarnessError, did_you_mean

Reader = Callable[[Any, str, str], Any]
OTHER_NAMES = {"gpu": "cuda", "float32": "fp32", "bfloat16": "bf16"}  # of values, in other programs
MAX_SEEDS = 30  # a larger number is refused: it is probably meant as the name of one seed


def text(value: str, flag: str, example: str) -> str:
    """Return the text as it is."""
    return value


def words(texts: str | Iterable[str], flag: str, example: str) -> tuple[str, ...]:
    """Split repeated and comma-separated values: `--task a --task b,c` is a, b, c; each once, in order."""
    values = _list(texts)
    parts = [part.strip() for value in values for part in value.split(",")]
    names = tuple(dict.fromkeys(filter(None, parts)))
    if not names:
        raise HarnessError(f"{flag} has no value", where=flag, fix=f"{flag} {example}")
    if not all(parts):  # as an unset variable in a script leaves it: `cfa,$OTHER`
        fix = " ".join(filter(None, [flag if flag.startswith("-") else "", ",".join(names)]))
        raise HarnessError("a name between the commas is empty", where=f"{flag} {' '.join(values)}", fix=fix)
    return names


def single(reader: Reader) -> Reader:
    """Return a reader of one value as a tuple of it, for a field that holds several in other commands."""
    return lambda value, flag, example: (reader(value, flag, example),)


def integer(least: int, most: float = math.inf) -> Reader:
    """Return a reader of a whole number from `least` to `most`."""

    def read(value: str, flag: str, example: str) -> int:
        number = int(value) if re.fullmatch(r"\s*[0-9]{1,9}\s*", value) else least - 1
        if not least <= number <= most:
            bounds = f"from {least} to {most}" if most < math.inf else f"from {least} on"
            problem = f"{flag} {value} is not a whole number {bounds}"
            raise HarnessError(problem, where=flag, fix=f"{flag} {example}")
        return number

    return read


def number(
    *, above: float = -math.inf, least: float = -math.inf, most: float = math.inf, below: float = math.inf
) -> Reader:
    """Return a reader of a finite number within these bounds."""
    ends = ((above, "above"), (least, "from"), (most, "up to"), (below, "below"))
    bounds = " and ".join(f"{word} {end:g}" for end, word in ends if math.isfinite(end))

    def read(value: str, flag: str, example: str) -> float:
        try:
            amount = float(value)
        except ValueError:
            amount = math.nan
        if not (math.isfinite(amount) and above < amount < below and least <= amount <= most):
            problem = f"{flag} {value} is not a number {bounds}"
            raise HarnessError(problem, where=flag, fix=f"{flag} {example}")
        return amount

    return read


count, positive, share = integer(1), number(above=0), number(above=0, most=1)


def numbers(value: str, flag: str, example: str) -> tuple[float, ...]:
    """Read finite numbers between commas, such as `--weights 0.5,0.5`."""
    try:
        amounts = tuple(float(part) for part in value.split(","))
    except ValueError:
        amounts = ()
    if not amounts or not all(map(math.isfinite, amounts)):
        raise HarnessError(f"{flag} {value} is not a list of numbers", where=flag, fix=f"{flag} {example}")
    return amounts


def prices(value: str, flag: str, example: str) -> tuple[float, ...]:
    """Read the prices of a million tokens of prompts and of answers, of 0 or more; one alone is both."""
    amounts = numbers(value, flag, example)
    if len(amounts) > 2 or min(amounts) < 0:
        problem = f"{flag} {value} is not one or two prices from 0 on"
        raise HarnessError(problem, where=flag, fix=f"{flag} {example}")
    return amounts


def address(value: str, flag: str, example: str) -> str:
    """Read the address of a server, which has no key in it."""
    return endpoint.address(value)


def factors(value: str, flag: str, example: str) -> tuple[float, ...]:
    """Read finite numbers of 0 or more between commas, such as `--scale 0,0.5,1`, in order and each once."""
    amounts = numbers(value, flag, example)
    if min(amounts) < 0:
        raise HarnessError(f"{flag} {value} is not a list of numbers from 0 on", where=flag, fix=f"{flag} {example}")
    return tuple(sorted({amount + 0.0 for amount in amounts}))  # no minus zero


def ranks(texts: str | Iterable[str], flag: str, example: str) -> tuple[int, ...]:
    """Read ranks such as 4,16,64; the model's limit is checked as soon as the model is known."""
    joined = ",".join(_list(texts))
    values = _integers(joined, flag, example)
    if min(values) < 1:
        problem = f"rank {min(values)} is below 1, and a rank is a whole number of 1 or more"
        raise HarnessError(problem, where=f"{flag} {joined}", fix=f"{flag} {example}")
    return values


def seeds(value: str, flag: str, example: str) -> tuple[int, ...]:
    """Read seeds: one number is how many (3 is 0, 1, 2), a list names them (`0,1,2`, or `7,` for one)."""
    values = _integers(value, flag, example)
    if "," in value:
        if min(values) < 0:
            problem = f"seed {min(values)} is below 0, and a seed is a whole number of 0 or more"
            raise HarnessError(problem, where=f"{flag} {value}", fix=f"{flag} 0,1,2")
        return values
    (number_of,) = values
    if number_of < 1:
        raise HarnessError(f"{flag} {number_of} leaves nothing to run", where=flag, fix=f"{flag} {example}")
    if number_of > MAX_SEEDS:
        problem = f"{flag} {number_of} means {number_of} seeds, 0 to {number_of - 1}; at most {MAX_SEEDS} are possible"
        raise HarnessError(problem, where=flag, fix=f"for the one seed {number_of}: {flag} {number_of},")
    return tuple(range(number_of))


def devices(value: str, flag: str, example: str) -> tuple[str, ...]:
    """Read cards such as `0-7`, `0,2`, `all`, or the ids of cards and slices; a range becomes its numbers."""
    words: list[str] = []
    for word in map(str.strip, value.split(",")):
        numbers = re.fullmatch(r"([0-9]{1,3})-([0-9]{1,3})", word)
        group = [str(number) for number in range(int(numbers[1]), int(numbers[2]) + 1)] if numbers else [word]
        if not group or not re.fullmatch(r"[0-9]{1,3}|all|(GPU|MIG)-[0-9A-Za-z/-]+", group[0]):
            problem = f"'{word}' is neither a card's number, nor a range of numbers that rises, nor a UUID, nor all"
            raise HarnessError(problem, where=f"{flag} {value}", fix=f"{flag} {example}")
        words += group
    if "all" in words and len(words) > 1:
        problem = f"all and {len(words) - 1} further card{'s' * (len(words) > 2)} are named together"
        raise HarnessError(problem, where=f"{flag} {value}", fix=f"{flag} all")
    return tuple(words)


def cluster(value: str, flag: str, example: str) -> str:
    """Read the name of a cluster: `ray`, or `ray://HOST:PORT`."""
    if value == "ray" or re.fullmatch(r"ray://(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):[0-9]{1,5}", value):
        return value
    problem = f"'{value}' is neither ray nor the address of a Ray cluster's client server"
    raise HarnessError(problem, where=flag, fix=f"{flag} {example}, or {flag} ray://HOST:10001")


def one_of(choices: Sequence[str]) -> Reader:
    """Return a reader of one of a few words, such as `--dtype bf16`."""

    def read(value: str, flag: str, example: str) -> str:
        if value not in choices:
            meant = OTHER_NAMES.get(value.lower(), "")
            near = f"did you mean '{meant}'?" if meant in choices else did_you_mean(value, choices)
            fix = near or "choose one of " + ", ".join(choices)
            raise HarnessError(f"{flag} {value} is unknown", where=flag, fix=fix)
        return value

    return read


def engine(choices: Sequence[str]) -> Reader:
    """Return a reader of the name of an engine, which is no address: an engine gets the weights of a run, a server has its own."""
    read_name = one_of(choices)

    def read(value: str, flag: str, example: str) -> str:
        if "://" in value or "localhost" in value:
            problem = f"{flag} names a program that gets this run's weights, and an address is given; a server has a model of its own"
            raise HarnessError(
                problem,
                where=flag,
                fix=f"{endpoint.FLAG} {_address_or_word(value)} --endpoint-model NAME, a row of its own",
            )
        name: str = read_name(value, flag, example)
        return name

    return read


def _address_or_word(value: str) -> str:
    """Return an address without what may be a key; `URL` if it is none."""
    try:
        return endpoint.address(value)
    except HarnessError:
        return "URL"


def relabel(texts: Iterable[str], flag: str, example: str) -> tuple[tuple[str, str], ...]:
    """Read `--relabel positive=neutral,neutral=positive`: (label in the file, label to use)."""
    pairs = []
    for part in words(texts, flag, example):
        old, sign, new = (word.strip() for word in part.partition("="))
        if not (sign and old and new) or "=" in new:
            raise HarnessError(f"'{part}' is not of the form old=new", where=flag, fix=f"{flag} {example}")
        pairs.append((old, new))
    labels = [old for old, _ in pairs]
    if twice := next((label for label in labels if labels.count(label) > 1), None):
        raise HarnessError(f"the label '{twice}' has two new names", where=flag, fix="name each label once")
    return tuple(pairs)


def columns(texts: Iterable[str], flag: str, example: str) -> tuple[tuple[str, str], ...]:
    """Read `--columns note=context,decision=target`: (column in the file, its use)."""
    pairs = []
    for part in words(texts, flag, example):
        column, sign, use = (word.strip() for word in part.rpartition("="))
        if not (sign and column and use):
            raise HarnessError(f"'{part}' is not of the form column=use", where=flag, fix=f"{flag} {example}")
        pairs.append((column, use))
    names = [column for column, _ in pairs]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise HarnessError(f"the column '{twice}' has two uses", where=flag, fix="name each column once")
    return tuple(pairs)


def encoding(value: str, flag: str, example: str) -> str:
    """Read the name of a text encoding, such as cp1252 or `Windows-1252`, as Python names it."""
    try:
        return raw.text_encoding(value.strip())
    except LookupError:
        usual = (
            "utf-8",
            "utf-16",
            "cp1252",
            "latin-1",
            "cp850",
            "cp1250",
            "cp1251",
            "mac-roman",
            "shift-jis",
            "gb18030",
        )
        fix = did_you_mean(value.lower(), usual) or f"usual ones are {', '.join(usual)}"
        raise HarnessError(f"there is no encoding '{value}'", where=flag, fix=fix) from None


def assignments(texts: Iterable[str], flag: str, example: str) -> tuple[str, ...]:
    """Read `--template-args a=1,b=x`, or a JSON object with these names; a comma inside a value is no separator."""
    parts: list[str] = []
    for text in _list(texts):
        if text.lstrip().startswith("{"):
            try:
                pairs = json.loads(text).items()
            except (ValueError, RecursionError):
                problem = f"'{text}' is not a JSON object"
                raise HarnessError(problem, where=flag, fix=f"{flag} {example}") from None
            parts += [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in pairs]
        else:
            parts += [part.strip() for part in re.split(r",(?=\s*[^\W\d]\w*=)", text)]
    return tuple(parts)


def path(value: str, flag: str = "", example: str = "") -> Path:
    """Read a path; `~` is the user's own folder, even if the shell left it as it is (`--results=~/x`)."""
    with contextlib.suppress(RuntimeError):  # ~name of a user who is not known here
        return Path(value).expanduser()
    return Path(value)


def folder(value: str, flag: str, example: str) -> Path:
    """Read the name of a folder that exists and may be read."""
    name = path(value)
    if not name.is_dir():
        problem = f"'{value}' is not a folder" if name.exists() else f"there is no folder '{value}'"
        raise HarnessError(problem, where=flag, fix="check the path")
    if not os.access(name, os.R_OK | os.X_OK):
        raise HarnessError(f"the folder '{value}' may not be read", where=flag, fix="check its permissions")
    return name


def folders(texts: Iterable[str], flag: str, example: str) -> tuple[Path, ...]:
    """Read the names of folders, one for each time that the flag is typed."""
    return tuple(folder(value, flag, example) for value in texts)


def _list(texts: str | Iterable[str]) -> list[str]:
    return [texts] if isinstance(texts, str) else list(texts)


def _integers(value: str, flag: str, example: str) -> tuple[int, ...]:
    """Read whole numbers between commas; a comma may end the list, an empty place is a number forgotten."""
    parts = [part.strip() for part in value.strip().removesuffix(",").split(",")]
    if not all(re.fullmatch(r"-?[0-9]{1,9}", part) for part in parts):
        raise HarnessError(f"{flag} {value} is not a list of whole numbers", where=flag, fix=f"{flag} {example}")
    return tuple(dict.fromkeys(int(part) for part in parts))
