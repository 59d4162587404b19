"""The questions of `cfa` as in an exam, with the options listed: for models that can choose from a list."""

from dataclasses import replace

from harness import prompts
from tasks import cfa

TASK = replace(
    cfa.TASK, name="cfa_listed", title="CFA-style exams, options listed in the prompt", prompt=prompts.multiple_choice
)
