"""Twitter Financial News Sentiment: tweets that are bearish, bullish or neither.

The hub's labels are 0 bearish, 1 bullish, 2 neutral; its validation file is the test of this task. A local copy may be
FinLoRA's `tfns_test.jsonl` (that file's 2,388 rows). It has "neutral" and "positive" exchanged, as the hub's counts (347,
475, 1,566) show: all 2,041 rows with one of them are corrected. The hub revision is not pinned, so that the hub files are
read from a local copy only.
"""

from harness import Example, Source, published
from tasks import _sentiment

FILES: published.Files = {"train": ("sent_train.csv",), "test": ("sent_valid.csv", "**/tfns_test.jsonl")}
HUB_LABELS = {"0": "negative", "1": "positive", "2": "neutral"}
EXCHANGED = {"negative": "negative", "neutral": "positive", "positive": "neutral"}


def example(cells: published.Cells, id: str) -> Example:
    """Return a row as an example, with the hub's columns `text, label` or those of FinLoRA, whose labels are corrected."""
    if "text" in cells:
        return _sentiment.example(id, cells["text"], HUB_LABELS[str(cells["label"])], "tweet")
    return _sentiment.finlora(cells, id, EXCHANGED.__getitem__)


TASK = _sentiment.task(
    "tfns",
    "Twitter Financial News: sentiment of tweets",
    Source(
        "hf:zeroshot/twitter-financial-news-sentiment",
        license="MIT",
        citation="Twitter Financial News Sentiment, huggingface.co/datasets/zeroshot/twitter-financial-news-sentiment",
        files=published.patterns(FILES),
    ),
    published.Load(FILES, example),
)
