"""Methods on architectures that they do not fit: an error with the method and the layers before anything trains, or the
layers left out that cannot train."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.data import registry
from harness.errors import HarnessError
from harness.methods.parts import architecture
from harness.model import loading, meter, tokenize
from harness.record import RunSpec
from harness.runs.forecast import peak_memory
from harness.schema import Method
from harness.training import loop
from tests.support import architectures
from tests.support.shared_cases import case
from tests.support.tiny_models import toy_examples, toy_folder, toy_spec, toy_task, toy_tokenizer
from tests.support.trained_models import config_file

NO_ROWS: list[tokenize.Pair] = []


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    names = ("mamba", "mixtral", "falcon", "gemma3", "llama", "qwen2", "phi3")
    return {name: architectures.folder(name, tmp_path_factory.mktemp(name)) for name in names}


def spec_of(method: Method, **changes: Any) -> RunSpec:
    rank = 4 if method.ranked else 0
    return toy_spec(method=method.name, rank=rank, alpha=32.0 if rank else 0.0, **changes)


def one_step(name: str, folder: Path, **changes: Any) -> tuple[Any, loop.FitResult]:
    method = registry.method(name)
    spec = replace(spec_of(method), batch_size=4, micro_batch=2, learning_rate=1e-3, **changes)
    model = method.adapt(method.load(str(folder), spec), spec)
    rows = tokenize.encode_train(toy_tokenizer(), toy_examples(4), toy_task(), 256, 0)
    return model, loop.fit(model, toy_tokenizer(), rows, spec, rate_factor=method.rate_factor, make=method.optimizer)


def trained_layers(model: Any) -> set[str]:
    names = [name for name, weight in model.named_parameters() if weight.requires_grad]
    return {name.split(".lora_")[0].rpartition(".")[2] for name in names}


def test_the_case_of_architectures_that_peft_refuses(folders: dict[str, Path]) -> None:
    assert "LoRA on Mamba" in (case("peft-refuses-the-architecture") / "README").read_text()
    model, result = one_step("lora", folders["mamba"])
    assert trained_layers(model) == {"in_proj", "x_proj"}
    assert result.losses
    with pytest.raises(HarnessError, match=r"with dora: MixtralForCausalLM, whose experts .*gate_up_proj"):
        one_step("dora", folders["mixtral"])
    model, _ = one_step("prefix", folders["falcon"])
    assert meter.trained_weights(model) == 20 * 2 * 2 * 8, "keys and values of two layers, one head of width 8 each"


@pytest.mark.parametrize("name", ["lora", "rslora", "pissa", "lora-fa", "lora+", "dora"])
def test_on_mamba_the_layers_train_whose_outputs_its_mixer_reads_and_each_of_their_weights_gets_a_gradient(
    name: str, folders: dict[str, Path]
) -> None:
    method = registry.method(name)
    spec = spec_of(method)
    model = method.adapt(method.load(str(folders["mamba"]), spec), spec)
    assert trained_layers(model) >= {"in_proj", "x_proj"}
    assert not any("dt_proj.lora" in key or "out_proj.lora" in key for key, _ in model.named_parameters())
    model(input_ids=toy_tokenizer()("it rises", return_tensors="pt")["input_ids"]).logits.sum().backward()
    assert all(weight.grad is not None for weight in model.parameters() if weight.requires_grad)


def test_a_plan_says_which_layers_have_no_adapter(folders: dict[str, Path]) -> None:
    said = {name: loading.shape(str(folders[name])).exceptions for name in ("mamba", "gemma3", "llama")}
    assert said["llama"] == ""
    assert said["mamba"] == "not on every linear layer: mixers read the weights of dt_proj, out_proj past the layer"
    assert "text never reaches model.multi_modal_projector, model.vision_tower" in said["gemma3"]


@pytest.mark.parametrize("name", ["mamba", "gemma3"])
def test_an_adapter_without_some_layers_is_saved_by_the_names_of_the_others_and_loads(
    name: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    from peft import PeftModel

    model, _ = one_step("lora", folders[name])
    model.save_pretrained(tmp_path, save_embedding_layers=False)
    settings = json.loads((tmp_path / "adapter_config.json").read_text())
    assert settings["exclude_modules"] is None
    assert not any("out_proj" in layer or "vision" in layer for layer in settings["target_modules"])
    again = PeftModel.from_pretrained(
        registry.method("lora").load(str(folders[name]), spec_of(registry.method("lora"))), tmp_path
    )
    names = {key for key, _ in model.named_parameters() if "lora_" in key}
    assert {key for key, _ in again.named_parameters() if "lora_" in key} == names


@pytest.mark.parametrize(
    ("name", "method", "words"),
    [
        ("mixtral", "dora", "with dora: MixtralForCausalLM"),
        ("mixtral", "pissa", "with pissa: MixtralForCausalLM"),
        ("mixtral", "ia3", "MixtralForCausalLM has no linear layer of a known name for the inner features"),
        ("mamba", "ia3", "MambaForCausalLM has no linear layer of a known name for the keys and values"),
        ("mamba", "prefix", "MambaForCausalLM has layers without keys and values"),
        ("mamba", "bottleneck", "MambaForCausalLM has no feed-forward block"),
    ],
)
def test_what_cannot_be_adapted_is_an_error_of_ours_without_a_single_training_example(
    name: str, method: str, words: str, folders: dict[str, Path]
) -> None:
    value = registry.method(method)
    with pytest.raises(HarnessError, match=words):
        peak_memory.training_peak(folders[name], spec_of(value), value, NO_ROWS)


def test_ia3_scales_keys_and_values_in_every_architecture_that_has_layers_for_them(folders: dict[str, Path]) -> None:
    for name, layers in {
        "llama": {"k_proj", "v_proj", "down_proj"},
        "qwen2": {"k_proj", "v_proj", "down_proj"},
        "phi3": {"qkv_proj", "down_proj"},
        "gemma3": {"k_proj", "v_proj", "down_proj"},
    }.items():
        model, _ = one_step("ia3", folders[name])
        names = {key.split(".ia3_l")[0] for key, weight in model.named_parameters() if weight.requires_grad}
        assert {key.rpartition(".")[2] for key in names} == layers, name
        assert not any("vision_tower" in key for key in names)


@pytest.mark.parametrize(
    ("settings", "entry"),
    [
        ({"target_modules": ["nowhere"]}, "nowhere"),
        ({"target_modules": r".*\.layers\.9\..*_proj"}, r"layers\\\.9"),
        ({"target_modules": ["q_proj", "v_porj"]}, "target_modules .*'v_porj'"),
        ({"target_modules": ["q_proj"], "modules_to_save": ["lm_heat"]}, "modules_to_save .*'lm_heat'"),
        ({"target_modules": ["q_proj"], "rank_pattern": {"k_proj": 2}}, "rank_pattern .*'k_proj'"),
        ({"target_modules": ["q_proj"], "layers_to_transform": [0, 7]}, "layers_to_transform .*7"),
        ({"target_modules": ["q_proj"], "target_parameters": ["experts.down"]}, "target_parameters .*'experts.down'"),
    ],
)
def test_a_pattern_of_a_config_that_matches_nothing_is_an_error_with_the_pattern(
    settings: dict[str, Any], entry: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    method = registry.method(str(config_file(tmp_path, peft_type="LORA", r=4, **settings)))
    with pytest.raises(HarnessError, match=entry):
        peak_memory.training_peak(folders["llama"], spec_of(method), method, NO_ROWS)


def test_patterns_that_match_are_left_alone(folders: dict[str, Path], tmp_path: Path) -> None:
    settings: dict[str, Any] = {
        "target_modules": ["q_proj", "layers.1.mlp.up_proj", "w1", "w2", "w3"],
        "rank_pattern": {"q_proj": 2},
        "alpha_pattern": {r"layers\.1\.mlp\.up_proj": 3},
        "layers_to_transform": [0, 1],
    }
    for name, targets in (("llama", settings["target_modules"][:2]), ("mixtral", ["q_proj", "w1", "w2", "w3"])):
        kept = settings if name == "llama" else {"rank_pattern": {"q_proj": 2}}
        path = config_file(tmp_path, peft_type="LORA", r=4, **(kept | {"target_modules": targets}))
        method = registry.method(str(path))
        assert peak_memory.training_peak(folders[name], spec_of(method), method, NO_ROWS) == 0


def test_the_case_of_adapters_on_the_vision_tower(folders: dict[str, Path]) -> None:
    assert "vision tower" in (case("adapters-on-the-vision-tower") / "README").read_text()
    model, _ = one_step("lora", folders["gemma3"])
    linear = [
        layer
        for key, layer in model.get_base_model().model.language_model.named_modules()
        if architecture.is_linear(layer) and key.endswith("base_layer")
    ]
    count = 4 * sum(layer.in_features + layer.out_features for layer in linear)
    assert meter.trained_weights(model) == count
    assert loading.adapter_weights(loading.shape(str(folders["gemma3"])), 4) == count, "as a plan counts them"


@pytest.mark.parametrize("name", ["lora", "full", "full8", "dora", "lora+prefix", "bottleneck", "lora+bottleneck"])
def test_only_weights_that_text_reaches_count_as_trained(name: str, folders: dict[str, Path]) -> None:
    method = registry.method(name)
    spec = spec_of(method)
    model = method.adapt(method.load(str(folders["gemma3"]), spec), spec)
    model(input_ids=toy_tokenizer()("it rises", return_tensors="pt")["input_ids"]).logits.sum().backward()
    idle = [key for key, weight in model.named_parameters() if weight.requires_grad and weight.grad is None]
    assert not idle
    assert meter.trained_weights(model)


def test_a_config_for_the_vision_tower_alone_trains_nothing_and_is_refused(
    folders: dict[str, Path], tmp_path: Path
) -> None:
    settings = {"target_modules": r".*vision_tower.*(q_proj|v_proj)", "r": 4}
    method = registry.method(str(config_file(tmp_path, peft_type="LORA", **settings)))
    with pytest.raises(HarnessError, match="nothing that the adapter's config trains is reached by text"):
        peak_memory.training_peak(folders["gemma3"], spec_of(method), method, NO_ROWS)


def test_a_plain_text_model_is_adapted_as_before(tmp_path: Path) -> None:
    folder = toy_folder(tmp_path)
    method = registry.method("lora")
    model = method.adapt(method.load(str(folder), spec_of(method)), spec_of(method))
    assert model.peft_config["default"].exclude_modules is None
    assert architecture.text_parts(model.get_base_model()) is None


def test_a_plan_names_all_methods_that_do_not_fit_and_those_that_do(folders: dict[str, Path]) -> None:
    from harness.runs.forecast import preflight

    def refusal(*names: str) -> HarnessError:
        specs = tuple(spec_of(registry.method(name)) for name in names)
        with pytest.raises(HarnessError) as caught:
            preflight.look(preflight.Preflight(folders["mixtral"], specs))
        return caught.value

    several = refusal("lora", "dora", "full", "qlora", "ia3")
    assert several.problem.startswith("3 methods do not fit this model. dora: PEFT cannot")
    assert "; qlora: only 11 % of the weights" in several.problem
    assert several.fix == "--method lora,full"
    single = refusal("lora", "dora")
    assert single.problem.startswith("PEFT cannot adapt this model with dora")
    assert single.fix.startswith("--method lora; or ")
    assert refusal("dora").fix == "pass another model or method"
