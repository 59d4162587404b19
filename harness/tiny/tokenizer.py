"""The tokenizer of `tiny`: byte-pair encoding with byte fallback, digits split, camel case split.

It is learned from `words.txt` alone, with each word with and without a capital and with a word before it. Words are mostly
one token, and no text of any task is needed. Run: `python -m harness.tiny.tokenizer`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
VOCABULARY = 9216
SPECIAL = ("<unk>", "<s>", "</s>")
BLANK = "▁"
# Runs of letters (camel case cut before each capital), single digits, single other marks. A blank belongs to the piece
# after it, also before a digit: as a token of its own, it would be the first token of every number, which could then not be
# looked up.
PIECES = rf"{BLANK}?[A-Z]?[a-z]+|{BLANK}?[A-Z]+(?![a-z])|{BLANK}?[0-9]|{BLANK}?[^{BLANK}A-Za-z0-9]|{BLANK}+"


def words() -> list[str]:
    """Return the word list, sorted and without repeats."""
    return sorted(set((FOLDER / "words.txt").read_text(encoding="utf-8").split()))


def corpus() -> list[str]:
    """Return the lines for learning the merges; forms are repeated by their frequency in text."""
    lines: list[str] = []
    for word in words():
        lines += [word] * 9 + [word.capitalize()] * 5 + [f"x{word.capitalize()}"] * 5  # the last form as in camel case
    return lines


def build() -> Any:
    """Return the `transformers` fast tokenizer, trained on `corpus`."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=False))
    # A word is the same token at the start of a line as within it: every line starts with a blank, removed on decoding. A
    # key with different tokens in a table and in a question could hardly be looked up.
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Replace(" ", BLANK), normalizers.Replace("\n", f"\n{BLANK}"), normalizers.Prepend(BLANK)]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(PIECES), behavior="isolated")
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Replace(f"\n{BLANK}", "\n"),
            decoders.Replace(BLANK, " "),
            decoders.Strip(" ", 1, 0),
        ]
    )
    byte_tokens = [f"<0x{value:02X}>" for value in range(256)]
    printable = [chr(code) for code in range(33, 127)] + [BLANK, "\n"]
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[*SPECIAL, *byte_tokens],
        initial_alphabet=printable,
        show_progress=False,
    )
    marks = [f"x {mark}" for mark in "|($-+*/=<>\n0123456789"] * 50  # a blank and a mark are one token
    tokenizer.train_from_iterator(corpus() + marks, trainer=trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=_plain_bytes(tokenizer, byte_tokens),
        bos_token="<s>",
        eos_token="</s>",
        unk_token="<unk>",
        pad_token="</s>",
        model_max_length=1024,
        clean_up_tokenization_spaces=False,
    )


def _plain_bytes(tokenizer: Any, byte_tokens: list[str]) -> Any:
    """Return the tokenizer with byte tokens as ordinary vocabulary: as special tokens they would vanish on decoding."""
    import json

    from tokenizers import Tokenizer

    state = json.loads(tokenizer.to_str())
    state["added_tokens"] = [token for token in state["added_tokens"] if token["content"] not in byte_tokens]
    return Tokenizer.from_str(json.dumps(state))


if __name__ == "__main__":
    tokenizer = build()
    tokenizer.save_pretrained(FOLDER / "model")
    print(f"{len(tokenizer)} tokens written to {FOLDER.name}/model")
