"""News with GPT instructions: sentiment of news, labelled by a language model in seven degrees, reduced to three.

As in FinGPT, "mildly" counts as neutral. The gold is a model's opinion, not a person's. A local copy may be FinLoRA's
`nwgi_test.jsonl`. The hub revision is not pinned, so that the hub files are read from a local copy only.
"""

from harness import Example, Source, published
from tasks import _sentiment

FILES: published.Files = {
    "train": ("data/train-*.parquet",),
    "test": ("data/test-*.parquet", "**/nwgi_test.jsonl"),
}
LABELS = {f"{degree} {label}": label for degree in ("strong", "moderately") for label in ("negative", "positive")}
LABELS |= dict.fromkeys(("mildly negative", "mildly positive"), "neutral") | {
    label: label for label in _sentiment.LABELS
}


def example(cells: published.Cells, id: str) -> Example:
    """Return a row as an example, with the hub's columns `news, label` or those of FinLoRA."""
    if "news" in cells:
        return _sentiment.example(id, cells["news"], LABELS[cells["label"]])
    return _sentiment.finlora(cells, id, LABELS.__getitem__)


TASK = _sentiment.task(
    "nwgi",
    "News with GPT instructions: sentiment of news",
    Source(
        "hf:oliverwang15/news_with_gpt_instructions",
        license="MIT (as FinLoRA states it)",
        redistributable=False,
        citation="Yang et al. 2023, FinGPT: Open-Source Financial Large Language Models, arXiv:2306.06031",
        files=published.patterns(FILES),
    ),
    published.Load(FILES, example),
)
