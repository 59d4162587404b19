"""The trained weights of a run are written: the adapter, or with `--save-full` the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.runs.job import Job
from harness.schema import Method
from harness.store import files, records, training_files


def save(job: Job, model: Any, tokenizer: Any, method: Method) -> int:
    """Write the adapter, or with `--save-full` the model; return the adapter's bytes."""
    if job.share and job.share.rank:  # the first process of the run has the weights
        return 0
    if method.adapter:
        with files.new_folder(job.folder / records.ADAPTER) as folder:
            _save_adapter(job, model, method, folder)
        return sum(path.stat().st_size for path in (job.folder / records.ADAPTER).glob("adapter_model*"))
    if method.trains and job.save_full:
        with files.new_folder(job.folder / records.MODEL) as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
    return 0


def _save_adapter(job: Job, model: Any, method: Method, folder: Path) -> None:
    if method.save:
        return method.save(model, folder, job.spec)
    for config in model.peft_config.values():
        config.base_model_name_or_path = job.spec.model  # a name, not a path of this machine
    model.save_pretrained(folder, save_embedding_layers=False)  # "auto" would look the base model up on the hub
    (folder / "README.md").unlink(missing_ok=True)  # a template with nothing filled in
    for config in model.peft_config.values():
        training_files.settle(folder, config.to_dict())
