"""The results in README.md: made from the folder `results` alone. `python results/make_readme.py` writes them anew.

If boards of real models are published, a table with a row for each, what they show about methods in sentences, and the first
board's figure. Else one table of the embedded model for all tasks (value, interval and mark of the headline metric of each run,
words as `harness.report.tables` makes them) and the first task's figure. One of the ratios that were measured beside other programs. tests/end_to_end/test_documentation.py
holds the README to both.
"""

from __future__ import annotations

import itertools
import json
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [] if str(ROOT) in sys.path else [str(ROOT)]

from harness.analysis import compare
from harness.analysis.sections import Section, sections
from harness.data import registry
from harness.format import (
    Table,
    counted,
    escape,
    markdown,
    percent_sign,
    words,
)
from harness.report import tables
from harness.schema import Metric
from harness.store import records as store
from results import boards
from results.boards import Board
from tests.benchmarks.timing import TITLES, WAYS

TASKS = ("cfa", "sec_qa", "claims")
MODEL = "tiny"
OWN = "start-"  # compared with a number of seconds, not with another program
TABLES = "results/published/leaderboard"
SEEDS = ("one seed", "several seeds")
RESULTS, SPEED = "results", "speed"  # the two parts of the README that are made
NOTHING = """No board of this version is published yet. The boards of version 0.1 are archived in
[results/archive/0.1](results/archive/0.1/README.md), because the log-likelihood of the end token was added to every option, raw
sums of options of different length were compared, and intervals of few groups were too narrow. New boards follow by the same
commands: `python run_all.py --task cfa,sec_qa,claims --seeds 3`, then `python run_all.py publish`.
"""


def block(results: Path) -> str:
    """Return the text between the markers for a results folder; where the archive is if nothing is published.

    Raises:
        HarnessError: damaged records.
    """
    published = results / "published"
    if real := _real(results):
        return real
    found = [section for task in TASKS if (section := _section(results, task)) is not None]
    if not found:
        return NOTHING
    figures = (published / "figures" / name / "accuracy.png" for name in TASKS)
    figure = next((path for path in figures if path.is_file()), None)
    lines = [markdown(overview(found)), "", *_notes(found), ""]
    if figure is not None:
        name = figure.parent.name
        place = figure.relative_to(results.parent).as_posix()
        lines += [f"![{name}: accuracy of each method and rank with its 95 % interval]({place})", ""]
    return "\n".join([*lines, "All tables, memory and time among them:", _links(map(_task, found))]) + "\n"


def _real(results: Path) -> str:
    """Return the text on the boards of real models; empty without a board."""
    found = boards.boards(results, sorted(registry.recorded()))
    table = boards.overview(found)
    if not table:
        return ""
    table = _with_links(table, found)
    lines = [
        table,
        "95 % intervals of single rows; with one seed they are about other questions alone. Better than the base model at its best by",
        "paired tests, corrected for all pairs of a board, and in brackets better than every challenger as well:",
    ]
    for name, of_method in itertools.groupby(boards.counts(found), key=lambda count: count.name):
        counts = list(of_method)
        shown = (f"on {c.better} of {counted(c.boards, 'board')} of {SEEDS[c.seeds > 1]} ({c.best})" for c in counts)
        lines.append(f"- `{name}`: {' and '.join(shown)}.")
    whole = sorted(found, key=lambda board: (-board.seeds, -len(board.section.headline), -board.questions))
    figures = (results / "published" / "figures" / board.task / "accuracy_memory.png" for board in whole)
    if figure := next((path for path in figures if path.is_file()), None):
        place = figure.relative_to(results.parent).as_posix()
        lines += ["", f"![{figure.parent.name}: accuracy against memory in training]({place})"]
    more = f"Ranks, QLoRA, forgetting: [docs/findings.md](docs/findings.md). All numbers: [all.csv]({TABLES}/all.csv)."
    return "\n".join([*lines, "", more]) + "\n"


def _with_links(table: str, found: Iterable[Board]) -> str:
    """Return the table of boards with a link from each task's name to its tables, the first column as wide as needed."""
    links = {escape(board.task): f"[{escape(board.task)}]({TABLES}/{board.task}.md)" for board in found}
    rows = [line.split("|", 2) for line in table.splitlines()]
    firsts = [re.sub(r"^[^,]+(?=,)", lambda match: links.get(match[0], match[0]), row[1].strip()) for row in rows]
    width = max(map(len, firsts))
    filled = [first * width if set(first) == {"-"} else first.ljust(width) for first in firsts]
    return "\n".join(f"| {first[:width]} |{row[2]}" for first, row in zip(filled, rows, strict=True)) + "\n"


