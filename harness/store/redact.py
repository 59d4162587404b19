"""Removes secrets from records and logs: tokens, passwords, keys, and the paths of the user's folders.

Messages of libraries in reasons and logs can contain addresses with a token, and paths of the machine. Five kinds of text
are redacted: values of environment variables with a secret name, known forms of tokens, PEM blocks, credentials in
addresses and headers, and home folders.

The time is proportional to the length of the text: no rule reads a run of characters again from a later start. Possessive
quantifiers (`++`) give nothing back, and a rule starts only where the run before it cannot have been its own.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import re
from collections.abc import Callable
from pathlib import Path

REDACTION = "[redacted]"
MIN_SECRET = 8  # characters; a shorter value of a variable is a word such as "false"

_START = (
    r"(?<![\w.~-])(?<!:/)"  # the start of a path, not a part of one or of an address: `results/root` is no home folder
)
_SECRET = "token|secret|password|passwd|passphrase|credentials?|api[_-]?key|access[_-]?key|signature|sig"
_SECRET_NAME = re.compile(rf"{_SECRET}|auth|key", re.I)
_VARIABLE = re.compile(r"TOKEN|SECRET|PASSW|PASSPHRASE|CREDENTIAL|AUTH|(^|_)(API|ACCESS|PRIVATE)?_?KEY(_|$)", re.I)
_NAME = r"[^/\\\s:'\",)]+"  # of a user's folder
_GROUP = r"(?:(?:users?|staff|students?|people|faculty|[a-z0-9])/)?"  # /home/students/jo, /home/j/jo
_DASHES = "-----"


def _parameter(match: re.Match[str]) -> str:
    """Return a parameter of an address, its value redacted if its name is that of a secret."""
    return f"{match[1]}{REDACTION}" if _SECRET_NAME.search(match[1]) else match[0]


def _web_token(match: re.Match[str]) -> str:
    """Return dotted words without the JSON Web Tokens among them: `eyJ…`, a second part, and a third that may be empty."""
    parts, clean, at = match[0].split("."), list[str](), 0
    while at < len(parts):
        start = re.search(r"(?<!\w)eyJ(?=[\w-]{8})", parts[at]) if at + 2 < len(parts) else None
        if start is not None and len(parts[at + 1]) >= 8:
            clean.append(parts[at][: start.start()] + REDACTION)
            at += 3
        else:
            clean.append(parts[at])
            at += 1
    return ".".join(clean)


_New = str | Callable[[re.Match[str]], str]
_RULES: tuple[tuple[re.Pattern[str], _New], ...] = tuple(
    (re.compile(pattern, re.I if ignore else 0), new)
    for pattern, new, ignore in (
        # keys and certificates; one that is cut off ends with the last line that looks like its own
        (
            rf"{_DASHES}BEGIN [A-Z][A-Z0-9 ]{{0,60}}{_DASHES}(?:(?:[^-]++|-(?!----))*+{_DASHES}END [A-Z0-9 ]{{0,60}}{_DASHES}"
            rf"|(?:(?:\s|\\[nr])*+[A-Za-z0-9+/=]{{16,}}+)*+)",
            REDACTION,
            False,
        ),
        # the user in an address, a parameter, a header, an assignment
        (r"(?<![a-z0-9+.-])([a-z0-9+.-]++://)[^\s/@'\"]++@", rf"\1{REDACTION}@", True),
        (r"([?&][\w-]++=)[^\s&#'\"]++", _parameter, False),
        (r"(authorization['\"]?\s*+[:=]\s*+['\"]?(?:[a-z]++\s++)?)[^\s'\"]{4,}", rf"\1{REDACTION}", True),
        (r"\b(bearer\s++)[\w.~+/=-]{16,}", rf"\1{REDACTION}", True),
        (
            rf"(?<![^\W_])((?:{_SECRET})['\"]?\s*+[=:]\s*+['\"]?)[^\s'\",;&]{{{MIN_SECRET},}}",
            rf"\1{REDACTION}",
            True,
        ),
        # forms of tokens that their issuers document for detecting leaks
        (r"(?<![A-Za-z0-9])(?:hf|gh[pousr]|npm|gsk|r8|dop_v1|[sr]k_(?:live|test))_[A-Za-z0-9]{16,}", REDACTION, False),
        (r"(?<![A-Za-z0-9])(?:github_pat_|pypi-|dckr_[po]at_|glpat-|shp[a-z]{2}_)[\w-]{16,}", REDACTION, False),
        (r"\bsk-[\w-]{20,}|\bxox[abeprs]-[\w-]{10,}|\bya29\.[\w-]{16,}|\bhv[sbr]\.[\w-]{20,}", REDACTION, False),
        (r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b|\bAIza[\w-]{30,}|\bSG\.[\w-]{16,32}\.[\w-]{16,}", REDACTION, False),
        (r"(?<![\w-])[\w-]++(?:\.[\w-]*+)++", _web_token, False),
        # home folders of any user, also below other folders and on Windows
        (rf"\b[A-Z]:[\\/]++(?:[\w .~-]++[\\/]++)*?(?:Users|home|Documents and Settings)[\\/]++{_NAME}", "~", True),
        (rf"(?<!\\)\\{{2,}}+(?:[\w .$~-]++\\++)*?(?:Users|home)\\++{_NAME}", "~", True),
        (rf"{_START}(?:/[\w.~-]++)*?/(?:home\d*|homes|Users)/{_GROUP}{_NAME}", "~", False),
        (rf"{_START}(?:/private)?(?:/var)?/root(?=[/\s:'\",)]|$)", "~", False),
        (r"(?<![\w/\\.~-])~[a-z_][\w.-]*+(?=/)", "~", False),
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
    """Return patterns of the working and the home folder with their replacements, except for a container's `/`.

    The home folder is that of the variable HOME and that of the system's list of users.
    """
    folders = []
    homes = (Path.home, lambda: Path(pwd.getpwuid(os.getuid()).pw_dir))
    for find, end, word in ((Path.cwd, r"[/\\]", ""), *((home, r"(?![\w.-])", "~") for home in homes)):
        with contextlib.suppress(OSError, RuntimeError, KeyError):  # a removed folder, a user without a home or a name
            folder = find()
            if folder != Path(folder.anchor):
                folders.append((re.compile(r"(?<![\w.~-])" + re.escape(str(folder)) + end), word))
    return folders
