"""Hostile content in data, answers and records reaches tables, figures and the page as text, and does no harm there."""

from __future__ import annotations

import csv
import io
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from harness import metrics
from harness.cli.app import main
from harness.metrics import scoring
from harness.record import Answer
from harness.report.figures import write
from harness.store import records
from tests.support.cli_runner import guess
from tests.support.finished_runs import Run, make_failed, make_run
from tests.support.sample_inputs import write_model

FORMULAS = ('=HYPERLINK("http://a.example","b")', "+1+1", "-2+3", "@SUM(A1)", "\t=1+1", "=cmd|' /C calc'!A0", "＝1+1")
MARKUP = (
    "</style><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "]]><svg onload=alert(1)>",
    "&lt;script&gt; &amp;",
    '"><a href="javascript:alert(1)">x</a>',
    "{{ 7 * 7 }}{% raw %}",
)
MARKDOWN = ("a|b\\|c", "`x` *y* _z_ ~~w~~", "[a](javascript:alert) ![b](c)", "# heading\n- item\n| x | y |")
CONTROL = ("red \x1b[31mtext\x1b]0;title\x07", "nul \x00 bell \x07 back \x08", "line\u2028para\u2029", "c1 \x9b31m")
SCRIPTS = ("مرحبا بالعالم", "\u202egnp.exe\u202c", "杜甫 保险 理赔", "🏦 ½ ﬁ", "x" * 10_000)
HOSTILE = (*FORMULAS, *MARKUP, *MARKDOWN, *CONTROL, *SCRIPTS)
OBEYED = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")  # by a terminal


