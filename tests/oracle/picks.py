"""Which option is picked: by this project's likelihoods and by lm-eval's, question by question, in pieces."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.model import answer as answering
from harness.record import RunSpec
from harness.schema import Example, Task
from tests.oracle import lm_eval_tasks, questions

Row = dict[str, Any]
PIECE = 50


def by_sum(loglik: Sequence[float], options: Sequence[str]) -> int:
    """Return the option with the greatest log-likelihood, the first of equals, as `acc` picks."""
    return max(range(len(options)), key=lambda i: loglik[i])


def by_character(loglik: Sequence[float], options: Sequence[str]) -> int:
    """Return the option with the greatest log-likelihood per character of its text, as lm-eval's `acc_norm` picks."""
    return max(range(len(options)), key=lambda i: loglik[i] / len(options[i]))


def by_byte(loglik: Sequence[float], options: Sequence[str]) -> int:
    """Return the option with the greatest log-likelihood per byte of its text, as lm-eval's `acc_bytes` picks."""
    return max(range(len(options)), key=lambda i: loglik[i] / len(options[i].encode()))


PICKS: dict[str, Callable[[Sequence[float], Sequence[str]], int]] = {
    "acc": by_sum,
    "acc_norm": by_character,
    "acc_bytes": by_byte,
}


def project_rows(model: Any, tokenizer: Any, task: Task, examples: list[Example], spec: RunSpec) -> list[Row]:
    """Return this project's log-likelihoods of each option's own tokens."""
    answers = answering.answer(model, tokenizer, examples, task, spec)
    return [{"loglik": list(answer.loglik)} for answer in answers]


def lm_eval_rows(
    model: Any, tokenizer: Any, task: Task, examples: list[Example], texts: list[tuple[str, ...]], *, chat: bool
) -> list[Row]:
    """Return lm-eval's log-likelihoods and its own scores."""
    rows = [lm_eval_tasks.row(task, *pair) for pair in zip(examples, texts, strict=True)]
    return lm_eval_tasks.answers(model, tokenizer, task, rows, chat=chat)


def pieces(path: Path, task: Task, examples: list[Example]) -> Iterator[tuple[dict[str, Row], list[Example]]]:
    """Yield the rows that a file holds of these questions, and the next questions it lacks, until none is lacking."""
    while True:
        lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        rows = {line["key"]: line for line in map(json.loads, lines)}
        missing = [example for example in examples if key(task, example) not in rows][:PIECE]
        yield rows, missing
        if not missing:
            return


def key(task: Task, example: Example) -> str:
    """Return a hash of everything a question shows: a stored row does not outlive a changed prompt."""
    text = json.dumps([task.name, example.id, task.prompt(example), *example.choices])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def collect(
    side: str, name: str, count: int, *, chat: bool, model: Any, tokenizer: Any, cache: Path, data: Path | None
) -> None:
    """Ask one side the questions that its file lacks, and write them there piece by piece."""
    task, examples = questions.ask(name, count, data)
    spec = questions.spec_of(task, examples, cache / "model") if side == "project" else None
    tokenizer = copy.deepcopy(tokenizer)
    if not chat:
        tokenizer.chat_template = None
    path = file_of(cache, side, name, chat=chat)
    for _, piece in pieces(path, task, examples):
        if not piece:
            break
        if spec is not None:
            rows = project_rows(model, tokenizer, task, piece, spec)
        else:
            rows = lm_eval_rows(model, tokenizer, task, piece, questions.options_of(name, piece, data), chat=chat)
        lines = [json.dumps({"key": key(task, e), **row}) + "\n" for e, row in zip(piece, rows, strict=True)]
        with path.open("a", encoding="utf-8") as file:
            file.write("".join(lines))
        print(f"{path.name}: {len(piece)} more", flush=True)


def file_of(cache: Path, side: str, name: str, *, chat: bool) -> Path:
    """Return the file of one side's answers to a task."""
    return cache / f"{side}-{name}-{'chat' if chat else 'plain'}.jsonl"


def compare(name: str, count: int, *, chat: bool, cache: Path, data: Path | None) -> Row | None:
    """Return how far the two sides agree on the questions that shared answered; None without any."""
    task, examples = questions.ask(name, count, data)
    (project, _), (oracle, _) = (
        next(pieces(file_of(cache, side, name, chat=chat), task, examples)) for side in ("project", "lm-eval")
    )
    shared = [e for e in examples if key(task, e) in project.keys() & oracle.keys()]
    if not shared:
        return None
    result: Row = {"task": name, "version": task.version, "chat template": chat, "questions": len(shared)}
    pairs = [(e, project[key(task, e)], oracle[key(task, e)]) for e in shared]
    for metric, pick in PICKS.items():
        picks = [(e, pick(a["loglik"], e.choices), pick(b["loglik"], e.choices)) for e, a, b in pairs]
        golds = [e.choices.index(e.target) for e in shared]
        result[metric] = {
            "equal picks": sum(a == b for _, a, b in picks),
            "project": sum(a == gold for (_, a, _), gold in zip(picks, golds, strict=True)) / len(shared),
            "lm-eval": sum(b == gold for (_, _, b), gold in zip(picks, golds, strict=True)) / len(shared),
            "differ": [e.id for e, a, b in picks if a != b],
        }
    apart = [abs(a - b) for _, x, y in pairs for a, b in zip(x["loglik"], y["loglik"], strict=True)]
    result["largest difference in nats"] = max(apart)
    for metric in ("acc", "acc_norm"):  # lm-eval's picks here are those that it scored itself
        scores = sum(row[metric] for _, _, row in pairs) / len(pairs)
        assert abs(scores - result[metric]["lm-eval"]) < 1e-9, (name, metric)
    return result
