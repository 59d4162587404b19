"""CPA: multiple-choice questions of the Uniform CPA Examination, from your own question file.

Mock exams are copyrighted, so the project contains none and fetches none. Put `questions.jsonl`, `.csv` or `.parquet` into
`DIR/cpa` and pass `--data DIR`; `python run_all.py check cpa --data DIR` lists errors row by row. Columns: `question`, four
options `A`, `B`, `C`, `D`, `answer` (a letter), `section` (such as FAR), and `exhibit`, the text of a common exhibit, if
there is one. Questions on one exhibit share a group; the file is split 60/10/30. Questions in another form, such as CFA ones
with three options, need no task: `--task FILE` reads them.
"""

from harness import Example, Source, Task, metrics, prompts, published

FILES: published.Files = {"test": ("questions.jsonl", "questions.csv", "questions.parquet")}
LETTERS = "ABCD"
SECTIONS = ("AUD", "BAR", "BEC", "FAR", "ISC", "REG", "TCP")


def example(cells: published.Cells, id: str) -> Example:
    """Return a question as an example; its section is a slice."""
    question, section = cells["question"].strip(), cells["section"].strip().upper()
    letter, exhibit = cells["answer"].strip().upper(), (cells.get("exhibit") or "").strip()
    choices = tuple(" ".join(str(cells[name]).split()) for name in LETTERS)
    if not question or not all(choices):
        raise ValueError("the question or an option is empty")
    if section not in SECTIONS:
        raise ValueError(f"section {section!r} is none of {', '.join(SECTIONS)}")
    if len(letter) != 1 or letter not in LETTERS:
        raise ValueError(f"answer {letter!r} is none of {', '.join(LETTERS)}")
    group = published.digest(exhibit) if exhibit else ""
    return Example(id, question, choices[LETTERS.index(letter)], choices, group, exhibit, {"section": section})


TASK = Task(
    name="cpa",
    version=1,
    title="CPA exam, from your own question file",
    source=Source(
        uri="own:cpa",
        license="yours",
        redistributable=False,
        citation="Your own questions",
        files=published.patterns(FILES),
        folder="cpa",
    ),
    load=published.Load(FILES, example),
    prompt=prompts.multiple_choice,
    metrics=(metrics.acc_norm, metrics.acc),
    group_name="exhibit",
    suites=("finance",),
)
