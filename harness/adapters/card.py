"""The model card of an exported adapter: Markdown with the Hub's front matter, written from the record.

The package huggingface_hub writes the front matter; huggingface.co/docs/hub/model-cards describes its fields. The card
states the measurements and their limits. Decisions for a person, above all the adapter's licence, are marked as open.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from harness.adapters import library
from harness.adapters.library import StoredAdapter
from harness.adapters.usage import usage
from harness.analysis import compare
from harness.analysis.aggregate import row_of
from harness.analysis.items import Run
from harness.data import registry
from harness.format import Table, duration, escape, interval, markdown, number, quantity, size, spoken, trained_on
from harness.record import Record, RunSpec
from harness.report import exports
from harness.schema import Example, Task
from harness.store import training_files

MERGE_SOURCES = {
    "sum": "weighted sum of the changes (task arithmetic, Ilharco et al. 2023, arXiv:2212.04089)",
    "linear": "weighted mean of the changes (task arithmetic, Ilharco et al. 2023, arXiv:2212.04089)",
    "svd": "weighted sum of the changes, truncated to a rank by a singular value decomposition",
    "ties": "TIES: trim, elect signs, mean of the changes that agree (Yadav et al. 2023, arXiv:2306.01708)",
    "dare": "DARE: random entries dropped, the rest scaled up, a weighted sum (Yu et al. 2024, arXiv:2311.03099)",
    "prune": "entries of the largest magnitude, then a weighted sum",
}
PARTS = 8  # of the course of the loss

if TYPE_CHECKING:
    from huggingface_hub import EvalResult, ModelCardData

QUANTIZED_BASES = {"qlora": "in 4 bits (NF4, double quantisation)", "lora8": "in 8 bits"}
GENERAL_LIMITS = (
    "They hold for test questions from the same source as the training questions. Other wording, documents and "
    "languages were not tested.",
    "They do not measure forgetting, text outside of this task, bias or misuse.",
    "Memory and time hold for the machine named below.",
)


def card(
    adapter: StoredAdapter,
    answers: Run,
    base: Run | None,
    task: Task | None,
    *,
    others: Sequence[Run] = (),
    examples: Sequence[Example] = (),
    limits: tuple[int, int] | None = (0, 0),
    command: str = "",
) -> str:
    """Return the card of an adapter.

    Args:
        adapter: the adapter.
        answers: its record with its answers (None if they are missing).
        base: the base model on the same questions, likewise; None if there is no such run.
        task: the task, None if it is not available.
        others: all other runs on the same questions, for the table.
        examples: the test examples, empty if they are not available.
        limits: the limits of training and test examples (0 is all), None if unknown.
        command: the command that trains the run again.
    """
    record, spec = adapter.run.record, adapter.spec
    metrics = {task.name: task.metrics} if task else None
    runs = {run[0].spec.id: run for run in (*others, *([base] if base else []), answers)}
    cells = compare.cells(runs.values(), metrics)
    measured = exports.card(spec.task, cells).partition("\n\n")[2].strip()
    blocks = [
        front_matter(metadata(spec, [adapter.config["peft_type"].lower(), spec.method], answers, task)),
        f"# {escape(title(spec))}",
        f"An adapter for {_base_description(spec)}, trained on the task `{escape(spec.task)}`"
        + (f" ({escape(task.title)})" if task else "")
        + f" with {escape(_method_description(spec))}. It is the run `{spec.id}` of a comparison of fine-tuning methods."
        + f" {_origin(spec)}" * bool(_origin(spec)),
        "## Intended use",
        _intended_use(spec),
        usage(spec, task, examples, answers[1] or (), next(iter(record.scores), "")),
        "## Evaluation",
        measured,
        "### Limits of these figures",
        _bullets(_limits(record, _seeds(record, runs.values()))),
        "## Training",
        markdown(Table("", ("setting", "value"), _settings(spec), left=frozenset({0, 1}))),
        _bullets(_training_facts(adapter)),
        _losses(training_files.read_losses(adapter.run.folder)),
        "## Rebuild",
        _rebuild_section(spec, limits, command),
        "## Licence",
        f"Data: {escape((task.source.license if task else '') or 'unknown')}. The base model has its own licence. Both "
        "determine the licence of this adapter; its publisher has to state it, here and in the field `license` above.",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def front_matter(data: ModelCardData) -> str:
    """Return a card's metadata as YAML between two rules."""
    return f"---\n{data.to_yaml()}\n---"


