"""The flags of where runs and answers are computed: cards, processes, other engines, and servers behind an address."""

from __future__ import annotations

from harness.cli import parse
from harness.cli.arguments import Flag, choice
from harness.cli.parse import count, positive
from harness.endpoint import settings as endpoint
from harness.endpoint.settings import Endpoint
from harness.runs.options import Options

# those of harness.engines.catalog, which no command's help loads
ENGINES = ("vllm", "llamacpp", "llamacpp-q8_0", "llamacpp-q4_0")

ENDPOINT = (
    Flag(
        "--endpoint",
        "the address of a server in OpenAI's form; prompts of the task are sent there. Its key is in the variable "
        f"{endpoint.KEY}",
        parse.address,
        metavar="URL",
        example="http://localhost:8000/v1",
    ),
    Flag("--endpoint-model", "the name of the server's model", metavar="NAME", example="qwen3-8b"),
    choice(
        "--endpoint-api", "the form of requests", ("chat", "completions"), unset="the first that the server accepts"
    ),
    choice(
        "--endpoint-options",
        "how options are answered: by log-likelihood, or in writing",
        ("loglik", "written"),
        unset="by log-likelihood if the server gives it",
    ),
    Flag("--endpoint-parallel", "requests at a time", count, example="8", default=Endpoint.parallel),
    Flag("--endpoint-rate", "requests a minute at most", positive, example="60", unset="no limit"),
    Flag("--endpoint-seconds", "time limit of a request", positive, example="120", default=Endpoint.seconds),
    Flag(
        "--endpoint-tokens",
        "longest answer, for models that think before it",
        count,
        example="2048",
        unset="the task's",
    ),
    Flag(
        "--endpoint-price",
        "US dollars for a million tokens of prompts and of answers, to count the cost",
        parse.prices,
        metavar="IN,OUT",
        example="0.15,0.6",
        unset="tokens are counted, costs are not",
    ),
)
PLACES = (
    Flag(
        "--devices",
        "cards by number, UUID or slice (MIG-…): one run a card, or several small ones whose predicted peaks fit; --jobs is how"
        " many on all of them",
        parse.devices,
        metavar="0-7|all",
        example="0-7",
        unset="the first card, one run at a time",
    ),
    Flag(
        "--cluster",
        "runs on the nodes of a Ray cluster, without a shared disk; ray alone is that of this machine, or one for the command",
        parse.cluster,
        metavar="ray|ray://HOST:PORT",
        example="ray",
        unset="this machine alone",
    ),
    Flag(
        "--shard",
        "divide each run over N processes, one a card: weights, gradients, optimizer and examples (FSDP2)",
        parse.integer(1),
        metavar="N",
        example="2",
        default=Options.shard,
    ),
    Flag(
        "--engine",
        "the program that computes answers with this run's weights; training stays here. For a server, see --endpoint",
        parse.engine(ENGINES),
        metavar="|".join(ENGINES),
        example=ENGINES[0],
        unset="transformers",
    ),
)
