"""What must not stand in a record or a log: tokens, passwords, and where the user's folders are.

Reasons and logs hold what libraries say, and they say addresses with the token in them and paths of the machine. Taken
out are values of this process's environment variables that are secret by their name, what has the form of a known kind of
token, credentials in addresses and headers, and home folders.
"""

from __future__ import annotations

import contextlib
import os
import re
from pathlib import Path

HIDDEN = "[redacted]"
SHORTEST = 8  # characters; a shorter value of a variable is a word such as "false", which says nothing

_START = r"(?<![\w.~-])"  # a path is no part of a longer one: `results/root` is nobody's home
_SECRET = "token|secret|password|passwd|passphrase|credentials?|api[_-]?key|access[_-]?key|signature|sig"
_VARIABLE = re.compile(r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|(^|_)(API|ACCESS|PRIVATE)?_?KEY(_|$)", re.I)
_RULES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.I if ignore else 0), new)
    for pattern, new, ignore in (
        # the user's part of an address, a parameter, a header, an assignment
        (r"\b([a-z][a-z0-9+.-]*://)[^\s/@'\"]+@", rf"\1{HIDDEN}@", True),
        (rf"([?&][\w-]*(?:{_SECRET}|auth|key)[\w-]*=)[^\s&#'\"]+", rf"\1{HIDDEN}", True),
        (r"(authorization['\"]?\s*[:=]\s*['\"]?(?:[a-z]+\s+)?)[^\s'\"]{4,}", rf"\1{HIDDEN}", True),
        (r"\b(bearer\s+)[\w.~+/=-]{16,}", rf"\1{HIDDEN}", True),
        (rf"\b((?:\w+[_-])?(?:{_SECRET})['\"]?\s*[=:]\s*['\"]?)[^\s'\",;&]{{{SHORTEST},}}", rf"\1{HIDDEN}", True),
        # forms that token issuers document, so that leaks can be looked for
        (r"\b(?:hf|gh[pousr])_[A-Za-z0-9]{16,}", HIDDEN, False),
        (r"\bgithub_pat_\w{20,}|\bglpat-[\w-]{16,}|\bsk-[\w-]{20,}|\bxox[abprs]-[\w-]{10,}", HIDDEN, False),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*", HIDDEN, False),
        # home folders, of whomever
        (_START + r"/(?:home|Users)/[^/\s:'\",)]+", "~", False),
        (_START + r"/root(?=[/\s:'\",)]|$)", "~", False),
        (r"\b[A-Z]:\\Users\\[^\\\s:'\",)]+", "~", True),
    )
)


def redact(text: str) -> str:
    """Return a text without secrets and without paths above the working and the home folder."""
    for value in _secret_values():
        text = text.replace(value, HIDDEN)
    for folder, word in _own_folders():
        text = folder.sub(word, text)
    for rule, new in _RULES:
        text = rule.sub(new, text)
    return text


def _secret_values() -> list[str]:
    """Return the values of this process's secret variables, long ones first, since one may hold another."""
    found = {value for name, value in os.environ.items() if _VARIABLE.search(name) and len(value.strip()) >= SHORTEST}
    return sorted(found, key=lambda value: (-len(value), value))


def _own_folders() -> list[tuple[re.Pattern[str], str]]:
    """Return what finds the working and the home folder, and what they become; a container's `/` is nobody's."""
    found = []
    for find, end, word in ((Path.cwd, r"[/\\]", ""), (Path.home, r"(?![\w.-])", "~")):
        with contextlib.suppress(OSError, RuntimeError):  # a folder that was removed, a user without a home
            folder = find()
            if folder != Path(folder.anchor):
                found.append((re.compile(_START + re.escape(str(folder)) + end), word))
    return found
