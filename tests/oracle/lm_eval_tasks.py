"""lm-eval's side: its own tasks over the questions of the local data, asked through its `HFLM` and its evaluator.

Prompt, options, delimiter and scoring are those of the installed package's YAML files. Only the rows come from here, in the
hub's columns, because the data sets lie in local copies of another form.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.schema import Example, Task

# The files of lm_eval/tasks. Without one, the prompt is ours and the scoring lm-eval's.
FILES = {
    "openbookqa": "openbookqa/openbookqa.yaml",
    "arc_challenge": "arc/arc_challenge.yaml",
    "boolq": "super_glue/boolq/default.yaml",
    "mmlu": "mmlu/default/_default_template_yaml",
}
SUBJECT = "The following are multiple choice questions (with answers) about {{subject}}.\n\n"
OWN = {"doc_to_text": "{{prompt}}", "doc_to_choice": "{{choices}}", "doc_to_target": "{{gold}}"}
METRICS = [{"metric": name, "aggregation": "mean", "higher_is_better": True} for name in ("acc", "acc_norm")]


def row(task: Task, example: Example, texts: Sequence[str]) -> dict[str, Any]:
    """Return a question in the hub's columns; `texts` are the options' texts if `example` has letters instead."""
    gold = example.choices.index(example.target)
    if task.name in ("openbookqa", "arc_challenge"):
        labels = ["A", "B", "C", "D", "E"][: len(example.choices)]
        question = "question_stem" if task.name == "openbookqa" else "question"
        choices = {"text": list(example.choices), "label": labels}
        return {question: example.question, "choices": choices, "answerKey": labels[gold]}
    if task.name == "boolq":
        return {"passage": example.context, "question": example.question.removesuffix("?"), "label": gold}
    if task.name == "mmlu":
        question = example.question.partition("\nA. ")[0]
        return {
            "question": question,
            "choices": list(texts),
            "answer": gold,
            "subject": example.slices["subject"],
        }
    return {"prompt": task.prompt(example), "choices": list(example.choices), "gold": gold}


def config(task: Task, *, chat: bool, passages: bool) -> dict[str, Any]:
    """Return lm-eval's configuration of a task.

    It is changed in two cases. Without passages, BoolQ's prompt begins with the question. With a chat template, lm-eval puts
    MMLU's first line into the system message; here it stays in the user's, because no task of this project has a system
    message.
    """
    import lm_eval
    from lm_eval.tasks._yaml_loader import load_yaml

    if task.name not in FILES:
        return {"task": task.name, "output_type": "multiple_choice", **OWN}
    values = load_yaml(Path(lm_eval.__file__).parent / "tasks" / FILES[task.name])
    if task.name == "boolq" and not passages:
        values["doc_to_text"] = "Question: {{question}}?\nAnswer:"
    if task.name == "mmlu":
        first = {"doc_to_text": SUBJECT + values["doc_to_text"]} if chat else {"description": SUBJECT}
        values |= first | {"task": "mmlu"}
    return dict(values)


def answers(
    model: Any, tokenizer: Any, task: Task, rows: Sequence[Mapping[str, Any]], *, chat: bool
) -> list[dict[str, Any]]:
    """Return lm-eval's answer to each question: `loglik` of each option, and its own `acc` and `acc_norm`."""
    import datasets
    import pyarrow
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.evaluator import simple_evaluate
    from lm_eval.models.huggingface import HFLM

    # With a fingerprint of its own: to compute one, the library would pickle parts of itself, which fails in some versions.
    table = datasets.Dataset(pyarrow.Table.from_pylist(list(map(dict, rows))), fingerprint="oracle")
    passages = any(cells.get("passage") for cells in rows)
    settings = config(task, chat=chat, passages=passages) | {
        "test_split": "test",
        "training_split": None,
        "validation_split": None,
        "fewshot_split": None,
        "fewshot_config": None,
        "custom_dataset": lambda **_: {"test": table},
        "metric_list": METRICS,
        "metadata": {},
    }
    oracle = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=8)
    results = simple_evaluate(
        oracle,
        tasks=[ConfigurableTask(config=settings)],
        num_fewshot=0,
        apply_chat_template=chat,
        bootstrap_iters=0,
        log_samples=True,
    )
    assert results is not None
    ((_, samples),) = results["samples"].items()
    samples = sorted(samples, key=lambda sample: sample["doc_id"])
    return [
        {
            "loglik": [float(pair[0]) for pair in sample["filtered_resps"]],
            "acc": sample["acc"],
            "acc_norm": sample["acc_norm"],
            "context": sample["arguments"]["gen_args_0"]["arg_0"]
            if isinstance(sample["arguments"], dict)
            else sample["arguments"][0][0],
        }
        for sample in samples
    ]
