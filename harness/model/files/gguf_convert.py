"""The conversion of a GGUF file into a model folder, in a process of its own: FILE SHA256 FOLDER.

transformers reads the file and dequantises its weights. It does not know how each family's tokenizer splits numbers; the file
says so by a name (`tokenizer.ggml.pre`), as llama.cpp reads it.
"""

from __future__ import annotations

import contextlib
import copy
import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from harness.model.files import identity
from harness.model.files.gguf_file import ORIGIN

# Names of `tokenizer.ggml.pre` for which llama.cpp splits numbers into single digits before GPT-2's rule (src/llama-vocab.cpp).
SINGLE_DIGITS = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
PLAIN = {"", "default", "gpt-2", "gpt2", "phi-2", "mpt", "olmo", "jais"}  # GPT-2's rule alone
PLAIN_TYPES = {"F32", "F16", "BF16"}


def convert(source: Path, sha256: str, target: Path) -> None:
    """Write the model, its tokenizer and a note on the file to a folder."""
    import torch
    from gguf import GGUFReader
    from transformers import AutoModelForCausalLM, AutoTokenizer

    remote_code = False  # a GGUF file brings no code
    names: dict[str, Any] = {"gguf_file": source.name, "local_files_only": True}
    reader = GGUFReader(source)
    model = AutoModelForCausalLM.from_pretrained(
        source.parent, dtype=torch.float32, trust_remote_code=remote_code, **names
    )
    config = copy.deepcopy(model.config)
    if hasattr(config, "quantization_config"):
        del config.quantization_config  # the weights are dequantised, and a quantised model cannot be saved
    plain: Any = AutoModelForCausalLM.from_config(config, dtype=torch.float32, trust_remote_code=remote_code)
    plain.load_state_dict(model.state_dict())
    plain.save_pretrained(target)
    tokenizer = AutoTokenizer.from_pretrained(source.parent, trust_remote_code=remote_code, **names)
    notes = split_digits(
        tokenizer, str(_value(reader, "tokenizer.ggml.model")), str(_value(reader, "tokenizer.ggml.pre"))
    )
    tokenizer.save_pretrained(target)
    origin = {"file": source.name, "sha256": sha256, "quantisation": quantisation(reader), "notes": notes}
    origin["contents"] = identity.of_folder(target, sorted(target.glob("*.safetensors")))[0]
    (target / ORIGIN).write_text(json.dumps(origin, indent=1) + "\n", encoding="utf-8")


def quantisation(reader: Any) -> str:
    """Return the format in which most numbers of the file are stored, such as Q4_1."""
    counts: Counter[str] = Counter()
    for tensor in reader.tensors:
        counts[tensor.tensor_type.name] += int(tensor.n_elements)
    packed = Counter({name: count for name, count in counts.items() if name not in PLAIN_TYPES})
    return (packed or counts).most_common(1)[0][0]


def split_digits(tokenizer: Any, kind: str, pre: str) -> str:
    """Give a byte-level tokenizer the split into digits that its file names; return a note if the rule is not known."""
    from tokenizers import pre_tokenizers

    if kind != "gpt2" or pre in PLAIN:
        return ""
    if pre in SINGLE_DIGITS:
        rules = [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(rules)
        return ""
    splits: Any = {}
    with contextlib.suppress(ImportError):  # of versions that read these files
        mapping = importlib.import_module("transformers.integrations.gguf.gguf_tokenizer_mapping")
        splits = getattr(mapping, "GGUF_PRE_TOKENIZER_SPLITS", {})
    return "" if pre in splits else f"the tokenizer's rule '{pre}' for splitting text is unknown and left out"


def _value(reader: Any, name: str) -> Any:
    field = reader.fields.get(name)
    return field.contents() if field else ""


if __name__ == "__main__":
    convert(Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3]))