class Tags(HTMLParser):
    """Collects what a browser would build and run."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()
        self.text: list[str] = []
        self.own: list[str] = []  # style and script
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "xlink:href")}

    def handle_data(self, data: str) -> None:
        (self.text if self.cdata_elem is None else self.own).append(data)


def answers(n: int, texts: Sequence[str], wrong: int) -> list[Answer]:
    """Answers of which each target, text, option, slice and line is hostile; one in `wrong` is wrong."""
    labels = tuple(texts[:6])
    found = []
    for i in range(n):
        target = labels[i % len(labels)]
        said = target if i % wrong else labels[(i + 1) % len(labels)]
        slices = {"topic": texts[i % len(texts)], "line": texts[i % 5], texts[0]: "x"}
        found.append(
            Answer(f"{texts[i % len(texts)]} {i}", f"{texts[1]} {i}", target, said, said, labels, slices=slices)
        )
    return found


def run(method: str, rank: int, texts: Sequence[str]) -> Run:
    """A finished run in which whatever can be text is hostile."""
    spec = {"task": texts[0], "model": texts[1], "model_revision": texts[2], "test_examples": 44, "data": texts[3]}
    record, _ = make_run(method, rank, n=44, spec=spec)
    said = answers(44, texts, wrong=3 if method == "base" else 4)  # so that some flip, in either way
    place = replace(
        record.environment,
        machine=texts[4],
        device_name=texts[5],
        platform=texts[6 % len(texts)],
        commit=texts[0],
        packages={"torch": texts[1], "transformers": texts[2]},
    )
    scores = scoring.score_answers(said, (metrics.accuracy, metrics.macro_f1))
    return replace(record, scores=scores, environment=place, guess=texts[0], parse_rate=1.0), said


def stored(results: Path, runs: Sequence[Run]) -> None:
    for record, said in runs:
        folder = records.run_dir(results, record.spec)
        records.prepare(folder)
        folder.mkdir(parents=True, exist_ok=True)
        digest = records.write_answers(folder, said) if said else ""
        records.write_record(folder, replace(record, answers_sha256=digest))


def rows_of(path: Path) -> list[list[str]]:
    return list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def check_csv(path: Path) -> None:
    rows = rows_of(path)
    assert len(rows) > 1
    assert {len(row) for row in rows} == {len(rows[0])}
    fields = [field for row in rows for field in row]
    assert [f for f in fields if re.match(r"\s*[=+\-@＝＋－＠]", f) and not is_number(f)] == []
    assert [f for f in fields if re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", f)] == []


def check_markdown(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert re.search(r"<\s*[A-Za-z/!]", text) is None
    assert re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]", text) is None
    assert re.search(r"(?<!\\)\]\(", text) is None  # no link
    for block in re.split(r"\n\n", text):
        lines = [line for line in block.splitlines() if line.startswith("|")]
        cells = {len(re.findall(r"(?<!\\)(?:\\\\)*\|", line)) for line in lines}
        assert len(cells) <= 1, block[:200]  # every row of a table has the columns of its head


def check_page(path: Path, harmless: Path) -> None:
    page, plain = (Tags(p.read_text(encoding="utf-8")) for p in (path, harmless))
    assert page.tags <= plain.tags
    assert len(plain.own) == 2
    assert page.own == plain.own
    assert page.attributes <= plain.attributes
    assert not {link for link in page.links if not link.startswith("#")}
    assert not any(name.startswith("on") for name in page.attributes)
    assert re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", path.read_text(encoding="utf-8")) is None


def check_figures(folder: Path) -> None:
    drawn = sorted(folder.rglob("*.svg"))
    assert {path.stem for path in drawn} >= set(write.NAMES)
    for path in drawn:
        tags = {element.tag.rpartition("}")[2] for element in ET.parse(path).iter()}
        assert "script" not in tags
        assert not [e for e in ET.parse(path).iter() if any(name.lower().startswith("on") for name in e.attrib)]
        assert path.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


ROWS = (("base", 0), ("lora", 2), ("lora", 8))  # so many that every figure has something to show
PLAIN = tuple(f"plain{n}" for n in range(30))


@pytest.fixture(scope="module")
def harmless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the same runs with nothing hostile in them."""
    results = tmp_path_factory.mktemp("harmless")
    failed, _ = make_failed("lora", 64, n=44, reason="why", task=PLAIN[0], model=PLAIN[1], model_revision=PLAIN[2])
    failed = replace(failed, spec=replace(failed.spec, test_examples=44, data=PLAIN[3]))
    stored(results, [*(run(*row, PLAIN) for row in ROWS), (failed, None)])
    assert main(["report", "--results", str(results)]) == 0
    return results / "report.html"


