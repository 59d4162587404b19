"""Serving many adapters: one base model that they share, against a merged model for each, and against one at a time."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.adapters.serve.generation import GenerationRequest
from harness.adapters.serve.model import SharedBase, adapter_bytes
from harness.data import registry
from harness.methods import lora
from harness.model.byte_counter import model_tensors, storage_bytes
from harness.model.checkpoint import read
from harness.model.tokenize import encode_test
from harness.record import RunSpec
from harness.store import records
from tests.benchmarks import subjects
from tests.benchmarks.timing import Comparison, in_turn, keep
from tests.support.stored_adapters import adapted_spec, write_run

COUNTS = (1, 4, 16, 64)
PACKAGES = ("torch", "transformers", "peft")
RANK = 8
ROWS = 32  # of a batch
TOKENS = 32  # of an answer


def adapters(folder: Path, count: int) -> tuple[RunSpec, list[Path]]:
    """Write random LoRA adapters of the embedded model as runs leave them; return the spec of one, and their folders."""
    base = read("tiny")
    specs = [adapted_spec(rank=RANK, seed=n, model="tiny", model_revision=base.revision) for n in range(count)]
    runs = [write_run(folder, base.folder, spec, start=number) for number, spec in enumerate(specs)]
    return specs[0], [run.folder / records.ADAPTER for run in runs]


def merged(spec: RunSpec, adapter: Path) -> Any:
    """Return the embedded model with an adapter merged into its weights."""
    from peft import PeftModel

    return PeftModel.from_pretrained(lora.load(str(subjects.tiny_folder()), spec), str(adapter)).merge_and_unload()


def prompts(base: SharedBase, count: int) -> list[tuple[int, ...]]:
    """Return the first prompts of `sec_qa`."""
    task, examples, spec = subjects.questions("sec_qa", count)
    return [item.prompt for item in encode_test(base.tokenizer, examples, task, spec.max_tokens, TOKENS)]


def write(base: SharedBase, asks: list[GenerationRequest], loaded: Any) -> list[str]:
    """Write everything in batches of `ROWS`, in the order that it stands in."""
    parts = [asks[start : start + ROWS] for start in range(0, len(asks), ROWS)]
    return [one.text for part in parts for one in base.write(part, loaded, lambda: None)]


def swap(base: SharedBase, spec: RunSpec, folders: list[Path], rounds: int) -> Comparison:
    """Measure what it takes until another adapter can answer: its weights read, or its merged model."""
    with tempfile.TemporaryDirectory() as place:
        merged(spec, folders[0]).save_pretrained(place)
        ways = {"ours": lambda: base.read(folders[0]), "its merged model loaded": lambda: lora.load(place, spec)}
        seconds, found = in_turn(ways, rounds=rounds)
        other = SharedBase(subjects.tiny_folder(), spec, replace(lora.METHOD, load=lambda *_: found[list(ways)[1]]))
    rows = [GenerationRequest(prompt, "a", TOKENS) for prompt in prompts(base, 16)]
    same = zip(
        write(base, rows, {"a": found["ours"]}), write(other, [replace(r, adapter="") for r in rows], {}), strict=True
    )
    return Comparison(
        "serving-swap",
        f"a LoRA adapter of rank {RANK} made ready to answer, tiny, fp32",
        seconds,
        {},
        f"{sum(a == b for a, b in same)} of {len(rows)} answers are the same",
        packages=subjects.versions(PACKAGES),
    )


def memory(base: SharedBase, spec: RunSpec, folders: list[Path]) -> Comparison:
    """Count the bytes of live tensors: the base model with adapters, or as many merged models."""
    count = len(folders)
    ours = storage_bytes(model_tensors(base.model)) + sum(adapter_bytes(base.read(folder)) for folder in folders)
    models = [merged(spec, folder) for folder in folders]
    theirs = storage_bytes(tensor for model in models for tensor in model_tensors(model))
    return Comparison(
        f"serving-memory-{count:02d}",
        f"bytes (not seconds) of live tensors that serve {count} LoRA adapter{'s' * (count != 1)} of rank {RANK}, tiny, fp32",
        {"ours": (float(ours),), f"{count} merged": (float(theirs),)},
        {},
        f"{ours / 2**20:.1f} MiB and {theirs / 2**20:.1f} MiB",
        packages=subjects.versions(PACKAGES),
    )


def throughput(base: SharedBase, spec: RunSpec, folders: list[Path], questions: int, rounds: int) -> Comparison:
    """Measure the same questions to every adapter, the adapters in turn as requests come: mixed, and otherwise."""
    base._ends = {-1}  # every answer is written to its last token, so that all ways write as many
    keys = [f"a{number}" for number in range(len(folders))]
    loaded = {key: base.read(folder) for key, folder in zip(keys, folders, strict=True)}
    rows = [GenerationRequest(prompt, key, TOKENS) for prompt in prompts(base, questions) for key in keys]

    def one_at_a_time() -> list[str]:
        said = {key: iter(write(base, [row for row in rows if row.adapter == key], loaded)) for key in keys}
        return [next(said[row.adapter]) for row in rows]

    ways: dict[str, Any] = {
        "ours": lambda: write(base, rows, loaded),
        "one adapter at a time": one_at_a_time,
        "the base model alone": lambda: write(base, [replace(row, adapter="") for row in rows], {}),
        "PEFT's adapter_names in generate": peft_way(base, spec, dict(zip(keys, folders, strict=True)), rows),
    }
    seconds, found = in_turn(ways, rounds=rounds)
    same = {
        name: sum(a == b for a, b in zip(found["ours"], found[name], strict=True))
        for name in ("one adapter at a time", "PEFT's adapter_names in generate")
    }
    return Comparison(
        "serving-mixed",
        f"{len(rows)} answers of {TOKENS} tokens by {len(keys)} LoRA adapters of rank {RANK}, {ROWS} at once, tiny, fp32",
        seconds,
        {},
        "the same text: " + ", ".join(f"{name} {number} of {len(rows)}" for name, number in same.items()),
        packages=subjects.versions(PACKAGES),
    )


def peft_way(base: SharedBase, spec: RunSpec, folders: dict[str, Path], rows: list[GenerationRequest]) -> Any:
    """Return a call that writes the rows by PEFT's mixed batches, through transformers' own `generate`."""
    import torch
    from peft import PeftModel

    model: Any = lora.load(str(subjects.tiny_folder()), spec)
    for key, folder in folders.items():
        if isinstance(model, PeftModel):
            model.load_adapter(str(folder), key)
        else:
            model = PeftModel.from_pretrained(model, str(folder), adapter_name=key)
    model.eval()
    model.generation_config.eos_token_id = None
    end = base.tokenizer.eos_token_id

    def call() -> list[str]:
        texts = []
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            width = max(len(row.prompt) for row in part)
            ids = torch.tensor([[0] * (width - len(row.prompt)) + list(row.prompt) for row in part])
            mask = torch.tensor([[0] * (width - len(row.prompt)) + [1] * len(row.prompt) for row in part])
            with torch.inference_mode():
                out = model.generate(
                    input_ids=ids,
                    attention_mask=mask,
                    max_new_tokens=TOKENS,
                    do_sample=False,
                    pad_token_id=end,
                    adapter_names=[row.adapter for row in part],
                )
            texts += [base.tokenizer.decode(line[width:], skip_special_tokens=True) for line in out]
        return texts

    return call


def main(counts: tuple[int, ...] = COUNTS, mixed: int = 8, questions: int = 16, rounds: int = 3) -> None:
    """Measure with the embedded model; `mixed` adapters take part in the mixed batches."""
    with tempfile.TemporaryDirectory() as folder:
        spec, folders = adapters(Path(folder), max(*counts, mixed))
        base = SharedBase(subjects.tiny_folder(), spec, registry.method("lora"))
        keep(swap(base, spec, folders, rounds * 3))
        for count in counts:
            keep(memory(base, spec, folders[:count]))
        keep(throughput(base, spec, folders[:mixed], questions, rounds))
