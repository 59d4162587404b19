"""The status and the reason of a run that raised, for its record."""

from __future__ import annotations

import errno
import os
import re
import traceback
from pathlib import Path

from harness.errors import HarnessError
from harness.record import Status
from harness.store.redact import redact

NO_SPACE = os.strerror(errno.ENOSPC)
OUT_OF_MEMORY = re.compile(r"out of memory|can't allocate memory|CUBLAS_STATUS_ALLOC_FAILED", re.IGNORECASE)


def explain(error: BaseException) -> tuple[Status, str]:
    """Return the status and the one-line reason of a run that raised; a reason names no secret and no home folder."""
    status, reason = _explain(error)
    return status, redact(reason)


def _explain(error: BaseException) -> tuple[Status, str]:
    message = str(error).strip().split("\n")[0]
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError" or OUT_OF_MEMORY.search(message):
        return "oom", message or "out of memory"
    if isinstance(error, HarnessError):
        return "failed", error.problem
    # safetensors and torch write with code of their own, whose errors are no OSErrors
    if (isinstance(error, OSError) and error.errno == errno.ENOSPC) or NO_SPACE in message:
        return "failed", "no space left on the disk"
    frame = traceback.extract_tb(error.__traceback__)[-1:]
    line = f" ({Path(frame[0].filename).name}:{frame[0].lineno})" if frame else ""
    return "failed", f"{type(error).__name__}: {message}{line}"
