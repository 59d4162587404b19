"""The page with all results."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from finished_runs import Run, make_failed, make_run, make_runs

from harness import metrics, plots, prompts, report
from harness.compare import cells as compare_cells
from harness.schema import Source, Task
from harness.sections import sections

RUNS = [*make_runs(n=120), make_failed("lora", 64, n=120, reason="killed by signal 9 (often out of memory)")]
VOID = {"meta", "link", "br", "hr", "img", "input", "path", "use", "rect"}


class Reader(HTMLParser):
    """Collects text, tags, ids and links, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        found = dict(attrs)
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.links |= {v for k, v in found.items() if k in {"href", "xlink:href", "src"} and v}
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page() -> str:
    return report.page(RUNS)


def make_task(name: str = "cfa") -> Task:
    source = Source("data/cfa", revision="r7", sha256="ab12", license="CC BY 4.0")
    return Task(name, 1, "Exam questions", source, lambda f, s: [], prompts.multiple_choice, (metrics.accuracy,))


def test_the_page_is_one_whole_file_that_loads_nothing(page: str) -> None:
    reader = read(page)
    assert not reader.tags & {"script", "link", "iframe", "img", "object", "embed"}
    assert all(link.startswith("#") for link in reader.links)
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert "http-equiv" in page
    assert "@import" not in page
    assert re.findall(r"url\((?!#)", page) == []


def test_the_page_works_in_light_and_dark_and_on_paper(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert "var(--ink)" in page[page.index("<figure>") :]


def test_no_two_elements_share_an_id(page: str) -> None:
    ids = read(report.page([*RUNS, make_run("lora", 8, n=40, spec={"task": "other"})])).ids
    assert len(ids) == len(set(ids))


def test_the_page_says_all_a_reader_must_know(page: str) -> None:
    text = " ".join("".join(read(page).text).split())
    for part in (
        "9 runs, made on 2026-01-01, 1 did not finish",
        "Best: full with 85.0 %",
        "against 33.3 of the base model",
        "lora r64 did not finish: oom, killed by signal 9 (often out of memory)",
        "Guessing scores 33.3 %",
        "Held equal between the trained runs",
        "training examples",
        "learning rate",
        "A processor, 2 cores, 24 GiB",
        "torch 2.13.0",
        "abcdef012345",
        "0123456789abcdef",
        RUNS[2][0].spec.id,
        "What these numbers do not say",
        "python run_all.py verify",
    ):
        assert part in text, part


def test_the_figures_are_in_the_page_in_order(page: str) -> None:
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    assert labels == list(report.ALT.values())
    assert list(report.ALT) == list(plots.NAMES)


def test_the_same_records_give_the_same_bytes_in_any_order(tmp_path: Path, page: str) -> None:
    first = report.write(tmp_path, list(reversed(RUNS)))
    assert first == tmp_path / "report.html"
    assert first.read_text(encoding="utf-8") == page


def test_figures_and_cells_at_hand_are_used(page: str) -> None:
    cells = compare_cells(RUNS)
    assert report.page(RUNS, cells=cells, figures={"cfa": plots.svgs("cfa", cells)}) == page


def test_what_a_record_says_is_never_taken_for_html() -> None:
    bad = "<script>alert(1)</script><b>&\x00\x1b\ud800"
    spec: dict[str, Any] = {"model": bad}
    runs: list[Run] = [make_run("lora", 8, n=40, spec=spec), make_failed("full", n=40, reason=bad, **spec)]
    record, answers = make_run("base", 0, n=40, spec=spec)
    assert answers
    answers = [replace(answer, slices={bad: bad}) for answer in answers]
    odd = replace(record.environment, machine=bad, commit=bad, packages={"torch": bad})
    runs.append((replace(record, environment=odd), answers))
    page = report.page(runs, {"cfa": replace(make_task(), title=bad)})
    reader = read(page)
    assert not reader.tags & {"script", "b"}
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&lt;b&gt;&amp;") > 5
    page.encode("utf-8")
    assert "\x00" not in page
    assert "\x1b" not in page


def test_the_task_says_what_it_is(page: str) -> None:
    text = " ".join(read(report.page(RUNS[:1], {"cfa": make_task()})).text)
    for part in ("Exam questions", "data/cfa @ r7", "CC BY 4.0", "ab12", "Accuracy"):
        assert part in text


def test_a_path_of_this_machine_is_not_published() -> None:
    task = replace(make_task(), source=Source("/home/somebody/private/mine.jsonl"))
    page = report.page(RUNS[:1], {"cfa": task})
    assert "somebody" not in page
    assert "mine.jsonl" in page


def test_without_runs_the_page_says_how_to_make_some() -> None:
    assert "There are no runs yet" in "".join(read(report.page([])).text)


def test_below_chance_is_an_alarm_on_the_page() -> None:
    page = report.page([make_run("base", 0, 0.05, n=120)])
    assert "scores below what guessing scores" in page
    assert "below what guessing scores" not in report.page([make_run("base", 0, 0.5, n=120)])


def test_the_summary_names_the_least_memory_among_those_that_tie() -> None:
    (section,) = sections(compare_cells(make_runs()))
    best, least = report.summary(section)
    assert "Not to be told from it: lora r32, qlora r32" in best
    assert least == "Of these qlora r32 takes least memory in training: 50.0 MiB."


def test_runs_of_which_nothing_could_be_read_are_not_said_to_be_unfinished() -> None:
    record, answers = make_run("base", 0, 0.0, n=40)
    answers = [replace(answer, parsed=None) for answer in answers or ()]
    (section,) = sections(compare_cells([(replace(record, parse_rate=0.0), answers)]))
    assert report.summary(section) == ["No answer could be read."]


def test_the_page_does_not_claim_more_seeds_than_there_are() -> None:
    one, several = (report.limits(sections(compare_cells(make_runs(seeds, n=60)))) for seeds in (1, 2))
    assert any("another random seed" in line for line in one)
    assert not any("another random seed" in line for line in several)


def test_importing_the_report_loads_no_heavy_library() -> None:
    code = "import sys, harness.report; print(sorted({'torch', 'matplotlib', 'pandas', 'scipy', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
