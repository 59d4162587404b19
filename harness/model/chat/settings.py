"""The settings of a chat template, read from a model folder without running the template.

A template may have variables of its own, such as `enable_thinking`, and may print today's date. Both decide the prompts,
so they are part of a run's id: `RunSpec.template_args` and `RunSpec.template_date`. Thinking is off unless the user turns
it on, because an option is scored right behind the prompt, and an answer has few tokens.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, did_you_mean
from harness.metrics import thoughts
from harness.model.files.identity import TEMPLATES

DATE = "2024-07-26"  # the day that Llama 3 takes if it cannot ask for today's
CLOCK = "strftime_now"
NAME = "chat_template"  # as an argument: the name of one of several templates
# Variables that the library or a run fills itself.
FILLED = {
    "messages",
    "tools",
    "documents",
    "add_generation_prompt",
    "conversation",
    "tokenize",
    "continue_final_message",
}
TAG = re.compile(r"\{%-?\s*(end)?generation\s*-?%\}")  # of transformers; it prints nothing
PYTHON = {"True": "true", "False": "false", "None": "null"}
FLAG = "--template-args"


def templates(folder: Path) -> dict[str, str]:
    """Return the text of each chat template of a model folder by its name; empty without any. One has the name `default`."""
    files = {path.stem: path for path in sorted((folder / TEMPLATES).glob("*.jinja"))}
    if (folder / "chat_template.jinja").is_file():
        files["default"] = folder / "chat_template.jinja"
    if files:
        return {name: path.read_text(encoding="utf-8", errors="replace") for name, path in files.items()}
    try:
        stored = json.loads((folder / "tokenizer_config.json").read_text(encoding="utf-8")).get("chat_template")
    except (
        OSError,
        ValueError,
        AttributeError,
        RecursionError,
    ):  # a broken file is refused by `load_tokenizer`, with words
        return {}
    if isinstance(stored, str):
        return {"default": stored}
    pairs = stored if isinstance(stored, list) else []
    return {str(part.get("name")): str(part.get("template")) for part in pairs if isinstance(part, dict)}


def variables(template: str) -> frozenset[str]:
    """Return the names that a template reads and does not set; empty for a text that is no template."""
    from jinja2 import Environment, meta

    try:
        tree = Environment(extensions=["jinja2.ext.loopcontrols"]).parse(TAG.sub("", template))
        return frozenset(meta.find_undeclared_variables(tree))
    except Exception:  # somebody else's program; the run that renders it reports what is wrong with it
        return frozenset()


def arguments(folder: Path, typed: Sequence[str] = ()) -> tuple[str, ...]:
    """Return the variables of a folder's chat template as `name=value`, sorted; thinking is off unless typed otherwise.

    Raises:
        HarnessError: a text is not of this form, or the template has no such variable.
    """
    args = _read(typed)
    texts = templates(folder)
    if args and not texts:
        raise HarnessError("the model has no chat template", where=f"{FLAG} {typed[0]}", fix=f"leave {FLAG} out")
    name = args.get(NAME, "")
    if name and name not in texts:
        fix = did_you_mean(name, texts) or f"choose one of {', '.join(texts)}"
        raise HarnessError(f"the model has no chat template '{name}'", where=f"{FLAG} {NAME}={name}", fix=fix)
    names = variables(texts.get(name or "default", next(iter(texts.values()), "")))
    for variable in args:
        if variable != NAME and (variable not in names or variable in FILLED | {CLOCK}):
            choices = sorted(names - FILLED - {CLOCK})
            fix = did_you_mean(variable, choices) or (
                f"it has {', '.join(choices)}" if choices else f"leave {FLAG} out"
            )
            problem = f"the chat template has no variable '{variable}' to set"
            raise HarnessError(problem, where=f"{FLAG} {variable}={args[variable]}", fix=fix)
    defaults = {switch: "false" for switch in thoughts.SWITCHES if switch in names}
    return tuple(f"{variable}={value}" for variable, value in sorted((defaults | args).items()))


def date(folder: Path, args: Iterable[str]) -> str:
    """Return the date that a folder's template prints, empty if the template with these arguments asks for none."""
    texts = templates(folder)
    text = texts.get(values(args).get(NAME, "default"), next(iter(texts.values()), ""))
    return DATE if CLOCK in variables(text) else ""


def values(args: Iterable[str]) -> dict[str, Any]:
    """Return the variables of `name=value` texts: JSON if a value is JSON, else the text."""
    pairs = (part.partition("=") for part in args)
    return {name: value if name == NAME else _value(value) for name, _, value in pairs}


def _read(typed: Sequence[str]) -> dict[str, str]:
    args: dict[str, str] = {}
    for text in typed:
        name, sign, value = text.partition("=")
        if not (sign and name.isidentifier() and value):
            problem = f"'{text}' is not of the form name=value"
            raise HarnessError(problem, where=FLAG, fix=f"{FLAG} enable_thinking=false")
        if name in args:
            raise HarnessError(f"the variable '{name}' has two values", where=f"{FLAG} {text}", fix="pass one of them")
        args[name] = value if name == NAME else _canonical(_value(value))
    return args


def _value(text: str) -> Any:
    try:
        return json.loads(PYTHON.get(text, text))
    except (ValueError, RecursionError):
        return text


def _canonical(value: Any) -> str:
    """Return the one text of a value: `False` and `false` are the same."""
    if isinstance(value, str) and _value(value) == value:
        return value
    return json.dumps(value, separators=(",", ":"), sort_keys=True)
