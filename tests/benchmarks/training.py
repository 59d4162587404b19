"""LoRA of rank 8: our loop against TRL's `SFTTrainer` (its defaults, then its best settings here) and PEFT's plain way.

The model has the embedded one's shape with a vocabulary of 50,304; lengths are log-normal, as those of instructions are.
All but TRL's defaults see the same batches in the same order, 16 a step, in fp32, without dropout, at the same rates from
the same start, so that their losses must agree step by step.

TRL's best settings here: no activation checkpointing (its default; with it the forward pass runs twice), one batch of 16 a
step, and the rows handed over in our order, sorted within windows, and read one after the other, which pads least. bf16 is
off on all sides. `padding_free` is for FlashAttention, Liger and `use_kernels` are for a GPU, loader workers have nothing to
do where rows are token ids, and `loss_type="chunked_nll"` is another name of the default.

What is left cannot be set. TRL 1.16 computes log-probabilities in tiles of the vocabulary, once more in the backward pass.
Where Triton runs it takes the positions that have a label; elsewhere, and so on a processor, every position of the batch,
prompts and padding too, each with the entropy and whether the label is the likeliest token, in about twenty passes of plain
torch over [positions, vocabulary]. The last two ways take this away (`narrowed`), and the note on the page says how the
ratio splits. To compare loops rather than losses, cite the last row: it is what TRL would take with its GPU's positions.
"""

from __future__ import annotations

import contextlib
import random
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from unittest import mock

import torch

from harness.methods import lora
from harness.model.tokenize import Pair
from harness.record import RunSpec
from harness.training import loop
from tests.benchmarks import subjects
from tests.benchmarks.timing import OURS, Comparison, in_turn, keep, peaks

BATCH = 16
RATE = 1e-3
TARGET = 12  # tokens of an answer
APART = 0.005  # nats; the same work in another order of rounding is closer

DEFAULTS, BEST, PLAIN = "TRL, its defaults", "TRL, at its best", "PEFT, plain loop"
BARE, NARROW = "TRL, at its best, no metrics", "TRL, at its best, loss at labels"


def pairs(count: int, vocabulary: int) -> list[Pair]:
    """Return examples of random tokens whose prompts' lengths are log-normal (median 60, at most 500 tokens)."""
    rng = random.Random(3)
    lengths = [min(500, max(8, round(rng.lognormvariate(4.1, 0.7)))) for _ in range(count)]
    return [
        Pair(tuple(rng.choices(range(300, vocabulary), k=n)), tuple(rng.choices(range(300, vocabulary), k=TARGET)))
        for n in lengths
    ]


def adapted(spec: RunSpec) -> Any:
    """Return the wide model with the harness's LoRA."""
    model, _ = subjects.wide()
    return lora.adapt(model.requires_grad_(False), spec)


def with_peft() -> Any:
    """Return the wide model with PEFT's LoRA as it comes, from the start values of `adapted`."""
    from peft import LoraConfig, get_peft_model

    model, _ = subjects.wide()
    torch.manual_seed(0)
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", r=8, lora_alpha=32.0, lora_dropout=0.0)
    return get_peft_model(model, config)


def ours(rows: list[Pair], spec: RunSpec) -> list[float]:
    """Train with the harness's loop; returns the loss of every step."""
    _, tokenizer = subjects.wide()
    return list(loop.fit(adapted(spec), tokenizer, rows, spec).losses)


