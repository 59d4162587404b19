"""Financial PhraseBank: sentiment of sentences from financial news, at least half of the annotators agreeing.

The source is an archive of text files with lines `sentence@label` in ISO 8859-1; it has no splits, so its rows are
split 60/10/30. A local copy may be the archive, `Sentences_50Agree.txt` out of it, or FinLoRA's `fpb_test.jsonl`.
"""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from harness import Example, Source, published
from tasks import _sentiment

FILES: published.Files = {
    "test": ("data/FinancialPhraseBank-v1.0.zip", "**/Sentences_50Agree.txt", "**/fpb_test.jsonl"),
}


def read(path: Path) -> Iterator[published.Cells]:
    """Yield `sentence` and `label` of each line of the text file or of the archive's; JSONL rows are unchanged."""
    if path.suffix == ".jsonl":
        yield from published.read_cells(path)
        return
    raw = path.read_bytes()
    if path.suffix == ".zip":
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            name = next(n for n in archive.namelist() if n.endswith("/Sentences_50Agree.txt") and "__MACOSX" not in n)
            raw = archive.read(name)
    for line in raw.decode("iso-8859-1").splitlines():
        sentence, _, label = line.rpartition("@")
        if line.strip():
            yield {"sentence": sentence, "label": label.strip()}


def example(cells: published.Cells, id: str) -> Example:
    """Return a sentence with its label as an example."""
    if "sentence" not in cells:
        return _sentiment.finlora(cells, id)
    return _sentiment.example(id, cells["sentence"], cells["label"])


TASK = _sentiment.task(
    "fpb",
    "Financial PhraseBank: sentiment of news sentences",
    Source(
        "hf:takala/financial_phrasebank",
        revision="1484d06fe7af23030c7c977b12556108d1f67039",
        license="CC-BY-NC-SA-3.0",
        redistributable=False,
        citation="Malo et al. 2014, Good debt or bad debt, JASIST 65(4), arXiv:1307.5336",
        files=published.patterns(FILES),
    ),
    published.Load(FILES, example, read),
)
