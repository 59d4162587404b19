"""Any PEFT method from its config, in code or as a file: `--method path/to/adapter_config.json`."""

from __future__ import annotations

import functools
import hashlib
import json
import random
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, one_line
from harness.methods import dora, lora
from harness.methods.parts import adaptive, architecture, peft_model
from harness.record import RunSpec
from harness.schema import Method

# Entries of a saved config about its use, not about the trained weights.
NOT_SETTINGS = {"base_model_name_or_path", "revision", "inference_mode", "peft_version", "auto_mapping", "task_type"}
CONFIG = "adapter_config.json"
ONE_LINE_FIX = "correct the file, or take a method from the list"


def adapt(model: Any, spec: RunSpec, config: Any) -> Any:
    """Return the model as PEFT adapts it by `config`, with trained weights in fp32; their start depends on the seed alone.

    Raises:
        HarnessError: as `peft_model.wrap`, or text reaches none of the trained weights.
    """
    import torch
    from peft.tuners.tuners_utils import BaseTunerLayer

    torch.manual_seed(spec.seed)
    random.seed(spec.seed)
    model = peft_model.wrap(model, config, spec)
    architecture.freeze_beyond_text(model)
    if not any(weight.requires_grad for weight in model.parameters()):
        problem = "nothing that the adapter's config trains is reached by text"
        raise HarnessError(problem, where=spec.method, fix="name layers of the decoder")
    for weight in model.parameters():
        if weight.requires_grad and weight.is_floating_point():
            weight.data = weight.data.float()
    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer):
            layer.cast_input_dtype_enabled = spec.dtype != "bf16"  # see lora.adapt_with
    return dora.start_zero_rows(model)


def config_of(reference: str) -> Path | None:
    """Return the config that a method's name stands for: a file that ends in .json, or that of a folder of `save_pretrained`."""
    path = Path(reference)
    if reference.endswith(".json"):
        return path
    return path / CONFIG if (path / CONFIG).is_file() else None


def read(reference: str) -> Method:
    """Return the method of a PEFT config; its name is the PEFT type and a hash of the settings.

    The rank is in the file, so `--rank` does not apply; the default learning rate is LoRA's.

    Raises:
        HarnessError: the file is missing, is no JSON object, or has no `peft_type`. PEFT checks the other settings when it
            builds the model.
    """
    path = Path(reference)
    try:
        settings = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise HarnessError(f"no such file: {path}", where="--method", fix="check the path") from None
    except (OSError, ValueError, RecursionError) as error:
        problem = f"the adapter's config cannot be read: {one_line(error)}"
        raise HarnessError(problem, where=str(path), fix=ONE_LINE_FIX) from None
    kind = settings.get("peft_type") if isinstance(settings, dict) else None
    if not isinstance(kind, str) or not kind.isidentifier() or not kind.isascii():
        problem = "the adapter's config has no valid peft_type"
        raise HarnessError(problem, where=str(path), fix='add it as PEFT does: {"peft_type": "LORA", …')
    entries = {key: value for key, value in sorted(settings.items()) if key not in NOT_SETTINGS}
    digest = hashlib.sha256(json.dumps(entries, sort_keys=True).encode()).hexdigest()[:8]
    virtual = entries.get("num_virtual_tokens")
    return Method(
        name=f"{kind.lower()}-{digest}",
        title=f"{kind} of PEFT by {path.name}",
        load=lora.load,
        adapt=functools.partial(_adapt_by_settings, settings=entries),
        learning_rate=lora.learning_rate,
        adapter=True,
        requires=("peft",),
        window_tokens=virtual if isinstance(virtual, int) and virtual > 0 else 0,
        penalty=adaptive.orthogonality if kind.upper() == "ADALORA" else None,
        after_step=adaptive.allocate if kind.upper() in adaptive.KINDS else None,
    )


def _adapt_by_settings(model: Any, spec: RunSpec, *, settings: dict[str, Any]) -> Any:
    from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING

    kind = settings["peft_type"].upper()
    configs: dict[str, Any] = {
        str(getattr(key, "value", key)): value for key, value in PEFT_TYPE_TO_CONFIG_MAPPING.items()
    }
    if kind not in configs:
        problem, fix = f"PEFT has no method {kind!r}", f"choose one of {', '.join(sorted(configs))}"
        raise HarnessError(problem, where=spec.method, fix=fix)
    options = {key: value for key, value in settings.items() if key != "peft_type"}
    if kind == "ADALORA":
        options = adaptive.with_steps(options, spec)
    adaptive.refuse_unstarted(options, spec)
    try:
        config = configs[kind](task_type="CAUSAL_LM", **options)
    except (ValueError, TypeError) as error:
        problem = f"PEFT cannot read the config: {one_line(error)}"
        raise HarnessError(problem, where=spec.method, fix=ONE_LINE_FIX) from error
    return adapt(model, spec, config)
