"""Examples to token ids: the one renderer that training and testing share.

A prompt is the task's text (inside the chat template where the tokenizer has one); what follows it is " " + target +
end of text (without the blank after a chat template). Prompt and continuation are tokenised so that the boundary is
the same in training, in scoring options and in generating.

Where the text itself is scored ("perplexity") there is no template and no end token: the prompt is a heading, the text
stands on the line below it, and each of its tokens is scored once, in windows that overlap (see `windows`).
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.errors import HarnessError
from harness.record import Scoring
from harness.schema import Example, Task

CUT = "\n[...]\n"


@dataclass(frozen=True)
class Pair:
    """Token ids of one training example: the loss covers `target` (end token included), never `prompt`."""

    prompt: tuple[int, ...]
    target: tuple[int, ...]
    cut_tokens: int = 0

    def __len__(self) -> int:
        return len(self.prompt) + len(self.target)


@dataclass(frozen=True)
class Encoded:
    """Token ids of one test example; `options` holds each choice's continuation with its end token."""

    prompt: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    cut_tokens: int = 0


def encode_pair(tokenizer: Any, prompt: str, target: str) -> tuple[list[int], list[int]]:
    """Return (prompt ids, target ids); the target ids end with the end token."""
    return _prompt_ids(tokenizer, [prompt])[0], _continuation(tokenizer, prompt, target, {})


def encode_train(tokenizer: Any, examples: Sequence[Example], task: Task, max_tokens: int, reserve: int) -> list[Pair]:
    """Return one `Pair` per example, in order.

    Args:
        tokenizer: of the model.
        examples: with `target` as the gold answer.
        task: renders the prompt.
        max_tokens: window for prompt and answer together.
        reserve: tokens kept free for an answer, the same as in testing (see `answer_room`).

    Raises:
        HarnessError: an example does not fit even without its context.
    """
    if task.scoring == "perplexity":
        return [_cut_text(text, max_tokens) for text in encode_texts(tokenizer, examples, task, max_tokens)]
    prompts = _fitted_prompts(tokenizer, examples, task, max_tokens, reserve)
    cache: dict[tuple[str, str], list[int]] = {}
    pairs = []
    for example, (text, ids, cut) in zip(examples, prompts, strict=True):
        pairs.append(Pair(tuple(ids), tuple(_continuation(tokenizer, text, example.target, cache)), cut))
    return pairs


def encode_test(
    tokenizer: Any,
    examples: Sequence[Example],
    task: Task,
    max_tokens: int,
    reserve: int,
    shots: Sequence[Example] = (),
) -> list[Encoded]:
    """Return one `Encoded` per example, in order; arguments and errors as `encode_train`.

    `shots` stand in front of each question, as many of the first of them as fit into the window beside it.
    """
    prompts = _fitted_prompts(tokenizer, examples, task, max_tokens, reserve, shots)
    cache: dict[tuple[str, str], list[int]] = {}
    rows = []
    for example, (text, ids, cut) in zip(examples, prompts, strict=True):
        options = tuple(tuple(_continuation(tokenizer, text, option, cache)) for option in example.choices)
        rows.append(Encoded(tuple(ids), options, cut))
    return rows


