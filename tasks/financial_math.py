"""Fifty formulas of finance in 1,000 worded problems: apply the given formula, answer with two decimals.

Source: FinLoRA's Financial Math (Wang et al. 2025, arXiv:2505.19819), training and test files as published; a seventh
of training becomes validation. A number is right within half a cent (0.005), for answers with two decimals: `$7,600.00`
is `7600.0` and `5.09` is not `5.0`. No row is dropped, but the source has wrong gold answers (the first test row's NPV of
974.49 is labelled 15092.44). The 1,000 labels were audited (`data/financial_math/audit.py`): 866 agree with the formula, 28
do not, and 106 problems cannot be read with certainty. `--gold audited` corrects the labels.
"""

import re
from decimal import Decimal
from pathlib import Path

from harness import Example, Source, Task, first_number, metrics, prompts, published

FILES: published.Files = {"train": ("data/train/formula_train.jsonl",), "test": ("data/test/formula_test.jsonl",)}
HEAD = re.compile(
    r"Use formula (.+?) to answer the question\..*? Formula: (.*)Question:\s*(.*?)\s*Answer:\s*", re.DOTALL
)


def example(cells: published.Cells, id: str) -> Example:
    """Return a row as an example; the formula's name is a slice."""
    match = HEAD.fullmatch(cells["context"])
    if match is None:
        raise ValueError("no formula and question in `context`")
    context = f"Formula: {match[1]}: {match[2].strip()}"
    question = f"{match[3].rstrip('.').strip().strip(chr(34))}\nAnswer with a number with 2 decimal places."
    return Example(id, question, cells["target"].strip(), (), "", context, {"formula": match[1]})


TASK = Task(
    name="financial_math",
    version=1,
    title="Financial math: fifty formulas, answers to two decimals",
    source=Source(
        uri="github:Open-Finance-Lab/FinLoRA",
        revision="7e1cf82803aa56a5f698d71e1528395e16b21093",
        license="OpenMDW-1.0",
        redistributable=False,
        citation="Wang et al. 2025, FinLoRA, arXiv:2505.19819",
        files=published.patterns(FILES),
        folder="finlora_formula",
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.numeric(Decimal("0.005"), title="Right to two decimals"),),
    scoring="generate",
    parse=first_number,
    max_new_tokens=16,
    audit=Path(__file__).parent / "data" / "financial_math" / "audit.csv",
    suites=("finance", "finlora"),
)
