"""The table of the flags of runs, and the rows that several commands share. Rows of one command stand beside it."""

from __future__ import annotations

from dataclasses import replace

from harness.challengers import BUILT_IN
from harness.cli import parse
from harness.cli.arguments import Flag
from harness.cli.arguments import choice as choice
from harness.cli.flags_places import ENDPOINT, PLACES
from harness.cli.parse import count, positive
from harness.methods.base import ALPHA
from harness.runs.options import MAX_TOKENS, Options

WHAT, WHERE, HOW = "what runs", "where tasks and data come from", "how it trains and tests"
SERVER = "a row of a model behind an address"


def _seeds(seeds: tuple[int, ...]) -> list[str]:
    """Return seeds as a user types them: `7,` is the one seed 7, and 3 is the seeds 0, 1 and 2."""
    return [str(len(seeds)) if seeds == tuple(range(len(seeds))) else ",".join(map(str, seeds)) + ","]


JSON = Flag("--json", "a JSON document on stdout in place of text", field="as_json", switch=True)
RESULTS = Flag(
    "--results", "where runs and tables lie", parse.path, metavar="DIR", example="results", default=Options.results
)
TASKS_DIR = Flag(
    "--tasks-dir",
    "a folder of further task files",
    parse.folders,
    field="tasks_dirs",
    metavar="DIR",
    example="my_tasks",
    group=WHERE,
    repeat=True,
)
DATA = Flag(
    "--data",
    "the folder of data that the project does not ship: of one data set, or of several in folders of their own",
    parse.folder,
    metavar="DIR",
    example="data_sets",
    group=WHERE,
    alias="--data-dir",
)
LABELS = Flag(
    "--labels",
    "for a data file: its classes",
    parse.words,
    metavar="A,B",
    example="negative,positive",
    unset="its targets, if they are few",
    group=WHERE,
    repeat=True,
)
RELABEL = Flag(
    "--relabel",
    "for a data file: rename labels, several joined by commas, all at once",
    parse.relabel,
    metavar="OLD=NEW",
    example="up=positive",
    group=WHERE,
    repeat=True,
)
DECIMAL_COMMA = Flag(
    "--decimal-comma", "for a data file: its numbers have a decimal comma (1.234,5)", switch=True, group=WHERE
)
COLUMNS = Flag(
    "--columns",
    "for a data file: the use of its columns (id, group, split, context, target, question, choices, answer, ignore)",
    parse.columns,
    metavar="NAME=USE",
    example="note=context,decision=target",
    group=WHERE,
    repeat=True,
)
DROP_BAD = Flag(
    "--drop-bad", "for a data file: leave out rows that have a fault, counted and listed", switch=True, group=WHERE
)
INSTRUCTION = Flag(
    "--instruction",
    "for a data file: the question below each context; none for no question",
    metavar="TEXT",
    example="'Is the claim paid?'",
    unset="the labels to choose from",
    group=WHERE,
)
ENCODING = Flag(
    "--encoding",
    "for a JSONL or CSV file that is not UTF-8 and does not begin with a mark of its encoding",
    parse.encoding,
    metavar="NAME",
    example="cp1252",
    group=WHERE,
)
GOLD = choice(
    "--gold",
    "gold answers of the source, or corrected by the task's audit",
    ("source", "audited"),
    default=Options.gold,
)
FOLDERS = (TASKS_DIR, DATA)
TEST_DATA = Flag(
    "--test-data",
    "the file of the test questions, if the data file of --task is that of training",
    parse.path,
    metavar="FILE",
    example="test.csv",
    group=WHERE,
)
VALIDATION_DATA = replace(
    TEST_DATA,
    name="--validation-data",
    help="the file of validation questions beside --test-data; without, a seventh of training",
    example="validation.csv",
)
READING = (COLUMNS, LABELS, RELABEL, DECIMAL_COMMA, DROP_BAD, INSTRUCTION, ENCODING, TEST_DATA, VALIDATION_DATA)
SOURCES = (*FOLDERS, *READING, replace(GOLD, group=WHERE))

