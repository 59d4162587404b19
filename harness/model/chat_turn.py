"""An assistant's turn in a chat template: the text between the question and the answer, and the token behind the answer.

Templates differ: "[/INST] yes</s>" has a blank in front of the answer, "<start_of_turn>model\\nyes<end_of_turn>" an end of its
own, which is not the tokenizer's end of text. Training, scoring and writing all use what the template writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

QUESTION, ANSWER = "question-text", "answer-text"


@dataclass(frozen=True)
class Turn:
    """An assistant's turn.

    `anchor` is the end of the prompt, behind the user's text. `lead` is the text between it and the answer, `end` the id of
    the token behind the answer.
    """

    anchor: str
    lead: str
    end: int


def turn(tokenizer: Any) -> Turn:
    """Return the assistant's turn of the tokenizer's chat template.

    If the template renders no answer behind its own prompt for one, the answer follows directly, with the end of text.
    """
    plain = Turn("\n", "", tokenizer.eos_token_id)
    question, answer = {"role": "user", "content": QUESTION}, {"role": "assistant", "content": ANSWER}
    try:
        prompt = tokenizer.apply_chat_template([question], add_generation_prompt=True, tokenize=False)
        whole = tokenizer.apply_chat_template([question, answer], add_generation_prompt=False, tokenize=False)
    except Exception:  # a template is a program of somebody else, and may refuse an assistant's turn by any error
        return plain
    lead, found, tail = whole.removeprefix(prompt).partition(ANSWER)
    if not whole.startswith(prompt) or not found or lead.strip():
        return plain
    anchor = prompt.rpartition(QUESTION)[2] or plain.anchor
    return Turn(anchor, lead, _end(tokenizer, tail))


def _end(tokenizer: Any, tail: str) -> int:
    """Return the id of the special token that begins the text behind an answer, else the tokenizer's end of text."""
    ids = tokenizer(tail.strip(), add_special_tokens=False)["input_ids"] if tail.strip() else []
    special = {*tokenizer.all_special_ids, *getattr(tokenizer, "added_tokens_decoder", {})}
    return int(ids[0]) if ids and ids[0] in special else int(tokenizer.eos_token_id)
