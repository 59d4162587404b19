"""The concepts and formulas of `cfa` in another examiner's voice: stems are short scenes, cases have a narrator.

The task has a test split only, for models trained on `cfa`: `--task cfa --probe shifted`. Right options, formulas and the
form of a question are those of `cfa`; `data/cfa_shifted/make.py` writes the rest.
"""

from dataclasses import replace

from harness import Source
from tasks import cfa

TASK = replace(
    cfa.TASK,
    name="cfa_shifted",
    version=1,
    title="CFA-style exams in another examiner's voice",
    source=Source(
        "data/cfa_shifted",
        sha256="26d20601e0166b4ef5f4d42d0c1bbf244ce311fbedf3d39bf0b6480e40748b3d",
        license="CC-BY-4.0",
    ),
    splits=("test",),
)