TASK = Flag(
    "--task",
    "task, or a .jsonl, .csv or .parquet file",
    parse.words,
    field="tasks",
    metavar="NAME|FILE",
    example="cfa",
    group=WHAT,
    repeat=True,
)
TASK_FILE = replace(
    TASK, help="the data file of a run on a task without code", metavar="FILE", example="questions.jsonl", group=""
)
MODEL = Flag(
    "--model",
    "model folder, GGUF file, hub id, or smollm2-135m or gemma3-270m from a package; tiny is embedded",
    metavar="DIR|ID",
    example="tiny",
    default=Options.model,
    group=WHAT,
)
BASE_MODEL = Flag(
    "--model", "folder or hub id of the base model, if its recorded name is neither", metavar="DIR|ID", example="tiny"
)
REMOTE_CODE = Flag(
    "--trust-remote-code",
    "run the Python code that comes with the model, with your rights: only if you have read it",
    field="remote_code",
    switch=True,
)
TEMPLATE_ARGS = Flag(
    "--template-args",
    "variables of the model's chat template; `chat_template=NAME` chooses one of several templates",
    parse.assignments,
    list,
    metavar="NAME=VALUE",
    example="enable_thinking=false",
    unset="thinking is off if the template has a switch for it",
    group=WHAT,
    repeat=True,
)
TRAINING = (
    Flag("--epochs", "passes over the training examples", positive, example="3", unset="the task's"),
    Flag("--batch-size", "examples per optimizer step", count, example="16", unset="the task's"),
    Flag(
        "--micro-batch",
        "examples of a step in the model at once: memory, not results",
        count,
        example="4",
        unset="by time and memory",
    ),
    Flag(
        "--learning-rate",
        "for every method that trains",
        positive,
        example="0.001",
        unset="by method and model width",
        alias="--lr",
    ),
    Flag(
        "--tune",
        "try so many learning rates for each method and rank, choose on the validation split",
        count,
        example="3",
        unset="none",
    ),
    Flag("--alpha", "LoRA's alpha", positive, example="32", unset=f"{ALPHA:g}, more for models below width 512"),
    Flag(
        "--lora-dropout",
        "share of the inputs of LoRA's layers that training drops at random",
        parse.number(least=0, below=1),
        field="dropout",
        metavar="P",
        example="0.1",
        default=Options.dropout,
    ),
    Flag(
        "--quick",
        "a first look: a quarter of the training and of the test examples, and rank 8 unless --rank is given",
        switch=True,
    ),
    Flag("--train-examples", "use at most so many training examples, whole groups", count, example="500", unset="all"),
    Flag("--test-examples", "use at most so many test examples, whole groups", count, example="200", unset="all"),
    Flag(
        "--max-tokens",
        "window for prompt and answer",
        count,
        example="1024",
        unset=f"the model's, {MAX_TOKENS} at most",
    ),
    Flag(
        "--rounds", "for federated methods: how often adapters are averaged", count, example="10", unset="the method's"
    ),
    Flag(
        "--jobs",
        "runs at a time, sharing the cores",
        count,
        example="2",
        unset="one per core for a small model on the CPU, else 1",
    ),
    *PLACES,
    choice(
        "--scoring",
        "by log-likelihood of the options, by the text that is written, or base by both",
        ("choices", "generate", "both"),
        unset="the task's",
    ),
    choice("--dtype", "number format", ("bf16", "fp32"), unset="bf16 if the processor is fast at it"),
    choice(
        "--device", "the processor to run on; mps is a Mac's GPU", ("cpu", "cuda", "mps"), unset="cuda if there is one"
    ),
    Flag("--checkpointing", "compute activations twice: memory and time, not results", switch=True),
    Flag(
        "--checkpoint-minutes",
        "minutes between two checkpoints inside a run, from which it goes on if it is interrupted; 0 for none",
        parse.number(least=0),
        metavar="N",
        example="10",
        default=Options.checkpoint_minutes,
    ),
    Flag(
        "--keep-best", "measure the validation loss ten times in training, test the weights of the lowest", switch=True
    ),
    Flag("--save-full", "keep the weights of full fine-tuning (large)", switch=True),
    Flag("--no-report", "do the runs alone; `report` writes tables, figures and page", field="report", switch=False),
    Flag("--no-memory", "plan without predicting memory", field="memory", switch=False),
)
RUN = (
    Flag(
        "--recipe",
        "a YAML, TOML or JSON file of flags by their names, such as `rank: [4, 16]`; typed flags have precedence",
        parse.path,
        metavar="FILE",
        example="study.yaml",
        group=WHAT,
    ),
    TASK,
    Flag(
        "--method",
        "methods to compare; all for every method there is",
        parse.words,
        field="methods",
        metavar="A,B",
        example="base,lora",
        unset=",".join(Options.methods),
        group=WHAT,
        repeat=True,
    ),
    Flag(
        "--challengers",
        "rows without a language model to beat: all of the harness that apply, some by name, or none; endpoint asks a server",
        parse.words,
        metavar="A,B|all|none",
        example="none",
        unset=",".join(BUILT_IN),
        group=WHAT,
        repeat=True,
    ),
    Flag(
        "--rank",
        "ranks of LoRA and its like",
        parse.ranks,
        field="ranks",
        metavar="2,8,32",
        example="2,8,32",
        unset=",".join(map(str, Options.ranks)),
        group=WHAT,
        repeat=True,
    ),
    Flag(
        "--seeds",
        "how many seeds, or which: 3 is 0,1,2; `7,` is seed 7 alone",
        parse.seeds,
        _seeds,
        metavar="3|0,1,2",
        example="3 or --seeds 0,1,2",
        default=Options.seeds,
        group=WHAT,
    ),
    MODEL,
    replace(REMOTE_CODE, group=WHAT),
    TEMPLATE_ARGS,
    Flag(
        "--clients-by",
        "the client of an example, for federated methods: insurer, line or another slice, group, hash",
        metavar="NAME",
        example="insurer",
        unset="insurer, else line, else hash",
        group=WHAT,
    ),
    Flag(
        "--probe",
        "further tasks to ask; general measures forgetting, shifted asks the task in other words, reordered changes the"
        " order of its options",
        parse.words,
        field="probes",
        metavar="general|shifted|reordered|A,B",
        example="general,shifted",
        group=WHAT,
        repeat=True,
    ),
    Flag(
        "--continue-from",
        "train from this run's weights on, with its method and its rank",
        metavar="RUN",
        example="cfa/lora-r8",
        group=WHAT,
    ),
    *SOURCES,
    *(replace(row, group=HOW) for row in TRAINING),
    *(replace(row, group=SERVER) for row in ENDPOINT),
    RESULTS,
)


def rows(*names: str) -> tuple[Flag, ...]:
    """Return the rows of these flags of `run`, in its order."""
    return tuple(row for row in RUN if row.name in names)
