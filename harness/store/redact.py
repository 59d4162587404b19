"""Removes secrets from records and logs: tokens, passwords, and the paths of the user's folders.

Messages of libraries in reasons and logs can contain addresses with a token, and paths of the machine. Four kinds of text
are redacted: values of environment variables with a secret name, known forms of tokens, credentials in addresses and
headers, and home folders.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

REDACTION = "[redacted]"
MIN_SECRET = 8  # characters; a shorter value of a variable is a word such as "false"

_START = r"(?<![\w.~-])"  # the start of a path, not a part of one: `results/root` is no home folder
_SECRET = "token|secret|password|passwd|passphrase|credentials?|api[_-]?key|access[_-]?key|signature|sig"
_VARIABLE = re.compile(r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|(^|_)(API|ACCESS|PRIVATE)?_?KEY(_|$)", re.I)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I if ignore else 0), new)
    for pattern, new, ignore in (
        # the user in an address, a parameter, a header, an assignment
        (r"\b([a-z][a-z0-9+.-]*://)[^\s/@'\"]+@", rf"\1{REDACTION}@", True),
        (rf"([?&][\w-]*(?:{_SECRET}|auth|key)[\w-]*=)[^\s&#'\"]+", rf"\1{REDACTION}", True),
        (r"(authorization['\"]?\s*[:=]\s*['\"]?(?:[a-z]+\s+)?)[^\s'\"]{4,}", rf"\1{REDACTION}", True),
        (r"\b(bearer\s+)[\w.~+/=-]{16,}", rf"\1{REDACTION}", True),
        (rf"\b((?:\w+[_-])?(?:{_SECRET})['\"]?\s*[=:]\s*['\"]?)[^\s'\",;&]{{{MIN_SECRET},}}", rf"\1{REDACTION}", True),
        # forms of tokens that their issuers document for detecting leaks
        (r"\b(?:hf|gh[pousr])_[A-Za-z0-9]{16,}", REDACTION, False),
        (r"\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bsk-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}", REDACTION, False),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", REDACTION, False),
        # home folders of any user
        (_START + r"/(?:home|Users)/[^/\s:'\",)]+", "~", False),
        (_START + r"/root(?=[/\s:'\",)]|$)", "~", False),
        (r"\b[A-Z]:\\Users\\[^\\\s:'\",)]+", "~", True),
    )
)


def redact(text: str) -> str:
    """Return a text without secrets and without paths above the working and the home folder."""
    for value in _secret_values():
        text = text.replace(value, REDACTION)
    for folder, word in _user_folders():
        text = folder.sub(word, text)
    for rule, new in _RULES:
        text = rule.sub(new, text)
    return text


def _secret_values() -> list[str]:
    """Return the values of this process's secret variables, long ones first, because one may contain another."""
    values = {
        value for name, value in os.environ.items() if _VARIABLE.search(name) and len(value.strip()) >= MIN_SECRET
    }
    return sorted(values, key=lambda value: (-len(value), value))


def _user_folders() -> list[tuple[re.Pattern[str], str]]:
    """Return patterns of the working and the home folder with their replacements, except for a container's `/`."""
    folders = []
    for find, end, word in ((Path.cwd, r"[/\\]", ""), (Path.home, r"(?![\w.-])", "~")):
        with contextlib.suppress(OSError, RuntimeError):  # a folder that was removed, a user without a home
            folder = find()
            if folder != Path(folder.anchor):
                folders.append((re.compile(_START + re.escape(str(folder)) + end), word))
    return folders
