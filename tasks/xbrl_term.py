"""Explain a term of XBRL reporting in a sentence: 649 terms in the test, 5,833 in training and validation.

Source: the terminology of XBRL Agent as published by FinLoRA (Wang et al. 2025, arXiv:2505.19819). Some of its 6,507 rows are
omitted: eight have "nan" for a term or its explanation, twelve give a term two explanations, and five repeat another row.
ROUGE-L measures how close the words are to the definition, not whether the explanation is true. BERTScore needs an
encoder; a task of your own adds it: `replace(xbrl_term.TASK, name="xbrl_term_bert", metrics=(*xbrl_term.TASK.metrics,
metrics.bertscore("FOLDER or hub id", layers=17)))`. Guessing is explaining another term of the test.
"""

from collections.abc import Sequence

from harness import Answer, Example, Source, Task, metrics, prompts, published

FILES: published.Files = {"train": ("data/train/xbrl_term_train.jsonl",), "test": ("data/test/xbrl_term_test.jsonl",)}
ASKED, CUE = "Explain this XBRL term briefly in one sentence: ", " Answer:"
MISSING = "nan"


def example(cells: published.Cells, id: str) -> Example | str:
    """Return a term as an example; rows without the term or its explanation are omitted."""
    context = str(cells["context"]).strip()
    if not (context.startswith(ASKED) and context.endswith(CUE)):
        raise ValueError(f"`context` is not '{ASKED}TERM.{CUE}'")
    term = " ".join(context[len(ASKED) : -len(CUE)].removesuffix(".").split())
    target = " ".join(str(cells["target"]).split())
    if MISSING in (term, target):
        return "explanation missing"
    return Example(id, f"Explain this term of XBRL reporting in a sentence: {term}", target)


def chance(examples: Sequence[Example]) -> float:
    """Return the ROUGE-L of guessing: each term is explained by the explanation of the next term."""
    order = sorted(examples, key=lambda e: e.id)
    pairs = zip(order, [*order[1:], *order[:1]], strict=True)
    answers = [Answer(e.id, e.group, e.target, next_example.target, next_example.target) for e, next_example in pairs]
    return sum(map(metrics.rouge_l.score, answers)) / len(answers)


TASK = Task(
    name="xbrl_term",
    version=1,
    title="XBRL: explain a term",
    source=Source(
        uri="github:Open-Finance-Lab/FinLoRA",
        revision="7e1cf82803aa56a5f698d71e1528395e16b21093",
        license="OpenMDW-1.0 (FinLoRA), MIT (XBRL Agent)",
        citation="Wang et al. 2025, FinLoRA, arXiv:2505.19819; terminology of KirkHan0920/XBRL-Agent",
        files=published.patterns(FILES),
        folder="finlora_xbrl_term",
    ),
    load=published.Load(FILES, example),
    prompt=prompts.question_answer,
    metrics=(metrics.rouge_l,),
    scoring="generate",
    chance=chance,
    guess="explaining another term",
    max_new_tokens=96,
    epochs=1.0,
    suites=("finance", "finlora"),
)
