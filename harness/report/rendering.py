"""The page's templates: filled, with its style, its script and the policy that allows no other.

A text of a record is escaped, and its characters that no page may hold are replaced.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.format import magnitude

if TYPE_CHECKING:
    import jinja2

TEMPLATES = Path(__file__).parent / "templates"
_UNDRAWABLE = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


def render(name: str, values: Mapping[str, Any]) -> str:
    """Return the template `templates/<name>` filled with these values."""
    return _compiled(name).render(values)


@functools.cache
def _compiled(name: str) -> jinja2.Template:
    import jinja2

    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, finalize=_drawable)
    environment.filters["sort_value"] = sort_value
    return environment.from_string(_text(name))


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def style_and_script() -> dict[str, str]:
    """Return the page's style and script, and the policy that allows these two by their hash and nothing else.

    Style attributes are allowed because figures consist of them; they load nothing.
    """
    from markupsafe import Markup

    style, script = "\n" + _text("report.css"), "\n" + _text("report.js")
    rules = {
        "default-src": "'none'",
        "script-src": _hashed(script),
        "style-src": "'unsafe-inline'",  # for browsers that do not know the next two
        "style-src-elem": _hashed(style),
        "style-src-attr": "'unsafe-inline'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }
    policy = "; ".join(f"{name} {value}" for name, value in rules.items())
    return {"style": Markup(style), "script": Markup(script), "policy": Markup(policy)}  # ours, no text of a record


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def sort_value(text: str) -> str:
    """Return the number by which the page's script sorts a cell; empty if the cell is no number."""
    value = magnitude(text)
    return "" if value is None else repr(value).replace("inf", "Infinity")


def _drawable(value: Any) -> Any:
    """Return text with control characters and halves of surrogate pairs replaced, which no page may hold."""
    return _UNDRAWABLE.sub("�", value) if type(value) is str else value
