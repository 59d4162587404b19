"""The page with all results."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from harness import metrics
from harness.analysis.compare import cells as compare_cells
from harness.analysis.sections import sections
from harness.data import prompts
from harness.record import DataFile
from harness.report import page as report
from harness.report import verdict
from harness.report.figures import write
from harness.schema import Example, Source, Task
from tests.support.analyses import page_of, results_of
from tests.support.finished_runs import Run, make_failed, make_run, make_runs

RUNS = [*make_runs(n=120), make_failed("lora", 64, n=120, reason="killed by signal 9 (often out of memory)")]
VOID = {"meta", "link", "br", "hr", "img", "input", "path", "use", "rect"}


class Reader(HTMLParser):
    """Collects text, tags, ids and links, the page's own style and script, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.links: set[str] = set()
        self.text: list[str] = []
        self.own: dict[str, list[str]] = {"style": [], "script": []}

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
        if self.open and self.open[-1] in self.own:
            self.own[self.open[-1]].append(data)
        elif self.open:
            self.text.append(data)


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    return reader


@pytest.fixture(scope="module")
def page() -> str:
    return page_of(RUNS, draw=True)


def make_task(name: str = "cfa") -> Task:
    source = Source("data/cfa", revision="r7", sha256="ab12", license="CC BY 4.0")
    return Task(name, 1, "Exam questions", source, lambda f, s: [], prompts.multiple_choice, (metrics.accuracy,))


def test_the_page_is_one_whole_file_that_loads_nothing(page: str) -> None:
    reader = read(page)
    assert not reader.tags & {"link", "iframe", "img", "object", "embed", "base", "form"}
    assert all(link.startswith("#") for link in reader.links)
    assert {link[1:] for link in reader.links} <= set(reader.ids)
    assert "@import" not in page
    assert "//" not in "".join(
        re.sub(r"^//.*$", "", text, flags=re.M) for text in reader.own["style"] + reader.own["script"]
    )
    assert re.findall(r"url\((?!#)", page) == []


def policy(page: str) -> dict[str, str]:
    (found,) = re.findall(r'<meta http-equiv="Content-Security-Policy" content="([^"]+)">', page)
    return dict(rule.split(" ", 1) for rule in found.split("; "))


def test_the_policy_lets_the_pages_own_style_and_script_run_and_nothing_else(page: str) -> None:
    rules, reader = policy(page), read(page)
    for rule, tag in (("style-src-elem", "style"), ("script-src", "script")):
        (text,) = reader.own[tag]
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert rules[rule] == f"'sha256-{digest}'"
    assert rules["default-src"] == rules["base-uri"] == rules["form-action"] == "'none'"
    assert set(rules) - {"default-src", "base-uri", "form-action", "script-src"} == {
        "style-src",
        "style-src-elem",
        "style-src-attr",
    }
    assert "unsafe" not in rules["script-src"]
    assert page.index("Content-Security-Policy") < page.index("<style") < page.index("<script")


def test_every_number_of_a_table_carries_the_value_it_sorts_by(page: str) -> None:
    cells = re.findall(r'<td data-value="([^"]*)">([^<]*)</td>', page)
    assert len(cells) > 100
    shown = {text: value for value, text in cells}
    for text, value in (("85.0", 85.0), ("143.4 KiB", 143.4 * 1024), ("2.3 MiB", 2.3 * 2**20), ("1.2 M", 1.2e6)):
        assert float(shown[text]) == pytest.approx(value), text
    assert shown["11,379"] == "11379.0"
    assert {text for text, value in shown.items() if not value} <= {"", "–", "none"}
    assert report.sort_value("[-∞, 3.0]") == "-Infinity"  # as a script reads it


def test_verdict_flips_and_the_command_that_lists_them_are_on_the_page() -> None:
    asked = {"q0001": Example(id="q0001", question="What <b>is</b> it?</style><script>x</script>", target="a")}
    runs = [make_run("base", 0, 0.3, n=9), make_run("full", 0, 1.0, n=9)]
    page = page_of(runs, questions={"cfa": asked})
    text = " ".join("".join(read(page).text).split())
    command = f"python run_all.py compare {runs[0][0].spec.id} {runs[1][0].spec.id} --output md"
    (section,) = sections(compare_cells(runs))
    for part in (verdict.verdict(section), "wrong → right", command, "python run_all.py report"):
        assert part in text, part
    assert "What <b>is</b> it?</style><script>x</script>" in text
    assert "What <b>" not in page
    assert "it?" not in page_of(runs)


def test_with_several_tasks_the_page_begins_with_the_verdict_of_each() -> None:
    page = page_of([*RUNS, make_run("lora", 8, n=40, spec={"task": "other"})])
    top = page[page.index("<nav>") : page.index("</nav>")]
    assert 'href="#task-1">cfa</a>' in top
    assert "Fine-tuning helps on these questions" in top
    assert "No verdict: " in top
    assert "<nav>" not in page_of(RUNS)


def test_the_page_works_in_light_and_dark_and_on_paper(page: str) -> None:
    assert "prefers-color-scheme: dark" in page
    assert "@media print" in page
    assert "var(--ink)" in page[page.index("<figure>") :]


def test_no_two_elements_share_an_id(page: str) -> None:
    ids = read(page_of([*RUNS, make_run("lora", 8, n=40, spec={"task": "other"})], draw=True)).ids
    assert len(ids) == len(set(ids))


