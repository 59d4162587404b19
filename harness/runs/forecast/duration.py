"""The time that runs will take on this processor, from its measured speed, the texts and the methods. No torch here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.data import registry
from harness.data.loading import Splits
from harness.record import RunSpec, Split
from harness.runs.forecast.speed import Speed
from harness.schema import Example, Method, Task

WHOLE = 1.4  # times LoRA's step, if every weight trains: a third product for each layer, and its optimizer's step
PACKED = 1.1  # times LoRA's step, if the frozen weights are unpacked in both passes
CORRECTED = 2.3  # times the tokens of the questions, if options are read behind prompts without content too
WRITTEN = 4.0  # times a token that is read, for one that is written
START = 1.0  # seconds of a run beside its work: its process, its files
CHALLENGER = 2.0  # seconds of a challenger that reads no text with the model


@dataclass(frozen=True)
class Duration:
    """The expected seconds of a run: until training is done, and of the rest."""

    training: float
    rest: float

    @property
    def total(self) -> float:
        """The seconds of the whole run."""
        return self.training + self.rest


def expected(
    specs: Sequence[RunSpec], task: Task, splits: Splits, speed: Speed, method_files: Mapping[str, str]
) -> dict[str, Duration]:
    """Return the expected duration of each run by its id."""
    texts = {name: [(len(task.prompt(e)), _answers(e, task)) for e in part] for name, part in splits.items()}
    per_character = speed.tokens / max(1, speed.characters)
    durations = {}
    for spec in specs:
        if spec.challenger:
            durations[spec.id] = _challenger(spec, texts, speed, per_character)
            continue
        method = registry.method(method_files.get(spec.method, spec.method))
        characters = _read(texts[spec.split], spec, method, speed)
        if not method.trains and spec.split == "test":
            characters += _read(texts["validation"], spec, method, speed)
        training = _factor(method) * speed.tokens * spec.epochs / speed.training if method.trains else 0.0
        rest = START + characters * per_character / speed.reading
        durations[spec.id] = Duration(speed.loading + training, rest)
    return durations


def _answers(example: Example, task: Task) -> int:
    """Return the characters of an example's options, or of its answer."""
    return sum(map(len, example.choices)) if task.scoring == "choices" else len(example.target)


def _read(texts: Sequence[tuple[int, int]], spec: RunSpec, method: Method, speed: Speed) -> float:
    """Return the characters that a method reads to answer questions, those of its shown examples among them."""
    weight = WRITTEN if spec.scoring == "generate" else 1.0
    characters = sum(prompt + weight * answers for prompt, answers in texts)
    shown = method.shots * speed.characters / max(1, spec.train_examples or len(texts))
    return (CORRECTED if method.calibration else 1.0) * characters + shown * len(texts)


def _challenger(
    spec: RunSpec, texts: Mapping[Split, Sequence[tuple[int, int]]], speed: Speed, per_character: float
) -> Duration:
    if not registry.challenger(spec.method).embeds:
        return Duration(0.0, CHALLENGER)
    characters = sum(sum(pair) for name in ("train", spec.split) for pair in texts[name])
    return Duration(0.0, CHALLENGER + characters * per_character / speed.reading)


def _factor(method: Method) -> float:
    """Return the time of a method's step over LoRA's."""
    if not method.adapter:
        return WHOLE
    return PACKED if method.frozen_bits < 16 else 1.0
