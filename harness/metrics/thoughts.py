"""The thoughts of a model in front of its answer, `<think>…</think>`: they are no part of the answer.

A run lets a model think if a switch of its chat template is on (`--template-args enable_thinking=true`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SWITCHES = ("enable_thinking", "thinking")  # variables of chat templates
OFF = ("false", "0", "null", "")
MARKS = {
    "<think>": "</think>",
    "<thinking>": "</thinking>",
    "<thought>": "</thought>",
    "<seed:think>": "</seed:think>",
    "[THINK]": "[/THINK]",
    "◁think▷": "◁/think▷",
    "<|START_THINKING|>": "<|END_THINKING|>",
}
TOKENS = 2048  # for thoughts, in front of an answer
START = re.compile("|".join(map(re.escape, MARKS)))
END = re.compile("|".join(map(re.escape, MARKS.values())))


def divide(text: str) -> tuple[str, str]:
    """Return the thoughts with their marks, and the answer behind them; the answer is empty if a thought has no end."""
    ends = list(END.finditer(text))
    thoughts = text[: ends[-1].end()] if ends else ""
    answer = text.removeprefix(thoughts)
    if not (start := START.search(answer)):
        return thoughts, answer
    before = answer[: start.start()]
    return (thoughts, before) if before.strip() else (text, "")


def answer(text: str) -> str:
    """Return the answer of an output without the thoughts in front of it."""
    return divide(text)[1].strip() if START.search(text) or END.search(text) else text


def allowed(template_args: Sequence[str]) -> bool:
    """Return whether these variables of a chat template turn thinking on."""
    pairs = (part.partition("=") for part in template_args)
    return any(name in SWITCHES and value not in OFF for name, _, value in pairs)


def room(max_new_tokens: int, max_tokens: int, template_args: Sequence[str]) -> int:
    """Return the most tokens that a model may write: those of a task's answer, and those of thoughts if there are any."""
    return max_new_tokens + min(TOKENS, max_tokens // 2) * allowed(template_args)
