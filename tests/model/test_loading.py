"""Model ids, checkpoints, shapes: what is refused before anything trains, and what is read from a config alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig

from harness import environment
from harness.errors import HarnessError
from harness.methods import base, full, lora
from harness.model import checkpoint, loading
from harness.runs import defaults
from tests.support.tiny_models import toy_folder, toy_model, toy_spec

STORIES = Path(__file__).resolve().parents[3] / "shared" / "models" / "stories260K"
needs_stories = pytest.mark.skipif(not STORIES.is_dir(), reason=f"{STORIES.name} is not beside this checkout")

LLAMA_8B = LlamaConfig(
    vocab_size=128256,
    hidden_size=4096,
    intermediate_size=14336,
    num_hidden_layers=32,
    num_attention_heads=32,
    num_key_value_heads=8,
    max_position_embeddings=131072,
    tie_word_embeddings=False,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return toy_folder(tmp_path / "toy")


def test_a_whole_folder_resolves_to_itself(folder: Path) -> None:
    assert loading.resolve(str(folder)) == folder.resolve()


def test_a_misspelt_model_is_answered_with_the_name_that_was_meant() -> None:
    with pytest.raises(HarnessError, match="no model folder 'tiney'") as caught:
        loading.resolve("tiney")
    assert "did you mean 'tiny'?" in caught.value.fix


def test_a_hub_id_without_network_says_what_to_do_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*args: object, **options: object) -> str:
        raise OSError("Temporary failure in name resolution")

    monkeypatch.setattr("huggingface_hub.snapshot_download", offline)
    with pytest.raises(HarnessError, match="name resolution") as caught:
        loading.resolve("owner/name")
    assert "on a machine with network" in caught.value.fix
    assert "--model DIR" in caught.value.fix


def test_a_hub_id_in_the_cache_needs_no_network_and_is_pinned_by_its_commit(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    snapshot = toy_folder(tmp_path / "models--owner--name" / "snapshots" / "0123abcd")

    def cached(model_id: str, *, local_files_only: bool = False, **options: object) -> str:
        assert local_files_only, "the cache must be asked before the network"
        return str(snapshot)

    monkeypatch.setattr("huggingface_hub.snapshot_download", cached)
    assert loading.resolve("owner/name") == snapshot.resolve()
    assert checkpoint.read("owner/name").revision == "0123abcd"


def test_a_file_instead_of_a_folder_is_refused(folder: Path) -> None:
    with pytest.raises(HarnessError, match="is a file"):
        loading.resolve(str(folder / "config.json"))


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_a_folder_with_a_missing_file_is_refused(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(HarnessError, match=name.split(".")[0]):
        loading.resolve(str(folder))


def test_a_config_that_is_not_json_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "llama"')
    with pytest.raises(HarnessError, match="config cannot be read"):
        loading.resolve(str(folder))


def test_an_unknown_architecture_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "no-such-thing"}')
    with pytest.raises(HarnessError, match="does not know the architecture 'no-such-thing'") as caught:
        loading.resolve(str(folder))
    assert "update transformers" in caught.value.fix


def test_a_model_that_does_not_write_text_is_refused(folder: Path) -> None:
    (folder / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(HarnessError, match="not a causal language model"):
        loading.resolve(str(folder))


@pytest.mark.parametrize("keep", [0, 5, 100, -1, -1000])
def test_a_cut_checkpoint_is_refused_without_reading_its_weights(folder: Path, keep: int) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(HarnessError, match="corrupt checkpoint") as caught:
        loading.resolve(str(folder))
    assert "model.safetensors" in caught.value.where


def test_a_checkpoint_of_rubbish_is_refused(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\x10" + b"\0" * 7 + b"this is no header" * 10)
    with pytest.raises(HarnessError, match="corrupt checkpoint"):
        loading.resolve(str(folder))


def test_a_missing_shard_is_named(folder: Path) -> None:
    index = {"weight_map": {"a": "model.safetensors", "b": "model-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(HarnessError, match=r"model-2\.safetensors is missing"):
        loading.resolve(str(folder))


def test_a_checkpoint_that_lacks_a_weight_is_refused_instead_of_filled_with_random_numbers(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = folder / "model.safetensors"
    weights = load_file(path)
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(HarnessError, match="lacks the weight"):
        base.METHOD.load(str(folder), toy_spec())


def test_the_revision_is_that_of_the_weights(tmp_path: Path) -> None:
    one, same, other = (toy_folder(tmp_path / name) for name in ("one", "same", "other"))
    model = toy_model()
    model.model.norm.weight.data += 1
    model.save_pretrained(other)
    assert checkpoint.revision(one) == checkpoint.revision(same) != checkpoint.revision(other)
    assert len(checkpoint.revision(one)) == 12


def test_the_shape_read_from_the_config_is_that_of_the_model(folder: Path) -> None:
    model, shape = toy_model(), loading.shape(str(folder))
    assert shape.weights == sum(weight.numel() for weight in model.parameters())
    assert (shape.hidden, shape.layers, shape.vocab, shape.max_positions) == (32, 2, 300, 256)
    assert len(shape.linears) == 14, "seven linear layers in each of two blocks, and not the output layer"


def test_the_adapter_size_read_from_the_config_is_what_peft_trains(folder: Path) -> None:
    spec = toy_spec(method="lora", rank=4, alpha=32.0)
    model = lora.METHOD.adapt(lora.METHOD.load(str(folder), spec), spec)
    trained = sum(weight.numel() for weight in model.parameters() if weight.requires_grad)
    assert loading.adapter_weights(loading.shape(str(folder)), 4) == trained


def test_lora_of_rank_8_trains_less_than_three_thousandths_of_an_8b_llama() -> None:
    shape = loading.config_shape(LLAMA_8B)
    assert shape.weights == 8_030_261_248
    assert loading.adapter_weights(shape, 1) == 2_621_440
    assert loading.trained_share(shape, lora.METHOD, 8) == pytest.approx(0.0026, abs=5e-5)
    assert loading.trained_share(shape, full.METHOD, 0) == 1.0
    assert loading.trained_share(shape, base.METHOD, 0) == 0.0


@pytest.mark.parametrize("rank", [0, -1, 17, 1000])
def test_a_rank_outside_the_layers_is_refused_with_the_largest_that_fits(folder: Path, rank: int) -> None:
    with pytest.raises(HarnessError, match="not between 1 and 16") as caught:
        loading.check_rank(loading.shape(str(folder)), rank)
    assert "16" in caught.value.fix


@pytest.mark.parametrize("rank", [1, 16])
def test_ranks_up_to_the_smallest_layer_are_taken(folder: Path, rank: int) -> None:
    loading.check_rank(loading.shape(str(folder)), rank)


def test_bf16_is_chosen_only_where_the_processor_multiplies_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for flags, expected in (("sse2 avx2 avx512f", "fp32"), ("avx512_bf16", "bf16"), ("amx_tile amx_bf16", "bf16")):
        text = f"flags\t\t: {flags}\n"
        monkeypatch.setattr(environment, "_cpuinfo", lambda text=text: text)
        assert defaults.dtype("cpu") == expected


@pytest.mark.parametrize(("capability", "expected"), [("7.5", "fp32"), ("8.0", "bf16"), ("10.0", "bf16"), ("", "bf16")])
def test_bf16_is_chosen_on_cuda_only_where_the_device_multiplies_it(
    capability: str, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_cuda_query", lambda field: capability if field == "compute_cap" else "")
    assert defaults.dtype("cuda") == expected


def test_a_tokenizer_without_an_end_token_is_refused(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text())
    settings.pop("eos_token")
    path.write_text(json.dumps(settings))
    with pytest.raises(HarnessError, match="no end-of-text token"):
        loading.load_tokenizer(folder)


@needs_stories
def test_a_model_made_by_others_is_read() -> None:
    shape = loading.shape(str(STORIES))
    assert (shape.weights, shape.hidden, shape.layers) == (260_032, 64, 5)
    model = base.METHOD.load(str(loading.resolve(str(STORIES))), toy_spec())
    tokenizer = loading.load_tokenizer(STORIES)
    ids = torch.tensor([tokenizer("Once upon a time, there was a little")["input_ids"]])
    with torch.no_grad():
        word = tokenizer.decode(model(ids).logits[0, -1].argmax())
    assert word.strip() in {"girl", "boy", "b", "g"}
