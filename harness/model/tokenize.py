"""Token ids of examples: the renderer that training and testing share.

A prompt is the task's text, inside the chat template if the tokenizer has one. It is followed by " " + target + end of
text, or by an assistant's turn as the template writes it (see `chat_turn`). Prompt and continuation are tokenised so that
the boundary is the same in training, in scoring options and in generating. Control tokens in the data are text.

For perplexity there is no template and no end token. The prompt is a heading, the text begins on the line below it, and
each of its tokens is scored once, in windows that overlap (see `windows`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import HarnessError
from harness.model import ambiguity, chat_turn
from harness.model.chat import control_tokens
from harness.model.chat.control_tokens import Piece
from harness.model.chat.render import chat_of
from harness.record import Scoring
from harness.schema import Example, Task

CUT = "\n[...]\n"


@dataclass(frozen=True)
class Pair:
    """The token ids of one training example; the loss covers `target` (end token included), never `prompt`."""

    prompt: tuple[int, ...]
    target: tuple[int, ...]
    cut_tokens: int = 0

    def __len__(self) -> int:
        return len(self.prompt) + len(self.target)


@dataclass(frozen=True)
class EncodedQuestion:
    """The token ids of one test example; `options` has each choice's continuation with its end token."""

    prompt: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    cut_tokens: int = 0


def encode_pair(tokenizer: Any, prompt: str, target: str) -> tuple[list[int], list[int]]:
    """Return (prompt ids, target ids); the target ids end with the end token."""
    return _prompt_ids(tokenizer, [prompt])[0], _Continuations(tokenizer).ids(prompt, target)


def encode_options(tokenizer: Any, questions: Sequence[tuple[str, Sequence[str]]]) -> list[list[list[int]]]:
    """Return the ids of each option with its end token, for (prompt, options) of each question."""
    continuations = _Continuations(tokenizer)
    return [[continuations.ids(prompt, option) for option in options] for prompt, options in questions]


def encode_train(tokenizer: Any, examples: Sequence[Example], task: Task, max_tokens: int, reserve: int) -> list[Pair]:
    """Return one `Pair` per example, in order.

    Args:
        tokenizer: the model's tokenizer.
        examples: training examples, with `target` as the gold answer.
        task: renders the prompt.
        max_tokens: window for prompt and answer together.
        reserve: tokens reserved for an answer, the same as in testing (see `answer_room`).

    Raises:
        HarnessError: an example does not fit even without its context.
    """
    if task.scoring == "perplexity":
        return [_cut_text(text, max_tokens) for text in encode_texts(tokenizer, examples, task, max_tokens)]
    prompts = _fitted_prompts(tokenizer, examples, task, max_tokens, reserve)
    continuations = _Continuations(tokenizer)
    pairs = []
    for example, (text, ids, cut) in zip(examples, prompts, strict=True):
        pairs.append(Pair(tuple(ids), tuple(continuations.ids(text, example.target)), cut))
    return pairs


def encode_test(
    tokenizer: Any,
    examples: Sequence[Example],
    task: Task,
    max_tokens: int,
    reserve: int,
    shots: Sequence[Example] = (),
) -> list[EncodedQuestion]:
    """Return one `EncodedQuestion` per example, in order; arguments and errors as `encode_train`.

    `shots` are placed in front of each question: the first of them, as many as fit into the window beside it. Options that
    are the same tokens are an error, too.
    """
    prompts = _fitted_prompts(tokenizer, examples, task, max_tokens, reserve, shots)
    continuations = _Continuations(tokenizer)
    rows = []
    for example, (text, ids, cut) in zip(examples, prompts, strict=True):
        options = tuple(tuple(continuations.ids(text, option)) for option in example.choices)
        ambiguity.refuse(example.id, example.choices, options, task.name)
        rows.append(EncodedQuestion(tuple(ids), options, cut))
    return rows


