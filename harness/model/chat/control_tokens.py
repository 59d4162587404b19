"""Control tokens in the data are text: `</s>` in a question or an answer is four characters and ends nothing.

A tokenizer turns the text of a control token into that token wherever it stands. A template means that; a clause, a mail or
a page of HTML in the data does not. Texts without such a text are tokenised as always. For the others there is a second
tokenizer, in which each control token has another name: names are replaced in the template's text, and the data stay text.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from harness.errors import HarnessError

MARK = "\uf8fe"  # of the private characters of Unicode: in front of and behind the other name of a control token
NEVER = -1e6  # the log-probability of a control token as a piece of text


class Piece(NamedTuple):
    """A part of a text; `data` says whether it comes from the data."""

    text: str
    data: bool


def ids(tokenizer: Any, pieces: Sequence[Piece]) -> list[int]:
    """Return the token ids of joined pieces, without the tokens that the tokenizer adds to a text.

    Raises:
        HarnessError: the data has the text of a control token, and this tokenizer cannot take it as text.
    """
    text = "".join(piece.text for piece in pieces)
    pattern = control_pattern(tokenizer)
    if pattern is None or not any(piece.data and pattern.search(piece.text) for piece in pieces):
        return list(tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])
    renamed = _renamed(tokenizer, pattern)
    result: list[int] = renamed.ids(pieces)
    return result


def occurs(tokenizer: Any, texts: Iterable[str]) -> bool:
    """Return whether one of these texts has the text of a control token."""
    pattern = control_pattern(tokenizer)
    return pattern is not None and any(pattern.search(text) for text in texts)


def control_pattern(tokenizer: Any) -> re.Pattern[str] | None:
    """Return a pattern for the texts of all control tokens, None if there are none.

    They are the special tokens, and other added tokens that the chat template writes, such as `<think>`.
    """
    template = getattr(tokenizer, "chat_template", None) or ""
    key = (len(tokenizer) if hasattr(tokenizer, "__len__") else 0, template)
    pair = getattr(tokenizer, "_control_tokens", None)
    if pair is None or pair[0] != key:  # some tokenizers have thousands of added tokens, and each answer comes here
        pair = tokenizer._control_tokens = key, _pattern(tokenizer, template)
    pattern: re.Pattern[str] | None = pair[1]
    return pattern


def _pattern(tokenizer: Any, template: Any) -> re.Pattern[str] | None:
    added = (getattr(tokenizer, "added_tokens_decoder", {}) or {}).values()
    source = template if isinstance(template, str) else "\0".join(map(str, template.values()))
    texts = {token.content for token in added if token.content.strip() and (token.special or token.content in source)}
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first))) if texts else None


class _Renamed:
    """A copy of a tokenizer with other names for its control tokens, and with its ids."""

    def __init__(self, tokenizer: Any, pattern: re.Pattern[str]) -> None:
        from tokenizers import Tokenizer

        content = json.loads(tokenizer.backend_tokenizer.to_str())
        self._pattern = pattern
        self._names: dict[str, str] = {}
        real: dict[str, int] = {}
        for entry in content["added_tokens"]:
            name = entry["content"]
            if pattern.fullmatch(name):
                self._names[name] = entry["content"] = f"{MARK}{len(self._names)}{MARK}"
            real[entry["content"]] = entry["id"]
        content["post_processor"] = None
        if content["model"]["type"] == "Unigram":
            vocabulary = content["model"]["vocab"]
            content["model"]["vocab"] = [[p, NEVER if p in self._names else score] for p, score in vocabulary]
        self._tokenizer = Tokenizer.from_str(json.dumps(content))
        self._tokenizer.no_truncation()
        self._ids = {self._tokenizer.token_to_id(name): number for name, number in real.items()}
        self._control = {real[name]: text for text, name in self._names.items()}

    def ids(self, pieces: Sequence[Piece]) -> list[int]:
        """Return the ids of joined pieces, control tokens in the data as text."""
        if any(piece.data and MARK in piece.text for piece in pieces):
            problem = f"a text of the data has a control token and the character U+{ord(MARK):X}"
            raise HarnessError(problem, where=_excerpt(pieces, MARK), fix="remove that character from the data")
        texts = (piece.text if piece.data else self._pattern.sub(self._rename, piece.text) for piece in pieces)
        encoded = self._tokenizer.encode("".join(texts), add_special_tokens=False).ids
        allowed = sum(len(self._pattern.findall(piece.text)) for piece in pieces if not piece.data)
        result = [self._ids.get(token, token) for token in encoded]
        if sum(token in self._control for token in result) > allowed:
            raise _impossible(pieces, self._pattern)
        return result

    def _rename(self, match: re.Match[str]) -> str:
        return self._names[match.group()]


def _renamed(tokenizer: Any, pattern: re.Pattern[str]) -> Any:
    pair = getattr(tokenizer, "_renamed_control_tokens", None)
    if pair is None or pair[0] != pattern:
        if getattr(tokenizer, "backend_tokenizer", None) is None:
            return _BySplitting(tokenizer, pattern)
        pair = tokenizer._renamed_control_tokens = pattern, _Renamed(tokenizer, pattern)
    return pair[1]


class _BySplitting:
    """The same for a tokenizer in Python, which has a setting of its own for texts without control tokens."""

    def __init__(self, tokenizer: Any, pattern: re.Pattern[str]) -> None:
        self._tokenizer, self._pattern = tokenizer, pattern

    def ids(self, pieces: Sequence[Piece]) -> list[int]:
        """Return the ids of the pieces, each tokenised by itself."""
        result: list[int] = []
        control = {
            token
            for token, added in self._tokenizer.added_tokens_decoder.items()
            if self._pattern.fullmatch(added.content)
        }
        for piece in pieces:
            setting = {"split_special_tokens": True} if piece.data else {}
            part = self._tokenizer(piece.text, add_special_tokens=False, **setting)["input_ids"] if piece.text else []
            if piece.data and control.intersection(part):
                raise _impossible(pieces, self._pattern)
            result += part
        return result


def _impossible(pieces: Sequence[Piece], pattern: re.Pattern[str]) -> HarnessError:
    text = next((match.group() for piece in pieces if piece.data and (match := pattern.search(piece.text))), "")
    problem = f"the data has the text of the control token {text}, and this tokenizer cannot take it as text"
    return HarnessError(problem, where=_excerpt(pieces, text), fix="remove it from the data")


def _excerpt(pieces: Sequence[Piece], text: str) -> str:
    source = next((piece.text for piece in pieces if piece.data and text in piece.text), "")
    start = max(0, source.find(text) - 40)
    return " ".join(source[start : start + 100].split())
