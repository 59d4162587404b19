"""WikiText-2: perplexity of held-out paragraphs of Wikipedia, in bits per byte, before and after training on others.

Source: Merity et al. 2016 (arXiv:1609.07843), the raw text in PyTorch's examples. Articles are groups; if only the test file
is available, its articles are split 60/10/30. A paragraph is read below its article's title, and each of its tokens is
scored once, in windows of `--max-tokens` that move on by half. Nothing is generated, and there are no right answers.
Headings and empty lines are omitted. In training the end of a paragraph longer than the window is cut, and counted.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from harness import Example, HarnessError, Source, Task, metrics, published

FOLDER = "word_language_model/data/wikitext-2"
FILES: published.Files = {
    "train": (f"{FOLDER}/train.txt",),
    "validation": (f"{FOLDER}/valid.txt",),
    "test": (f"{FOLDER}/test.txt",),
}
HEADING = re.compile(r"(=(?: =)*) (.+) \1")


def read(path: Path) -> Iterator[published.Cells]:
    """Yield the paragraphs of a file, each with its article's title."""
    title = ""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except ValueError as error:
        raise HarnessError("this file is not UTF-8", where=str(path), fix="download it again") from error
    for line in map(str.strip, lines):
        if match := HEADING.fullmatch(line):
            title = match[2] if match[1] == "=" else title
        elif line:
            yield {"title": title, "text": line}


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a paragraph as an example; its article's title is read before it."""
    if not cells["title"]:
        return "before the first title"
    return Example(id, cells["title"], cells["text"], (), cells["title"], cells["text"])


def title(example: Example) -> str:
    """Return the title above the text."""
    return example.question


TASK = Task(
    name="wikitext",
    version=1,
    title="WikiText-2: held-out text, bits per byte",
    source=Source(
        uri="github:pytorch/examples",
        revision="cf74c81ec00256a9511c054aaf0b3f62cd3aa62d",
        license="CC-BY-SA-3.0 (text), BSD-3-Clause (repository)",
        redistributable=False,
        citation="Merity et al. 2016, Pointer Sentinel Mixture Models, arXiv:1609.07843",
        files=published.patterns(FILES),
        folder="wikitext2",
    ),
    load=published.Load(FILES, example, read),
    prompt=title,
    metrics=(metrics.bits_per_byte, metrics.nats_per_token, metrics.perplexity),
    scoring="perplexity",
    epochs=1.0,
    group_name="article",
    suites=("general",),
)
