"""Count words that hide what a thing is: participles and pronouns as names, docstrings that nest relative clauses.

    python tests/plain_words.py [FOLDER ...]        default: harness tasks; exit code 1 if a limit is passed

CONTRIBUTING.md has the rule. A name is the field's noun for the thing. At most `NAMES_SHARE` of all assignments may go to a
word of `WORDS`, as in a loop of two lines; a field, function, class or module may never have one. At most
`SENTENCES_SHARE` of the docstrings' sentences may hold two relative clauses, and none begins with a word of `OPENINGS`.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("harness", "tasks")
NAMES_SHARE = 0.01
SENTENCES_SHARE = 0.02

_LIST = """
    found one ones other others another said told asked kept shown made held given seen drawn named stated wanted taken
    known listed judged started settled written mended chosen begun began ended placed sought meant saw went gone
    place places alike unlike whole own mine theirs it this that these those each both same what which who whom whose
    where when here there anything something nothing everything
"""
WORDS = frozenset(_LIST.split())
OPENINGS = ("Of", "What", "Where")
STORED = {("harness/record.py", "started")}  # a field of stored records: another name would change their bytes
RELATIVE = re.compile(r"\b(that|which|who|whom|whose|what|where)\b", re.IGNORECASE)
CODE = re.compile(r"``?[^`]*``?")


@dataclass
class Findings:
    """Counts of assignments and sentences, and where each fault stands."""

    assignments: int = 0
    words: Counter[str] = field(default_factory=Counter)
    word_lines: list[str] = field(default_factory=list)
    definitions: list[str] = field(default_factory=list)
    sentences: int = 0
    nested: list[str] = field(default_factory=list)
    openings: list[str] = field(default_factory=list)


def names(tree: ast.AST) -> Iterator[tuple[ast.AST, str, bool]]:
    """Yield (node, name, whether it is a definition) of everything that a module names."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node, node.id, False
        elif isinstance(node, ast.arg):
            yield node, node.arg, False
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node, node.name, True
            if isinstance(node, ast.ClassDef):
                fields = (line.target for line in node.body if isinstance(line, ast.AnnAssign))
                yield from ((target, target.id, True) for target in fields if isinstance(target, ast.Name))


def docstrings(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Yield (line, text) of each docstring."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            text = ast.get_docstring(node)
            if text:
                yield getattr(node, "lineno", 1), text


def sentences(text: str) -> list[str]:
    """Split a docstring into sentences; code in backticks and indented blocks do not count."""
    prose = "\n".join(line for line in text.splitlines() if not line.startswith("    "))
    prose = CODE.sub("x", prose)
    return [part.strip() for part in re.split(r"(?<=[.:;!?])\s+|\n\n+", prose) if len(part.split()) > 2]


def inspect(paths: list[Path]) -> Findings:
    """Return what the files hold."""
    findings = Findings()
    for path in paths:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        if path.stem.strip("_") in WORDS:
            findings.definitions.append(f"{path.relative_to(ROOT)}: the module's name")
        for node, name, definition in names(tree):
            findings.assignments += 1
            if name.strip("_") in WORDS and (str(path.relative_to(ROOT)), name) not in STORED:
                findings.words[name] += 1
                place = f"{path.relative_to(ROOT)}:{getattr(node, 'lineno', 0)}: {name}"
                (findings.definitions if definition else findings.word_lines).append(place)
        for line, text in docstrings(tree):
            for sentence in sentences(text):
                findings.sentences += 1
                where = f"{path.relative_to(ROOT)}:{line}: {sentence}"
                if len(RELATIVE.findall(sentence)) > 1:
                    findings.nested.append(where)
                if sentence.split()[0] in OPENINGS:
                    findings.openings.append(where)
    return findings


def main(arguments: list[str]) -> int:
    """Print the counts and every fault; return 1 if a limit is passed."""
    folders = [ROOT / name for name in arguments or FOLDERS]
    paths = [path for folder in folders for path in (sorted(folder.rglob("*.py")) if folder.is_dir() else [folder])]
    findings = inspect(paths)
    share = sum(findings.words.values()) / max(1, findings.assignments)
    nested = len(findings.nested) / max(1, findings.sentences)
    faults = [*findings.definitions, *findings.openings]
    faults += findings.word_lines if share > NAMES_SHARE or arguments else []
    faults += findings.nested if nested > SENTENCES_SHARE or arguments else []
    print("\n".join(faults))
    print(f"assignments to participles and pronouns: {share:.1%} of {findings.assignments:,} (limit {NAMES_SHARE:.0%})")
    print(f"definitions named so: {len(findings.definitions)} (limit 0)")
    print(
        f"docstring sentences with two relative clauses: {nested:.1%} of {findings.sentences:,} (limit {SENTENCES_SHARE:.0%})"
    )
    print(f"docstring sentences that begin with {', '.join(OPENINGS)}: {len(findings.openings)} (limit 0)")
    passed = share <= NAMES_SHARE and nested <= SENTENCES_SHARE and not findings.definitions and not findings.openings
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
