"""A review: every check with a verdict, waivers that are read strictly, findings with the command that shows them."""

from __future__ import annotations

import datetime
import html
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tests.support.publication as publication
from harness.cli.app import main
from harness.errors import HarnessError
from harness.verify import review, waivers
from harness.verify.check import Check
from harness.verify.checks import catalogue
from harness.verify.checks.answers import arithmetic
from harness.verify.checks.publication import files, views
from harness.verify.waivers import Waiver
from tests.support.snapshot import Snapshots

ROOT = Path(__file__).resolve().parents[2]
GIVEN = """
[[waiver]]
check = "Markdown tables are reproducible byte for byte"
where = "leaderboard/pick.md"
reason = "a typing error in a heading was mended by hand"
date = 2026-02-03
"""
EVIL = "<script>alert(1)</script></style> | `x` *y*\n# z"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    with pytest.MonkeyPatch.context() as patch:
        publication.without_figures(patch)
        return publication.publish(tmp_path_factory.mktemp("made"))


@pytest.fixture
def published(made: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    """A copy of a publication and the runs that it was made of, and the folder of its tasks."""
    publication.without_figures(monkeypatch)
    shutil.copytree(made[0].parent, tmp_path / "results")
    return tmp_path / "results" / "published", made[1]


def mend(root: Path) -> None:
    """Change a published table by hand, and the list of checksums with it."""
    path = root / "leaderboard" / "pick.md"
    path.write_text(path.read_text().replace("# pick", "# Pick", 1))
    (root / files.SUMS).write_text(files.sums_text(root))


def verify(published: tuple[Path, Path], *words: str) -> int:
    return main(["verify", str(published[0]), "--tasks-dir", str(published[1]), *words])


def test_a_review_lists_every_check_and_passes_what_holds(published: tuple[Path, Path], tmp_path: Path) -> None:
    assert verify(published, "--report", str(tmp_path / "review")) == 0
    text = (tmp_path / "review" / "review.md").read_text(encoding="utf-8")
    page = (tmp_path / "review" / "review.html").read_text(encoding="utf-8")
    for name in catalogue.NAMES:
        assert name in text
        assert html.escape(name, quote=False).replace("'", "&#39;") in page
    assert "20 runs" in text
    assert "| FAIL" not in text
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_a_finding_fails_with_the_command_that_shows_it(published: tuple[Path, Path], tmp_path: Path) -> None:
    mend(published[0])
    assert verify(published, "--report", str(tmp_path / "review")) == 1
    text = (tmp_path / "review" / "review.md").read_text(encoding="utf-8")
    assert re.search(rf"\| FAIL +\| {views.MARKDOWN}", text)
    assert "leaderboard/pick.md" in text
    assert "first in line 1" in text
    command = re.search(r"python run_all\.py (verify \S+pick\.md)", text)
    assert command is not None
    assert main([*command[1].split(), "--tasks-dir", str(published[1])]) == 1


def test_a_waived_finding_is_shown_with_reason_and_date_and_is_no_failure(
    published: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mend(published[0])
    (published[0].parent / waivers.FILE).write_text(GIVEN)
    assert verify(published, "--report", str(tmp_path / "review")) == 0
    out = capsys.readouterr().out
    assert f"{views.MARKDOWN}: leaderboard/pick.md" in out
    assert "2026-02-03: a typing error" in out
    text = (tmp_path / "review" / "review.md").read_text(encoding="utf-8")
    assert re.search(rf"\| WAIVED +\| {views.MARKDOWN}", text)
    assert "2026-02-03: a typing error in a heading was mended by hand" in text


def test_a_waiver_that_excuses_nothing_fails(
    published: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "other.toml"
    path.write_text(GIVEN)
    assert verify(published, "--waivers", str(path), "--report", str(tmp_path / "review")) == 1
    assert re.search(rf"\| FAIL +\| {catalogue.WAIVERS}", (tmp_path / "review" / "review.md").read_text())
    assert verify(published) == 0


def test_a_waiver_excuses_no_other_place_and_no_other_check(published: tuple[Path, Path]) -> None:
    mend(published[0])
    for old, new in (("pick.md", "total.md"), ("Markdown", "CSV")):
        (published[0].parent / waivers.FILE).write_text(GIVEN.replace(old, new, 1))
        assert verify(published) == 1


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("check =", "chek =", "did you mean 'check'?"),
        ("Markdown tables are", "Markdown tables ar", f"did you mean '{views.MARKDOWN}'"),
        ('reason = "a typing error in a heading was mended by hand"', 'reason = "ok"', "'ok'"),
        ('reason = "a typing error in a heading was mended by hand"', "", "'reason'"),
        ("2026-02-03", '"2026-02-03"', "'date'"),
        ("2026-02-03", "2026-02-03T00:00:00", "'date'"),
        ("2026-02-03", "2026-02-31", ""),
        ('"leaderboard/pick.md"', '""', "'where'"),
        ('"leaderboard/pick.md"', "7", "'where'"),
        ("[[waiver]]", "[waiver]", "[[waiver]]"),
        ("[[waiver]]", "all = true\n[[waiver]]", "[[waiver]]"),
        ("[[waiver]]", GIVEN + "[[waiver]]", "two waivers"),
    ],
)
def test_a_malformed_waiver_is_an_error_and_excuses_nothing(old: str, new: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / waivers.FILE
    path.write_text(GIVEN.replace(old, new, 1))
    with pytest.raises(HarnessError) as caught:
        waivers.read(path)
    assert words in f"{caught.value.problem} {caught.value.fix}"
    assert caught.value.where == str(path)


@given(st.text(max_size=80))
def test_no_text_of_a_file_of_waivers_makes_one_by_accident(text: str) -> None:
    path = Path(__file__).parent / "nowhere"
    item = {"check": text, "reason": "a reason that is long enough", "date": datetime.date(2026, 1, 1)}
    if text not in (*catalogue.NAMES, *catalogue.FORMER_NAMES):
        with pytest.raises(HarnessError):
            waivers._waiver(item, 1, path)


@pytest.mark.parametrize("name", catalogue.FORMER_NAMES)
def test_a_waiver_may_use_the_former_name_of_a_check(name: str, tmp_path: Path) -> None:
    path = tmp_path / waivers.FILE
    path.write_text(GIVEN.replace(views.MARKDOWN, name))
    (waiver,) = waivers.read(path)
    assert waiver.check == catalogue.FORMER_NAMES[name]
    assert waiver.check in catalogue.NAMES


def test_a_former_and_a_present_name_of_one_check_are_two_waivers_of_it(tmp_path: Path) -> None:
    path = tmp_path / waivers.FILE
    path.write_text(GIVEN + GIVEN.replace(views.MARKDOWN, "Markdown tables are made again byte for byte"))
    with pytest.raises(HarnessError, match="two waivers"):
        waivers.read(path)


def test_a_review_of_each_verdict_reads_as_its_snapshots(snapshots: Snapshots) -> None:
    day = datetime.date(2026, 2, 3)
    excuse = Waiver(views.MARKDOWN, "leaderboard/*.md", "a typing error in a heading was mended by hand", day)
    results = {
        "pick/tiny/full/s0-0123456789": [
            Check(files.RECORD_READABLE, True),
            Check(
                arithmetic.SCORES, False, "accuracy is 0.5 [0.4, 0.6] n 30 in 30, recorded 0.9 [0.8, 1.0] n 30 in 30"
            ),
        ],
        "": [
            Check(files.CHECKSUMS, False, "the file has another checksum", "leaderboard/pick.csv"),
            Check(views.MARKDOWN, False, "first in line 1", "leaderboard/pick.md"),
        ],
    }
    judged = review.judge(Path("results/published"), results, [excuse])
    snapshots.check("review.md", review.as_markdown(judged))
    snapshots.check("review.html", review.page(judged))


def test_content_is_shown_and_never_run() -> None:
    evil = Check(arithmetic.SCORES, False, EVIL, EVIL)
    excuse = Waiver(arithmetic.SCORES, "nowhere", EVIL, datetime.date(2026, 1, 1))
    covering = Waiver(arithmetic.PARSE_RATE, "*", EVIL, datetime.date(2026, 1, 1))
    judged = review.judge(
        Path(EVIL.replace("/", "")), {EVIL: [evil, Check(arithmetic.PARSE_RATE, False, EVIL)]}, [excuse, covering]
    )
    page, text = review.page(judged), review.as_markdown(judged)
    tags: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)  # type: ignore[method-assign]
    parser.feed(page)
    assert "script" not in tags
    assert page.count("</style>") == 1
    outside = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    assert "<script>" not in outside
    assert "\n# z" not in text
    assert len(re.findall(r"^\*\*(FAIL|WAIVED)\*\* ", text, re.MULTILINE)) == 3


def test_a_review_is_the_same_twice_and_names_no_time(published: tuple[Path, Path], tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert verify(published, "--report", str(tmp_path / name)) == 0
    for file in ("review.md", "review.html"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()


def test_a_part_of_a_publication_can_be_verified_alone(
    published: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    root, tasks_dir = published
    one = next((root / "pick" / "tiny" / "full").glob("s1-*"))
    for path, runs in ((one, 1), (root / "pick", 10), (root / "leaderboard" / "pick.csv", 10), (root, 20)):
        assert main(["verify", str(path), "--tasks-dir", str(tasks_dir)]) == 0
        assert f"{runs} run{'s' * (runs > 1)} verified" in capsys.readouterr().out
    mend(root)
    assert main(["verify", str(root / "leaderboard" / "pick.csv"), "--tasks-dir", str(tasks_dir)]) == 0
    assert main(["verify", str(root / "leaderboard"), "--tasks-dir", str(tasks_dir)]) == 1


def test_an_empty_or_missing_folder_is_no_success(published: tuple[Path, Path], tmp_path: Path) -> None:
    for path in (tmp_path / "nothing", tmp_path / "empty"):
        assert main(["verify", str(path)]) == 2
        (tmp_path / "empty").mkdir(exist_ok=True)
    (tmp_path / "published").mkdir()
    (tmp_path / "published" / files.SUMS).write_text("")
    assert main(["verify", str(tmp_path / "published")]) == 2


def test_a_results_folder_is_verified_with_what_was_published_of_it(
    published: tuple[Path, Path], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    root, tasks_dir = published
    assert main(["verify", str(root.parent), "--tasks-dir", str(tasks_dir)]) == 0
    assert capsys.readouterr().out.count("20 runs verified") == 2
    mend(root)
    assert main(["verify", str(root.parent), "--tasks-dir", str(tasks_dir)]) == 1
    words = ["--tasks-dir", str(tasks_dir), "--report", str(tmp_path / "review")]
    assert main(["verify", str(root.parent), *words]) == 2
    assert "--report" in capsys.readouterr().err


def test_verifying_takes_no_torch(published: tuple[Path, Path]) -> None:
    code = (
        "import sys; from harness.cli import main; from harness.report.figures import write;"
        " write.write = lambda *_: [];"  # it was published without figures; tests/report/test_write.py draws without torch
        f" code = main(['verify', {str(published[0])!r}, '--tasks-dir', {str(published[1])!r}]);"
        " heavy = {'torch', 'transformers', 'datasets'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "PASS: 20 runs verified" in done.stdout


@pytest.mark.slow
def test_what_this_repository_publishes_holds() -> None:
    if not any((ROOT / "results" / "published").rglob("record.json")):
        pytest.skip("nothing has been published yet")
    assert main(["verify", str(ROOT / "results" / "published")]) == 0