def metadata(spec: RunSpec, tags: list[str], answers: Run | None = None, task: Task | None = None) -> ModelCardData:
    """Return the Hub's metadata of an adapter.

    Args:
        spec: the run's spec; it names the base model.
        tags: the adapter's tags; duplicates are removed.
        answers: the record of the listed scores; None lists no scores.
        task: the task of the scores, None if it is not available.
    """
    from huggingface_hub import ModelCardData

    hub, uri = library.hub_id(spec), task.source.uri if task else ""
    name, results = evaluation(answers, task) if answers else (None, [])
    return ModelCardData(
        base_model=hub or None,
        base_model_relation="adapter" if hub else None,
        datasets=[uri.removeprefix("hf:")] if uri.startswith("hf:") else None,
        license="unknown",  # its publisher has to state it, see the section on the licence
        library_name="peft",
        pipeline_tag="text-generation",
        tags=tags,
        model_name=name if results else None,
        eval_results=results or None,
    )


def evaluation(answers: Run, task: Task | None) -> tuple[str | None, list[EvalResult]]:
    """Return the name and the scores of one run, without its rank among other runs."""
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


def _base_description(spec: RunSpec) -> str:
    model = escape(spec.model)
    if library.hub_id(spec):
        return f"[{model}](https://huggingface.co/{spec.model}), revision `{spec.model_revision}`"
    kind = "the embedded model of the harness" if spec.model == "tiny" else "a model in a local folder"
    return f"`{model}`, {kind} (the SHA-256 of its files starts with `{spec.model_revision}`)"


def _method_description(spec: RunSpec) -> str:
    entry = registry.methods().get(spec.method)
    name = entry.value.title if entry and entry.value else spec.method
    return f"{name}, rank {spec.rank}" if spec.rank else name


def _intended_use(spec: RunSpec) -> str:
    bits = QUANTIZED_BASES.get(spec.method)
    how = {
        "choices": "It compares the options of a question by log-likelihood; it is not trained for conversation.",
        "generate": "It writes a short answer after the task's prompt; it is not trained for conversation.",
    }.get(spec.scoring, "It continues the text of the task's prompt.")
    parts = [
        f"Questions of the task `{escape(spec.task)}` version {spec.task_version}, in that task's prompt "
        f"(fingerprint of examples and prompts `{spec.data}`). {how} Its purpose is the comparison of fine-tuning methods; "
        "decisions about claims, policies or money should not rely on it without a check."
    ]
    if bits:
        parts.append(
            f"It was trained and scored on the base model {bits}; on the weights in full precision its answers differ."
        )
    return " ".join(parts)


def _seeds(record: Record, runs: Iterable[Run]) -> int:
    """Return the number of seeds that the record's row of the table pools."""
    return len({run[0].spec.seed for run in runs if row_of(run[0].spec) == row_of(record.spec)})


def _limits(record: Record, seeds: int = 1) -> list[str]:
    spec, score = record.spec, next(iter(record.scores.values()), None)
    limits = [
        f"They are of one training run, seed {spec.seed}: the interval covers other questions, not other training runs."
    ]
    if seeds > 1 and score:
        value = f"{number(score.value, score.unit)} {interval(score.low, score.high, score.unit)}"
        limits = [
            f"The row of this adapter is the mean of {seeds} seeds; this adapter, seed {spec.seed}, scores {value}."
        ]
    if score and record.chance is not None and score.higher_is_better and score.low <= record.chance:
        limits.append(
            f"The score does not differ significantly from {record.guess} ({number(record.chance, score.unit)})."
        )
    if not spec.tuned_over:
        limits.append("The learning rate was not tuned on this task; another may score higher.")
    if record.cut_examples:
        limits.append(f"{record.cut_examples:,} inputs were too long; their context was truncated.")
    return [*limits, *GENERAL_LIMITS]


def _settings(spec: RunSpec) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in spec.fields().items())


def _training_facts(adapter: StoredAdapter) -> list[str]:
    record, cost = adapter.run.record, adapter.run.record.cost
    lines = [f"layers: {', '.join(library.targets(adapter.config)) or 'see the config'}"]
    if cost:
        lines.append(f"trained weights: {quantity(cost.trained_weights)} of {quantity(cost.weights)}")
        lines.append(f"adapter: {size(adapter.size)}")
    if cost and "train" in cost.phases:
        train = cost.phases["train"]
        lines.append(f"peak memory in training: {size(train.peak_bytes)}, time {duration(train.seconds)}")
    if record.final_loss is not None:
        lines.append(f"loss at the end: {record.final_loss:.3f} nats per target token")
    packages = ", ".join(f"{name} {version}" for name, version in record.environment.packages.items())
    return [*lines, f"machine: {record.environment.machine}", f"packages: {packages}"]


