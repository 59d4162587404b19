"""The concepts and formulas of `cfa` in another examiner's voice, and judgement by another standard than the one taught.

The task has a test split only, for models trained on `cfa`: `--task cfa --probe shifted`. Stems are short scenes and figures
are told in the second person; the cases of `judgement` state rules of their own. `data/cfa_shifted/make.py` writes them.
"""

from dataclasses import replace

from harness import Source
from tasks import cfa

TASK = replace(
    cfa.TASK,
    name="cfa_shifted",
    version=2,
    title="CFA-style exams in another voice, by other rules",
    source=Source(
        "data/cfa_shifted",
        sha256="a172d39acb2634bc6d9a361baa22e8d87634e82818eea507465e523c2e945a71",
        license="CC-BY-4.0",
    ),
    splits=("test",),
)
