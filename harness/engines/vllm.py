"""vLLM inside this process: the model of a folder, a LoRA adapter by its multi-LoRA.

Settings: greedy, seed 0, the run's number format, no CUDA graphs, no cache of prefixes (with it, log-probabilities of
prompts are not computed), one engine process, and batch-invariant kernels if the GPU has them. Log-probabilities are those
of the model, before anything is sampled.
"""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.engines import gguf_export
from harness.engines.engine import EngineFault, Written
from harness.errors import HarnessError
from harness.record import RunSpec

RANKS = (8, 16, 32, 64, 128, 256, 320, 512)  # that vLLM has kernels for; an adapter of a smaller rank is padded
GPU_SHARE = 0.8  # of the GPU's memory, for weights and keys and values
ENVIRONMENT = {
    "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
    "VLLM_ALLOW_LONG_MAX_MODEL_LEN": "1",  # by one token, see `max_model_len`
    "VLLM_NO_USAGE_STATS": "1",
}


class VllmEngine:
    """A model in vLLM."""

    def __init__(self, folder: Path, spec: RunSpec, adapter: Path | None) -> None:
        invariant = {"VLLM_BATCH_INVARIANT": "1"} if spec.device == "cuda" and _has_invariant_kernels() else {}
        for name, value in (ENVIRONMENT | invariant).items():
            os.environ.setdefault(name, value)
        import vllm
        from vllm.lora.request import LoRARequest

        self._vllm = vllm
        if adapter is not None:
            gguf_export.refuse_other_adapters(adapter)
        self._adapter = LoRARequest("adapter", 1, str(adapter)) if adapter is not None else None
        settings: dict[str, Any] = {
            "model": str(folder),
            "dtype": "bfloat16" if spec.dtype == "bf16" else "float32",
            "seed": 0,
            "max_model_len": spec.max_tokens + 1,  # a text that fills the window is read, and a token is written
            "enforce_eager": True,
            "enable_prefix_caching": False,
            "trust_remote_code": spec.remote_code,
            "generation_config": "vllm",  # no penalty of the model's folder: it would write other tokens than the likeliest
            "logprobs_mode": "raw_logprobs",
            "disable_log_stats": True,
        }
        if spec.device == "cuda":
            settings["gpu_memory_utilization"] = GPU_SHARE
        if adapter is not None:
            settings |= {"enable_lora": True, "max_loras": 1, "max_lora_rank": _padded(spec.rank)}
            settings["lora_target_modules"] = _targets(adapter)
        self._model = vllm.LLM(**settings)

    def write(self, prompts: Sequence[Sequence[int]], stop: Collection[int], limit: int) -> list[Written]:
        """Return the most likely continuation of each prompt."""
        settings = self._vllm.SamplingParams(
            temperature=0.0, max_tokens=limit, stop_token_ids=sorted(stop), logprobs=0, detokenize=False
        )
        answers = []
        for output in self._generate(prompts, settings):
            (choice,) = output.outputs
            tokens = [int(token) for token in choice.token_ids]
            if choice.finish_reason not in ("stop", "length") or not tokens:
                raise EngineFault(f"vLLM ended an answer for the reason {choice.finish_reason!r}")
            rows = choice.logprobs or []
            answers.append((tokens, sum(_logprob(row, token) for row, token in zip(rows, tokens, strict=True))))
        return answers

    def score(self, texts: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[list[float]]:
        """Return the log-probabilities of the second part of each text."""
        settings = self._vllm.SamplingParams(temperature=0.0, max_tokens=1, prompt_logprobs=0, detokenize=False)
        outputs = self._generate([[*first, *second] for first, second in texts], settings)
        values = []
        for output, (_, second) in zip(outputs, texts, strict=True):
            rows = (output.prompt_logprobs or [])[-len(second) :]
            values.append([_logprob(row, token) for row, token in zip(rows, second, strict=True)])
        return values

    def close(self) -> None:
        """Free the model."""
        self._model = None

    def _generate(self, prompts: Sequence[Sequence[int]], settings: Any) -> Sequence[Any]:
        outputs = self._model.generate(
            [{"prompt_token_ids": list(prompt)} for prompt in prompts],
            settings,
            use_tqdm=False,
            lora_request=self._adapter,
        )
        if len(outputs) != len(prompts):
            raise EngineFault(f"vLLM gave {len(outputs)} answers to {len(prompts)} prompts")
        return list(outputs)


def _has_invariant_kernels() -> bool:
    """Return whether the GPU has vLLM's kernels whose digits do not depend on the batch: compute capability 9.0 and later."""
    import torch

    return bool(torch.cuda.get_device_capability() >= (9, 0))


def _logprob(row: Mapping[int, Any] | None, token: int) -> float:
    if row is None or token not in row:
        raise EngineFault(f"vLLM gave no log-probability of the token {token}")
    return float(row[token].logprob)


def _targets(adapter: Path) -> list[str]:
    """Return the modules that an adapter changes.

    vLLM would prepare all others for adapters, too, the output layer among them; log-probabilities of prompts fail then.
    """
    modules = json.loads((adapter / "adapter_config.json").read_text(encoding="utf-8"))["target_modules"]
    return sorted({str(name).rpartition(".")[2] for name in modules})


def _padded(rank: int) -> int:
    """Return the smallest rank of vLLM's kernels that holds an adapter's."""
    for known in RANKS:
        if rank <= known:
            return known
    problem = f"vLLM loads adapters up to rank {RANKS[-1]}, and this one has rank {rank}"
    raise HarnessError(problem, where="--engine vllm", fix="leave --engine out")
