"""Twitter Financial News Sentiment: tweets that are bearish, bullish or neither.

Fetched is FinLoRA's `tfns_test.jsonl` at a pinned commit: the 2,388 rows of the hub's validation file. It has "neutral" and
"positive" exchanged, as the hub's counts (347, 475, 1,566) show: all 2,041 rows with one of them are corrected. The hub's files,
`zeroshot/twitter-financial-news-sentiment`, are read from a local copy: labels 0 bearish, 1 bullish, 2 neutral, and the
validation file is the test.
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
        "github:Open-Finance-Lab/FinLoRA",
        revision=_sentiment.FINLORA,
        license="MIT",
        citation="Twitter Financial News Sentiment, huggingface.co/datasets/zeroshot/twitter-financial-news-sentiment",
        files=("data/test/tfns_test.jsonl",),
        folder="twitter-financial-news-sentiment",
        copies=published.patterns(FILES),
    ),
    published.Load(FILES, example),
)
