"""What every registered method must hold to, whoever wrote it.

The claimed weights train and no others, from a start that the seed alone decides; an adapter saved and loaded gives the
same answers; merged equals unmerged where it can merge; memory parts add up; the plan predicts the peak; answers do
not depend on what else is in the batch.
"""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from harness.data import registry
from harness.model import answer as evaluate
from harness.model import loading, meter, tokenize
from harness.record import Scoring
from harness.runs.forecast import peak_memory
from harness.training import loop
from tests.support.tiny_models import toy_examples, toy_folder, toy_task, toy_tokenizer
from tests.support.trained_models import RANK, Run, adapted, answers, assert_alike, hollow, trained, values

FOUND = registry.methods()
# What the method's paper trains, by the ends of PEFT's names; of a toy model of 14 linear layers, hidden size 32.
LINEARS = sum(sides for _ in range(2) for sides in (64, 48, 48, 64, 96, 96, 96))  # inputs + outputs of each
OUTPUTS = 2 * (32 + 16 + 16 + 32 + 64 + 64 + 32)
PLAIN = ("lora", "qlora", "fedlora", "lora8", "rslora", "pissa", "lora+")
CLAIMS: dict[str, tuple[str, int]] = dict.fromkeys(PLAIN, (r"lora_[AB]", RANK * LINEARS)) | {
    "base": (r"(?!)", 0),
    "lora-fa": (r"lora_B", RANK * OUTPUTS),
    "dora": (r"lora_([AB]|magnitude_vector)", RANK * LINEARS + OUTPUTS),
    "ia3": (r"(k_proj|v_proj|down_proj)\.ia3_l", 2 * (16 + 16 + 64)),
    "prompt": (r"prompt_encoder", 20 * 32),
    "bottleneck": (r"\.mlp\.bottleneck\.", 2 * (2 * RANK * 32 + RANK + 32)),
    "fewshot": (r"(?!)", 0),
    "prefix": (r"prompt_encoder", 20 * 2 * 2 * 16),
    "lora+prefix": (r"lora_[AB]|prompt_encoder", RANK * LINEARS + 20 * 2 * 2 * 16),
    "lora+bottleneck": (r"lora_[AB]|\.mlp\.bottleneck\.", RANK * LINEARS + 2 * (2 * RANK * 32 + RANK + 32)),
}
ADAPTERS = sorted(name for name, entry in FOUND.items() if entry.value and entry.value.adapter)
TRAINED = sorted(name for name, entry in FOUND.items() if entry.value and entry.value.trains)

every_method = pytest.mark.parametrize("name", sorted(FOUND))
every_trained = pytest.mark.parametrize("name", TRAINED)
every_adapter = pytest.mark.parametrize("name", ADAPTERS)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return toy_folder(tmp_path_factory.mktemp("toy"))


