"""Models of a few thousand weights, a tokenizer and a task, made on the fly for the tests of torch code."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

from harness.record import RunSpec, Scoring, Split
from harness.schema import Example, Metric, Source, Task
from tests.support.records import make_spec

SENTENCES = (
    "Which option is right? Options: the first rises, the second falls, the third stays. Answer: it rises",
    "A premium of 1,200 is due. The deductible is 250 and the limit 5000. What is payable? Answer: 950",
    "Assets equal liabilities plus equity. Net income of 34.5 million. Cash flows from operations. Answer: pay",
)


def toy_tokenizer() -> Any:
    """Return a byte-level BPE tokenizer of about 300 entries with an end token; each call returns another one."""
    from tokenizers import Tokenizer
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer.from_str(_entries()), eos_token="<end>")


@functools.cache
def _entries() -> str:
    """Return the trained tokenizer as JSON: to train it takes ten times as long as to read it."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=300,
        special_tokens=["<end>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(SENTENCES, trainer)
    return str(tokenizer.to_str())


def toy_model(**changes: Any) -> Any:
    """Return a Llama of about 20,000 fp32 weights whose outputs are far from uniform, the same on every call."""
    from transformers import LlamaConfig, LlamaForCausalLM

    settings: dict[str, Any] = {
        "vocab_size": 300,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 256,
        "tie_word_embeddings": True,
        "initializer_range": 0.2,
        "bos_token_id": None,
        "eos_token_id": 0,
        "pad_token_id": None,
    }
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**(settings | changes))).eval()


def toy_folder(folder: Path, **changes: Any) -> Path:
    """Write the toy model and tokenizer to a folder, as `save_pretrained` does."""
    toy_model(**changes).save_pretrained(folder)
    toy_tokenizer().save_pretrained(folder)
    return folder


def toy_spec(**changes: Any) -> RunSpec:
    """Return a small fp32 CPU spec of full fine-tuning."""
    model = {"data": "none", "model": "toy", "model_revision": "none"}
    return make_spec(**(model | {"method": "full", "rank": 0, "alpha": 0.0, "learning_rate": 3e-3} | changes))


def toy_examples(count: int) -> list[Example]:
    """Return questions of different lengths with three options of different lengths."""
    words = ("rises", "falls a little", "stays where it is")
    return [
        Example(
            id=f"q{i}",
            question=f"Filing {i} says {'net income ' * (i % 5)}{words[i % 3]}. What does it do?",
            target=words[i % 3],
            choices=words,
            context="Assets equal liabilities. " * (i % 4),
        )
        for i in range(count)
    ]


def _load(folder: Path, split: Split) -> Iterable[Example]:
    return toy_examples(12)


def _prompt(example: Example) -> str:
    head = f"{example.context}\n\n" if example.context else ""
    return f"{head}{example.question}\nOptions:\n" + "\n".join(f"- {c}" for c in example.choices) + "\nAnswer:"


def toy_task(scoring: Scoring = "choices") -> Task:
    """Return a task over `toy_examples`."""
    metric = Metric(name="accuracy", title="accuracy", score=lambda answer: float(answer.parsed == answer.target))
    return Task(
        name="toy",
        version=1,
        title="toy",
        source=Source("toy"),
        load=_load,
        prompt=_prompt,
        metrics=(metric,),
        scoring=scoring,
    )


class Deaf(torch.nn.Module):
    """A model that ignores every mask."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = toy_model()
        self.config, self.dtype = self.inner.config, self.inner.dtype

    def get_output_embeddings(self) -> Any:
        return self.inner.get_output_embeddings()

    def forward(self, **inputs: Any) -> Any:
        inputs.pop("attention_mask", None)
        return self.inner(**inputs)