def _links(tasks: Iterable[str]) -> str:
    links = [f"[{task}](results/published/leaderboard/{task}.md)" for task in tasks]
    return " ·\n".join(" · ".join(links[place : place + 2]) for place in range(0, len(links), 2)) + "."


def speed(results: Path) -> str:
    """Return the table of the fastest other way for each work with a target; empty if nothing was measured."""
    rows: list[tuple[str, str, str]] = []
    for path in sorted((results / "benchmarks").glob("*.json")):
        measured = json.loads(path.read_text(encoding="utf-8"))
        if measured["name"].startswith(OWN):
            continue
        others = {way: ratio["ratio"] for way, ratio in measured["ratios"].items() if ratio["target"]}
        if others:
            way = min(others, key=others.__getitem__)
            rows.append((TITLES[measured["name"]], WAYS.get(way, way), f"{others[way]:.1f}"))
    heads = ("work", "against", "times as long as ours")
    return markdown(Table("Speed", heads, tuple(rows), left=frozenset({0, 1}))) + "\n" if rows else ""


def overview(found: Sequence[Section]) -> Table:
    """Return one table of several tasks: the headline value, interval and mark of every run."""
    columns: list[dict[str, str]] = []
    for section in found:
        rows = tables.headline(section).rows
        columns.append({row[0]: " ".join(part for part in (row[2], row[3], row[6]) if part) for row in rows})
    runs = list(dict.fromkeys(run for column in columns for run in column))
    heads = [f"{_task(section)}, {words(section.metric_name)}{percent_sign(section.unit)}" for section in found]
    rows = tuple((run, *(column.get(run, "") for column in columns)) for run in runs)
    return Table("Results", ("run", *heads), rows, left=frozenset(range(len(heads) + 1)))


def _notes(found: Sequence[Section]) -> list[str]:
    """Say what the table shows and on what it was made."""
    sizes = [f"{_task(section)} {section.title.split(' · ', 1)[1]}" for section in found]
    records = [record for section in found for record in section.records]
    seeds = sorted({record.spec.seed for record in records})
    machines = sorted({record.environment.machine for record in records})
    commits = sorted({record.environment.commit for record in records})
    return [
        f"Model `{MODEL}`, {len(seeds)} seed{'s' * (len(seeds) != 1)}, 95 % intervals; ◀ best, ≈ no significant difference from it.",
        "Test sets: " + ";\n".join(sizes) + ".",
        f"Made on {' and '.join(machines)} at commit {', '.join(commits)}.",
    ]


def _section(results: Path, task: str) -> Section | None:
    """Return the embedded model's section of a task's published runs, that of the newest task version."""
    runs = [(run.record, run.answers() or None) for run in store.read_published(results, task)]
    known: dict[str, Sequence[Metric]] = {n: e.value.metrics for n, e in registry.tasks().items() if e.value}
    made = [s for s in sections(compare.cells(runs, known)) if s.records and s.records[0].spec.model == MODEL]
    return max(made, key=lambda s: (s.records[0].spec.task_version, len(s.cells)), default=None)


def _task(section: Section) -> str:
    return section.records[0].spec.task


def _pattern(part: str) -> re.Pattern[str]:
    return re.compile(rf"(^<!-- {part}:begin[^\n]*-->\n)(.*?)(^<!-- {part}:end -->$)", re.MULTILINE | re.DOTALL)


def current(readme: str, part: str = RESULTS) -> str:
    """Return what stands between the markers of a part.

    Raises:
        ValueError: the markers are not there exactly once.
    """
    found = _pattern(part).findall(readme)
    if len(found) != 1:
        raise ValueError(f"the markers of {part} stand in the README {len(found)} times, and should once")
    return str(found[0][1])


def replaced(readme: str, text: str, part: str = RESULTS) -> str:
    """Return the README with this text between the markers of a part."""
    current(readme, part)
    return _pattern(part).sub(lambda match: match[1] + text + match[3], readme)


def with_parts(page: str, parts: Iterable[tuple[str, str]]) -> str:
    """Return a page with the text of each part between its markers; a part is its markers' name and its text."""
    for part, text in parts:
        page = replaced(page, text, part)
    return page


def main() -> int:
    """Write what is made into README.md."""
    path = ROOT / "README.md"
    readme = replaced(path.read_text(encoding="utf-8"), block(ROOT / "results"))
    path.write_text(replaced(readme, speed(ROOT / "results"), SPEED), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
