"""`intruders RUN …`: the directions that training brought into the weights of runs, for a person or a program."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from harness import processes
from harness.adapters.intruders import EPSILON, TOP, spectrum, weights
from harness.adapters.intruders.spectrum import WeightSpectrum
from harness.adapters.intruders.spectrum_tables import document, tables
from harness.adapters.intruders.weights import FOLDER, RunWeights
from harness.cli import next_command
from harness.cli.terminal import output as ui
from harness.errors import HarnessError
from harness.format import spoken
from harness.model import checkpoint
from harness.record import RunSpec
from harness.store import records
from harness.store.find import find_run, own_or_published

DONE = 0


def show(
    names: Sequence[str],
    results: Path,
    *,
    epsilon: float = EPSILON,
    top: int = TOP,
    task: str | None = None,
    model: str | None = None,
    output: str | None = None,
    remote_code: bool = False,
) -> int:
    """Look for intruder dimensions, write `results/intruders/<task>/<model>/<method>/<run>.json`, and show them.

    Args:
        names: runs, by name, id or folder.
        results: the results folder.
        epsilon: of the headline; 0.3 to 0.9 are counted beside it.
        top: how many of the largest singular vectors of each weight are examined.
        task: needed if a name alone is not enough.
        model: the folder or hub id of the base model, if the recorded name is neither.
        output: "json" for a document on stdout, None for tables.
        remote_code: whether code that came with a model may run.

    Raises:
        HarnessError: there is no such run, it kept no weights, its base model is not here, or it changed none.
    """
    selected = ready_all(names, results, task, model, remote_code=remote_code)
    processes.quieten()
    bases = spectrum.BaseVectors(keep=len(selected) > 1)
    epsilons = sorted({*spectrum.EPSILONS, epsilon})
    spectra: list[tuple[RunSpec, Sequence[WeightSpectrum]]] = []
    documents, paths = [], []
    for run in selected:
        ui.note(f"decomposing the weights of {spoken(run.spec)}")
        matrices = [spectrum.weight_spectrum(change, bases, top) for change in run.changes()]
        spectra.append((run.spec, matrices))
        documents.append(document(run.spec, matrices, epsilons, epsilon=epsilon, top=top))
        path = results / FOLDER / records.relative_dir(run.spec).with_suffix(".json")
        paths.append(records.write_text(path, json.dumps(documents[-1], indent=1, allow_nan=False) + "\n"))
    if output:
        ui.document(json.dumps(documents, indent=1, allow_nan=False))
        return DONE
    for table in tables(spectra, epsilons, epsilon=epsilon, top=top):
        ui.say(table.title)
        ui.table(table)
        ui.say()
    ui.closing(paths)
    return DONE


def ready_all(
    names: Sequence[str], results: Path, task: str | None, model: str | None, *, remote_code: bool
) -> list[RunWeights]:
    """Return the runs of these names, all checked before anything is decomposed; arguments and errors as `show`."""
    runs, _ = own_or_published(results, task)
    if not runs and not all((Path(name) / records.RECORD).is_file() for name in names):
        raise next_command.no_results("there are no results", results)
    return [_ready(find_run(name, runs), model, remote_code=remote_code) for name in dict.fromkeys(names)]


def _ready(run: records.Run, model: str | None, *, remote_code: bool) -> RunWeights:
    """Return a run with the folder of its weights and its base model."""
    spec = run.record.spec
    names = (records.ADAPTER, records.MODEL)
    folder = next((run.folder / name for name in names if (run.folder / name).is_dir()), None)
    if folder is None:
        fix = "name a run of an adapter, or train again with --save-full (published runs keep no weights)"
        raise HarnessError(f"{spoken(spec)} kept no weights", where=str(run.folder), fix=fix)
    if folder.name == records.ADAPTER and not weights.changes_weights(folder):
        fix = "name a run of LoRA or its like, or of full fine-tuning with --save-full"
        raise HarnessError(f"{spec.method} changes no weight of the model", where=str(folder), fix=fix)
    origin = f"the run began from {spec.model_revision}"
    base = checkpoint.base_of_runs([spec], model, remote_code=remote_code, describe=lambda _: origin)
    return RunWeights(run, base, folder)
