"""The checks of a publication's files and of the tables made of its runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.store.records import Run
from harness.verify.check import Check
from harness.verify.checks.publication import contents, files, views

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
        contents.KNOWN: "a file beside a run that no run writes",
        contents.BELONGS: "a file that is of no run and no table",
    },
    "Tables and figures": {
        views.CSV: "a number or an order that does not follow from the runs",
        views.MARKDOWN: "a number or a mark that does not follow from the runs",
        views.LATEX: "a number or a mark that does not follow from the runs",
        views.INDEX: "metadata that does not follow from the runs",
        views.FIGURES: "a figure of other data",
        views.PAGE_BYTES: "a page of other data",
    },
}

FORMER_NAMES: Mapping[str, str] = {
    "SHA256SUMS is there and well-formed": files.LIST_FORM,
    "every file has its checksum of SHA256SUMS": files.CHECKSUMS,
    "every file of SHA256SUMS is there": files.FILES_PRESENT,
    "no file is there that SHA256SUMS does not list": files.FILES_LISTED,
    "record can be read": files.RECORD_READABLE,
    "answers can be read": files.ANSWERS_READABLE,
    "answers have the recorded checksum": files.ANSWERS_CHECKSUM,
    "CSV tables are made again byte for byte": views.CSV,
    "Markdown tables are made again byte for byte": views.MARKDOWN,
    "LaTeX tables are made again byte for byte": views.LATEX,
    "the model index is made again byte for byte": views.INDEX,
    "figures are drawn again byte for byte": views.FIGURES,
    "the page is made again byte for byte": views.PAGE_BYTES,
}


def publication_checks(root: Path, runs: Sequence[Run]) -> list[Check]:
    """Return the checks of a publication's files; its views are checked last, see `views`."""
    return [*files.publication_checks(root), *contents.publication_checks(root, runs)]
