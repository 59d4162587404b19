"""In-context learning (Brown et al. 2020, arXiv:2005.14165): the base model with examples of the train split to read.

Nothing trains: the row shows whether a few examples in the prompt would be enough.
"""

from __future__ import annotations

import dataclasses

from harness.methods import base

SHOTS = 4

METHOD = dataclasses.replace(base.METHOD, name="fewshot", title=f"base with {SHOTS} examples to read", shots=SHOTS)
