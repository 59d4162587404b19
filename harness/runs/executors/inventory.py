"""The cards of this machine and the choice of `--devices` among them.

The driver's own tool lists them: to ask torch would open every card in this process, which only plans and waits.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from harness import environment
from harness.errors import HarnessError

ALL = "all"
FLAG = "--devices"
FIELDS = "index,uuid,name,memory.total,memory.free,mig.mode.current"
MIB = 2**20
TOOL_SECONDS = 30.0  # for a list of all cards
SLICE_MEMORY = 0.95  # of the gigabytes in a slice's name that it has: 4.75 GiB of 5, 9.6 of 10, 19.5 of 20, 39.2 of 40
GPU_LINE = re.compile(r"GPU (\d+): (.+) \(UUID: (\S+)\)")
SLICE_LINE = re.compile(r"\s+MIG (\S*?(\d+)gb\S*)\s+Device\s+\d+: \(UUID: (MIG-\S+)\)")


@dataclass(frozen=True)
class Card:
    """A card, or a slice of one.

    Attributes:
        number: its number for `--devices`; None for a slice of a card that has a number itself.
        id: its UUID, by which CUDA_VISIBLE_DEVICES names it whatever the order.
        model: its name.
        memory: in bytes.
        free: bytes that no other program uses now.
        divided: whether it has slices; CUDA then runs on these alone.
    """

    number: int | None
    id: str
    model: str
    memory: int
    free: int
    divided: bool = False

    @property
    def words(self) -> str:
        """The card in words."""
        return f"card {self.number} ({self.model})" if self.number is not None else f"{self.model}, {self.id}"


def read() -> tuple[Card, ...]:
    """Return the cards that this process may use, numbered as CUDA numbers them; none without CUDA."""
    if not environment.cuda_present():
        return ()
    cards = parsed(_tool(f"--query-gpu={FIELDS}", "--format=csv,noheader,nounits"), _tool("-L"))
    return visible(cards, os.environ.get("CUDA_VISIBLE_DEVICES"))


def parsed(table: str, listing: str) -> tuple[Card, ...]:
    """Return the cards of two outputs of `nvidia-smi`: the table of `FIELDS`, and `-L` for the slices of divided cards."""
    slices: dict[str, list[Card]] = {}
    card = model = ""
    for line in listing.splitlines():
        if match := GPU_LINE.match(line):
            _, model, card = match.groups()
        elif match := SLICE_LINE.match(line):
            memory = round(int(match[2]) * 2**30 * SLICE_MEMORY)
            slices.setdefault(card, []).append(Card(None, match[3], f"{model} MIG {match[1]}", memory, memory))
    cards: list[Card] = []
    for row in table.splitlines():
        parts = [part.strip() for part in row.split(",")]
        if len(parts) != FIELDS.count(",") + 1 or not parts[0].isdigit():
            continue
        total, free = (int(text) * MIB if text.isdigit() else 0 for text in parts[3:5])
        of_card = slices.get(parts[1], [])
        cards += [Card(int(parts[0]), parts[1], parts[2], total, free, bool(of_card)), *of_card]
    return tuple(cards)


def visible(cards: Sequence[Card], setting: str | None) -> tuple[Card, ...]:
    """Return the cards that CUDA_VISIBLE_DEVICES lets a process see, numbered by their place there.

    Its numbers are those of `nvidia-smi`, and as for CUDA the list ends with the first entry that names no card.
    """
    if setting is None:
        return tuple(cards)
    chosen: list[Card] = []
    for word in setting.split(","):
        matches = _matches(word.strip(), cards)
        if len(matches) != 1:
            break
        chosen.append(replace(matches[0], number=len(chosen)))
    return tuple(chosen)


def _matches(word: str, cards: Sequence[Card]) -> list[Card]:
    if word.isdigit():
        return [card for card in cards if card.number == int(word)]
    return [card for card in cards if word and card.id.startswith(word)]


def choose(words: Sequence[str], cards: Sequence[Card]) -> tuple[Card, ...]:
    """Return the cards that the words of `--devices` name: `all`, numbers, ranges such as 0-7, and UUIDs or their beginnings.

    Raises:
        HarnessError: there is no card at all, none of a name, or one is named twice.
    """
    where = f"{FLAG} {','.join(words)}"
    if not cards:
        problem = "no CUDA device was found, or torch was built without CUDA, and cards are named"
        raise HarnessError(problem, where=where, fix=f"leave {FLAG} out: the runs then use the CPU")
    chosen: list[Card] = []
    for word in words:
        group = [card for card in cards if not card.divided] if word == ALL else [_card(word, cards, where)]
        for card in group:
            if card in chosen:
                raise HarnessError(f"{card.words} is named twice", where=where, fix="name each card once")
            chosen.append(card)
    return tuple(chosen)


def _card(word: str, cards: Sequence[Card], where: str) -> Card:
    matches = _matches(word, cards)
    if not matches:
        problem = f"there is no card {word}: this machine has {_list(cards)}"
        raise HarnessError(problem, where=where, fix=f"{FLAG} {ALL}, or some of these")
    if len(matches) > 1:
        problem = f"{word} is the beginning of {len(matches)} ids"
        raise HarnessError(problem, where=where, fix="write more of the id, as `nvidia-smi -L` shows it")
    (card,) = matches
    if card.divided:
        problem = f"{card.words} is divided into slices, and CUDA runs on these alone"
        raise HarnessError(problem, where=where, fix=f"{FLAG} {ALL}, or the ids MIG-… of `nvidia-smi -L`")
    return card


def _list(cards: Sequence[Card]) -> str:
    numbers = [card.number for card in cards if card.number is not None]
    slices = sum(card.number is None for card in cards)
    words = f"card{'s' * (len(numbers) > 1)} {', '.join(map(str, numbers))}"
    return words + f" and {slices} slices of them" * bool(slices)


def _tool(*arguments: str) -> str:
    return environment.nvidia_smi(*arguments, seconds=TOOL_SECONDS)
