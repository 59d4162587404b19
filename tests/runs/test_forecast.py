"""`plan --gpu`: what fits and in which way, without the model; `plan --accuracy`; and errors that end with 2."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli import app
from harness.model import token_counts
from harness.record import Phase, RunSpec
from harness.runs.forecast import fit, history, peak_memory
from harness.runs.forecast.fit import Request
from harness.runs.forecast.gpu import Card
from harness.schema import Method
from harness.store import records as store
from tests.support.records import make_cost, make_record, make_spec
from tests.support.tiny_models import toy_spec

CONFIG: dict[str, Any] = {"model_type": "llama", "hidden_size": 256, "intermediate_size": 896, "num_hidden_layers": 2}
CONFIG |= {"num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 1000, "max_position_embeddings": 4096}
KINDS = (("base", 0), ("lora", 8), ("dora", 8), ("full", 0))
MIB = 2**20


def request(usable: float | None, kinds: Any = KINDS, **changes: Any) -> Request:
    specs = []
    for name, rank in kinds:
        one = toy_spec(method=name, rank=rank, alpha=32.0, dtype="bf16", device="cuda", batch_size=8, micro_batch=8)
        one = replace(one, max_tokens=2048)
        specs.append(one if name != "base" else replace(one, batch_size=0, micro_batch=0))
    memory = 0.0 if usable is None else (usable + 0.5 * 2**30) / 0.95
    card = None if usable is None else Card("toy", memory, 1e12, 1e11)
    texts = (("and " * 400, "yes"),) * 16  # a token a word
    return Request(Path("nowhere"), CONFIG, tuple(specs), texts, texts[:4], card=card, **changes)


def test_the_fastest_way_that_fits_is_chosen_and_with_less_memory_a_smaller_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counts: dict[tuple[RunSpec, int], int] = {}  # of a way, which does not depend on the card

    def count(config: Any, spec: RunSpec, method: Method, rows: Sequence[Any]) -> int:
        if (spec, len(rows)) not in counts:
            counts[spec, len(rows)] = config_peak(config, spec, method, rows)
        return counts[spec, len(rows)]

    config_peak = peak_memory.config_peak
    monkeypatch.setattr(peak_memory, "config_peak", count)
    monkeypatch.setattr("harness.environment.cores", lambda: 1)  # one process remembers; the tests below have several
    kinds = (("lora", 8), ("dora", 8))
    roomy, tight, least = (fit.look(request(mib * MIB, kinds)).forecasts for mib in (2000, 65, 1))
    for one in roomy:
        assert (one.fits, one.spec.micro_batch, one.spec.checkpointing) == (True, 8, False)
    for one, wide in zip(tight, roomy, strict=True):
        assert one.fits
        assert one.peak <= 65 * MIB < wide.peak
        assert one.spec.micro_batch < 8 or one.spec.checkpointing
        assert (one.train_seconds or 0) >= (wide.train_seconds or 0)
    for one in least:
        assert not one.fits
        assert (one.spec.micro_batch, one.spec.checkpointing) == (1, True)


def test_without_a_card_each_run_is_counted_as_it_is_planned() -> None:
    found = fit.look(request(None))
    base, lora, dora, full = found.forecasts
    assert base.peak == 2 * found.weights
    assert lora.by_formula is not None
    assert lora.by_formula.total == pytest.approx(lora.peak, rel=0.05)
    assert dora.by_formula is None
    assert base.peak < lora.peak < dora.peak
    assert {one.fits for one in found.forecasts} == {None}
    assert full.train_seconds is None


def test_lengths_are_estimated_from_characters_where_there_is_no_tokenizer() -> None:
    found = fit.look(request(None, (("base", 0),)))
    count = token_counts.counter(None, CONFIG)
    expected = math.ceil(count("and " * 400)) + math.ceil(count("yes")) + 1
    assert found.tokens == (expected, expected)


def plan(*words: str, results: Path) -> int:
    return app.main(["plan", *words, "--results", str(results)])


def test_the_command_works_for_a_shipped_id_and_tells_fit_time_and_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "cache"))
    asked = ["--task", "cfa", "--model", "meta-llama/Llama-3.2-1B", "--method", "base,lora", "--rank", "8"]
    assert plan(*asked, "--gpu", "24GiB", "--price", "2.50", results=tmp_path) == 0
    said = " ".join(capsys.readouterr().out.split())
    for words in (
        "1.2 B weights",
        "estimated by statistics of llama3 tokenizers, within about 5 %",
        "lora r8 s0 3 0.00033 yes",
        "the card assumed for this size",
        "at 2.5 per hour",
        "arithmetic at 40 % of the peak rate of the RTX-3090",
    ):
        assert words in said
    assert not list(tmp_path.glob("runs/**/record.json"))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--gpu", "24TiB"), "neither a size nor a known card"),
        (("--gpu", "500GiB", "--price", "2"), "speed is not known"),
        (("--price", "2"), "no card named"),
        (("--gpu", "H100", "--share-of-peak", "40"), "above 0 and up to 1"),
        (("--gpu", "H100", "--price", "free"), "not a number above 0"),
        (("--gpu", "H100", "--no-memory"), "--gpu asks for memory"),
        (("--gpu", "H100", "--model", "no/such-model-here/at-all"), "no model folder"),
    ],
)
def test_what_makes_no_sense_ends_with_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    assert plan("--task", "cfa", *words, results=tmp_path) == 2
    assert said in capsys.readouterr().err


def finished(seed: int, predicted: int, measured: int, **changes: Any) -> Any:
    cost = make_cost()
    phases = {**cost.phases, "train": Phase(seconds=1.0, peak_bytes=measured, resident_bytes=0)}
    cost = replace(cost, phases=phases, predicted_peak_bytes=predicted)
    return make_record(make_spec(seed=seed, **changes), cost=cost)


def test_past_predictions_are_held_against_what_was_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert plan("--accuracy", results=tmp_path) == 2
    assert "no finished run has both" in capsys.readouterr().err
    records = [finished(0, 110, 100), finished(1, 80, 100), finished(0, 50, 50, method="full", rank=0)]
    records.append(finished(2, 0, 100))  # planned with --no-memory
    full, lora = history.prediction_errors(records)
    assert (full.method, full.runs, full.mean, full.worst) == ("full", 1, 0.0, 0.0)
    assert lora.runs == 2
    assert [lora.mean, lora.worst] == pytest.approx([-0.05, -0.2])
    for record in records:
        store.write_record(store.run_dir(tmp_path, record.spec), record)
    assert plan("--accuracy", results=tmp_path) == 0
    said = capsys.readouterr().out
    assert "-5.0" in said
    assert "-20.0" in said


def test_all_methods_are_every_registered_one_whose_packages_are_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness.data import registry

    asked = ["--task", "cfa", "--method", "all", "--rank", "8", "--no-memory"]
    assert plan(*asked, results=tmp_path) == 0
    said = capsys.readouterr().out
    known = {name: entry.value for name, entry in registry.methods().items() if entry.value}
    assert {"base", "lora", "qlora", "full", "dora"} <= set(known)
    for name, method in known.items():
        assert (re.search(rf"^{re.escape(name)} ", said, re.MULTILINE) is None) == bool(registry.missing(method)), name


def test_checkpointing_is_part_of_the_spec_only_where_asked(tmp_path: Path) -> None:
    plain = make_spec()
    assert "checkpointing" not in json.dumps(plain.fields())
    assert replace(plain, checkpointing=True).id != plain.id


def test_one_row_far_longer_than_the_rest_is_named_with_what_a_window_saves() -> None:
    texts = (*((("and " * 60, "yes"),) * 60), ("and " * 1500, "yes"))
    wanted = replace(request(None, (("lora", 8),)), train=texts, names=tuple(f"row-{i}" for i in range(61)))
    row = fit.look(wanted).long_row
    assert row is not None
    assert wanted.names[row.position] == "row-60"
    assert row.shortened == 1
    assert row.median < row.window < row.tokens
    assert row.after < row.before
    assert fit.look(request(None, (("lora", 8),))).long_row is None


def test_a_run_that_fits_leaves_the_margin_that_the_heading_states() -> None:
    (one,) = fit.look(request(90, (("lora", 8),))).forecasts
    card = request(90 * MIB).card
    assert card is not None
    assert card.limit == pytest.approx(0.97 * card.usable)
    assert not one.fits or one.peak <= card.limit
