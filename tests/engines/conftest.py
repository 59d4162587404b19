"""A toy model with a LoRA adapter of random weights, and its answers by transformers, with which an engine's are compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from harness.adapters import cross
from harness.adapters.cross import TrainedAdapter
from harness.data import registry
from harness.engines.engine import Engine
from harness.model import answer
from harness.model.engine_model import EngineModel
from harness.model.loading import load_tokenizer
from harness.record import Answer, RunSpec, Scoring
from harness.store import records
from tests.support.stored_adapters import adapted_spec, write_run
from tests.support.tiny_models import toy_examples, toy_folder, toy_task

TOKENS = 20  # of an answer, more than one part of llama.cpp's


@dataclass(frozen=True)
class Both:
    """The model, and the adapter's run."""

    model: Path
    run: records.Run

    def spec(self, method: str) -> RunSpec:
        """The spec of a row."""
        spec = self.run.record.spec
        return spec if method == "lora" else replace(spec, method="base", rank=0, alpha=0.0)

    def adapter(self, method: str) -> Path | None:
        """The adapter of a row."""
        return self.run.folder / records.ADAPTER if method == "lora" else None

    def by_transformers(self, method: str, scoring: Scoring) -> list[Answer]:
        """The answers of a row by transformers."""
        spec, folder = self.spec(method), self.adapter(method)
        if folder is None:
            model = registry.method("base").load(str(self.model), spec)
        else:
            model, _ = cross.load(TrainedAdapter("a", folder, (spec,), single=True), self.model, "cpu")
        return self._answers(model, spec, scoring)

    def by_engine(self, engine: Engine, method: str, scoring: Scoring) -> list[Answer]:
        """The answers of a row by an engine."""
        return self._answers(EngineModel(engine, self.model), self.spec(method), scoring)

    def _answers(self, model: object, spec: RunSpec, scoring: Scoring) -> list[Answer]:
        test = replace(spec, scoring=scoring, max_new_tokens=TOKENS)
        examples = toy_examples(3 if scoring == "perplexity" else 7)  # longer texts have no room beside their heading
        return answer.answer(model, load_tokenizer(self.model), examples, toy_task(scoring), test)


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> Both:
    folder = tmp_path_factory.mktemp("engines")
    model = toy_folder(folder / "toy")
    return Both(model, write_run(folder / "results", model, adapted_spec("lora")))


def assert_equal(first: list[Answer], second: list[Answer]) -> None:
    """Assert equal texts, and log-likelihoods that are equal but for rounding."""
    assert [(a.id, a.text, a.parsed) for a in first] == [(a.id, a.text, a.parsed) for a in second]
    for a, b in zip(first, second, strict=True):
        assert a.loglik == pytest.approx(b.loglik, abs=2e-3)
        assert a.end_loglik == pytest.approx(b.end_loglik, abs=2e-3)
