"""Domain-conditional pointwise mutual information (Holtzman et al. 2021, arXiv:2104.08315): the base model, scored by what
an option gains over its log-likelihood behind the last line of the prompt. Nothing trains; the correction applies to options,
not to written answers."""

from __future__ import annotations

import dataclasses

from harness.methods import base

METHOD = dataclasses.replace(base.METHOD, name="pmi", title="base, PMI", calibration="domain")
