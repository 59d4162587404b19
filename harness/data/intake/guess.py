"""The likely use of columns with other names, by name and contents. A guess is suggested to the user and never applied unseen."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.data.raw import Row
from harness.metrics.number import parse_number
from harness.metrics.text import fold

MAX_LABELS, MIN_ROWS_PER_LABEL, MAX_LABEL_LENGTH = 20, 5, 40
MIN_GROUPS = 10
ALL_BUT = 0.9  # share of different values from which on a column may be an id
SAMPLE = 2000  # rows looked at
# Usual names in English, German, French, Italian and Spanish.
NAMES: Mapping[str, str] = {
    "target": r"target|label|class|category|decision|outcome|sentiment|result|status|intent|verdict|answer|y|entscheid|entscheidung"
    r"|klasse|kategorie|ergebnis|ausgang|classe|categorie|resultat|decisione|esito|categoria|resultado|etiqueta",
    "context": r"context|text|note|notes|description|narrative|sentence|review|body|message|prompt|input|summary|question|notiz"
    r"|bemerkung|beschreibung|texte|commentaire|testo|nota|descrizione|texto|descripcion",
    "group": r"group|policy|contract|customer|client|insured|claimant|holder|patient|account|document|filing|case|vertrag|police"
    r"|kunden?|policen|versicherung|versicherungsschein|dossier|akten?|contrat|polizza|contratto|cliente|poliza|contrato",
    "id": r"id|claim|ticket|row|number|no|key|reference|ref|uuid|nr|nummer|schaden|numero|sinistre|sinistro|siniestro",
}
_COMPOUND = re.compile(r"(?<=[a-z]{4})s?(nummer|nr|id)$")  # Vertragsnummer is a number of a Vertrag
_PART = re.compile(r"[\W\d_]+|(?<=[a-z])(?=[A-Z])")


@dataclass(frozen=True)
class Column:
    """A column that has no known name: its texts, different values and average length."""

    name: str
    texts: Sequence[str]

    @property
    def values(self) -> set[str]:
        """The different values, case and spacing apart."""
        return {fold(text) for text in self.texts if text.strip()}

    @property
    def length(self) -> float:
        """The mean length of a text."""
        return sum(map(len, self.texts)) / max(1, len(self.texts))

    def has_name(self, use: str) -> bool:
        """Return whether a part of the column's name is a usual name for the use."""
        parts = [_plain(part) for part in _PART.split(self.name) if part]
        return any(re.fullmatch(NAMES[use], name) for part in parts for name in (part, _COMPOUND.sub("", part)))


def _plain(name: str) -> str:
    """Return a name in small letters without accents: `Décision` is `decision`."""
    return unicodedata.normalize("NFKD", name.casefold()).encode("ascii", "ignore").decode()


def columns_of(rows: Sequence[Row], names: Sequence[str]) -> list[Column]:
    """Return these columns with the texts of the first rows; lists and objects are left out."""
    first = rows[:SAMPLE]
    cells = {name: [row.cells.get(name) for row in first] for name in names}
    plain = {n: c for n, c in cells.items() if not any(isinstance(cell, list | dict | bytes) for cell in c)}
    return [Column(name, ["" if cell is None else str(cell) for cell in c]) for name, c in plain.items()]


def uses(rows: Sequence[Row], names: Sequence[str], absent: Sequence[str]) -> dict[str, str]:
    """Return columns for the absent ones of context and target, and if their names say so for group and id.

    Args:
        rows: of the file.
        names: the columns that are not yet in use.
        absent: the uses that no column has.

    Returns:
        Uses by column, empty if context or target stays without. A target has few different short values, the context is
        the longest other column, a group repeats, and an id does not.
    """
    columns, result = columns_of(rows, names), dict[str, str]()
    if "target" in absent:
        labels = [column for column in columns if _may_be_label(column)]
        if not labels:
            return {}
        last_first = reversed(labels)  # a decision stands mostly at the right
        result[max(last_first, key=lambda c: (c.has_name("target"), -len(c.values))).name] = "target"
    if "context" in absent:
        texts = [column for column in columns if column.name not in result]
        if not texts:
            return {}
        result[max(texts, key=_likeness_to_text).name] = "context"
    columns = [column for column in columns if column.name not in result]
    if "group" in absent and (group := group_of(columns)):
        result[group] = "group"
    ids = [c.name for c in columns if c.name not in result and c.has_name("id") and _distinct(c)]
    return result | ({ids[0]: "id"} if ids and "id" not in names else {})


def _likeness_to_text(column: Column) -> tuple[bool, bool, float]:
    return column.length > MAX_LABEL_LENGTH, column.has_name("context"), column.length


def _distinct(column: Column) -> bool:
    return len(column.values) > ALL_BUT * len(column.texts)


def _may_be_label(column: Column) -> bool:
    values = column.values
    few = 2 <= len(values) <= MAX_LABELS and len(column.texts) >= MIN_ROWS_PER_LABEL * len(values)
    return few and all(len(v) <= MAX_LABEL_LENGTH and parse_number(v) is None for v in values)


def group_of(columns: Sequence[Column]) -> str:
    """Return the column of a unit with several rows, such as a policy, by its name and its repeats; empty if none."""
    for column in columns:
        texts = [text for text in column.texts if text.strip()]
        if column.has_name("group") and MIN_GROUPS <= len(column.values) < len(texts):
            return column.name
    return ""
