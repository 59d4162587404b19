"""The part of a model card that shows how to use an adapter: the prompt, the options, code, and an example's answer.

Texts of a task are shown only if its data may be handed on; otherwise their places are named.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness.adapters import library
from harness.data import sources
from harness.errors import HarnessError
from harness.format import escape, short
from harness.record import Answer, RunSpec
from harness.schema import Example, Task

LOADING = """import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM, AutoTokenizer

BASE = {base}{comment}
base = AutoModelForCausalLM.from_pretrained(BASE, dtype=torch.{dtype})
model = PeftModel.from_pretrained(base, "THIS_FOLDER").eval()
tokenizer = AutoTokenizer.from_pretrained(BASE)"""
CHOOSING = """prompt = {prompt}
options = {options}

def score(option):  # the log-likelihood of the option behind the prompt{norm_words}
    start = tokenizer(prompt, return_tensors="pt").input_ids.shape[1]
    ids = tokenizer(prompt + " " + option, return_tensors="pt").input_ids
    with torch.no_grad():
        logs = model(ids).logits.log_softmax(-1)
    return sum(logs[0, n - 1, ids[0, n]].item() for n in range(start, ids.shape[1])){norm}

print(max(options, key=score))"""
WRITING = """prompt = {prompt}
inputs = tokenizer(prompt, return_tensors="pt")
output = model.generate(**inputs, max_new_tokens={tokens}, do_sample=False)
print(tokenizer.decode(output[0, inputs.input_ids.shape[1] :], skip_special_tokens=True))"""
TINY_FOLDER = "harness/tiny/model of adaptbench"
LONGEST = 4_000  # characters of a prompt that a card shows
TRIED = 50  # examples among which the shortest prompt is taken


def usage(
    spec: RunSpec, task: Task | None, examples: Sequence[Example], answers: Sequence[Answer], metric: str = ""
) -> str:
    """Return code that loads the adapter and answers a question, with the right answer and the recorded one.

    Args:
        spec: the run's spec.
        task: its task, None if it is not available; then the code only loads.
        examples: the task's test examples, empty if not available.
        answers: the recorded answers.
        metric: the name of the headline metric, which decides how options are compared.
    """
    hub = library.hub_id(spec)
    loading = LOADING.format(
        base=json.dumps(hub or f"FOLDER_OF_{spec.model}"),
        comment="" if hub else f"  # {TINY_FOLDER if spec.model == 'tiny' else 'the folder of the base model'}",
        dtype="bfloat16" if spec.dtype == "bf16" else "float32",
    )
    same_version = task is not None and task.version == spec.task_version  # else the prompt may be another
    shown = _example(task, examples, answers) if task and same_version else None
    if task is None or shown is None:
        return f"```python\n{loading}\n```"
    example, prompt, answer = shown
    code = f"{loading}\n\n{_answering(spec, example, prompt, metric)}"
    lines = [f"```python\n{code}\n```"]
    if answer is None:
        lines.append(
            "Names stand in place of a question's texts, as no question may be handed on or none is at hand. Their order is "
            "that of the task's prompt."
        )
    else:
        lines.append(
            f"The right answer of this test question is: {escape(short(example.target, 400))}. The recorded answer of this "
            f"adapter is: {escape(short(answer.text, 400))}."
        )
    return "\n\n".join([*lines, "A base model with a chat template gets the prompt as the user's turn."])


def _answering(spec: RunSpec, example: Example, prompt: str, metric: str) -> str:
    if spec.scoring != "choices":
        return WRITING.format(prompt=json.dumps(prompt, ensure_ascii=False), tokens=spec.max_new_tokens)
    by_length = metric == "acc_norm"
    return CHOOSING.format(
        prompt=json.dumps(prompt, ensure_ascii=False),
        options=json.dumps(list(example.choices), ensure_ascii=False),
        norm_words=", by character" * by_length,
        norm=" / len(option)" * by_length,
    )


def _example(
    task: Task, examples: Sequence[Example], answers: Sequence[Answer]
) -> tuple[Example, str, Answer | None] | None:
    """Return an example with its prompt and recorded answer: a short one, or names in place of its texts."""
    source = task.source
    public = source.redistributable and (sources.is_remote(source) or not Path(source.uri).is_absolute())
    by_id = {answer.id: answer for answer in answers}
    known = [example for example in examples if example.id in by_id][:TRIED]
    try:
        prompts = {example.id: task.prompt(example) for example in known} if public else {}
        if prompts:
            example = min(known, key=lambda one: len(prompts[one.id]))
            if len(prompts[example.id]) <= LONGEST and by_id[example.id].target == example.target:
                return example, prompts[example.id], by_id[example.id]
        example = _stand_in(known, answers)
        return example, task.prompt(example), None
    except (HarnessError, ValueError, IndexError, KeyError, TypeError, AttributeError):  # a prompt of the user's own
        return None


def _stand_in(examples: Sequence[Example], answers: Sequence[Answer]) -> Example:
    """Return an example with names in place of texts; options that all questions share are classes and are shown."""
    options = {answer.choices for answer in answers}
    first = next(iter(options), ())
    choices = first if len(options) == 1 else tuple(f"OPTION {number}" for number in range(1, len(first) + 1))
    context = "CONTEXT" if not examples or examples[0].context else ""
    question = "QUESTION" if not examples or examples[0].question else ""
    return Example(
        id="", context=context, question=question, target=choices[0] if choices else "ANSWER", choices=choices
    )
