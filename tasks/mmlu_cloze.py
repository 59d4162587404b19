"""MMLU in the cloze form: the options' texts are scored, not letters. Small models know more than their letters show.

Protocol: `mmlu_cf` of SmolLM's evaluation (github.com/huggingface/smollm, text/evaluation/tasks.py, for lighteval),
zero-shot: "The following are questions about …. Question: … Answer:", and each option is scored as a continuation; the
headline is `acc_norm`, as in SmolLM2's published numbers.

Differences: `mmlu_continuation` of lm-evaluation-harness has another first line. The score is the mean over all questions.
Repeated questions and questions with two equal options are omitted. Questions of the same words (with other options)
share a group. Data as in `mmlu`.
"""

from dataclasses import replace

from harness import Example, metrics, prompts, published
from tasks import mmlu


def example(cells: published.Cells, id: str) -> Example:
    """Return a question with its options, which the prompt does not show."""
    choices, subject = mmlu.options(cells), cells["subject"].replace("_", " ")
    question, target = cells["question"].strip(), choices[cells["answer"]]
    return Example(id, question, target, choices, published.digest(question), slices={"subject": subject})


def prompt(example: Example) -> str:
    """Return the prompt: a line with the subject, the question and the cue."""
    return f"The following are questions about {example.slices['subject']}.\n{prompts.labelled_question(example)}"


TASK = replace(
    mmlu.TASK,
    name="mmlu_cloze",
    version=1,
    title="MMLU: general knowledge, options unseen",
    load=published.Load(mmlu.files(), example, mmlu.read),
    prompt=prompt,
    metrics=(metrics.acc_norm, metrics.acc),
)
