"""The imports of the tests' fork server: what a worker that trains nothing needs, without torch.

Each process that is forked from it would else import the tasks and the libraries of the metrics anew.
"""

import gc

import hypothesis  # noqa: F401

from harness import metrics
from harness.data import registry
from harness.metrics import scoring
from tests.support import cli_runner  # noqa: F401
from tests.support.records import make_answers

registry.recorded()
registry.methods()
scoring.score_answers(make_answers(12, 6), (metrics.accuracy, metrics.macro_f1))
gc.collect()
gc.freeze()
