"""Every check by concern, in the order of a review, with the fault that it catches."""

from __future__ import annotations

from collections.abc import Mapping

from harness.verify.checks.answers import catalogue as answers
from harness.verify.checks.artifacts import catalogue as artifacts
from harness.verify.checks.publication import catalogue as publication
from harness.verify.checks.record import catalogue as record

WAIVERS = "every waiver is used"
ROOMS = (publication.CONCERNS, record.CONCERNS, answers.CONCERNS, artifacts.CONCERNS)
ORDER = (
    "Files",
    "Identity",
    "Arithmetic",
    "Data",
    "Code and model",
    "Training",
    "Machine and cost",
    "Seeds and selection",
    "Tables and figures",
)

CONCERNS: Mapping[str, Mapping[str, str]] = {
    **{concern: {name: text for room in ROOMS for name, text in room.get(concern, {}).items()} for concern in ORDER},
    "Waivers": {WAIVERS: "a waiver for a fault that does not exist"},
}
NAMES = tuple(name for names in CONCERNS.values() for name in names)

# Present names by former name; files of waivers may still use the former ones.
FORMER_NAMES: Mapping[str, str] = {**publication.FORMER_NAMES, **record.FORMER_NAMES, **answers.FORMER_NAMES}
