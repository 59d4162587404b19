"""The model card of an exported adapter: Markdown with the front matter that the Hub reads, all of it from the record.

The front matter is written by huggingface_hub. The Hub's fields are described at huggingface.co/docs/hub/model-cards. The card says what was measured and what was not;
what only a person can decide, the adapter's own licence above all, it leaves open and says so.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.adapters import library
from harness.adapters.library import Kept
from harness.analysis import compare
from harness.analysis.items import Run
from harness.data import registry
from harness.format import Table, duration, escape, markdown, number, quantity, size, spoken, trained_on
from harness.record import Record, RunSpec
from harness.report import exports
from harness.schema import Task

MERGE_SOURCES = {
    "sum": "weighted sum of the changes (task arithmetic, Ilharco et al. 2023, arXiv:2212.04089)",
    "linear": "weighted mean of the changes (task arithmetic, Ilharco et al. 2023, arXiv:2212.04089)",
    "svd": "weighted sum of the changes, cut to a rank by a singular value decomposition",
    "ties": "TIES: trim, elect signs, mean of those that agree (Yadav et al. 2023, arXiv:2306.01708)",
    "dare": "DARE: entries dropped at random, the others scaled up, a weighted sum (Yu et al. 2024, arXiv:2311.03099)",
    "prune": "entries of the largest magnitude, then a weighted sum",
}


if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

FEWER_BITS = {"qlora": "in 4 bits (NF4, double quantisation)", "lora8": "in 8 bits"}
LOAD = """```python
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

base = AutoModelForCausalLM.from_pretrained({base}, dtype=torch.{dtype})
model = PeftModel.from_pretrained(base, "THIS_FOLDER")
tokenizer = AutoTokenizer.from_pretrained({base})
```"""
NOT_SAID = (
    "They hold for test questions from the same source as the training questions. Other wording, other documents and "
    "other languages were not tried.",
    "They say nothing about what the model forgot, about anything it writes outside of this task, about bias, or about "
    "misuse.",
    "Memory and time hold for the machine named here.",
)


def card(
    kept: Kept,
    answers: Run,
    base: Run | None,
    task: Task | None,
    *,
    limits: tuple[int, int] | None = (0, 0),
    command: str = "",
) -> str:
    """Return the card of an adapter.

    Args:
        kept: the adapter.
        answers: its record with its answers (None where they are gone).
        base: the base model on the same questions, likewise; None where it was not run.
        task: the task, None where it is not known here.
        limits: of training and test examples (0 is all), None where they could not be found out.
        command: the command that trains the run again.
    """
    record, spec = kept.run.record, kept.spec
    metrics = {task.name: task.metrics} if task else None
    cells = compare.cells([run for run in (base, answers) if run], metrics)
    measured = exports.card(spec.task, cells).partition("\n\n")[2].strip()
    blocks = [
        front_matter(metadata(kept.spec, [kept.config["peft_type"].lower(), kept.spec.method], answers, task)),
        f"# {escape(title(spec))}",
        f"An adapter for {_base_words(spec)}, trained on the task `{escape(spec.task)}`"
        + (f" ({escape(task.title)})" if task else "")
        + f" by {escape(_method_title(spec))}. It is the run `{spec.id}` of a comparison of fine-tuning methods."
        + f" {_origin(spec)}" * bool(_origin(spec)),
        "## Intended use",
        _use(spec),
        LOAD.format(
            base=json.dumps(library.hub_id(spec) or f"FOLDER_OF_{spec.model}"),
            dtype="bfloat16" if spec.dtype == "bf16" else "float32",
        ),
        "## Evaluation",
        measured,
        "### What the figures do not say",
        _bullets(_limits_of(record)),
        "## Training",
        markdown(Table("", ("setting", "value"), _settings(spec), left=frozenset({0, 1}))),
        _bullets(_made(kept)),
        "## Rebuild",
        _rebuilt(spec, limits, command),
        "## Licence",
        f"Data: {escape((task.source.license if task else '') or 'not known here')}. The base model has its own. Under "
        "which licence this adapter may be passed on follows from both, and is for whoever publishes it to state.",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def front_matter(data: ModelCardData) -> str:
    """Return a card's metadata as YAML between its two rules."""
    return f"---\n{data.to_yaml()}\n---"


