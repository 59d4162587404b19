"""An assistant's turn in a chat template: the text between the question and the answer, and the token behind the answer.

Templates differ: "[/INST] yes</s>" has a blank in front of the answer, "<start_of_turn>model\\nyes<end_of_turn>" an end of its
own, which is not the tokenizer's end of text. Training, scoring and writing all use what the template writes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from harness.errors import HarnessError
from harness.model.chat.render import ANSWER, QUESTION, Chat, chat_of


@dataclass(frozen=True)
class Turn:
    """An assistant's turn.

    `anchor` is the end of the prompt, behind the user's text. `lead` is the text between it and the answer, `end` the id of
    the token behind the answer. `opening` is text that the template writes behind its own prompt before any answer, such as
    an empty thought or the name of a channel: it belongs to the prompt. `excess` is blank text at the end of its prompt that
    it does not write in front of an answer.
    """

    anchor: str
    lead: str
    end: int
    opening: str = ""
    excess: str = ""

    def completed(self, prompt: str) -> str:
        """Return a rendered prompt up to the answer."""
        return prompt.removesuffix(self.excess) + self.opening


def turn(tokenizer: Any) -> Turn:
    """Return the assistant's turn of the tokenizer's chat template.

    If the template renders no answer behind its own prompt for one, the answer follows directly. Its end is the token that the
    template writes behind an answer, or the end of text.
    """
    chat = chat_of(tokenizer)
    if chat is None:
        return Turn("\n", "", tokenizer.eos_token_id)
    if chat.turn is None:
        chat.turn = _turn(tokenizer, chat)
    result: Turn = chat.turn
    return result


def _turn(tokenizer: Any, chat: Chat) -> Turn:
    prompt = chat.prompt([{"role": "user", "content": QUESTION}])
    anchor = prompt.rpartition(QUESTION)[2] or "\n"
    try:
        exchange = chat.exchange(QUESTION, ANSWER)
    except HarnessError:  # a template may refuse an assistant's turn
        return Turn(anchor, "", tokenizer.eos_token_id)
    before, answer, tail = exchange.rpartition(ANSWER)
    if not answer:
        return Turn(anchor, "", tokenizer.eos_token_id)
    end, shared = _end(tokenizer, tail), _common_start(prompt, before)
    lead, excess = before.removeprefix(shared), prompt.removeprefix(shared)
    if excess.strip() or (excess and lead.strip()):
        # The prompt has more than a turn of the past, such as an empty thought; or the two are something else altogether.
        return Turn(anchor, "", end if not lead else tokenizer.eos_token_id)
    opening = lead.rstrip(" ") if lead.strip() and not chat.thinks else ""
    return Turn(anchor.removesuffix(excess) + opening, lead.removeprefix(opening), end, opening, excess)


def _common_start(first: str, second: str) -> str:
    pairs = enumerate(zip(first, second, strict=False))
    return first[: next((number for number, (a, b) in pairs if a != b), min(len(first), len(second)))]


def _end(tokenizer: Any, tail: str) -> int:
    """Return the id of the special token that begins the text behind an answer, else the tokenizer's end of text."""
    ids = tokenizer(tail.strip(), add_special_tokens=False)["input_ids"] if tail.strip() else []
    special = {*tokenizer.all_special_ids, *getattr(tokenizer, "added_tokens_decoder", {})}
    return int(ids[0]) if ids and ids[0] in special else int(tokenizer.eos_token_id)
