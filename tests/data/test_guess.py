"""The likely use of columns: by usual names in several languages, and a decision at the right before a class at the left."""

from __future__ import annotations

from harness.data.intake import guess
from harness.data.raw import Row


def rows_of(columns: dict[str, list[str]]) -> list[Row]:
    count = len(next(iter(columns.values())))
    return [Row(i + 2, f"line {i + 2}", {name: values[i] for name, values in columns.items()}) for i in range(count)]


def uses_of(columns: dict[str, list[str]]) -> dict[str, str]:
    return guess.uses(rows_of(columns), list(columns), ["context", "target", "group"])


def test_german_names_are_known() -> None:
    columns = {
        "Schaden-Nr": [f"S{i}" for i in range(60)],
        "Sparte": ["MFH", "Unfall", "Haftpflicht"] * 20,
        "Notiz": [f"Der Anwalt wurde am Tag {i} eingeschaltet und die Prognose ist unklar" for i in range(60)],
        "Entscheid": ["halten", "erhöhen", "auflösen"] * 20,
        "Vertrag": [f"V{i % 30}" for i in range(60)],
    }
    assert uses_of(columns) == {"Entscheid": "target", "Notiz": "context", "Vertrag": "group", "Schaden-Nr": "id"}


def test_without_a_usual_name_the_last_of_equal_columns_is_the_target() -> None:
    columns = {
        "branch": ["a", "b"] * 30,
        "words": [f"a rather long sentence about claim number {i} and its history" for i in range(60)],
        "final": ["x", "y"] * 30,
    }
    assert uses_of(columns)["final"] == "target"


def test_names_with_accents_and_joined_words_are_known() -> None:
    columns = {
        "claimNo": [f"S{i}" for i in range(60)],
        "texte": [f"le véhicule a été endommagé sur le parking, dossier {i}" for i in range(60)],
        "Décision": ["payer", "refuser"] * 30,
        "policyNumber": [f"V{i % 30}" for i in range(60)],
    }
    assert uses_of(columns) == {"Décision": "target", "texte": "context", "policyNumber": "group", "claimNo": "id"}
