"""Faults for the tests of `verify`: what is planted in a copy of a publication, and the check that must report it.

`CAREFUL` faults are those of a forger who also brings the list of checksums up to date, and the checksum in the record.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.store import answer_files, records
from harness.verify.checks.answers import arithmetic, challengers, data, probes
from harness.verify.checks.publication import files, views
from harness.verify.checks.record import cost, identity, provenance, seeds
from tests.support import answer_rows

Fault = Callable[[Path], object]


def run(root: Path, task: str = "pick", method: str = "lora-r8", seed: int = 0) -> Path:
    (found,) = (root / task / "tiny" / method).glob(f"s{seed}-*")
    return found


def record(change: Callable[[dict[str, Any]], object], **where: Any) -> Fault:
    """A fault in a record."""

    def plant(root: Path) -> None:
        path = run(root, **where) / records.RECORD
        content = json.loads(path.read_text(encoding="utf-8"))
        change(content)
        path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    return plant


def answers(change: Callable[[list[dict[str, Any]]], object], **where: Any) -> Fault:
    """A fault in answers, with the checksum in the record brought up to date."""

    def plant(root: Path) -> None:
        folder = run(root, **where)
        answer_rows.change(folder / records.ANSWERS, change)
        record(lambda content: content.update(answers_sha256=records.answers_sha256(folder)), **where)(root)

    return plant


def text(name: str, old: str, new: str) -> Fault:
    """A fault in a file: the first `old` becomes `new`."""

    def plant(root: Path) -> None:
        path = root / name
        content = path.read_text(encoding="utf-8")
        assert old in content, f"{old} is not in {name}"
        path.write_text(content.replace(old, new, 1), encoding="utf-8")

    return plant


def respecified(change: dict[str, Any], **where: Any) -> Fault:
    """A run with a setting changed and moved to where its new id belongs."""

    def plant(root: Path) -> None:
        folder = run(root, **where)
        old = records.read_record(folder)
        new = replace(old, spec=replace(old.spec, **change))
        target = root / records.relative_dir(new.spec)
        target.parent.mkdir(parents=True, exist_ok=True)
        folder.rename(target)
        records.write_record(target, new)

    return plant


def flip(rows: list[dict[str, Any]]) -> None:
    """Turn one wrong answer into the right one."""
    row = next(row for row in rows if row["parsed"] != row["target"])
    row["text"] = row["parsed"] = row["target"]


def prefer(rows: list[dict[str, Any]]) -> None:
    """As `flip`, with the log-likelihoods of the two options exchanged."""
    row = next(row for row in rows if row["parsed"] != row["target"])
    a, b = (row["choices"].index(row[key]) for key in ("parsed", "target"))
    row["loglik"][a], row["loglik"][b] = row["loglik"][b], row["loglik"][a]
    row["text"] = row["parsed"] = row["target"]


def weaken(rows: list[dict[str, Any]]) -> None:
    """Turn a right answer into a wrong one, with the log-likelihoods of the two options exchanged."""
    row = next(row for row in rows if row["parsed"] == row["target"])
    right = row["choices"].index(row["target"])
    wrong = (right + 1) % len(row["choices"])
    row["loglik"][right], row["loglik"][wrong] = row["loglik"][wrong], row["loglik"][right]
    row["text"] = row["parsed"] = row["choices"][wrong]


def regold(rows: list[dict[str, Any]]) -> None:
    """Make a wrong answer the gold one."""
    row = next(row for row in rows if row["parsed"] != row["target"])
    row["target"] = row["parsed"]


def reread(rows: list[dict[str, Any]]) -> None:
    """Let an answer that could not count as the right number."""
    row = next(row for row in rows if row["text"] == "nobody knows")
    row["parsed"] = row["target"]


def last_digit(content: dict[str, Any]) -> None:
    """Change the last digit of a bound of an interval."""
    score = content["scores"]["accuracy"]
    score["low"] = float(repr(score["low"])[:-1] + ("2" if repr(score["low"])[-1] != "2" else "4"))


def copied_seed(root: Path) -> None:
    """Pass the answers of one seed off as those of another, scores and checksum with them."""
    source, target = run(root, seed=0), run(root, seed=1)
    shutil.copy(source / records.ANSWERS, target / records.ANSWERS)
    old, mine = records.read_record(source), records.read_record(target)
    records.write_record(target, replace(old, spec=mine.spec, final_loss=0.1))


def cut_in_half(root: Path) -> None:
    path = run(root) / records.ANSWERS
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def bomb() -> bytes:
    """Return a gzip file that expands to more than any file of answers may have, a thousand times its size."""
    return gzip.compress(b" " * (answer_files.FREE_BYTES + 1), 9)


def beside(root: Path) -> None:
    """Put other answers beside those that were published, under the name of before."""
    (run(root) / "answers.jsonl").write_bytes(answer_files.read_bytes(run(root, seed=1)))


def sorted_anew(root: Path) -> None:
    """Sort a table by value, as if the values were a ranking."""
    path = root / "leaderboard" / "pick.csv"
    rows = list(csv.reader(io.StringIO(path.read_text(encoding="utf-8"))))
    place = rows[0].index("value")
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows([rows[0], *sorted(rows[1:], key=lambda row: -float(row[place]))])
    assert out.getvalue() != path.read_text(encoding="utf-8")
    path.write_text(out.getvalue(), encoding="utf-8")


def without_last_row(root: Path) -> None:
    path = root / "leaderboard" / "pick.csv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def twice(root: Path) -> None:
    """Put one run into two folders."""
    folder = run(root)
    shutil.copytree(folder, root / "more" / folder.parent.name / folder.name)


def removed(name: str) -> Fault:
    return lambda root: (root / name).unlink()


def dropped(**where: Any) -> Fault:
    return lambda root: shutil.rmtree(run(root, **where))


def for_each(*faults: Fault) -> Fault:
    return lambda root: [fault(root) for fault in faults]


def all_seeds(change: Callable[[dict[str, Any]], object]) -> Fault:
    return for_each(*(record(change, seed=seed) for seed in range(3)))


def linked(root: Path) -> None:
    path = root / "leaderboard" / "pick.csv"
    other = root.parent / "elsewhere.csv"
    shutil.move(path, other)
    path.symlink_to(other)


def spec(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["spec"].update({name: value})


def environment(name: str, value: Any) -> Callable[[dict[str, Any]], object]:
    return lambda content: content["environment"].update({name: value})


def peak(content: dict[str, Any]) -> None:
    content["cost"]["phases"]["train"]["peak_bytes"] = 3_000_000


def small_peak(content: dict[str, Any]) -> None:
    """A small peak whose parts add up to it."""
    content["cost"]["phases"]["train"]["peak_bytes"] = 5_000_000
    content["cost"]["parts"] |= {"activations_and_rest": 5_000_000 - 14_000_000}


def no_state(content: dict[str, Any]) -> None:
    """An optimizer without state, its bytes given to the activations."""
    parts = content["cost"]["parts"]
    parts["activations_and_rest"] += parts.pop("optimizer_state")
    parts["optimizer_state"] = 0


UNASKED = {"data": "0" * 16, "scoring": "generate", "scores": {}, "parse_rate": 1.0, "chance": None}
UNASKED |= {"answers_sha256": "0" * 64, "cut_examples": 0}

# What is planted, and the check that must report it. The files' checksums are left as they were published.
CARELESS: dict[str, tuple[Fault, str]] = {
    "a byte of a table": (text("leaderboard/pick.csv", "pick,1,accuracy", "pick,1,accurate"), files.CHECKSUMS),
    "a digit of a score": (record(lambda r: r["scores"]["accuracy"].update(value=0.99)), files.CHECKSUMS),
    "one answer flipped": (answers(flip), files.CHECKSUMS),
    "a table taken away": (removed("leaderboard/total.md"), files.FILES_PRESENT),
    "a run taken away": (dropped(seed=1), files.FILES_PRESENT),
    "a file added": (lambda root: (root / "notes.txt").write_text("trust me"), files.FILES_LISTED),
    "the list taken away": (removed(files.SUMS), files.LIST_FORM),
    "a line of the list cut": (text(files.SUMS, "  leader", " leader"), files.LIST_FORM),
    "a path that leaves the folder": (text(files.SUMS, "  leaderboard/", "  ../leaderboard/"), files.LIST_FORM),
    "a link in place of a table": (linked, files.CHECKSUMS),
}  # fmt: skip

# The same with the list of checksums, and the one of the answers in the record, brought up to date.
CAREFUL: dict[str, tuple[Fault, str]] = {
    "a digit of a score": (record(lambda r: r["scores"]["accuracy"].update(value=0.99)), arithmetic.SCORES),
    "the last digit of a bound": (record(last_digit), arithmetic.SCORES),
    "more questions than there were": (record(lambda r: r["scores"]["accuracy"].update(n=31)), arithmetic.SCORES),
    "a metric nobody has": (record(lambda r: r["scores"].update(skill=r["scores"]["accuracy"])), arithmetic.SCORES),
    "a metric left out": (record(lambda r: r["scores"].pop("macro_f1")), arithmetic.SCORES),
    "one answer flipped": (answers(flip), arithmetic.TOP_OPTION),
    "one answer flipped with its likelihoods": (answers(prefer), arithmetic.SCORES),
    "a challenger made weaker": (answers(weaken, method="nearest"), challengers.REFIT),
    "a gold answer changed": (answers(regold), arithmetic.GOLD),
    "an answer read kindly": (answers(reread, task="total"), arithmetic.PARSES),
    "an answer dropped": (answers(lambda rows: rows.pop()), arithmetic.ANSWER_COUNT),
    "an answer twice": (answers(lambda rows: rows.__setitem__(0, rows[1])), arithmetic.UNIQUE_ANSWERS),
    "a group cut in two": (answers(lambda rows: rows[0].update(group="other")), arithmetic.GOLD),
    "the parse rate": (record(lambda r: r.update(parse_rate=0.5)), arithmetic.PARSE_RATE),
    "what guessing scores": (record(lambda r: r.update(chance=0.1)), arithmetic.CHANCE),
    "inputs that were cut": (record(lambda r: r.update(cut_examples=25)), arithmetic.TRUNCATION),
    "answers not those of the record": (record(lambda r: r.update(answers_sha256="0" * 64)), files.ANSWERS_CHECKSUM),
    "a setting edited": (record(spec("learning_rate", 0.02)), identity.SPEC_ID),
    "a run under another name": (lambda root: run(root).parent.rename(root / "pick/tiny/lora-r64"), identity.FOLDER_PATH),
    "a probe from elsewhere": (record(lambda r: r.update(probes={"total": UNASKED})), probes.PROBE_LIST),
    "a run in two folders": (twice, identity.UNIQUE_RUNS),
    "another version of the task": (respecified({"task_version": 2}), identity.TASK_VERSION),
    "other prompts": (respecified({"data": "f" * 16}), data.FINGERPRINT),
    "a task nobody has": (respecified({"task": "secret"}), identity.TASK_AVAILABLE),
    "a seed dropped": (dropped(seed=1), seeds.NO_GAPS),
    "the last seed dropped": (dropped(seed=2), seeds.SEED_COUNT),
    "a seed dropped from one row of two": (dropped(method="full", seed=2), seeds.NO_GAPS),
    "two seeds the same": (copied_seed, seeds.DISTINCT_SEEDS),
    "a rate chosen on the test": (respecified({"learning_rate": 0.02}), seeds.ONE_SETTING),
    "NaN in a record": (record(lambda r: r.update(parse_rate=float("nan"))), files.STRICT_JSON),
    "a name twice in a record": (lambda root: text(str((run(root) / records.RECORD).relative_to(root)), '"parse_rate"', '"parse_rate": 1.0,\n "parse_rate"')(root), files.STRICT_JSON),
    "an infinite likelihood": (answers(lambda rows: rows[0].update(loglik=[float("-inf"), -1.0, -2.0])), files.STRICT_JSON),
    "a field nobody knows": (record(lambda r: r.update(verified=True)), files.RECORD_READABLE),
    "a record cut in half": (lambda root: (run(root) / records.RECORD).write_text((run(root) / records.RECORD).read_text()[:900]), files.RECORD_READABLE),
    "answers cut in half": (cut_in_half, files.ANSWERS_READABLE),
    "lines of answers cut in half": (lambda root: answer_files.write_bytes(run(root), answer_files.read_bytes(run(root))[:900]), files.ANSWERS_READABLE),
    "answers that are no gzip file": (lambda root: (run(root) / records.ANSWERS).write_bytes(answer_files.read_bytes(run(root))), files.ANSWERS_READABLE),
    "a few bytes that expand to millions": (lambda root: (run(root) / records.ANSWERS).write_bytes(bomb()), files.ANSWERS_READABLE),
    "other answers beside the packed ones": (beside, files.ANSWERS_READABLE),
    "a run that did not fit and scores": (record(lambda r: r.update(status="oom")), arithmetic.NO_SCORES),
    "a run that was interrupted": (record(lambda r: r.update(status="interrupted", scores={})), provenance.COMPLETE),
    "another commit": (record(environment("commit", "0123456789ab")), provenance.COMMIT),
    "uncommitted code": (record(lambda r: r["environment"].update(commit=r["environment"]["commit"] + "+")), provenance.COMMITTED),
    "weights from anywhere": (respecified({"model_revision": "main"}), provenance.MODEL),
    "an environment left out": (record(environment("packages", {})), cost.ENVIRONMENT),
    "no threads": (record(environment("threads", 0)), cost.ENVIRONMENT),
    "another device": (record(environment("device_name", "A faster processor")), cost.ENVIRONMENT),
    "a peak below its parts": (record(peak), cost.PARTS_SUM),
    "a peak below the weights": (record(small_peak), cost.PLAUSIBLE),
    "an optimizer without state": (record(no_state), cost.PLAUSIBLE),
    "an evaluation that was not measured": (record(lambda r: r["cost"]["phases"].pop("evaluate")), cost.PLAUSIBLE),
    "a table sorted anew": (sorted_anew, views.CSV),
    "a row left out of a table": (without_last_row, views.CSV),
    "a byte of the table of all": (text("leaderboard/all.csv", ",lora,", ",LoRA,"), views.CSV),
    "a mark in Markdown": (text("leaderboard/pick.md", "◀ best", "≈ best"), views.MARKDOWN),
    "a mark in the card": (text("leaderboard/pick.card.md", "◀ best", "≈ best"), views.MARKDOWN),
    "a digit in LaTeX": (text("leaderboard/pick.tex", "lora r8", "lora r9"), views.LATEX),
    "a digit in the metadata": (text("leaderboard/pick.model-index.json", '"value": 0.', '"value": 1.'), views.INDEX),
    "a sentence of the page": (text("report.html", "Best:", "By far the best:"), views.PAGE_BYTES),
    "all seeds of a row with another score": (all_seeds(lambda r: r["scores"]["accuracy"].update(value=0.99)), arithmetic.SCORES),
}  # fmt: skip