def encode_texts(tokenizer: Any, examples: Sequence[Example], task: Task, max_tokens: int) -> list[Pair]:
    """Return each text whole as a `Pair` of its heading and itself, in order; it may be longer than the window.

    Raises:
        HarnessError: a heading takes up half of the window.
    """
    heads = [f"{task.prompt(example)}\n" for example in examples]
    texts = [head + example.target for head, example in zip(heads, examples, strict=True)]
    pairs = []
    for example, head, both in zip(examples, plain_ids(tokenizer, heads), plain_ids(tokenizer, texts), strict=True):
        if len(head) > max_tokens // 2:
            raise too_long(example.id, len(head), max_tokens // 2, task.name)
        joined = both[: len(head)] == head and len(both) > len(head)
        rest = both[len(head) :] if joined else tokenizer(example.target, add_special_tokens=False)["input_ids"]
        pairs.append(Pair(tuple(head), tuple(rest)))
    return pairs


def windows(text: Pair, max_tokens: int) -> list[Pair]:
    """Return the windows in which a text is scored: what each scores is its `target`, what it reads before its `prompt`.

    The first holds heading and text from the start; each further one moves on by a stride of half of `max_tokens`. A
    window scores what none before it has scored, so that each token counts once, and each but those of the first window
    is predicted from at least half a window of text.
    """
    tokens, done = (*text.prompt, *text.target), len(text.prompt)
    found: list[Pair] = []
    while done < len(tokens):
        end = min(done + max_tokens // 2 if found else max_tokens, len(tokens))
        found.append(Pair(tokens[max(0, end - max_tokens) : done], tokens[done:end]))
        done = end
    return found


def _cut_text(text: Pair, max_tokens: int) -> Pair:
    """Return what of a text is trained on, its beginning, with what does not fit into the window counted."""
    kept = text.target[: max_tokens - len(text.prompt)]
    return Pair(text.prompt, kept, len(text.target) - len(kept))


def answer_room(scoring: Scoring, max_new_tokens: int) -> int:
    """Return the least tokens kept free for an answer: what generation may write; options bring their own length."""
    return max_new_tokens if scoring == "generate" else 0


def choose_shots(examples: Sequence[Example], count: int, seed: int) -> list[Example]:
    """Return `count` train examples to show, drawn by the seed: of different groups and answers as far as there are."""
    if not count:
        return []
    drawn = list(examples)
    random.Random(f"shots {seed}").shuffle(drawn)
    groups: Counter[str] = Counter()
    targets: Counter[str] = Counter()
    chosen: list[Example] = []
    for _ in range(min(count, len(drawn))):
        best = min(drawn, key=lambda one: (groups[one.group or f"\0{one.id}"], targets[one.target]))
        drawn.remove(best)
        groups[best.group or f"\0{best.id}"] += 1
        targets[best.target] += 1
        chosen.append(best)
    return chosen


def _fitted_prompts(
    tokenizer: Any,
    examples: Sequence[Example],
    task: Task,
    max_tokens: int,
    reserve: int,
    shots: Sequence[Example] = (),
) -> list[tuple[str, list[int], int]]:
    """Return (text, ids, tokens cut) per example, each with room for its longest answer; shots go before context is cut."""
    shown = [f"{task.prompt(shot)} {shot.target}\n\n" for shot in shots]
    texts = ["".join(shown) + task.prompt(example) for example in examples]
    cache: dict[tuple[str, str], list[int]] = {}
    fitted = []
    for example, text, ids in zip(examples, texts, _prompt_ids(tokenizer, texts), strict=True):
        answers = {example.target, *example.choices}
        room = max(reserve, *(len(_continuation(tokenizer, text, answer, cache)) for answer in answers))
        whole, kept = len(ids), len(shown)
        while kept and len(ids) + room > max_tokens:
            kept -= 1
            text = "".join(shown[:kept]) + task.prompt(example)
            (ids,) = _prompt_ids(tokenizer, [text])
        if len(ids) + room <= max_tokens:
            fitted.append((text, ids, whole - len(ids)))
        else:
            short, short_ids = _shorten(tokenizer, example, task, max_tokens - room)
            fitted.append((short, short_ids, whole - len(short_ids)))
    return fitted


def _shorten(tokenizer: Any, example: Example, task: Task, budget: int) -> tuple[str, list[int]]:
    """Return the longest prompt of at most `budget` tokens got by cutting the middle out of the context.

    The question and the options stay whole; the context's beginning (title, policy number) and end stay readable.
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
    """Return the error that an example of `needed` prompt tokens is, where `budget` are left beside its answer."""
    return HarnessError(
        f"example '{name}' needs {needed} tokens without its context, {max(0, budget)} fit beside the answer",
        where=f"task {task}",
        fix="raise --max-tokens up to the model's window, or shorten the question",
    )


def _prompt_ids(tokenizer: Any, prompts: Sequence[str]) -> list[list[int]]:
    """Return token ids per prompt, with whatever the tokenizer puts first (BOS) and nothing that it puts last."""
    if not prompts:
        return []
    if getattr(tokenizer, "chat_template", None):
        return _templated_ids(tokenizer, [[{"role": "user", "content": prompt}] for prompt in prompts])
    return plain_ids(tokenizer, prompts)


def chat_ids(tokenizer: Any, messages: Sequence[Mapping[str, str]]) -> list[int]:
    """Return token ids of a chat up to where the model answers; one message of a user gives those of a prompt.

    A tokenizer without a chat template gets the messages' texts with a blank line between them.
    """
    if not getattr(tokenizer, "chat_template", None):
        return plain_ids(tokenizer, ["\n\n".join(message["content"] for message in messages)])[0]
    return _templated_ids(tokenizer, [[dict(message) for message in messages]])[0]


def _templated_ids(tokenizer: Any, chats: Sequence[list[dict[str, str]]]) -> list[list[int]]:
    texts = [tokenizer.apply_chat_template(chat, add_generation_prompt=True, tokenize=False) for chat in chats]
    # The template writes its own special tokens, BOS included.
    return [list(ids) for ids in tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]]


def plain_ids(tokenizer: Any, texts: Sequence[str]) -> list[list[int]]:
    """Return token ids per text, as they are, with what the tokenizer puts first (BOS) and nothing that it puts last."""
    rows = [list(ids) for ids in tokenizer(list(texts), verbose=False)["input_ids"]] if texts else []
    # A tokenizer that closes every text with its end token would end the prompt before the answer.
    return [ids[:-1] if ids and ids[-1] == tokenizer.eos_token_id else ids for ids in rows]


def _continuation(tokenizer: Any, prompt: str, answer: str, cache: dict[tuple[str, str], list[int]]) -> list[int]:
    """Return the ids of the answer as they follow the prompt, with the end token.

    The answer is tokenised behind the prompt's last line, not alone: sentencepiece tokenizers put a blank in front of
    every text, which would double the one that separates prompt and answer.
    """
    chat = bool(getattr(tokenizer, "chat_template", None))
    anchor = "\n" if chat else prompt.rsplit("\n", 1)[-1] or prompt[-1:]
    key = (anchor, answer)
    if key not in cache:
        text = answer if chat else " " + answer
        head = tokenizer(anchor, add_special_tokens=False)["input_ids"]
        both = tokenizer(anchor + text, add_special_tokens=False)["input_ids"]
        joined = both[: len(head)] == head and len(both) > len(head)
        ids = both[len(head) :] if joined else tokenizer(text, add_special_tokens=False)["input_ids"]
        cache[key] = [*ids, tokenizer.eos_token_id]
    return cache[key]