def plain(rows: list[Pair], order: list[list[int]]) -> list[float]:
    """Train as PEFT's examples do: every batch padded to its longest row, logits everywhere."""
    model = with_peft()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    losses = []
    for step, batch in enumerate(order):
        chosen = [rows[i] for i in batch]
        width = max(map(len, chosen))
        ids = torch.tensor([[*p.prompt, *p.target, *[0] * (width - len(p))] for p in chosen])
        labels = torch.tensor([[-100] * len(p.prompt) + [*p.target, *[-100] * (width - len(p))] for p in chosen])
        mask = torch.tensor([[1] * len(p) + [0] * (width - len(p)) for p in chosen])
        loss = model(input_ids=ids, attention_mask=mask, labels=labels).loss
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, loop.CLIP_NORM)
        optimizer.param_groups[0]["lr"] = loop.rate_at(RATE, 0.0, step, len(order))
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def trl(rows: Sequence[Pair], **best: Any) -> list[float]:
    """Train with TRL on the token ids; `best` overrides its defaults."""
    import datasets
    from trl import SFTConfig, SFTTrainer

    table = datasets.Dataset.from_list(
        [
            {"input_ids": [*p.prompt, *p.target], "completion_mask": [0] * len(p.prompt) + [1] * len(p.target)}
            for p in rows
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        config = SFTConfig(
            output_dir=folder,
            num_train_epochs=1,
            learning_rate=RATE,
            logging_steps=1,
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            use_cpu=True,
            bf16=False,
            max_length=1024,
            completion_only_loss=True,  # its default for prompts and completions, but not for token ids
            **best,
        )
        model = with_peft()
        trainer = SFTTrainer(model, args=config, train_dataset=table, processing_class=subjects.wide()[1])
        trainer.train()
    return [line["loss"] for line in trainer.state.log_history if "loss" in line]


@contextlib.contextmanager
def narrowed(*, positions: bool) -> Iterator[None]:
    """Have TRL compute neither entropy nor accuracy, with `positions` also nothing where there is no label, as on a GPU."""
    from trl.kernels import chunked_logprob
    from trl.trainer import utils

    fold = chunked_logprob._forward_tile

    def bare(*tiles: Any, **flags: Any) -> None:
        fold(*tiles, **flags | {"HAS_ENTROPY": False, "HAS_IS_TOP1": False})

    with mock.patch.object(chunked_logprob, "_forward_tile", bare), contextlib.ExitStack() as patches:
        if positions:  # what decides here is this name in `utils`; the kernels look at their own
            patches.enter_context(mock.patch.object(utils, "_use_triton", return_value=True))
        yield


def trl_narrowed(rows: Sequence[Pair], best: dict[str, Any], *, positions: bool) -> list[float]:
    """Train with TRL as `trl` does, without part of what its loss computes."""
    with narrowed(positions=positions):
        return trl(rows, **best)


def compare(count: int, rounds: int) -> Comparison:
    """Measure one epoch over `count` examples."""
    _, _, base = subjects.questions("cfa", 1)
    spec = RunSpec(
        **vars(base)
        | {"method": "lora", "rank": 8, "alpha": 32.0, "learning_rate": RATE, "epochs": 1.0, "batch_size": BATCH}
        | {"micro_batch": BATCH, "train_examples": count, "warmup": 0.0}
    )
    rows = pairs(count, 8000)
    order = loop.plan_batches([len(row) for row in rows], spec)
    best = {
        "gradient_checkpointing": False,
        "per_device_train_batch_size": BATCH,
        "train_sampling_strategy": "sequential",
        "lr_scheduler_type": "cosine",
    }

    def ways(rows: list[Pair], order: list[list[int]]) -> dict[str, Any]:
        sorted_rows = [rows[i] for batch in order for i in batch]
        return {
            OURS: lambda: ours(rows, spec),
            DEFAULTS: lambda: trl(rows),
            BEST: lambda: trl(sorted_rows, **best),
            BARE: lambda: trl_narrowed(sorted_rows, best, positions=False),
            NARROW: lambda: trl_narrowed(sorted_rows, best, positions=True),
            PLAIN: lambda: plain(rows, order),
        }

    seconds, found = in_turn(ways(rows, order), rounds=rounds)
    longest = sorted(rows, key=len)[-BATCH:]
    kept = (OURS, DEFAULTS, BEST, NARROW, PLAIN)
    counted = ways(longest, [list(range(BATCH))])
    return Comparison(
        "training",
        f"LoRA r8, {count} examples with log-normal lengths, vocabulary {subjects.WIDE:,}, one epoch, fp32",
        {name: seconds[name] for name in kept},
        {DEFAULTS: 3.0, BEST: 1.3, NARROW: 1.3, PLAIN: 3.0},
        _same(found),
        notes=(
            _split(seconds),
            "the last TRL row is no setting but a patch: its loss where there are labels only, as it computes it on a GPU",
            "loading the model and building the trainer are in the time of every way",
            "peaks: the longest batch",
        ),
        packages=subjects.versions(("torch", "transformers", "peft", "trl")),
        peaks=peaks({name: counted[name] for name in kept}),
    )


def _same(found: Mapping[str, Sequence[float]]) -> str:
    """Say by how much the losses of those that saw our batches are apart, and where TRL's defaults ended.

    Raises:
        RuntimeError: they are further apart than rounding explains: it was not the same work.
    """
    like = (BEST, BARE, NARROW, PLAIN)
    apart = max(abs(a - b) for name in like for a, b in zip(found[OURS], found[name], strict=True))
    if apart > APART:
        raise RuntimeError(f"the losses are {apart:g} nats apart")
    last = {name: statistics.mean(found[name][-3:]) for name in (OURS, DEFAULTS)}
    told = ", ".join(f"{name} {value:.3f}" for name, value in last.items())
    return f"losses of all steps at most {apart:.4f} nats apart where the batches are ours; of the last three: {told}"


def _split(seconds: Mapping[str, Sequence[float]]) -> str:
    """Say what the ratio to TRL at its best is a product of, as medians over rounds."""
    factors = {
        "entropy and accuracy over the vocabulary": (BEST, BARE),
        "a loss at every position instead of those with a label": (BARE, NARROW),
        "all the rest of the loop": (NARROW, OURS),
    }
    told = [
        f"{statistics.median(a / b for a, b in zip(seconds[more], seconds[less], strict=True)):.2f} ({name})"
        for name, (more, less) in factors.items()
    ]
    return "TRL at its best against ours is " + " x ".join(told)


def main(count: int = 160, rounds: int = 2) -> None:
    """Measure with the wide vocabulary."""
    keep(compare(count, rounds))
