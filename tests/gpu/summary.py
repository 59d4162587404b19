"""The short table of `shapes.py` and what follows from it, in words; from records alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.format import Table, markdown, size
from tests.gpu.cells import CASTS, EVERYWHERE, FOREACH, FUSED, LORA, RATE, TRL, TRL_BEST

Record = dict[str, Any]
NEAR = 0.05  # how far a predicted peak may be from the allocator's
SHARE, GOOD = 0.55, 0.40  # of the matrix rate that LoRA is meant to reach, and that is good already
HEADS = ("row", "predicted", "allocated", "off", "reserved", "device", "tokens/s", "of rate", "status")
HOW = (
    "Ours takes deterministic kernels, as the harness's runs do, and TRL those it comes with; the loss is on the last 32 "
    "tokens of a row where nothing else is said. Of the base model the plan counts the weights alone."
)
CPU = 'A dry run on the CPU with a toy shape: the figures say nothing, "allocated" is the live-tensor counter\'s peak.'


def section(records: Sequence[Record], machine: str) -> str:
    """Return the section of a README: what was run, the table, and the comparisons that were measured."""
    first = records[0] if records else {"rows": 0, "length": 0}
    lines = [
        f"{machine}. bf16, {first['rows']} × {first['length']} tokens a step, random weights, median of the timed steps.",
        HOW,
    ]
    if any(record["device"] == "cpu" for record in records):
        lines.append(CPU)
    facts = "\n".join(f"- {fact}" for fact in comparisons(records))
    return "\n\n".join(["## Shapes of 8 B weights", " ".join(lines), markdown(table(records)), facts]).rstrip() + "\n"


def table(records: Sequence[Record]) -> Table:
    """Return one row for each record."""
    rate = next((record["rate"] for record in records if record.get("rate")), 0.0)
    return Table("Shapes", HEADS, tuple(_row(record, rate) for record in records), left=frozenset({0, 8}))


def _row(record: Record, rate: float) -> tuple[str, ...]:
    def held(name: str) -> str:
        return size(record[name]) if record.get(name) else ""

    found, share = off(record), share_of(record, rate)
    return (
        record["name"],
        held("predicted_bytes"),
        held("allocated_bytes"),
        "" if found is None else f"{found:+.1%}",
        held("reserved_bytes"),
        held("device_bytes"),
        f"{record['tokens_per_second']:,.0f}" if record.get("tokens_per_second") else "",
        "" if share is None else f"{share:.0%}",
        record["status"]
        if record["status"] in ("ok", "does not fit")
        else f"{record['status']}: {record['reason']}"[:80],
    )


def off(record: Record) -> float | None:
    """Return how far the prediction is from the allocated peak, as a share of the peak; None where one is missing."""
    if not record.get("allocated_bytes") or not record.get("predicted_bytes"):
        return None
    return float(record["predicted_bytes"] / record["allocated_bytes"] - 1)


def share_of(record: Record, rate: float) -> float | None:
    """Return the FLOP/s of a record's steps as a share of the matrix rate; None where one is missing."""
    if not rate or not record.get("tokens_per_second") or not record.get("flops_per_token"):
        return None
    return float(record["tokens_per_second"] * record["flops_per_token"] / rate)


def comparisons(records: Sequence[Record]) -> Iterator[str]:
    """Yield what the records say together, a line each; what was not measured is left out."""
    found = {record["name"]: record for record in records if record["status"] == "ok"}
    if RATE in found:
        yield f"Matrix rate: {found[RATE]['rate'] / 1e12:,.1f} TFLOP/s in bf16."
    near = [abs(gap) <= NEAR for record in records if (gap := off(record)) is not None]
    if near:
        yield f"Predicted peak within {NEAR:.0%} of the allocated one: {sum(near)} of {len(near)} rows."
    if LORA in found and RATE in found and (share := share_of(found[LORA], found[RATE]["rate"])) is not None:
        yield f"LoRA r8 reaches {share:.0%} of the matrix rate; {SHARE:.0%} is the target, {GOOD:.0%} is good."
    for name in (TRL, TRL_BEST):
        for ours in (LORA, EVERYWHERE):
            if name in found and ours in found:
                faster, less = (_ratio(found, ours, name, key) for key in ("tokens_per_second", "allocated_bytes"))
                yield f"{ours} against {name}: {faster:.2f} times the tokens/s, {less:.2f} times the peak."
    if CASTS in found:
        yield from _casts(found[CASTS])
    if FUSED in found and FOREACH in found:
        more = _ratio(found, FOREACH, FUSED, "allocated_bytes")
        yield f"Full fine-tuning with foreach AdamW peaks at {more:.2f} times the bytes of fused AdamW."


def _ratio(found: dict[str, Record], one: str, other: str, key: str) -> float:
    return float(found[one][key] / found[other][key])


def _casts(record: Record) -> Iterator[str]:
    yield (
        f"Gradients of LoRA as PEFT comes and ours differ by {record['difference']:.1e} at most, without PEFT's casts by "
        f"{record['difference_without_casts']:.1e}; bf16 moves PEFT's by {record['rounding']:.1e} from those in fp32, "
        f"ours by {record['rounding_ours']:.1e}."
    )
    yield (
        f"Kept per token and layer: PEFT as it comes {record['kept_peft']:,.0f} bytes, without casts "
        f"{record['kept_without_casts']:,.0f}, ours {record['kept_ours']:,.0f}; by formula {record['kept_by_formula']:,}."
    )
