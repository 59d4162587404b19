"""Data sets of the hub, `hf:owner/name`: where the hub client keeps them, fetched at the pinned revision."""

from __future__ import annotations

from pathlib import Path

from harness.schema import Source


def cached(source: Source) -> Path:
    """Return the folder in the hub client's cache where a data set lies, or would."""
    from huggingface_hub import constants

    folder = f"datasets--{_name(source).replace('/', '--')}"
    return Path(constants.HF_HUB_CACHE) / folder / "snapshots" / (source.revision or "unpinned")


def by_hand(source: Source, folder: str) -> str:
    """Return the command that fetches a data set into a folder, where there is a network."""
    revision = f" --revision {source.revision}" if source.revision else ""
    return f"hf download {_name(source)} --repo-type dataset{revision} --local-dir {folder}"


def fetch(source: Source) -> Path:
    """Return the folder that holds a data set's files, in the cache; errors are the client's own."""
    from huggingface_hub import snapshot_download

    wanted = list(source.files) or None
    return Path(snapshot_download(_name(source), repo_type="dataset", revision=source.revision, allow_patterns=wanted))


def _name(source: Source) -> str:
    return source.uri.removeprefix("hf:")