def metadata(spec: RunSpec, tags: list[str], answers: Run | None = None, task: Task | None = None) -> ModelCardData:
    """Return the Hub's metadata of an adapter.

    Args:
        spec: names the base model.
        tags: of the adapter; one that is named twice is kept once.
        answers: the record whose scores are listed; None lists none.
        task: the task of these scores, None if it is not known here.
    """
    from huggingface_hub import ModelCardData

    hub, uri = library.hub_id(spec), task.source.uri if task else ""
    name, results = evaluation(answers, task) if answers else (None, [])
    return ModelCardData(
        base_model=hub or None,
        base_model_relation="adapter" if hub else None,
        datasets=[uri.removeprefix("hf:")] if uri.startswith("hf:") else None,
        library_name="peft",
        pipeline_tag="text-generation",
        tags=tags,
        model_name=name if results else None,
        eval_results=results or None,
    )


def evaluation(answers: Run, task: Task | None) -> tuple[str | None, list[EvalResult]]:
    """Return the name and the scores of one run; its rank among other runs is no property of it, and left out."""
    from huggingface_hub.repocard_data import model_index_to_eval_results

    cells = compare.cells([answers], {task.name: task.metrics} if task else None)
    entries: list[dict[str, Any]] = json.loads(exports.model_index(cells, task))["model-index"]
    if not entries:
        return None, []
    name, results = model_index_to_eval_results(entries)
    for result in results:
        result.metric_args = {key: value for key, value in (result.metric_args or {}).items() if key != "mark"}
    return name, results


def title(spec: RunSpec) -> str:
    """Return the name of an adapter, such as `tiny lora-r8 cfa`."""
    return f"{spec.model.rpartition('/')[2]} {spec.name} {spec.task}"


def _base_words(spec: RunSpec) -> str:
    model = escape(spec.model)
    if library.hub_id(spec):
        return f"[{model}](https://huggingface.co/{spec.model}), revision `{spec.model_revision}`"
    kind = "the model that is embedded in the harness" if spec.model == "tiny" else "a model in a local folder"
    return f"`{model}`, {kind} (SHA-256 of its weights begins `{spec.model_revision}`)"


def _method_title(spec: RunSpec) -> str:
    entry = registry.methods().get(spec.method)
    known = entry.value.title if entry and entry.value else spec.method
    return f"{known}, rank {spec.rank}" if spec.rank else known


def _use(spec: RunSpec) -> str:
    bits = FEWER_BITS.get(spec.method)
    how = {
        "choices": "The options of a question are compared by log-likelihood; it is not trained to converse.",
        "generate": "It writes a short answer behind the task's prompt; it is not trained to converse.",
    }.get(spec.scoring, "It reads a text on behind the task's prompt.")
    parts = [
        f"Questions of the task `{escape(spec.task)}` version {spec.task_version}, in that task's own prompt "
        f"(fingerprint of examples and prompts `{spec.data}`). {how} It is meant for comparing methods of fine-tuning; no decision "
        "about a claim, a policy or money should rest on it unchecked."
    ]
    if bits:
        parts.append(f"It was trained and scored on the base model {bits}; on unpacked weights its answers differ.")
    return " ".join(parts)


def _limits_of(record: Record) -> list[str]:
    spec, score = record.spec, next(iter(record.scores.values()), None)
    found = [
        f"They are of one training, seed {spec.seed}: the interval speaks of other questions, not of other trainings."
    ]
    if score and record.chance is not None and score.higher_is_better and score.low <= record.chance:
        found.append(f"The score cannot be told from {record.guess} ({number(record.chance, score.unit)}).")
    if not spec.tuned_over:
        found.append("The learning rate was not searched for on this task; another may do better.")
    if record.cut_examples:
        found.append(f"{record.cut_examples:,} inputs were too long and lost part of their context.")
    return [*found, *NOT_SAID]


def _settings(spec: RunSpec) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in spec.fields().items())


def _made(kept: Kept) -> list[str]:
    record, cost = kept.run.record, kept.run.record.cost
    found = [f"layers: {', '.join(library.targets(kept.config)) or 'as the config says'}"]
    if cost:
        found.append(f"trained weights: {quantity(cost.trained_weights)} of {quantity(cost.weights)}")
        found.append(f"adapter: {size(kept.size)}")
    if cost and "train" in cost.phases:
        train = cost.phases["train"]
        found.append(f"peak memory in training: {size(train.peak_bytes)}, time {duration(train.seconds)}")
    packages = ", ".join(f"{name} {version}" for name, version in record.environment.packages.items())
    return [*found, f"machine: {record.environment.machine}", f"packages: {packages}"]


