"""The texts and bytes of single tokens, as answers with log-likelihoods report them."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from typing import Any

from harness.adapters.serve.generation import TokenLogprob
from harness.adapters.serve.protocol import TokenText

CONTEXT = 4  # tokens before a token that decide its text
_BYTE = re.compile(r"<0x([0-9A-F]{2})>")  # a byte in sentencepiece's vocabularies


class TokenReader:
    """The texts of one answer's tokens, read as they come; for one thread, as its tokenizer is."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._tokens: list[int] = []
        self._offset = 0

    def read(self, tokens: Sequence[TokenLogprob]) -> list[TokenText]:
        """Return the texts of the answer's tokens that were not read before."""
        texts = []
        for token in tokens[len(self._tokens) :]:
            alternatives = tuple(self._text(*pair) for pair in token.alternatives)
            texts.append(self._text(token.token, token.logprob, alternatives))
            self._tokens.append(token.token)
            self._offset += len(texts[-1].text) if texts[-1].data is not None else 1
        return texts

    def _text(self, token: int, logprob: float, alternatives: Sequence[TokenText] = ()) -> TokenText:
        before = self._tokens[-CONTEXT:]
        head, line = self._decode(before), self._decode([*before, token])
        text = line[len(head) :] if line.startswith(head) and not head.endswith("\ufffd") else self._decode([token])
        data: bytes | None = text.encode()
        if "\ufffd" in text:
            data = token_bytes(self._tokenizer.convert_ids_to_tokens(token))
            text = "bytes:" + "".join(f"\\x{byte:02x}" for byte in data) if data else text
        return TokenText(text, data, logprob, self._offset, alternatives)

    def _decode(self, tokens: Sequence[int]) -> str:
        return str(self._tokenizer.decode(list(tokens), skip_special_tokens=False))


def token_bytes(piece: str) -> bytes | None:
    """Return the bytes of a vocabulary's piece that is no whole text, None if its form is not known."""
    if match := _BYTE.fullmatch(piece):
        return bytes([int(match[1], 16)])
    alphabet = _alphabet()
    return bytes(alphabet[letter] for letter in piece) if all(letter in alphabet for letter in piece) else None


@functools.cache
def _alphabet() -> dict[str, int]:
    """Return the byte for each letter of byte-level vocabularies."""
    from transformers.convert_slow_tokenizer import bytes_to_unicode

    return {letter: byte for byte, letter in bytes_to_unicode().items()}
