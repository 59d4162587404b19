"""A CSV file of 240 claims as a department exports it, with every fault that such files have."""

from __future__ import annotations

from pathlib import Path

HEADER = "claim_no;policy_no;notified;amount;note;decision"
DECISIONS = ("pay", "refer", "reject")
NOTES = (
    "Water ran from a burst pipe in the kitchen; the plumber's report names wear of the seal",
    "The windscreen cracked on the motorway after a stone hit it, photographs are attached",
    "The holder reports a stolen bicycle, no police report was sent within the period",
)
SPELLINGS = {30: "Pay ", 33: "Refer", 48: "PAY", 52: "reject  "}  # by line of the file
NO_DECISION, NO_NOTE = (15, 88), (46,)
TOO_MANY, AGAIN, STRAY_QUOTE = 61, 75, 103


def messy_claims(folder: Path, name: str = "claims_raw.csv") -> Path:
    """Write the file: a BOM, semicolons, empty cells, an id twice, labels in four spellings, a row too long, a stray quote."""
    lines = [HEADER, *map(_line, range(2, 242))]
    path = folder / name
    path.write_bytes(("\ufeff" + "\r\n".join(lines) + "\r\n").encode())
    return path


def _line(line: int) -> str:
    index = line - 2
    decision = SPELLINGS.get(line, DECISIONS[index % 3])
    note = f'"{NOTES[index % 3]}, case {line}; seen on {line % 28 + 1} May"'
    number, amount = f"C-{1000 + line}", f'"{1 + index % 9},{100 + index:03d}.50"'
    policy = f"P-{index // 2:04d}"
    if line in NO_DECISION:
        decision = ""
    if line in NO_NOTE:
        note = " "
    if line == AGAIN:
        number = "C-1010"
    if line == STRAY_QUOTE:
        note = f'"The holder said "it was not me" in case {line}"'
    return ";".join((number, policy, f"2026-05-{line % 28 + 1:02d}", amount, note, decision)) + ";pay" * (
        line == TOO_MANY
    )