def _origin(spec: RunSpec) -> str:
    """Say what the run trained on besides its task; empty where that is nothing."""
    before = f"It went on from the weights of the run `{spec.start}`." if spec.start else ""
    more = f"It trained on several tasks at once: {escape(trained_on(spec))}." if spec.joined else ""
    return f"{before} {more}".strip()


def _rebuilt(spec: RunSpec, limits: tuple[int, int] | None, command: str) -> str:
    if _origin(spec):
        return f"{_origin(spec)} No single command trains it from the base model; `sequence` and `--continue-from` do."
    revision = f"the weights of the base model have the revision `{spec.model_revision}`"
    lines = [f"```\n{command}\n```"]
    if limits is None:
        lines.append(
            "The run's examples were not at hand when this card was written, so it is not known whether they are all of the "
            "task's; `--train-examples` and `--test-examples` limit them."
        )
    if not library.hub_id(spec) and spec.model != "tiny":
        lines.append(f"`--model {escape(shlex.quote(spec.model))}` is the folder of the base model.")
    if spec.tuned_over:
        lines.append(f"It trains the same where {revision}, under another id: the search for the rate is not repeated.")
    else:
        lines.append(f"The run that this makes has the id `{spec.id}` where {revision}.")
    return "\n\n".join(lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


@dataclass(frozen=True)
class Recipe:
    """How adapters are merged; `rank` None is the sum of ranks, `kept` and `least` (see `merging.Merged`) come after."""

    how: str
    weights: tuple[float, ...]
    density: float
    rank: int | None
    seed: int
    kept: float = 1.0
    least: float = 1.0


def merge_outcome(recipe: Recipe) -> str:
    """Say what rank the result has and how much of the change it holds."""
    if recipe.how in ("sum", "linear"):
        return f"rank {recipe.rank}: exact, nothing of the change is lost"
    least = f"; the layer that lost most keeps {number(recipe.least)} %"
    return f"rank {recipe.rank}: {number(recipe.kept)} % of the squared change is kept{least}"


def base_notes(kept: Sequence[Kept]) -> list[str]:
    """Say which of the adapters were trained on a base model of fewer bits, which the sum of changes does not know."""
    packed = [one.spec for one in kept if one.spec.method in FEWER_BITS]
    return [f"{spoken(spec)} ({spec.id}) was trained on the base model {FEWER_BITS[spec.method]}" for spec in packed]


def merge_card(kept: Sequence[Kept], recipe: Recipe, command: str) -> str:
    """Return the merge_card of an adapter merged of these; `command` makes it again."""
    spec = kept[0].spec
    rows = [
        (
            one.spec.id,
            spoken(one.spec),
            trained_on(one.spec),
            f"{weight:g}",
            next(iter(library.scores(one.run.record)), "–"),
        )
        for one, weight in zip(kept, recipe.weights, strict=True)
    ]
    columns = ("run", "adapter", "task", "weight", "its own score on its task")
    trimmed = f" Density {recipe.density:g}." if recipe.how in ("ties", "dare", "prune") else ""
    seed = f" Seed {recipe.seed}." if recipe.how == "dare" else ""
    blocks = [
        front_matter(metadata(spec, ["lora", "merge"])),
        f"# {escape(spec.model.rpartition('/')[2])}, {len(kept)} adapters merged",
        f"For `{escape(spec.model)}`, revision `{spec.model_revision}`. Merged of:",
        markdown(Table("", columns, tuple(rows), left=frozenset({0, 1, 2}))),
        f"{MERGE_SOURCES[recipe.how][:1].upper()}{MERGE_SOURCES[recipe.how][1:]}, on the change of each weight that an adapter "
        f"makes (scale · B A), layer by layer.{trimmed}{seed} The result has {merge_outcome(recipe)}.",
        "\n".join(f"- {escape(line)}" for line in base_notes(kept)),
        "The scores are those of the single adapters. How the merged one scores was not measured here, and does not "
        "follow from them.",
        f"Made by\n\n```\n{command}\n```",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"
