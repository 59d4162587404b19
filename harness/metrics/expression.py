"""Formulas as values: a small parser for + - * / over names and numbers, and equality of two formulas.

No text is ever executed. It becomes a syntax tree (`ast`), every node must be on a short list, and the tree is evaluated with
exact fractions. Two formulas are equal if they agree at several random points, so that `(a / b) * 100` equals
`100 * a / b`. Different formulas practically never agree at such points (Schwartz-Zippel lemma).
"""

from __future__ import annotations

import ast
import functools
import operator
import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fractions import Fraction

MAX_CHARACTERS, MAX_DEPTH = 400, 60
POINTS = 5
SEED = 20240229

_ALLOWED = re.compile(r"[A-Za-z0-9_.+\-*/() ]+")
_PREFIX = re.compile(r"\bus-gaap:(?=[A-Za-z])", re.IGNORECASE)
_SIGNS = str.maketrans({"×": "*", "·": "*", "÷": "/", "−": "-", "–": "-", "\t": " "})
_BINARY: Mapping[type[ast.operator], Callable[[Fraction, Fraction], Fraction]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_UNARY: Mapping[type[ast.unaryop], Callable[[Fraction], Fraction]] = {ast.UAdd: operator.pos, ast.USub: operator.neg}


@dataclass(frozen=True)
class Expression:
    """A parsed formula. `names` are its variables, `text` is its canonical spelling."""

    tree: ast.expr
    names: frozenset[str]

    @property
    def text(self) -> str:
        """Return the same spelling for all spacings and redundant brackets; it parses to the same formula."""
        return ast.unparse(self.tree)

    def at(self, values: Mapping[str, Fraction]) -> Fraction | None:
        """Return the value at a point, or None for a division by zero; a name without a value raises KeyError."""
        try:
            return _value(self.tree, values)
        except ZeroDivisionError:
            return None


def parse_expression(text: str) -> Expression | None:
    """Return a formula of names, decimal numbers, + - * / and brackets, or None if the text is not one.

    The prefix `us-gaap:` of a name is dropped. Powers, calls, comparisons, thousands commas and percent signs are
    not part of the language.
    """
    plain = _PREFIX.sub("", text.translate(_SIGNS)).strip()
    if len(plain) > MAX_CHARACTERS or not _ALLOWED.fullmatch(plain):
        return None
    try:
        tree = ast.parse(plain, mode="eval").body
        names = frozenset(_names(tree))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return Expression(tree, names)


def equal(a: str, b: str) -> bool:
    """Return whether two formulas have the same value at every random point; False if either is not a formula."""
    first, second = parse_expression(a), parse_expression(b)
    if first is None or second is None:
        return False
    names = first.names | second.names
    for index in range(POINTS):
        point = {name: _coordinate(name, index) for name in names}
        value = first.at(point)
        if value is None or value != second.at(point):
            return False
    return True


@functools.lru_cache(maxsize=4096)
def _coordinate(name: str, index: int) -> Fraction:
    """Return a fixed random number for a name, the same in every process and for every hash seed."""
    source = random.Random(f"{SEED}/{index}/{name}")
    return Fraction(source.randrange(10**6, 10**9), source.randrange(10**3, 10**6))


def _names(node: ast.expr, depth: int = 0) -> list[str]:
    """Return all names below a node; a node outside of the language or too deep raises ValueError."""
    if depth > MAX_DEPTH:
        raise ValueError("nested too deep")
    if isinstance(node, ast.BinOp) and type(node.op) in _BINARY:
        return _names(node.left, depth + 1) + _names(node.right, depth + 1)
    if isinstance(node, ast.UnaryOp) and type(node.op) in _UNARY:
        return _names(node.operand, depth + 1)
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Constant) and type(node.value) in (int, float):
        _number(node)
        return []
    raise ValueError(f"{type(node).__name__} is not part of a formula")


def _number(node: ast.expr) -> Fraction:
    """Return the number as written: 0.1 is one tenth, not its nearest float. An infinite one raises ValueError."""
    assert isinstance(node, ast.Constant)
    return Fraction(repr(node.value))


def _value(node: ast.expr, values: Mapping[str, Fraction]) -> Fraction:
    if isinstance(node, ast.BinOp):
        return _BINARY[type(node.op)](_value(node.left, values), _value(node.right, values))
    if isinstance(node, ast.UnaryOp):
        return _UNARY[type(node.op)](_value(node.operand, values))
    if isinstance(node, ast.Name):
        return values[node.id]
    return _number(node)
