"""Names of fictional filers, made of syllables; the first word of a name belongs to one split only."""

from __future__ import annotations

import random
from collections.abc import Iterator

_HEADS = (
    "Arlo", "Bexa", "Brin", "Calv", "Corv", "Dask", "Dren", "Elv", "Esk", "Fesk", "Fjor", "Gask", "Grev", "Hask", "Hulv",
    "Ister", "Jor", "Kest", "Kov", "Lorv", "Lum", "Mard", "Mero", "Nev", "Nuv", "Olv", "Orm", "Pelv", "Pryn", "Quar",
    "Rav", "Ruv", "Sorv", "Skar", "Tusv", "Thol", "Ulv", "Varr", "Vel", "Wex", "Yar", "Zeph",
)  # fmt: skip
_TAILS = (
    "bury", "dane", "don", "fax", "ford", "gate", "ham", "ica", "iden", "ion", "iva", "lane", "low", "mark", "mere",
    "mont", "nell", "ora", "rick", "ros", "side", "sted", "ton", "vale", "vane", "well", "wick", "wyn",
)  # fmt: skip
_TRADES = (
    "Foods", "Tools", "Paper", "Glass", "Freight", "Labs", "Retail", "Systems", "Energy", "Marine", "Textiles",
    "Devices", "Motors", "Media", "Steel", "Optics", "Seeds", "Software", "Pumps", "Brands", "Chemicals", "Health",
)  # fmt: skip
_FORMS = ("Inc.", "Corp.", "Co.", "Ltd.")
_SHARES = {"train": 0.62, "validation": 0.13, "test": 0.25}


def names(rng: random.Random) -> dict[str, Iterator[str]]:
    """Return an endless supply of different names for each split."""
    firsts = [head + tail for head in _HEADS for tail in _TAILS]
    rng.shuffle(firsts)
    supply, start = {}, 0
    for split, share in _SHARES.items():
        end = start + int(len(firsts) * share)
        supply[split] = _names(random.Random(rng.random()), firsts[start:end])
        start = end
    return supply


def _names(rng: random.Random, firsts: list[str]) -> Iterator[str]:
    used = set()
    while True:
        name = f"{rng.choice(firsts)} {rng.choice(_TRADES)} {rng.choice(_FORMS)}"
        if name not in used:
            used.add(name)
            yield name