def _losses(steps: Sequence[tuple[int, float]]) -> str:
    """Return the course of the loss as a table of a few columns, each the mean of as many steps; empty with few steps."""
    if len(steps) < PARTS:
        return ""
    edges = [round(part * len(steps) / PARTS) for part in range(PARTS + 1)]
    parts = [steps[start:end] for start, end in pairwise(edges)]
    heads = ("steps", *(f"{part[0][0]}–{part[-1][0]}" for part in parts))
    row = ("mean loss", *(f"{sum(loss for _, loss in part) / len(part):.3f}" for part in parts))
    return markdown(Table("", heads, (row,), left=frozenset({0})))


def _origin(spec: RunSpec) -> str:
    """Return sentences on the run's start and further tasks, empty if it trained on its task from the base model."""
    before = f"It continued from the weights of the run `{spec.start}`." if spec.start else ""
    more = f"It trained on several tasks together: {escape(trained_on(spec))}." if spec.joined else ""
    return f"{before} {more}".strip()


def _rebuild_section(spec: RunSpec, limits: tuple[int, int] | None, command: str) -> str:
    if _origin(spec):
        return f"{_origin(spec)} No single command trains it from the base model; use `sequence` or `--continue-from`."
    condition = f"if the base model has the revision `{spec.model_revision}`"
    lines = [f"```\n{command}\n```"]
    if limits is None:
        lines.append(
            "The run's examples were not available when this card was written, so their limits are unknown; "
            "`--train-examples` and `--test-examples` set them."
        )
    if not library.hub_id(spec) and spec.model != "tiny":
        lines.append(f"`--model {escape(shlex.quote(spec.model))}` is the folder of the base model.")
    if spec.tuned_over:
        lines.append(
            f"It trains the same adapter {condition}, but under another id, because the learning rate is not tuned again."
        )
    else:
        lines.append(f"The run has the id `{spec.id}` {condition}.")
    return "\n\n".join(lines)


def _bullets(lines: Sequence[str]) -> str:
    return "\n".join(f"- {escape(line)}" for line in lines)


@dataclass(frozen=True)
class Recipe:
    """The settings of a merge and its result. `rank` None is the sum of ranks; `energy`: see `merge.MergedAdapter`."""

    how: str
    weights: tuple[float, ...]
    density: float
    rank: int | None
    seed: int
    energy: float = 1.0
    min_energy: float = 1.0

    def fields(self) -> dict[str, Any]:
        """Return the fields by their names in `merge.json`."""
        names = {"energy": "kept", "min_energy": "least"}
        return {names.get(name, name): value for name, value in vars(self).items()}


def merge_outcome(recipe: Recipe) -> str:
    """Return a sentence on the rank of the result and its share of the change."""
    if recipe.how in ("sum", "linear"):
        return f"rank {recipe.rank}: exact, the entire change is preserved"
    lowest = f"; the layer with the largest loss preserves {number(recipe.min_energy)} %"
    return f"rank {recipe.rank}: {number(recipe.energy)} % of the squared change is preserved{lowest}"


def base_notes(adapters: Sequence[StoredAdapter]) -> list[str]:
    """Return a note for each adapter of a quantized base model, because the merge ignores the quantization."""
    packed = [adapter.spec for adapter in adapters if adapter.spec.method in QUANTIZED_BASES]
    return [f"{spoken(s)} ({s.id}) was trained on the base model {QUANTIZED_BASES[s.method]}" for s in packed]


def merge_card(adapters: Sequence[StoredAdapter], recipe: Recipe, command: str) -> str:
    """Return the model card of a merged adapter; `command` merges it again."""
    spec = adapters[0].spec
    rows = [
        (a.spec.id, spoken(a.spec), trained_on(a.spec), f"{weight:g}", next(iter(library.scores(a.run.record)), "–"))
        for a, weight in zip(adapters, recipe.weights, strict=True)
    ]
    columns = ("run", "adapter", "task", "weight", "score on its task")
    trimmed = f" Density {recipe.density:g}." if recipe.how in ("ties", "dare", "prune") else ""
    seed = f" Seed {recipe.seed}." if recipe.how == "dare" else ""
    blocks = [
        front_matter(metadata(spec, ["lora", "merge"])),
        f"# {escape(spec.model.rpartition('/')[2])}, {len(adapters)} adapters merged",
        f"For `{escape(spec.model)}`, revision `{spec.model_revision}`. Merged from:",
        markdown(Table("", columns, tuple(rows), left=frozenset({0, 1, 2}))),
        f"{MERGE_SOURCES[recipe.how][:1].upper()}{MERGE_SOURCES[recipe.how][1:]}, applied layer by layer to each "
        f"adapter's change of the weights (scale · B A).{trimmed}{seed} The result has {merge_outcome(recipe)}.",
        "\n".join(f"- {escape(line)}" for line in base_notes(adapters)),
        "The scores are those of the single adapters. The merged adapter was not scored here, and its score does not "
        "follow from theirs.",
        f"Command:\n\n```\n{command}\n```",
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"
