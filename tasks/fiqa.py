"""FiQA 2018: sentiment of financial tweets and headlines, three labels.

The hub gives a score from -1 to 1; as in FinGPT, below -0.1 is negative and from 0.1 up positive. Fetched is
FinLoRA's `fiqa_test.jsonl` at a pinned commit (235 rows, 2 of them repeated, split 60/10/30); the hub's files,
`TheFinAI/fiqa-sentiment-classification`, are read from a local copy.
"""

from harness import Example, Source, published
from tasks import _sentiment

FILES: published.Files = {
    "train": ("data/train-*.parquet",),
    "validation": ("data/valid-*.parquet",),
    "test": ("data/test-*.parquet", "**/fiqa_test.jsonl"),
}


def example(cells: published.Cells, id: str) -> Example:
    """Return a row as an example, with the hub's columns `sentence, score, type` or those of FinLoRA."""
    if "score" not in cells:
        return _sentiment.finlora(cells, id)
    score = float(cells["score"])
    label = "negative" if score < -0.1 else "positive" if score >= 0.1 else "neutral"
    return _sentiment.example(id, cells["sentence"], label, "tweet" if cells.get("type") == "post" else "news")


TASK = _sentiment.task(
    "fiqa",
    "FiQA: sentiment of financial tweets and headlines",
    Source(
        "github:Open-Finance-Lab/FinLoRA",
        revision=_sentiment.FINLORA,
        license="MIT (hub copy; the challenge's own terms are not stated)",
        redistributable=False,
        citation="Maia et al. 2018, WWW'18 Open Challenge: Financial Opinion Mining and Question Answering",
        files=("data/test/fiqa_test.jsonl",),
        folder="fiqa-sentiment-classification",
        copies=published.patterns(FILES),
    ),
    published.Load(FILES, example),
)
