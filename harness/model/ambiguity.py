"""Options that a tokenizer cannot tell apart: their log-likelihoods are equal, and rounding would choose."""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import HarnessError


def refuse(name: str, texts: Sequence[str], options: Sequence[Sequence[int]], task: str) -> None:
    """Raise an error if two options of an example are the same tokens.

    Args:
        name: of the example.
        texts: the options.
        options: their tokens behind the prompt.
        task: the task's name.

    Raises:
        HarnessError: with both options.
    """
    first: dict[tuple[int, ...], str] = {}
    for text, tokens in zip(texts, options, strict=True):
        if (other := first.setdefault(tuple(tokens), text)) is not text:
            problem = (
                f"options {other!r} and {text!r} of example '{name}' are the same tokens for the model's tokenizer"
            )
            fix = "use options that its vocabulary has words for, or another model"
            raise HarnessError(problem, where=f"task {task}", fix=fix)
