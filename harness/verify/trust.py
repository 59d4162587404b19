"""Every stored field with the way in which it is checked: recomputed, cross-checked, or taken on trust.

Recomputed fields follow from answers, task, settings or files at hand. Cross-checked fields are compared with other
fields or rows, so that a changed value is reported if it contradicts them. Fields on trust can be changed unseen; only
asking the published weights again (`verify --replay`) or training again (`verify --rerun`) may show it.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

RECOMPUTED: Mapping[str, str] = {
    "RunSpec.task": "the task of this name is read",
    "RunSpec.task_version": "the task's own",
    "RunSpec.data": "examples and prompts are rendered again",
    "RunSpec.max_new_tokens": "the task's own",
    "RunSpec.train_examples": "counted in the data",
    "RunSpec.test_examples": "counted in the data and in the answers",
    "Record.scores": "computed from the answers",
    "Record.parse_rate": "computed from the answers",
    "Record.chance": "computed from the task",
    "Record.guess": "the task's own",
    "Record.answers_sha256": "computed from the answers",
    "Record.schema": "the program's own or an older one",
    "Record.adapter_sha256": "computed from the weights, if they are published; no other run has nearly the same",
    "Record.steps_sha256": "computed from the steps; no other run has the same",
    "Record.probes": "as the scores, and compared with the settings",
    "Score.value": "computed from the answers",
    "Score.low": "computed from the answers",
    "Score.high": "computed from the answers",
    "Score.n": "computed from the answers",
    "Score.groups": "computed from the answers",
    "Score.unit": "the metric's own",
    "Score.higher_is_better": "the metric's own",
    "Record.data_file": "the file is read again by these settings; the fingerprint of its examples is that of the run",
    "Record.validation": "as the scores, of the first validation questions; the same in all untrained rows",
    "Score.shortage": "computed from the answers",
    "ProbeResult.data": "questions and prompts are rendered again",
    "ProbeResult.scores": "computed from the answers",
    "ProbeResult.parse_rate": "computed from the answers",
    "ProbeResult.chance": "computed from the task",
    "ProbeResult.answers_sha256": "computed from the answers",
    "ProbeResult.limit": "the questions are selected again",
    "Answer.id": "the task's own, in the task's order",
    "Answer.group": "the task's own",
    "Answer.target": "the task's own",
    "Answer.choices": "the task's own",
    "Answer.slices": "the task's own",
    "Answer.amount": "the task's own",
    "Answer.option_lengths": "the task's own, if texts are withheld",
    "Answer.parsed": "the text is parsed again",
}
CHECKED: Mapping[str, str] = {
    "RunSpec.scoring": "part of the fingerprint of the data",
    "RunSpec.model": "the embedded model by its revision and weights; others by the weights of all rows",
    "RunSpec.model_revision": "the embedded model's files; others must be pinned",
    "RunSpec.method": "known here; settings, weights, bytes and likelihoods must fit it",
    "RunSpec.challenger": "a record without a model has neither weights nor settings of training",
    "RunSpec.rank": "the count of trained weights is proportional to it",
    "RunSpec.start": "published, too; the first loss is not that of a run from the base model",
    "RunSpec.joined": "more tokens than without joined tasks",
    "RunSpec.remote_code": "false for the embedded model; of others only that it is the same for all seeds of a row",
    "RunSpec.alpha": "the published adapter's config; equal for all seeds of a row",
    "RunSpec.dropout": "the published adapter's config; equal for all seeds of a row, and only of methods with dropout",
    "RunSpec.learning_rate": "the rates of the steps",
    "RunSpec.warmup": "the rates of the steps",
    "RunSpec.epochs": "the number of steps; the tokens of an epoch are equal in all rows",
    "RunSpec.batch_size": "the number of steps",
    "RunSpec.micro_batch": "not above the batch; LoRA needs less memory with smaller ones on the CPU",
    "RunSpec.shards": "one peak for each process; the parts of the first are not below an equal share of the weights",
    "RunSpec.max_tokens": "not above the embedded model's window; the tokens of an epoch are equal in all rows",
    "RunSpec.seed": "the seeds of a row are complete, their likelihoods differ, and their steps have the tokens of other rows",
    "RunSpec.dtype": "the bytes of the weights",
    "RunSpec.base_bits": "the bytes of the weights",
    "RunSpec.device": "driver, allocator and reserved bytes",
    "RunSpec.engine": "only with a phase of its start; the likelihoods of untrained rows are alike within one engine",
    "RunSpec.split": "published answers are of the test split",
    "RunSpec.tuned_over": "contains the rate",
    "RunSpec.probes": "compared with the results of probes",
    "RunSpec.rounds": "only of federated methods, with clients",
    "RunSpec.clients": "only with rounds",
    "RunSpec.clients_by": "only with rounds",
    "Record.spec": "the run's id is its hash",
    "Record.status": "a finished run has scores and cost, another has a reason and neither",
    "Record.reason": "only of runs that did not finish",
    "Record.cost": "see Cost",
    "Record.environment": "see Environment",
    "Record.final_loss": "the last step's; no other run has the same",
    "Record.cut_examples": "counted in the answers, and equal in all rows",
    "Record.started": "after the commit and before now, and not one for many runs of a small machine",
    "Record.seconds": "not below the phases' sum and not far above; no other run has the same",
    "Cost.phases": "those of the run's work and no other",
    "Cost.parts": "add up to the peak",
    "Cost.predicted_peak_bytes": "alike for all seeds, within a factor of two of the peak, and on CUDA not equal to it",
    "Cost.weights": "computed for the embedded model; equal in all rows of another",
    "Cost.trained_weights": "computed for LoRA on the embedded model and for full fine-tuning; else equal in rows",
    "Cost.packed_weights": "not above all weights; the bytes of the model fit them",
    "Cost.process_peaks": "one for each process; the first is that of the training",
    "Cost.idle_weights": "all weights that full fine-tuning does not train",
    "Cost.weights_bytes": "weights in their precision; frozen and trained parts",
    "Cost.adapter_bytes": "bytes of the trained weights and a header; equal for adapters of one size",
    "Cost.train_tokens": "those of the phase and of the steps; equal in all rows of the data",
    "Cost.train_tokens_per_second": "follows from the steps; times seconds gives tokens; no other run has the same",
    "Phase.seconds": "add up to the run's; tokens at the rate take as long; no other run has the same",
    "Phase.peak_bytes": "not below what is in memory, not above the machine's; near in all seeds",
    "Phase.resident_bytes": "not below half the peak, not above the machine's memory",
    "Phase.reserved_bytes": "on CUDA not below the peak, on the CPU none",
    "Phase.tokens": "equal in all rows of the data; for written answers within their length, and of the embedded model those of its texts; per question about as many in the test as in the validation",
    "Parts.frozen_weights": "with the trained part the model's bytes; equal for all ranks of a method",
    "Parts.activations_and_rest": "on the CPU near the prediction, more for a larger rank, less for smaller micro-batches",
    "Parts.trained_weights": "two or four bytes of each trained weight",
    "Parts.gradients": "not above four bytes of each trained weight",
    "Parts.optimizer_state": "two numbers of each trained weight, in the precision of the weight, or in 8 bits",
    "Environment.python": "has the form of a version",
    "Environment.platform": "Linux if the allocator is glibc",
    "Environment.machine": "names the device, and threads and memory as the fields do",
    "Environment.device_name": "part of the machine's description; no GPU if the run was on the CPU",
    "Environment.threads": "those of the machine's description",
    "Environment.memory_bytes": "that of the machine's description",
    "Environment.packages": "torch and transformers are named; each has the form of a version, and no single run has others",
    "Environment.commit": "in the history of this repository, older than the run, and its code writes such records",
    "Environment.driver": "named on CUDA only",
    "Environment.backend": "named if there are several processes",
    "Environment.allocator": "named on CUDA, and torch's",
    "Answer.text": "of options the likeliest; what is written gives the parsed form, is not that of another run, and fits into its tokens",
    "Answer.loglik": "gives the chosen option, not rounded; of texts in all runs or none; no two trained runs have nearly the same, also with noise or another scale, all untrained rows of a model do",
    "Answer.end_loglik": "one for each option; all untrained rows of a model have the same",
    "Answer.prior": "one for each option of calibrated rows, none of others; gives the chosen option",
    "Answer.cut_tokens": "counted in the record, and equal in all rows",
    "RunSpec.validations": "the number of measured validation losses",
    "Record.selection": "only of runs that choose weights, see Selection",
    "Selection.steps": "evenly spaced over the steps of the run, as many as the settings state",
    "Selection.losses": "one for each step, each possible",
    "Selection.best": "the step of the lowest loss",
    "Selection.examples": "no more than the limit",
    "Selection.seconds": "not above what the run took beside its phases",
    "Record.checkpoints": "only of runs that trained, see Checkpoints",
    "Checkpoints.writes": "one or more",
    "Checkpoints.seconds": "without an interruption not above what the run took beside its phases",
    "Checkpoints.resumptions": "in order, and within the steps of the run",
    "Checkpoints.lost_steps": "only after an interruption, and with seconds",
    "Checkpoints.lost_seconds": "only after an interruption, and with steps",
    "ProbeResult.scoring": "part of the fingerprint of the questions",
    "ProbeResult.cut_examples": "counted in the answers",
}
TRUSTED: Mapping[str, str] = {
    "RunSpec.server": "only of rows whose model is behind an address; the server is not asked again",
    "Record.usage": "as the server and the client counted",
    "Usage.requests": "as the client counted",
    "Usage.retries": "as the client counted",
    "Usage.reused": "as the client counted",
    "Usage.uncounted": "as the client counted",
    "Usage.prompt_tokens": "as the server counted",
    "Usage.answer_tokens": "as the server counted",
    "Usage.usd": "from the prices that the user named",
    "Record.targets": "the modules that the adapter changes; its config names them if it is published",
    "Record.neighbours": "whether other runs ran beside the training",
    "Record.placement": "the card or the node of the run, see Placement",
    "Placement.node": "the name of a machine in a cluster",
    "Placement.card": "the id of a card",
    "Placement.number": "the number of the card",
    "Placement.model": "the name of the card",
    "Placement.neighbours": "whether other runs were on the card beside the training",
    "Record.load": "whether the machine was busy",
    "RunSpec.weight_decay": "any value that is the same for all seeds of a row",
    "RunSpec.checkpointing": "whether activations were computed twice",
    "RunSpec.model_format": "the file that the model was converted from",
    "RunSpec.template_args": "the variables of the chat template",
    "RunSpec.template_date": "the date that the chat template printed",
}
PARTLY: Mapping[str, str] = {
    "likelihoods": "values that change no option chosen, that are no near copy of another run's, and their calibration",
    "written answers": "texts that the model did not write, with scores to match",
    "written tokens": "tokens of answers that another model than the embedded one wrote, within their length",
    "validation losses": "losses with the same lowest step; the examples are not asked again",
    "times": "seconds and rates that are changed together",
    "interruptions": "checkpoints that a record leaves out, and how much was lost",
    "peaks": "peaks that are changed within a factor of two, or 1.2 on the CPU, the parts with them",
    "predictions": "predicted peaks on the CPU that are set to the measured ones, as exact ones are",
    "server": "every answer of a row `endpoint`: nobody else can ask the server as it was",
    "rows": "rows removed in all seeds, if they are not a rank of `lora` or `qlora` that the other has",
    "adapters": "alpha, dropout and variant of LoRA, if neither weights nor config are published",
    "machine": "processor, packages and Python, if they agree with each other",
}
"""What remains on trust in fields that are checked."""
REPLAYED: Mapping[str, str] = {
    "answers": "texts, picks and all log-likelihoods of the questions asked; elsewhere near misses may be turned, but not all to the right side; rows that do not train can always be asked",
    "seed, batch size, data": "the tokens of every step",
    "rate, warm-up, weight decay, dropout": "the losses of the first steps; elsewhere within a tolerance that hides small changes",
    "precision, rank, alpha, variant": "the answers and the first loss",
    "final loss": "that of the stored weights on the examples of the last step, unless dropout drew it",
    "peak, micro-batch, checkpointing": "on the CPU, the peak of the largest step by its shapes",
    "tokens of the test": "those of prompts and stored texts",
}
"""What `verify --replay` shows, and how."""
UNSEEN: Mapping[str, str] = {
    "full fine-tuning without weights": "its answers and all but its first losses; it is printed as not replayed",
    "losses in the middle": "those of steps that are neither the first nor the last",
    "times, machine, searches": "nothing is measured again, and no trial of a search is stored",
    "rows left out": "a replay sees the runs that are there",
}
"""What a replay cannot show; training again shows the first two."""


NOTE = "Only replay of published weights (`--replay`) or training again (`--rerun`) can show a change of these."


def lines() -> list[str]:
    """Return what a reader takes on trust, a line each."""
    return [f"{name}: {text}" for name, text in {**TRUSTED, **PARTLY}.items()]


def page() -> str:
    """Return `docs/trust.md`: all fields in three lists."""
    parts = [
        "# What `verify` checks and what is on trust",
        "Each stored field is in one of three lists. `python -m harness.verify.trust > docs/trust.md` writes this page;"
        "\na test compares it with the records' dataclasses. Tables (CSV, Markdown, LaTeX, metadata), figures and pages\n"
        "are made again from records and answers, so each of their columns is recomputed.",
        "## Recomputed from answers, task, data and files",
        _table(RECOMPUTED),
        "## Cross-checked against other fields and rows",
        _table(CHECKED),
        "## Taken on trust",
        f"{NOTE} The review prints this list.",
        _table(TRUSTED),
        "This remains on trust in fields that are checked:",
        _table(PARTLY),
        "## What a replay shows",
        "`verify PATH --replay N` asks N questions of each run again, and those of the same batches. In the environment of"
        "\nthe run everything is equal to the last digit. If only some runs of an environment are, the others are at fault."
        "\nElsewhere a log-likelihood may differ by 0.001 nats in fp32; in bf16 by 0.5, and 0.06 on average. A first loss may"
        "\ndiffer by 0.001 and 0.05, the last by 2 and 5 %, a peak by 5 %, or 20 % with another torch.",
        _table(REPLAYED),
        "A replay cannot show:",
        _table(UNSEEN),
    ]
    return "\n\n".join(parts)


def _table(fields: Mapping[str, str]) -> str:
    rows = [f"| `{name}` | {text} |" if "." in name else f"| {name} | {text} |" for name, text in fields.items()]
    return "\n".join(["| field | how |", "| --- | --- |", *rows])


if __name__ == "__main__":
    sys.stdout.write(page() + "\n")
