"""The hub: data sets, `hf:owner/name`, fetched at the pinned revision or read from the client's cache; uploads."""

from __future__ import annotations

from pathlib import Path

from harness.errors import HarnessError, one_line
from harness.schema import Source


def cached(source: Source) -> Path:
    """Return the folder of a data set in the hub client's cache, whether it exists or not."""
    from huggingface_hub import constants

    folder = f"datasets--{_name(source).replace('/', '--')}"
    return Path(constants.HF_HUB_CACHE) / folder / "snapshots" / (source.revision or "unpinned")


def by_hand(source: Source, folder: str) -> str:
    """Return the command to fetch a data set into a folder."""
    revision = f" --revision {source.revision}" if source.revision else ""
    return f"hf download {_name(source)} --repo-type dataset{revision} --local-dir {folder}"


def fetch(source: Source) -> Path:
    """Fetch a data set's files and return their folder in the cache; errors are the client's own."""
    from huggingface_hub import snapshot_download

    patterns = list(source.files) or None
    return Path(
        snapshot_download(_name(source), repo_type="dataset", revision=source.revision, allow_patterns=patterns)
    )


def check_push(repo: str) -> None:
    """Refuse an impossible upload before any file is written.

    Raises:
        HarnessError: a name of another form, or no token.
    """
    from huggingface_hub import get_token
    from huggingface_hub.errors import HFValidationError
    from huggingface_hub.utils._validators import validate_repo_id

    try:
        validate_repo_id(repo)
        valid = repo.count("/") == 1
    except HFValidationError:
        valid = False
    if not valid:
        raise HarnessError(
            f"'{repo}' is not of the form owner/name", where="adapters push", fix="name your account first"
        )
    if not get_token():
        fix = "hf auth login, or set HF_TOKEN to a token that may write"
        raise HarnessError("the hub takes uploads with a token only, and none is set", where=repo, fix=fix)


def push(folder: Path, repo: str, *, public: bool) -> str:
    """Upload a folder's files as a model of the hub, created if needed; return the address of the commit.

    Raises:
        HarnessError: no network, or the hub refuses because of the token's rights or the name.
    """
    from huggingface_hub import HfApi
    from huggingface_hub.errors import HfHubHTTPError

    api = HfApi()
    try:
        api.create_repo(repo, repo_type="model", private=not public, exist_ok=True)
        commit = api.upload_folder(
            folder_path=folder, repo_id=repo, repo_type="model", commit_message="Upload an adapter"
        )
    except HfHubHTTPError as error:
        fix = "check the name, and that the token may write there (hf auth whoami)"
        raise HarnessError(f"the hub refuses: {one_line(error)}", where=repo, fix=fix) from error
    except Exception as error:
        # The HTTP library's errors are no OSErrors, and clients differ in their HTTP library.
        if not isinstance(error, OSError) and not type(error).__module__.startswith("httpx"):
            raise
        fix = "try where there is a network, or `adapters export` and `hf upload` there"
        raise HarnessError(f"the hub cannot be reached: {one_line(error)}", where=repo, fix=fix) from error
    return str(commit.commit_url)


def _name(source: Source) -> str:
    return source.uri.removeprefix("hf:")
