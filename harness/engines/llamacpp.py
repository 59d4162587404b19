"""llama.cpp through the package xllamacpp: the model of a folder as a GGUF file, quantised or not, a LoRA adapter on it.

Settings: greedy, one text at a time, no flash attention, keys and values in fp32 for runs in fp32 and in fp16 otherwise.
Texts that begin alike share what was read. A log-probability is that of the model, before anything is sampled: to learn
that of a given token, the token is forced by a bias, which changes the choice alone.
"""

from __future__ import annotations

import secrets
import tempfile
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.engines import gguf_export
from harness.engines.engine import EngineFault, Written
from harness.record import RunSpec

PART = 16  # tokens of an answer in one request: none is written in vain behind its end
BIAS = 1e6
ALL_LAYERS = 999


class LlamaCppEngine:
    """A model in llama.cpp, inside this process."""

    def __init__(self, folder: Path, spec: RunSpec, adapter: Path | None, threads: int, *, form: str = "") -> None:
        import xllamacpp

        self._files = tempfile.TemporaryDirectory(prefix="adaptbench-gguf-")
        model = Path(self._files.name) / "model.gguf"
        gguf_export.write_model(folder, model, form or spec.dtype)
        params = xllamacpp.CommonParams()
        params.model.path = str(model)
        if adapter is not None:
            gguf_export.refuse_other_adapters(adapter)
            file = Path(self._files.name) / "adapter.gguf"
            gguf_export.write_adapter(adapter, folder, file)
            params.lora_adapters = [xllamacpp.CommonAdapterLoraInfo(str(file), 1.0)]
        _settle(xllamacpp, params, spec, threads)
        self._server: Any = xllamacpp.Server(params)

    def write(self, prompts: Sequence[Sequence[int]], stop: Collection[int], limit: int) -> list[Written]:
        """Return the most likely continuation of each prompt."""
        return [self._continued(list(prompt), stop, limit) for prompt in prompts]

    def score(self, texts: Sequence[tuple[Sequence[int], Sequence[int]]]) -> list[list[float]]:
        """Return the log-probabilities of the second part of each text."""
        return [
            [self._logprob([*first, *second[:number]], token) for number, token in enumerate(second)]
            for first, second in texts
        ]

    def close(self) -> None:
        """End the server, and remove its files."""
        self._server = None
        self._files.cleanup()

    def _continued(self, prompt: list[int], stop: Collection[int], limit: int) -> Written:
        tokens: list[int] = []
        loglik = 0.0
        while len(tokens) < limit:
            rows, ended = self._complete(prompt + tokens, min(PART, limit - len(tokens)), {})
            for token, logprob in rows:
                tokens.append(token)
                loglik += logprob
                if token in stop:
                    return tokens, loglik
            if ended:  # by an end token of the model that is not among `stop`
                break
        return tokens, loglik

    def _logprob(self, text: list[int], token: int) -> float:
        ((forced, logprob),), _ = self._complete(text, 1, {"logit_bias": [[token, BIAS]]})
        if forced != token:
            raise EngineFault(f"llama.cpp chose the token {forced}, and {token} was forced")
        return logprob

    def _complete(self, text: list[int], limit: int, more: Mapping[str, Any]) -> tuple[list[tuple[int, float]], bool]:
        """Return the tokens behind a text with their log-probabilities, and whether the model ended the text."""
        request = {"prompt": text, "n_predict": limit, "temperature": 0, "n_probs": 1, "cache_prompt": True, **more}
        reply = self._server.handle_completions(request)
        choices = reply.get("choices") if isinstance(reply, Mapping) else None
        if not choices:
            raise EngineFault(f"llama.cpp gave no answer: {str(reply)[:200]}")
        rows = [(int(row["id"]), float(row["logprob"])) for row in choices[0]["logprobs"]["content"]]
        if not rows:
            raise EngineFault("llama.cpp gave an answer without a token")
        return rows, choices[0]["finish_reason"] == "stop"


def _settle(xllamacpp: Any, params: Any, spec: RunSpec, threads: int) -> None:
    """Write the settings of a run into llama.cpp's."""
    params.n_ctx = -(-(spec.max_tokens + spec.max_new_tokens) // 256) * 256
    params.n_parallel = 1
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = ALL_LAYERS if spec.device == "cuda" else 0
    params.flash_attn_type = xllamacpp.llama_flash_attn_type.LLAMA_FLASH_ATTN_TYPE_DISABLED
    if spec.dtype == "fp32":
        params.cache_type_k = params.cache_type_v = xllamacpp.ggml_type.GGML_TYPE_F32
    params.fit_params = params.warmup = params.ctx_shift = False
    params.api_keys = [secrets.token_hex(16)]  # its port is open to this machine; nobody else may ask there
    params.verbosity = -1
