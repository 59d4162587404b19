"""Every check by concern, in the order of a review, and what it is there to catch."""

from __future__ import annotations

from collections.abc import Mapping

from harness.verify.checks import arithmetic, cost, data, files, identity, probes, provenance, seeds, views

WAIVERS = "every waiver is used"

CONCERNS: Mapping[str, Mapping[str, str]] = {
    "Files": {
        files.LISTED: "the list of checksums itself was removed or damaged",
        files.SHA256: "a byte was changed after publishing",
        files.THERE: "a file was taken away",
        files.NO_OTHER: "a file was added",
        files.RECORD: "a record is cut, of another schema, or not JSON",
        files.ANSWERS: "answers are cut, damaged, stored twice or not JSON",
        files.STRICT: "NaN, an infinity or a name twice, which programs read differently",
        files.CHECKSUM: "answers were changed after scoring",
    },
    "Identity": {
        identity.HASH: "a setting was changed in the record",
        identity.WORDS: "a run was moved to another name",
        identity.ONCE: "one run was counted twice",
        identity.KNOWN: "a task that nobody has cannot be checked",
        identity.TASK: "the task has another version now",
        probes.ASKED: "a probe was left out, or added from elsewhere",
    },
    "Arithmetic": {
        arithmetic.COUNT: "answers were dropped or added",
        arithmetic.ONCE: "an answer was counted twice",
        arithmetic.PARSED: "an answer was read more kindly than the parser reads it",
        arithmetic.LIKELIEST: "an option was picked that the model did not prefer",
        arithmetic.SCORES: "a score or a bound of its interval was changed",
        arithmetic.RATE: "the share of readable answers was changed",
        arithmetic.CUT: "inputs that were cut are hidden",
        arithmetic.CHANCE: "what guessing scores was changed",
        arithmetic.NO_CLAIM: "a run that did not finish claims a score",
    },
    "Data": {
        data.AT_HAND: "the data cannot be looked at here",
        data.RENDERS: "examples or prompts are not those of the runs",
        arithmetic.GOLD: "gold answers were changed",
        provenance.DATA: "the data may have been any",
    },
    "Code and model": {
        provenance.WHOLE: "a run that was cut short is passed off as a result",
        provenance.CLEAN: "the code that ran was never committed",
        provenance.KNOWN: "the code that ran cannot be found",
        provenance.MODEL: "the weights may have been any",
        provenance.APPENDED: "history was rewritten",
    },
    "Machine and cost": {
        cost.DESCRIBED: "nobody can tell where it ran",
        cost.ADDS_UP: "a part of the memory was changed",
        cost.SANE: "less memory is claimed than the weights alone take",
    },
    "Seeds and selection": {
        seeds.MANY: "one lucky seed",
        seeds.ALL: "an unlucky seed left out",
        seeds.APART: "one run passed off as several",
        seeds.ONE: "settings picked by test score",
    },
    "Tables and figures": {
        views.CSV: "a number or an order that the runs do not give",
        views.MARKDOWN: "a number or a mark that the runs do not give",
        views.LATEX: "a number or a mark that the runs do not give",
        views.INDEX: "metadata that the runs do not give",
        views.FIGURES: "a figure of other data",
        views.REPORT: "a page of other data",
    },
    "Waivers": {WAIVERS: "an excuse for something that is not there"},
}
NAMES = tuple(name for names in CONCERNS.values() for name in names)