def test_the_page_says_all_a_reader_must_know(page: str) -> None:
    text = " ".join("".join(read(page).text).split())
    for part in (
        "9 runs, made on 2026-01-01, 1 did not finish",
        "Best: full with 85.0 %",
        "against 33.3 of the base model",
        "lora r64 did not finish: oom, killed by signal 9 (often out of memory)",
        "Guessing scores 33.3 %",
        "Settings shared by the trained runs",
        "training examples",
        "learning rate",
        "A processor, 2 cores, 24 GiB",
        "torch 2.13.0",
        "abcdef012345",
        "0123456789abcdef",
        RUNS[2][0].spec.id,
        "Limits of these numbers",
        "python run_all.py verify",
    ):
        assert part in text, part


def test_the_figures_are_in_the_page_in_order(page: str) -> None:
    labels = re.findall(r'<svg role="img" aria-label="([^"]+)"', page)
    drawn = [*write.NAMES, write.CALIBRATION]
    assert labels == [report.ALT[name] for name in drawn]
    assert list(report.ALT) == [*drawn, "losses", "forgetting"]  # drawn if steps were logged, and if runs were probed


def test_the_same_records_give_the_same_bytes_in_any_order(page: str) -> None:
    assert page_of(list(reversed(RUNS)), draw=True) == page


def test_a_page_of_tasks_made_one_by_one_is_that_of_all(page: str) -> None:
    results = results_of(RUNS)
    part = report.task_part(results, report.TaskDetails(1, figures=write.svgs(results)))
    assert report.render_page([part], [record for record, _ in RUNS]) == page


def test_what_a_record_says_is_never_taken_for_html() -> None:
    bad = "<script>alert(1)</script><b>&\x00\x1b\ud800"
    spec: dict[str, Any] = {"model": bad}
    runs: list[Run] = [make_run("lora", 8, n=40, spec=spec), make_failed("full", n=40, reason=bad, **spec)]
    record, answers = make_run("base", 0, n=40, spec=spec)
    assert answers
    answers = [replace(answer, slices={bad: bad}) for answer in answers]
    odd = replace(record.environment, machine=bad, commit=bad, packages={"torch": bad})
    runs.append((replace(record, environment=odd), answers))
    page = page_of(runs, {"cfa": replace(make_task(), title=bad)}, draw=True)
    reader = read(page)
    assert "b" not in reader.tags
    assert reader.own == read(page_of([])).own  # one style, one script, both ours
    assert page.count("&lt;script&gt;alert(1)&lt;/script&gt;&lt;b&gt;&amp;") > 5
    page.encode("utf-8")
    assert "\x00" not in page
    assert "\x1b" not in page


def test_the_task_says_what_it_is(page: str) -> None:
    text = " ".join(read(page_of(RUNS[:1], {"cfa": make_task()})).text)
    for part in ("Exam questions", "data/cfa @ r7", "CC BY 4.0", "ab12", "Accuracy"):
        assert part in text


def test_a_path_of_this_machine_is_not_published() -> None:
    task = replace(make_task(), source=Source("/home/somebody/private/mine.jsonl"))
    page = page_of(RUNS[:1], {"cfa": task})
    assert "somebody" not in page
    assert "mine.jsonl" in page


def test_without_runs_the_page_says_how_to_make_some() -> None:
    assert "There are no runs yet" in "".join(read(page_of([])).text)


def test_below_chance_is_an_alarm_on_the_page() -> None:
    page = page_of([make_run("base", 0, 0.05, n=120)])
    assert "scores below guessing" in page
    assert "below what guessing scores" not in page_of([make_run("base", 0, 0.5, n=120)])


def test_the_summary_names_the_least_memory_among_those_that_tie() -> None:
    (section,) = sections(compare_cells(make_runs()))
    best, least = report.summary(section)
    assert best.endswith("from it: lora r32, qlora r32.")
    assert least == "Least memory in training among these: qlora r32 with 50.0 MiB."


def test_runs_of_which_nothing_could_be_read_are_not_said_to_be_unfinished() -> None:
    record, answers = make_run("base", 0, 0.0, n=40)
    answers = [replace(answer, parsed=None) for answer in answers or ()]
    (section,) = sections(compare_cells([(replace(record, parse_rate=0.0), answers)]))
    assert report.summary(section) == ["No answer could be read."]


def test_the_page_does_not_claim_more_seeds_than_there_are() -> None:
    one, several = (report.limits(sections(compare_cells(make_runs(seeds, n=60)))) for seeds in (1, 2))
    assert any("Other random seeds" in line for line in one)
    assert not any("Other random seeds" in line for line in several)


def test_importing_the_report_loads_no_heavy_library() -> None:
    code = "import sys, harness.report.page; print(sorted({'torch', 'matplotlib', 'pandas', 'scipy', 'jinja2'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_data_file_that_the_runs_remember_names_the_page() -> None:
    file = DataFile("../claims/claims_2026.csv", "ab" * 32)
    runs: list[Run] = [(replace(record, data_file=file), answers) for record, answers in make_runs(n=60)]
    text = page_of(runs)
    assert "<h1>claims_2026.csv</h1>" in text
    assert "Data: claims_2026.csv; SHA-256 abababababab…." in text
    assert "../claims" not in text
