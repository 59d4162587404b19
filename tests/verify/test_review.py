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
from harness.verify.checks import arithmetic, catalogue, files, views
from harness.verify.waivers import Waiver

ROOT = Path(__file__).resolve().parents[2]
GIVEN = """
[[waiver]]
check = "Markdown tables are made again byte for byte"
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
    assert text.rstrip().endswith("None.")
    assert "<script" not in page
    assert "default-src 'none'" in page


def test_a_finding_fails_with_the_command_that_shows_it(published: tuple[Path, Path], tmp_path: Path) -> None:
    mend(published[0])
    assert verify(published, "--report", str(tmp_path / "review")) == 1
    text = (tmp_path / "review" / "review.md").read_text(encoding="utf-8")
    assert re.search(rf"\| FAIL +\| {views.MARKDOWN}", text)
    assert "- where: leaderboard/pick.md" in text
    assert "- found: differs from what the runs give, first in line 1" in text
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
    assert "waived: Markdown tables are made again byte for byte: leaderboard/pick.md" in out
    assert "(waived 2026-02-03: a typing error" in out
    text = (tmp_path / "review" / "review.md").read_text(encoding="utf-8")
    assert re.search(rf"\| WAIVED +\| {views.MARKDOWN}", text)
    assert "- waived on 2026-02-03: a typing error in a heading was mended by hand" in text


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
        ("Markdown tables are made", "Markdown tables ar made", "did you mean 'Markdown tables"),
        ('reason = "a typing error in a heading was mended by hand"', 'reason = "ok"', "gives no reason"),
        ('reason = "a typing error in a heading was mended by hand"', "", "has no reason"),
        ("2026-02-03", '"2026-02-03"', "has no date"),
        ("2026-02-03", "2026-02-03T00:00:00", "has no date"),
        ("2026-02-03", "2026-02-31", "cannot be read"),
        ('"leaderboard/pick.md"', '""', "its where is empty"),
        ('"leaderboard/pick.md"', "7", "has no where"),
        ("[[waiver]]", "[waiver]", "something else than"),
        ("[[waiver]]", "all = true\n[[waiver]]", "something else than"),
        ("[[waiver]]", GIVEN + "[[waiver]]", "two waivers excuse"),
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
    if text not in catalogue.NAMES:
        with pytest.raises(HarnessError):
            waivers._waiver(item, 1, path)


def test_content_is_shown_and_never_run() -> None:
    evil = Check(arithmetic.SCORES, False, EVIL, EVIL)
    excuse = Waiver(arithmetic.SCORES, "nowhere", EVIL, datetime.date(2026, 1, 1))
    covering = Waiver(arithmetic.RATE, "*", EVIL, datetime.date(2026, 1, 1))
    judged = review.judge(
        Path(EVIL.replace("/", "")), {EVIL: [evil, Check(arithmetic.RATE, False, EVIL)]}, [excuse, covering]
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
    assert "a review is of one folder" in capsys.readouterr().err


def test_verifying_takes_no_torch(published: tuple[Path, Path]) -> None:
    code = (
        "import sys; from harness.cli import main;"
        f" code = main(['verify', {str(published[0])!r}, '--tasks-dir', {str(published[1])!r}]);"
        " heavy = {'torch', 'transformers', 'datasets'} & set(sys.modules); assert not heavy, heavy"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "20 runs verified" in done.stdout


@pytest.mark.slow
def test_what_this_repository_publishes_holds() -> None:
    if not any((ROOT / "results" / "published").rglob("record.json")):
        pytest.skip("nothing has been published yet")
    assert main(["verify", str(ROOT / "results" / "published")]) == 0
