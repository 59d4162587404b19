"""The questions of `cfa_shifted` with the options listed, for models trained on `cfa_listed`."""

from dataclasses import replace

from harness import prompts
from tasks import cfa_shifted

TASK = replace(
    cfa_shifted.TASK,
    name="cfa_listed_shifted",
    title="CFA-style exams in another voice, by other rules, options listed",
    prompt=prompts.multiple_choice,
)
