"""Every check by concern, in the order of a review, with the fault that it catches."""

from __future__ import annotations

from collections.abc import Mapping

from harness.verify.checks import arithmetic, cost, data, files, identity, probes, provenance, seeds, training, views

WAIVERS = "every waiver is used"

CONCERNS: Mapping[str, Mapping[str, str]] = {
    "Files": {
        files.LIST_FORM: "the list of checksums was removed or damaged",
        files.CHECKSUMS: "a file was changed after publishing",
        files.FILES_PRESENT: "a file was removed",
        files.FILES_LISTED: "a file was added",
        files.RECORD_READABLE: "a record is truncated, has another schema, or is not JSON",
        files.ANSWERS_READABLE: "answers are truncated, damaged, stored twice or not JSON",
        files.STRICT_JSON: "NaN, an infinity or a repeated name, which programs read differently",
        files.ANSWERS_CHECKSUM: "answers were changed after scoring",
    },
    "Identity": {
        identity.SPEC_ID: "a setting was changed in the record",
        identity.FOLDER_PATH: "a run was moved to another name",
        identity.UNIQUE_RUNS: "a run was counted twice",
        identity.TASK_AVAILABLE: "results of a task that is not available cannot be checked",
        identity.TASK_VERSION: "the task has changed its version since the run",
        probes.PROBE_LIST: "a probe was removed, or added from another run",
    },
    "Arithmetic": {
        arithmetic.ANSWER_COUNT: "answers were removed or added",
        arithmetic.UNIQUE_ANSWERS: "an answer was counted twice",
        arithmetic.PARSES: "an answer was parsed more favourably than the parser does",
        arithmetic.TOP_OPTION: "an option was recorded that the model did not prefer",
        arithmetic.SCORES: "a score or a bound of its interval was changed",
        arithmetic.PARSE_RATE: "the share of readable answers was changed",
        arithmetic.TRUNCATION: "truncated inputs were concealed",
        arithmetic.CHANCE: "the chance level was changed",
        arithmetic.NO_SCORES: "an unfinished run claims a score",
    },
    "Data": {
        data.AVAILABLE: "data that is not available cannot be checked",
        data.FINGERPRINT: "examples or prompts differ from those of the runs",
        arithmetic.GOLD: "gold answers were changed",
        provenance.DATA: "the data cannot be identified",
    },
    "Code and model": {
        provenance.COMPLETE: "an interrupted run is published as a result",
        provenance.COMMITTED: "the code of a run was never committed",
        provenance.COMMIT: "the code of a run is not in the repository",
        provenance.MODEL: "the weights cannot be identified",
        provenance.HISTORY: "a published run was changed or removed",
    },
    "Training": {
        training.WEIGHTS: "an adapter was exchanged",
        training.STEPS: "the logged steps were changed, cut or removed",
        training.SCHEDULE: "the run had another rate, warm-up, number of epochs or batch size than it states",
        training.TOTALS: "tokens or final loss were changed",
    },
    "Machine and cost": {
        cost.ENVIRONMENT: "the machine or software of a run is unknown",
        cost.PARTS_SUM: "a part of the memory was changed",
        cost.PLAUSIBLE: "the recorded memory is smaller than the weights",
    },
    "Seeds and selection": {
        seeds.SEED_COUNT: "one lucky seed",
        seeds.NO_GAPS: "an unlucky seed was left out",
        seeds.DISTINCT_SEEDS: "one run is published as several",
        seeds.ONE_SETTING: "settings were selected by test score",
    },
    "Tables and figures": {
        views.CSV: "a number or an order that does not follow from the runs",
        views.MARKDOWN: "a number or a mark that does not follow from the runs",
        views.LATEX: "a number or a mark that does not follow from the runs",
        views.INDEX: "metadata that does not follow from the runs",
        views.FIGURES: "a figure of other data",
        views.PAGE_BYTES: "a page of other data",
    },
    "Waivers": {WAIVERS: "a waiver for a fault that does not exist"},
}
NAMES = tuple(name for names in CONCERNS.values() for name in names)

# Present names by former name; files of waivers may still use the former ones.
FORMER_NAMES: Mapping[str, str] = {
    "SHA256SUMS is there and well-formed": files.LIST_FORM,
    "every file has its checksum of SHA256SUMS": files.CHECKSUMS,
    "every file of SHA256SUMS is there": files.FILES_PRESENT,
    "no file is there that SHA256SUMS does not list": files.FILES_LISTED,
    "record can be read": files.RECORD_READABLE,
    "answers can be read": files.ANSWERS_READABLE,
    "answers have the recorded checksum": files.ANSWERS_CHECKSUM,
    "the spec hashes to the id in the folder's name": identity.SPEC_ID,
    "the folder's words say what the spec says": identity.FOLDER_PATH,
    "no run is there twice": identity.UNIQUE_RUNS,
    "the task is known here": identity.TASK_AVAILABLE,
    "the task is the one that ran": identity.TASK_VERSION,
    "the probes are those of the spec": probes.PROBE_LIST,
    "there are as many answers as test examples": arithmetic.ANSWER_COUNT,
    "no question is answered twice": arithmetic.UNIQUE_ANSWERS,
    "every raw text parses to what was stored": arithmetic.PARSES,
    "every option picked is the likeliest": arithmetic.TOP_OPTION,
    "every score comes out again": arithmetic.SCORES,
    "the parse rate comes out again": arithmetic.PARSE_RATE,
    "the inputs that were cut are counted": arithmetic.TRUNCATION,
    "options, groups and gold are the task's": arithmetic.GOLD,
    "what guessing scores comes out again": arithmetic.CHANCE,
    "an unfinished run claims no scores": arithmetic.NO_SCORES,
    "the task's data is at hand": data.AVAILABLE,
    "examples and prompts have the recorded fingerprint": data.FINGERPRINT,
    "the task's data is pinned": provenance.DATA,
    "every run came to an end": provenance.COMPLETE,
    "the code was committed when it ran": provenance.COMMITTED,
    "the commit is in the history of this repository": provenance.COMMIT,
    "the model's weights are pinned": provenance.MODEL,
    "no published run was changed later": provenance.HISTORY,
    "the environment is described": cost.ENVIRONMENT,
    "memory by part adds up to the peak": cost.PARTS_SUM,
    "peaks hold what must be in memory": cost.PLAUSIBLE,
    "each row that trained has three seeds or more": seeds.SEED_COUNT,
    "no seed is left out": seeds.NO_GAPS,
    "seeds learned different things": seeds.DISTINCT_SEEDS,
    "settings were not chosen by test scores": seeds.ONE_SETTING,
    "CSV tables are made again byte for byte": views.CSV,
    "Markdown tables are made again byte for byte": views.MARKDOWN,
    "LaTeX tables are made again byte for byte": views.LATEX,
    "the model index is made again byte for byte": views.INDEX,
    "figures are drawn again byte for byte": views.FIGURES,
    "the page is made again byte for byte": views.PAGE_BYTES,
}
