"""Recipes: the flags of `run` and `plan` in a YAML, TOML or JSON file, `--recipe study.yaml`; `run` writes one for each command.

    task: claims.csv
    columns: {note: context, decision: target}
    method: [base, lora, full]
    rank: [4, 16]
    learning-rate: 2e-4
    drop-bad: true

Names are those of the flags without dashes in front. A flag that is typed as well has precedence.
"""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import harness
from harness.cli import flags, parse
from harness.cli.arguments import Flag
from harness.errors import HarnessError, did_you_mean, one_line
from harness.runs.options import Options
from harness.store import records

NAME, FOLDER = "--recipe", "recipes"
YES, NO = ("true", "yes", "on"), ("false", "no", "off")
MOST_BYTES = 1_000_000
_PLAIN = re.compile(r"[A-Za-z0-9_./~+-][A-Za-z0-9_./~+ -]*")  # needs no quotes in YAML


def expanded(words: Sequence[str], rows: Sequence[Flag]) -> list[str]:
    """Return the words of a command line with the flags of its recipes in front; a flag that is typed too is the typed one.

    Raises:
        HarnessError: the file cannot be read, or names a flag that the command does not have.
    """
    if not any(row.name == NAME for row in rows):
        return list(words)
    rest, paths = list[str](), list[str]()
    queue = list(words)
    while queue:
        word = queue.pop(0)
        if word == NAME and queue:
            paths.append(queue.pop(0))
        elif word.startswith(f"{NAME}="):
            paths.append(word.removeprefix(f"{NAME}="))
        else:
            rest.append(word)
    typed = {word.split("=")[0] for word in rest if word.startswith("-")}
    before: list[str] = []
    for path in paths:
        before += words_of(_read(parse.path(path)), rows, path, typed)
    return [*before, *rest]


def words_of(
    entries: Mapping[str, Any], rows: Sequence[Flag], where: str, typed: Collection[str] = frozenset()
) -> list[str]:
    """Return the words that a user would type for entries, without those of flags that are typed anyway.

    Raises:
        HarnessError: an entry is no flag, or its value has a form that no flag takes.
    """
    by_name = {name.strip("-"): row for row in rows for name in (row.name, row.alias) if name.startswith("--")}
    result: list[str] = []
    for key, value in entries.items():
        row = by_name.get(key.replace("_", "-"))
        if row is None or row.name == NAME:
            fix = did_you_mean(key, by_name) or "the names are those of the flags; --help lists them"
            raise HarnessError(f"no flag has the name '{key}'", where=where, fix=fix)
        if not {row.name, row.alias} & set(typed):
            result += _flag(row, value, f"{where}: {key}")
    return result


def _flag(row: Flag, value: Any, where: str) -> list[str]:
    if row.switch is not None:
        word = str(value).lower()
        if word not in (*YES, *NO):
            raise HarnessError(f"'{value}' is neither true nor false", where=where, fix="write true or false")
        return [row.name] * (word in YES)
    if isinstance(value, Mapping):
        value = [f"{name}={_scalar(text, where)}" for name, text in value.items()]
    if not isinstance(value, list | tuple):
        return [f"{row.name}={_scalar(value, where)}"]
    texts = [_scalar(text, where) for text in value]
    joined = ",".join(texts) + "," * (row.key == "seeds" and len(texts) == 1)  # `7,` is the one seed 7
    return [f"{row.name}={joined}"]


def _scalar(value: Any, where: str) -> str:
    if isinstance(value, Mapping | list | tuple):
        fix = "write a text, a number or a list of them"
        raise HarnessError("the value is a list in a list", where=where, fix=fix)
    return repr(value) if isinstance(value, float) else str(value)


def _read(path: Path) -> Mapping[str, Any]:
    """Return the entries of a file; those of YAML are texts, so that a label `no` stays a label."""
    try:
        content = path.read_bytes()[: MOST_BYTES + 1]
        if len(content) > MOST_BYTES:
            raise ValueError(f"more than {MOST_BYTES:,} bytes")
        text = content.decode("utf-8")
        entries = _toml(text) if path.suffix == ".toml" else _yaml(text)
    except FileNotFoundError:
        raise HarnessError(f"no such file: {path}", where=NAME, fix="check the path") from None
    except (OSError, ValueError, RecursionError) as error:
        problem = f"the recipe cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(path), fix="write YAML, TOML or JSON, such as  task: cfa") from None
    if not isinstance(entries, Mapping):
        raise HarnessError("the recipe has no names", where=str(path), fix="write a name and a value, as  task: cfa")
    return entries


def _toml(text: str) -> Any:
    import tomllib  # here, so that help starts fast

    return tomllib.loads(text)


def _yaml(text: str) -> Any:
    import yaml

    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
        names = [key.value for key, _ in node.value] if isinstance(node, yaml.MappingNode) else []
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise ValueError(f"the entry '{twice}' is there twice")
        return yaml.BaseLoader(text).get_single_data()  # texts, lists and mappings only
    except yaml.YAMLError as error:
        raise ValueError(one_line(error)) from None


def write(options: Options) -> Path:
    """Write the recipe of these settings into the results folder and return its path: `cfa.yaml`, then `cfa-2.yaml`, …"""
    content = text(options)
    name = "-".join(records.path_word(Path(task).stem) for task in options.tasks)[:60]
    for number in itertools.count(1):
        path = options.results / FOLDER / (f"{name}-{number}.yaml" if number > 1 else f"{name}.yaml")
        if not path.exists():
            return records.write_text(path, content)
        if path.is_file() and path.read_bytes() == content.encode():
            return path
    raise AssertionError("there is always a free name")


def text(options: Options) -> str:
    """Return the recipe of these settings in YAML: all of them but what is left to the task, the method or the machine."""
    lines = [
        f"# adaptbench {harness.__version__}; again: {NAME} with this file, and --results DIR",
        "# an entry that is not here is the default of the task, the method or the machine",
    ]
    for row in flags.RUN:
        value = _setting(row, options)
        if row.key != "results" and value not in (None, "", (), 0, False, {}):
            lines.append(f"{row.name.strip('-')}: {_in_yaml(value)}")
    return "\n".join(lines) + "\n"


def _setting(row: Flag, options: Options) -> Any:
    if row.key == "continue_from":
        return str(options.start.folder) if options.start else None
    if row.key == "challengers":
        return options.challengers or "none"
    if row.group == flags.SERVER and not options.endpoint:
        return None
    value = getattr(options, row.key, None)
    if row.switch is not None:
        return value is row.switch
    return dict(value) if value and row.key in ("columns", "relabel") else value


def _in_yaml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_in_yaml(name)}: {_in_yaml(use)}" for name, use in value.items()) + "}"
    if isinstance(value, tuple):
        return f"[{', '.join(map(_in_yaml, value))}]"
    if isinstance(value, int | float):
        return repr(value)
    return str(value) if _PLAIN.fullmatch(str(value)) else json.dumps(str(value), ensure_ascii=False)