@pytest.fixture(scope="module")
def zeroed(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return hollow(folder, tmp_path_factory.mktemp("zeroed"))


@pytest.fixture(scope="module")
def runs(folder: Path) -> dict[str, Run]:
    return {name: trained(registry.method(name), folder) for name in TRAINED}


@every_method
def test_it_has_a_title_that_fits_a_line_and_a_docstring_that_says_more(name: str) -> None:
    method = registry.method(name)
    assert 0 < len(method.title) <= 40
    assert method.learning_rate(4096) >= 0
    assert method.trains == (method.learning_rate(192) > 0)


@every_method
def test_the_claimed_weights_are_marked_to_train_and_no_others(name: str, folder: Path) -> None:
    if name not in CLAIMS:
        pytest.skip("its paper's claim is not in the table")
    model, _ = adapted(registry.method(name), folder)
    pattern, count = CLAIMS[name]
    marked = [key for key, weight in model.named_parameters() if weight.requires_grad]
    assert all(re.search(pattern, key) for key in marked)
    assert meter.trained_weights(model) == count


@every_trained
def test_what_is_marked_moves_and_nothing_else_does(name: str, runs: dict[str, Run]) -> None:
    run = runs[name]
    after = values(run.model)
    for key, weight in run.model.named_parameters():
        assert torch.equal(run.before[key], after[key]) == (not weight.requires_grad), key


@every_trained
def test_the_start_depends_on_the_seed_alone(name: str, folder: Path, runs: dict[str, Run]) -> None:
    torch.rand(3)
    again, _ = adapted(registry.method(name), folder)
    for key, weight in again.named_parameters():
        assert torch.equal(weight, runs[name].before[key]), key


@every_adapter
def test_an_adapter_saved_and_loaded_gives_the_same_answers(
    name: str, folder: Path, runs: dict[str, Run], tmp_path: Path
) -> None:
    from peft import PeftModel

    run = runs[name]
    again, bare = (run.method.load(str(folder), run.spec) for _ in range(2))
    if run.method.save and run.method.restore:
        run.method.save(run.model, tmp_path, run.spec)
        again = run.method.restore(again, tmp_path)
    else:
        run.model.save_pretrained(tmp_path, save_embedding_layers=False)
        again = PeftModel.from_pretrained(again, tmp_path)
    assert list(tmp_path.glob("adapter_model*")), "where the size of an adapter is read"
    assert_alike(answers(again, run.spec, "choices"), answers(run.model, run.spec, "choices"))
    assert_alike(answers(again, run.spec, "generate"), answers(run.model, run.spec, "generate"))
    learned = [answer.loglik for answer in answers(run.model, run.spec, "choices")]
    assert learned != [answer.loglik for answer in answers(bare, run.spec, "choices")], "there is something to save"


@every_adapter
def test_merged_equals_unmerged_where_it_can_merge(name: str, folder: Path) -> None:
    method = registry.method(name)
    if method.window_tokens or method.save or method.frozen_bits < 16:
        pytest.skip("virtual tokens and bottlenecks are no part of a weight; packed weights would be rounded anew")
    run = trained(method, folder)
    kept = answers(run.model, run.spec, "choices")
    merged = run.model.merge_and_unload()
    assert not any("lora" in key or "ia3" in key for key, _ in merged.named_parameters())
    assert_alike(answers(merged, run.spec, "choices"), kept)


@every_trained
def test_memory_parts_add_up_and_the_trained_part_is_what_trains(name: str, runs: dict[str, Run]) -> None:
    run = runs[name]
    parts = run.result.parts
    assert parts is not None
    found = vars(parts).values()
    assert all(part >= 0 for part in found)
    assert sum(found) == run.result.peak_bytes
    assert parts.trained_weights == 4 * meter.trained_weights(run.model)
    bytes_each = 2 if run.method.optimizer else 8  # of both moments
    assert parts.optimizer_state >= bytes_each * meter.trained_weights(run.model)


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@every_trained
def test_a_model_with_rows_that_are_all_zero_trains_too(name: str, dtype: str, zeroed: Path) -> None:
    assert all(map(math.isfinite, trained(registry.method(name), zeroed, dtype=dtype).result.losses))


@pytest.mark.parametrize("dtype", ["fp32", "bf16"])
@every_trained
def test_the_plan_predicts_the_peak(name: str, dtype: str, folder: Path, runs: dict[str, Run]) -> None:
    run = runs[name] if dtype == "fp32" else trained(registry.method(name), folder, dtype=dtype)
    batches = loop.plan_batches([len(pair) for pair in run.rows], run.spec)
    longest = [run.rows[i] for i in batches[loop.counted_step(run.rows, batches, run.spec)]]
    predicted = peak_memory.training_peak(folder, run.spec, run.method, longest)
    assert predicted == pytest.approx(run.result.peak_bytes, rel=0.01)


@pytest.mark.parametrize("scoring", ["choices", "generate"])
@every_trained
def test_an_answer_does_not_depend_on_its_neighbours(name: str, scoring: Scoring, runs: dict[str, Run]) -> None:
    run = runs[name]
    together = answers(run.model, run.spec, scoring)
    spec = replace(run.spec, scoring=scoring, max_new_tokens=4)
    some = (0, 3, 5)  # of the six, the shortest, the longest and one between them
    alone = [
        evaluate.answer(run.model, toy_tokenizer(), [toy_examples(6)[i]], toy_task(scoring), spec)[0] for i in some
    ]
    assert_alike([together[i] for i in some], alone)


@pytest.mark.parametrize("name", ["prompt", "prefix", "lora+prefix"])
def test_what_a_model_with_virtual_tokens_writes_is_its_most_likely_next_token(name: str, runs: dict[str, Run]) -> None:
    run, tokenizer = runs[name], toy_tokenizer()
    prompt = tokenize.encode_pair(tokenizer, "What does it do?\nAnswer:", "it rises")[0]
    from harness.model import generate

    with torch.inference_mode(), loading.precision(run.spec):
        (written,) = generate.choose(run.model, [prompt])(run.model, [prompt], {0}, 4)
        ids = torch.tensor([[*prompt, *written.tokens]])
        rows = run.model(input_ids=ids).logits[0, -len(written.tokens) - 1 : -1].float().log_softmax(-1)
    assert rows.argmax(-1).tolist() == written.tokens
    assert written.loglik == pytest.approx(rows.max(-1).values.sum().item(), abs=1e-3)


def test_lora_plus_and_lora_prefix_train_a_part_at_a_higher_rate_and_all_others_at_one_rate(folder: Path) -> None:
    faster = {"lora+": ("lora_B", 16.0), "lora+prefix": ("prompt_encoder", 5.0)}
    for name in TRAINED:
        method = registry.method(name)
        model, spec = adapted(method, folder)
        optimizer = loop.make_optimizer(model, spec, method.rate_factor, method.optimizer)
        named = {id(weight): key for key, weight in model.named_parameters()}
        factors = {named[id(w)]: group["factor"] for group in optimizer.param_groups for w in group["params"]}
        assert len(factors) == sum(weight.requires_grad for weight in model.parameters())
        for key, factor in factors.items():
            part, times = faster.get(name, ("none", 1.0))
            assert factor == (times if part in key else 1.0), key


def test_a_rate_factor_scales_the_step_it_is_given_for(folder: Path) -> None:
    moved = {}
    for name in ("lora", "lora+"):
        method = replace(registry.method(name), learning_rate=lambda _: 1e-3)
        run = trained(method, folder, epochs=0.34, warmup=0.0)  # one step of Adam: each weight moves by its rate
        moves = {key: (weight - run.before[key]).abs().max().item() for key, weight in run.model.named_parameters()}
        moved[name] = max(move for key, move in moves.items() if "lora_B" in key)
    assert moved["lora+"] == pytest.approx(16 * moved["lora"], rel=1e-3)


def test_pissa_starts_from_the_base_model_and_its_adapter_holds_the_largest_singular_values(folder: Path) -> None:
    pissa, base = registry.method("pissa"), registry.method("base")
    model, spec = adapted(pissa, folder)
    plain = base.load(str(folder), spec)
    ids = torch.arange(40).view(2, 20)
    with torch.no_grad():
        torch.testing.assert_close(model.eval()(ids).logits, plain(ids).logits, rtol=1e-3, atol=1e-3)
    layer = model.base_model.model.model.layers[1].mlp.up_proj
    whole = torch.linalg.svdvals(plain.model.layers[1].mlp.up_proj.weight)
    moved = torch.linalg.svdvals(layer.get_delta_weight("default"))
    torch.testing.assert_close(moved[:RANK], whole[:RANK], rtol=1e-3, atol=1e-3)
    assert torch.linalg.svdvals(layer.base_layer.weight)[0] < whole[0]


def test_rslora_scales_by_the_root_of_the_rank(folder: Path) -> None:
    model, _ = adapted(registry.method("rslora"), folder)
    assert model.base_model.model.model.layers[0].mlp.up_proj.scaling["default"] == 32 / RANK**0.5


def test_lora_fa_keeps_less_for_the_backward_pass_than_lora(runs: dict[str, Run]) -> None:
    fa, lora = (runs[name].result.parts for name in ("lora-fa", "lora"))
    assert fa is not None
    assert lora is not None
    assert fa.activations_and_rest < lora.activations_and_rest
    assert fa.optimizer_state < lora.optimizer_state