@pytest.fixture
def pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report draws what a publication does: pictures, too."""
    monkeypatch.setattr(write, "SCREEN", write.KINDS)


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize(
    "texts",
    [FORMULAS, MARKUP, (*MARKDOWN, *CONTROL), (*SCRIPTS, *FORMULAS)],
    ids=["formulas", "markup", "markdown and control characters", "scripts and length"],
)
def test_hostile_records_and_answers_are_reported_as_text(
    texts: tuple[str, ...], tmp_path: Path, harmless: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = (*texts, *HOSTILE)[:30]
    failed, _ = make_failed("lora", 64, n=44, reason=texts[4], task=texts[0], model=texts[1], model_revision=texts[2])
    failed = replace(failed, spec=replace(failed.spec, test_examples=44, data=texts[3]))
    stored(tmp_path, [*(run(*row, texts) for row in ROWS), (failed, None)])
    assert main(["report", "--results", str(tmp_path)]) == 0, capsys.readouterr().err
    (table,) = (path for path in tmp_path.glob("leaderboard/*.csv") if path.name != "all.csv")
    (document,) = (path for path in tmp_path.glob("leaderboard/*.md") if not path.name.endswith(".card.md"))
    check_csv(table)
    check_markdown(document)
    check_page(tmp_path / "report.html", harmless)
    assert "<article" in (tmp_path / "report.html").read_text(encoding="utf-8")  # examples are among what was checked
    check_figures(tmp_path / "figures")
    outside = [p for p in tmp_path.rglob("*") if not p.resolve().is_relative_to(tmp_path.resolve())]
    assert outside == []
    assert OBEYED.search(capsys.readouterr().out) is None


def test_what_the_page_shows_is_the_very_text(tmp_path: Path) -> None:
    stored(tmp_path, [run("base", 0, (*MARKUP, *SCRIPTS))])
    assert main(["report", "--results", str(tmp_path)]) == 0
    shown = " ".join(Tags((tmp_path / "report.html").read_text(encoding="utf-8")).text)
    for text in (MARKUP[0], MARKUP[1], MARKUP[3], "مرحبا بالعالم", "杜甫 保险 理赔"):
        assert text in shown


def data_file(folder: Path, name: str) -> Path:
    """Questions whose context is hostile, and whose labels are: eight of each of six labels."""
    labels = [FORMULAS[0], FORMULAS[1], MARKUP[1], MARKDOWN[0], "مرحبا", "杜甫"]
    rows = [
        {"context": f"{HOSTILE[n % len(HOSTILE)]} {n}", "target": labels[n % 6], "group": f"{HOSTILE[n % 7]} {n}"}
        for n in range(60)
    ]
    path = folder / name
    if name.endswith(".csv"):
        rows = [{key: value.replace("\x00", "") for key, value in row.items()} for row in rows]
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


@pytest.mark.usefixtures("pictures")
@pytest.mark.parametrize("name", ["=1+1.csv", "<b>mine.jsonl"])
def test_a_hostile_data_file_is_checked_run_and_reported(
    name: str, tmp_path: Path, harmless: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("harness.cli.commands.run.plan.check", lambda plans: None)
    path, results, model = data_file(tmp_path, name), tmp_path / "results", write_model(tmp_path / "model")
    assert main(["check", str(path)]) == 0, capsys.readouterr().out
    flags = ["--method", "base,lora", "--rank", "2,8", "--challengers", "none", "--no-memory"]
    flags += ["--model", str(model), "--results", str(results)]
    assert main(["--task", str(path), *flags], work=guess) == 0, capsys.readouterr().err
    printed = capsys.readouterr()
    assert OBEYED.search(printed.out + printed.err) is None
    assert main(["verify", str(results), "--task", str(path)]) == 0
    check_csv(next(results.glob("leaderboard/*.csv")))
    check_markdown(next(results.glob("leaderboard/*.md")))
    check_page(results / "report.html", harmless)
    check_figures(results / "figures")


def test_a_csv_with_a_nul_is_read_or_refused_at_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = "".join(f"text {n},{'yes' if n % 2 else 'no'}\n" for n in range(40))
    (tmp_path / "nul.csv").write_text(f"context,target\n{rows}a \x00 b,yes\n")
    code = main(["check", str(tmp_path / "nul.csv")])
    printed = capsys.readouterr()
    assert code == 0 or (code == 2 and "nul.csv:42" in printed.err)
    assert OBEYED.search(printed.out + printed.err) is None


@pytest.mark.parametrize("name", ["large.jsonl", "large.csv"])
@pytest.mark.parametrize("megabytes", [1, pytest.param(10, marks=pytest.mark.slow)])
def test_a_cell_of_megabytes_is_read_and_shown_in_short(
    megabytes: int, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    large = "A filing of many words. " * (megabytes * 2**20 // 24)
    rows = [{"context": f"text {n}", "target": "yes" if n % 2 else "no", "split": "train"} for n in range(20)]
    rows[0]["context"] = large
    rows += [{"context": f"test {n}", "target": "yes" if n % 2 else "no", "split": "test"} for n in range(8)]
    path = tmp_path / name
    with path.open("w", encoding="utf-8", newline="") as file:
        if name.endswith(".csv"):
            writer = csv.DictWriter(file, fieldnames=list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        else:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    assert main(["check", str(path)]) == 0
    printed = capsys.readouterr().out
    assert len(printed) < 20_000
    assert "characters …]" in printed
