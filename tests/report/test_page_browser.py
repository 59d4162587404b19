"""The page in a real browser: it loads in silence, sorts, filters, fits a phone, and runs nothing that data holds.

Skipped where no Chromium is installed (`apt install chromium`).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import tests.support.browser as browser
from harness import metrics
from harness.data import prompts
from harness.schema import Example, Source, Task
from tests.support.analyses import page_of
from tests.support.browser import Browser
from tests.support.finished_runs import Run, make_failed, make_run, make_runs

WIDTHS = (390, 1440)
ATTACK = "</style></script><script>document.title = 'run'</script><img src=x onerror=\"document.title = 'run'\">"
N = 120

HEADLINE = "document.querySelector('table')"
SHOWN = f"[...{HEADLINE}.tBodies[0].rows].filter(r => r.offsetParent !== null).map(r => r.cells[0].textContent)"
METRIC = f"[...{HEADLINE}.tBodies[0].rows].map(r => r.cells[2].textContent)"


def press(name: str) -> str:
    return f"[...{HEADLINE}.tHead.querySelectorAll('button')].find(b => b.textContent.startsWith('{name}')).click()"


def type_in(text: str) -> str:
    return (
        f"(() => {{ const box = document.querySelector('input[type=search]'); box.value = {text!r};"
        " box.dispatchEvent(new Event('input', {bubbles: true})); })()"
    )


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = browser.find()
    if program is None:
        pytest.skip("no Chromium here: the page was not looked at in a browser (apt install chromium)")
    with Browser(program, tmp_path_factory.mktemp("profile")) as found:
        yield found


def hostile(run: Run) -> Run:
    """The same run with markup in the options and in what was said."""
    record, answers = run
    place = replace(record.environment, machine=ATTACK)
    changed = [replace(a, choices=(*a.choices, ATTACK), text=a.text + ATTACK) for a in answers or ()]
    return replace(record, environment=place), changed if answers else None


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    runs = [*make_runs(n=N), make_failed("lora", 64, n=N, reason="killed by signal 9 (often out of memory)")]
    runs = [hostile(run) for run in runs]
    asked = {f"q{n:04}": Example(id=f"q{n:04}", question=f"Why? {ATTACK}{'x' * 400}", target="a") for n in range(N)}
    source = Source("data/cfa", revision="r7", sha256="ab12" * 16, license="CC BY 4.0")
    task = Task("cfa", 1, "Exam questions", source, lambda f, s: [], prompts.multiple_choice, (metrics.accuracy,))
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_of(runs, {"cfa": task}, questions={"cfa": asked}, draw=True), encoding="utf-8")
    return path


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_loads_from_disk_in_silence_and_is_not_wider_than_the_window(
    opened: Browser, page: Path, width: int, dark: bool
) -> None:
    opened.open(page, width=width, dark=dark)
    assert opened.run("innerWidth") == width
    assert opened.run("document.documentElement.scrollWidth") <= width
    assert opened.run("document.body.scrollWidth") <= width
    light = opened.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert light is not dark
    assert opened.problems == []
    if folder := os.environ.get("SCREENSHOTS"):
        opened.picture(Path(folder) / f"{width}-{'dark' if dark else 'light'}.png")


def test_a_table_sorts_up_down_and_back(opened: Browser, page: Path) -> None:
    opened.open(page)
    written = opened.run(METRIC)
    values = sorted(float(text) for text in written if text != "–")
    assert written[:-1] != [f"{value:.1f}" for value in values]
    assert opened.run(press("accuracy")) is None
    assert opened.run(METRIC) == [*(f"{value:.1f}" for value in values), "–"]
    assert opened.run(f"{HEADLINE}.querySelector('[aria-sort]').ariaSort") == "ascending"
    opened.run(press("accuracy"))
    assert opened.run(METRIC) == [*(f"{value:.1f}" for value in reversed(values)), "–"]  # what has no value stays last
    opened.run(press("accuracy"))
    assert opened.run(METRIC) == written
    assert opened.run(f"{HEADLINE}.querySelectorAll('[aria-sort]').length") == 0


def test_ranks_sort_as_numbers_within_names(opened: Browser, page: Path) -> None:
    opened.open(page)
    opened.run(press("run"))
    found = [name for name in opened.run(SHOWN) if name.startswith("lora")]
    assert found == ["lora r2", "lora r8", "lora r32", "lora r64"]


def test_a_table_filters_by_every_word_and_says_how_many_rows_are_left(opened: Browser, page: Path) -> None:
    opened.open(page)
    every = opened.run(SHOWN)
    opened.run(type_in("LORA r8"))
    assert opened.run(SHOWN) == ["lora r8", "qlora r8"]
    assert opened.run("document.querySelector('output').value") == f"2 of {len(every)} rows"
    opened.run(press("accuracy"))
    assert sorted(opened.run(SHOWN)) == ["lora r8", "qlora r8"]  # sorting keeps the filter
    opened.run(type_in(""))
    assert sorted(opened.run(SHOWN)) == sorted(every)
    assert opened.run("document.querySelector('output').value") == ""


def test_what_data_holds_is_shown_and_never_run(opened: Browser, page: Path) -> None:
    opened.open(page)
    assert opened.run("document.title") == "Results: cfa"
    assert opened.run("document.querySelectorAll('script').length") == 1
    assert opened.run("document.querySelectorAll('img').length") == 0
    shown = opened.run(
        "[...document.querySelectorAll('article dd')].filter(d => d.textContent.includes('<script>')).length"
    )
    assert shown > 5


def test_the_policy_stops_what_would_get_past_the_escaping(opened: Browser, page: Path, tmp_path: Path) -> None:
    text = page.read_text(encoding="utf-8")
    injected = (
        "<script>document.title = 'run'</script><img src='data:image/gif;base64,x' onerror=\"document.title = 'run'\">"
        "<style>body { display: none }</style><base href='https://a.example/'>"
    )
    (tmp_path / "broken.html").write_text(
        text.replace("<nav", injected + "<nav", 1).replace("</h1>", f"</h1>{injected}", 1)
    )
    opened.open(tmp_path / "broken.html")
    assert opened.run("document.title") == "Results: cfa"
    assert opened.run("getComputedStyle(document.body).display") == "block"
    assert not opened.run("document.baseURI").startswith("https:")
    assert any("Content Security Policy" in problem for problem in opened.problems)


def test_without_scripts_it_is_whole(opened: Browser, page: Path) -> None:
    rows = "document.querySelectorAll('tbody tr').length"
    text = "document.body.innerText.replaceAll('filter rows', '').length"
    opened.open(page)
    whole, length = opened.run(rows), opened.run(text)
    opened.open(page, scripts=False)
    assert opened.run("document.querySelectorAll('button, input').length") == 0
    assert opened.run(rows) == whole
    assert opened.run("[...document.querySelectorAll('tbody tr, article, figure')].every(e => e.offsetParent)")
    assert opened.run(text) >= 0.98 * length


def test_on_paper_it_is_black_on_white_and_without_controls(opened: Browser, page: Path) -> None:
    opened.open(page, dark=True)
    assert opened.run("document.querySelector('input').offsetParent !== null")
    opened.call("Emulation.setEmulatedMedia", media="print")
    assert opened.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert opened.run("getComputedStyle(document.body).color") == "rgb(0, 0, 0)"
    assert opened.run("[...document.querySelectorAll('input')].every(e => e.offsetParent === null)")
    opened.call("Emulation.setEmulatedMedia", media="")


def test_every_control_can_be_reached_by_key_and_has_a_name(opened: Browser, page: Path) -> None:
    opened.open(page)
    nameless = (
        "[...document.querySelectorAll('button, input, .scroll')].filter(e => !(e.ariaLabel || e.textContent.trim()))"
    )
    assert opened.run(f"{nameless}.length") == 0
    assert opened.run("[...document.querySelectorAll('button, input, .scroll')].every(e => e.tabIndex === 0)")


def test_a_page_of_one_run_and_one_without_runs_load_in_silence(opened: Browser, tmp_path: Path) -> None:
    for name, runs in (("one", [make_run("base", 0, n=40)]), ("none", [])):
        path = tmp_path / f"{name}.html"
        path.write_text(page_of(runs, draw=True), encoding="utf-8")
        opened.open(path, width=390)
        assert opened.problems == []
        assert opened.run("document.documentElement.scrollWidth") <= 390
