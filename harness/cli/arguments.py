"""A flag as one row of a table. Its declaration, its help, its value and its words in a command all come from the row."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from harness.cli import parse, seeds
from harness.cli.parse import Reader
from harness.errors import HarnessError, did_you_mean

if TYPE_CHECKING:
    from harness.runs.local import Target


@dataclass(frozen=True)
class Flag:
    """One setting of a command.

    Attributes:
        name: the flag with its dashes; an argument of the command itself has none.
        help: the meaning, without the default.
        reader: turns the text into the value (all texts, if `repeat`); `writer` turns the value into texts again.
        field: the name of the value, in `Options` if it has that field. By default the name with underscores.
        metavar: the form of the text, as help shows it.
        example: a good value, for error messages and for the page of all flags.
        default: the value without the flag.
        unset: in words the value without the flag, if it depends on something.
        switch: the value that a flag without text sets.
        group: the heading in help.
        repeat: whether the flag may be typed several times.
        required: whether the command needs it.
        nargs: how many words an argument takes, in the words of `argparse`.
        alias: another name of the flag.
    """

    name: str
    help: str
    reader: Reader = parse.text
    writer: Callable[[Any], list[str]] | None = None
    field: str = ""
    metavar: str = "N"
    example: str = ""
    default: Any = None
    unset: str = ""
    switch: bool | None = None
    group: str = ""
    repeat: bool = False
    required: bool = False
    nargs: str | None = None
    alias: str = ""

    @property
    def key(self) -> str:
        """The name of the value."""
        return self.field or self.name.strip("-").replace("-", "_").lower()

    @property
    def standard(self) -> str:
        """The default in words, empty if there is none."""
        return self.unset or (" ".join(self.texts(self.default)) if self.default is not None else "")

    @property
    def text(self) -> str:
        """The help with the default."""
        more = f"default: {self.standard}" if self.standard else "required" if self.required else ""
        return f"{self.help} ({more})" if more else self.help

    def texts(self, value: Any) -> list[str]:
        """Return the texts that the reader turns into this value."""
        if self.writer:
            return self.writer(value)
        if isinstance(value, list) or (isinstance(value, tuple) and all(isinstance(part, Path) for part in value)):
            return [str(part) for part in value]
        return [",".join(map(_text, value)) if isinstance(value, tuple) else _text(value)]


class Arguments(argparse.Namespace):
    """The values of a command's flags by the flags' keys; None for a flag that is not typed and has no default.

    `line` is the command as typed. `work` does a run in the place of a worker, for tests.
    """

    line: str = ""
    work: Target | None = None


class Parser(argparse.ArgumentParser):
    """An argument parser over rows, whose errors are `HarnessError`s with a suggestion."""

    def __init__(self, rows: Iterable[Flag], **settings: Any) -> None:
        super().__init__(allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter, **settings)
        self.rows = tuple(rows)
        groups: dict[str, Any] = {"": self}
        for row in self.rows:
            if row.group not in groups:
                groups[row.group] = self.add_argument_group(row.group)
            _declare(groups[row.group], row)

    def error(self, message: str) -> NoReturn:
        """Raise the complaint of `argparse` as an error of the harness."""
        name = next((row.name for row in self.rows if message.startswith(f"argument {row.name}")), "")
        if name and message.endswith("expected one argument"):
            example = next(row.example for row in self.rows if row.name == name)
            raise HarnessError(f"{name} has no value", where=self.prog, fix=f"{name} {example}")
        raise HarnessError(message, where=self.prog, fix=f"{self.prog} --help")

    def read(self, words: Sequence[str]) -> Arguments:
        """Return the values of the flags.

        Raises:
            HarnessError: an unknown option, with the nearest known one; or a reader refuses a text.
        """
        names = [name for action in self._actions for name in action.option_strings]
        texts, unknown = self.parse_known_args(seeds.as_known(words, names))
        if unknown:
            word = unknown[0].split("=")[0]
            kind = "option" if word.startswith("-") else "argument"
            fix = did_you_mean(word, names) or f"{self.prog} --help"
            if kind == "argument" and "--task" in names and all(row.name.startswith("-") for row in self.rows):
                fix = f"{self.prog} --task {shlex.quote(word)}"
            raise HarnessError(f"unknown {kind} {word}", where=self.prog, fix=fix)
        return Arguments(**{row.key: self._value(row, getattr(texts, row.key)) for row in self.rows})

    def _value(self, row: Flag, texts: Any) -> Any:
        if row.switch is not None:
            return row.switch if texts is not None else not row.switch
        if texts is None:
            return row.default
        if row.nargs != argparse.REMAINDER and any(
            not text.strip() for text in (texts if isinstance(texts, list) else [texts])
        ):  # as an unset variable in a script leaves it: `--results ""` would mean the working folder
            name = row.name if row.name.startswith("-") else row.metavar
            raise HarnessError(f"{name} has no value", where=self.prog, fix=f"{self.prog} --help")
        return row.reader(texts, row.name, row.example)


def write(rows: Iterable[Flag], values: Mapping[str, Any]) -> list[str]:
    """Return the words that a user types for these values; empty values and those without a row are left out."""
    words: list[str] = []
    for row in rows:
        value = values.get(row.key)
        if row.switch is not None:
            words += [row.name] * (value is row.switch)
        elif value:
            words += [word for text in row.texts(value) for word in (row.name, text)]
    return words


def _declare(parser: Any, row: Flag) -> None:
    """Add a row to a parser or a group; values are read afterwards, so that errors have one form."""
    if not row.name.startswith("-"):
        parser.add_argument(row.key, metavar=row.metavar, nargs=row.nargs, help=row.text)
        return
    names = [row.name, *filter(None, [row.alias])]
    if row.switch is not None:
        parser.add_argument(*names, dest=row.key, action="store_const", const=row.switch, help=row.text)
        return
    parser.add_argument(
        *names,
        dest=row.key,
        metavar=row.metavar,
        help=row.text,
        required=row.required,
        action="append" if row.repeat else "store",
    )


def _text(value: Any) -> str:
    if isinstance(value, tuple):  # a pair, such as (old label, new label)
        return "=".join(value)
    return repr(value) if isinstance(value, float) else str(value)


def choice(name: str, help: str, choices: tuple[str, ...], *, default: str | None = None, unset: str = "") -> Flag:
    """Return the row of a flag that takes one of a few words."""
    metavar = "|".join(choices)
    return Flag(name, help, parse.one_of(choices), metavar=metavar, example=choices[0], default=default, unset=unset)