def encode_texts(tokenizer: Any, examples: Sequence[Example], task: Task, max_tokens: int) -> list[Pair]:
    """Return each complete text as a `Pair` of heading and text, in order; it may be longer than the window.

    Raises:
        HarnessError: a heading takes up half of the window.
    """
    heads = [f"{task.prompt(example)}\n" for example in examples]
    texts = [head + example.target for head, example in zip(heads, examples, strict=True)]
    pairs = []
    for example, head, full in zip(examples, plain_ids(tokenizer, heads), plain_ids(tokenizer, texts), strict=True):
        if len(head) > max_tokens // 2:
            raise too_long(example.id, len(head), max_tokens // 2, task.name)
        head_fits = full[: len(head)] == head and len(full) > len(head)
        rest = full[len(head) :] if head_fits else control_tokens.ids(tokenizer, [Piece(example.target, data=True)])
        pairs.append(Pair(tuple(head), tuple(rest)))
    return pairs


def windows(text: Pair, max_tokens: int) -> list[Pair]:
    """Return the windows in which a text is scored: each scores its `target` and reads its `prompt` before that.

    The first window has the heading and the text from its start; each further one moves on by half of `max_tokens`. A
    window scores only tokens not scored by an earlier one, so that each token counts once. Tokens after the first window
    are predicted from at least half a window of text.
    """
    tokens, done = (*text.prompt, *text.target), len(text.prompt)
    parts: list[Pair] = []
    while done < len(tokens):
        end = min(done + max_tokens // 2 if parts else max_tokens, len(tokens))
        parts.append(Pair(tokens[max(0, end - max_tokens) : done], tokens[done:end]))
        done = end
    return parts


def _cut_text(text: Pair, max_tokens: int) -> Pair:
    """Return the beginning of a text that fits into the window, for training, with the number of tokens cut."""
    target = text.target[: max_tokens - len(text.prompt)]
    return Pair(text.prompt, target, len(text.target) - len(target))


def answer_room(scoring: Scoring, max_new_tokens: int) -> int:
    """Return the least tokens reserved for an answer: the limit of generation, 0 for options, whose length is known."""
    return max_new_tokens if scoring == "generate" else 0


def choose_shots(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """Return `count` train examples to show, sampled by the seed from different groups and answers as far as possible."""
    if not count:
        return []
    pool = list(examples)
    random.Random(f"shots {seed}").shuffle(pool)
    groups: Counter[str] = Counter()
    targets: Counter[str] = Counter()
    shots: list[Example] = []
    for _ in range(min(count, len(pool))):
        best = min(pool, key=lambda example: (groups[example.group or f"\0{example.id}"], targets[example.target]))
        pool.remove(best)
        groups[best.group or f"\0{best.id}"] += 1
        targets[best.target] += 1
        shots.append(best)
    return shots


def _fitted_prompts(
    tokenizer: Any,
    examples: Sequence[Example],
    task: Task,
    max_tokens: int,
    reserve: int,
    shots: Sequence[Example] = (),
) -> list[tuple[str, list[int], int]]:
    """Return (text, ids, tokens cut) per example, each with room for its longest answer.

    If a prompt is too long, shots are dropped first, then context is cut.
    """
    blocks = [f"{task.prompt(shot)} {shot.target}\n\n" for shot in shots]
    texts = ["".join(blocks) + task.prompt(example) for example in examples]
    continuations = _Continuations(tokenizer)
    rows = []
    for example, text, ids in zip(examples, texts, _prompt_ids(tokenizer, texts), strict=True):
        answers = {example.target, *example.choices}
        room = max(reserve, *(len(continuations.ids(text, answer)) for answer in answers))
        full_length, count = len(ids), len(blocks)
        while count and len(ids) + room > max_tokens:
            count -= 1
            text = "".join(blocks[:count]) + task.prompt(example)
            (ids,) = _prompt_ids(tokenizer, [text])
        if len(ids) + room <= max_tokens:
            rows.append((text, ids, full_length - len(ids)))
        else:
            short, short_ids = _shorten(tokenizer, example, task, max_tokens - room)
            rows.append((short, short_ids, full_length - len(short_ids)))
    return rows


def _shorten(tokenizer: Any, example: Example, task: Task, budget: int) -> tuple[str, list[int]]:
    """Return the longest prompt of at most `budget` tokens after cutting the middle out of the context.

    The question and the options are not cut; the context's beginning (title, policy number) and end stay readable.
    """

    def rendered(keep: int) -> tuple[str, list[int]]:
        context = example.context
        if keep < len(context):
            context = context[: keep // 2] + CUT + context[len(context) - (keep - keep // 2) :]
        text = task.prompt(replace(example, context=context if keep else ""))
        return text, _prompt_ids(tokenizer, [text])[0]

    best = rendered(0)
    if not example.context or len(best[1]) > budget:
        raise too_long(example.id, len(best[1]), budget, task.name)
    low, high = 0, len(example.context)
    while high - low > 1:
        middle = (low + high) // 2
        trial = rendered(middle)
        if len(trial[1]) <= budget:
            low, best = middle, trial
        else:
            high = middle
    return best


def too_long(name: str, needed: int, budget: int, task: str) -> HarnessError:
    """Return the error for an example that needs `needed` prompt tokens if only `budget` fit beside its answer."""
    return HarnessError(
        f"example '{name}' needs {needed} tokens without its context, {max(0, budget)} fit beside the answer",
        where=f"task {task}",
        fix="raise --max-tokens up to the model's window, or shorten the question",
    )


def _prompt_ids(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Return token ids per prompt, with the tokenizer's special tokens in front (BOS) and without those at the end."""
    if not prompts:
        return []
    if chat_of(tokenizer):
        return _templated_ids(tokenizer, [[{"role": "user", "content": prompt}] for prompt in prompts])
    return plain_ids(tokenizer, prompts)


def chat_ids(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Return token ids of a chat up to the start of the model's answer; one user message gives the ids of a prompt.

    If the tokenizer has no chat template, the messages' texts are joined by blank lines.
    """
    if not chat_of(tokenizer):
        return plain_ids(tokenizer, ["\n\n".join(message["content"] for message in messages)])[0]
    return _templated_ids(tokenizer, [[dict(message) for message in messages]])[0]


def _templated_ids(tokenizer: Any, chats: Sequence[list[dict[str, str]]]) -> list[list[int]]:
    chat, turn = chat_of(tokenizer), chat_turn.turn(tokenizer)
    if chat is None:
        raise RuntimeError("a tokenizer without a chat template")
    texts = [turn.completed(chat.prompt(messages)) for messages in chats]
    if control_tokens.occurs(tokenizer, (message["content"] for messages in chats for message in messages)):
        return [control_tokens.ids(tokenizer, _pieces(*pair)) for pair in zip(texts, chats, strict=True)]
    # The template writes its own special tokens, BOS included.
    return [list(ids) for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]


def _pieces(text: str, messages: Sequence[Mapping[str, str]]) -> list[Piece]:
    """Return a rendered chat in pieces: the template's, and those of the messages."""
    pieces, rest = [], text
    for message in messages:
        content = message["content"].strip()
        before, content_again, after = rest.partition(content) if content else ("", "", rest)
        if content_again:
            pieces += [Piece(before, data=False), Piece(content, data=True)]
            rest = after
    return [*pieces, Piece(rest, data=False)]


def plain_ids(tokenizer: Any, texts: Sequence[str], *, raw: bool = False) -> list[list[int]]:
    """Return token ids per text, without a template: special tokens in front (BOS), none at the end.

    With `raw` the texts may have control tokens, as those of a client that writes its own template.
    """
    rows = [list(ids) for ids in tokenizer(list(texts), verbose=False)["input_ids"]] if texts else []
    if not raw and control_tokens.occurs(tokenizer, texts):
        (added,) = tokenizer([""], verbose=False)["input_ids"]
        front = added[:1] if added and added[0] == getattr(tokenizer, "bos_token_id", None) else []
        for number, text in enumerate(texts):
            if control_tokens.occurs(tokenizer, [text]):
                rows[number] = [*front, *control_tokens.ids(tokenizer, [Piece(text, data=True)])]
    # A tokenizer that closes every text with its end token would end the prompt before the answer.
    return [ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids for ids in rows]


class _Continuations:
    """The ids of answers as they follow a prompt, each with its end token; equal ones are tokenised once."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._turn = chat_turn.turn(tokenizer) if chat_of(tokenizer) else None
        self._known: dict[tuple[str, str], list[int]] = {}

    def ids(self, prompt: str, answer: str) -> list[int]:
        """Return the ids of the answer behind the prompt, and the end token.

        The answer is tokenised behind the prompt's last line, or behind the template's text, and not alone. Sentencepiece
        tokenizers put a blank in front of every text, and that would double the blank between prompt and answer.
        """
        anchor = self._turn.anchor if self._turn else prompt.rsplit("\n", 1)[-1] or prompt[-1:]
        key = (anchor, answer)
        if key not in self._known:
            front = Piece(anchor, data=self._turn is None)
            text = [Piece(self._turn.lead if self._turn else " ", data=False), Piece(answer, data=True)]
            head, full = self._plain([front]), self._plain([front, *text])
            head_fits = full[: len(head)] == head and len(full) > len(head)
            end = self._turn.end if self._turn else self._tokenizer.eos_token_id
            self._known[key] = [*(full[len(head) :] if head_fits else self._plain(text)), end]
        return self._known[key]

    def _plain(self, pieces: Sequence[Piece]) -> list[int]:
        return control_tokens.ids(self._tokenizer, pieces)
