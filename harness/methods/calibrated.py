"""Contextual calibration (Zhao et al. 2021, arXiv:2102.09690): the base model, corrected for the answers that it prefers
before it has read a question. Nothing trains; the correction applies to options, not to written answers."""

from __future__ import annotations

import dataclasses

from harness.methods import base

METHOD = dataclasses.replace(base.METHOD, name="calibrated", title="base, calibrated", calibration="content-free")
