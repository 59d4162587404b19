"""Texts of tables for LaTeX: nothing in them is a command."""

from __future__ import annotations

import re

import pytest

from harness.report import exports


@pytest.mark.parametrize("text", ["50 % of $1_000 & #2 {a}~^b", "\\input{x}", "a\nb\x00", "✗ oom: x_y"])
def test_no_text_is_a_command_of_latex(text: str) -> None:
    shown = exports.latex_text(text)
    assert "\n" not in shown
    plain = re.sub(
        r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\$\\(times|approx|cdot)\$|\\[&%$#_{}]", "", shown
    )
    assert not re.search(r"[\\&%$#_{}~^]", plain)
