"""Dataclasses to JSON and back, strictly: an unknown field, a missing field or a value of the wrong type is an error.

Not-a-number and the infinities, which JSON does not have, are written as null, "inf" and "-inf".
"""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from harness.schema import RunSpec

T = TypeVar("T")


def strict_json(text: str) -> Any:
    """Parse JSON as RFC 8259 has it: no NaN, no infinities, and no name twice in an object.

    Raises:
        ValueError: saying what is wrong.
    """
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} stands twice in one object")
    return found


def encode(value: Any) -> Any:
    """Return `value` (dataclasses, mappings, tuples, numbers, text) as what `json.dumps` takes."""
    if isinstance(value, RunSpec):
        return {name: encode(item) for name, item in value.fields().items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def named(spec: RunSpec) -> dict[str, Any]:
    """Return what names a run in a document about it: its id, task, model, method, rank and seed."""
    return {
        "run": spec.id,
        "task": spec.task,
        "model": spec.model,
        "model_revision": spec.model_revision,
        "method": spec.method,
        "rank": spec.rank,
        "seed": spec.seed,
    }


def decode(kind: type[T], data: Any) -> T:
    """Return the dataclass `kind` that `encode` turned into `data`; a field with a default may be missing.

    Raises:
        ValueError: naming the field, where `data` has an unknown, missing or ill-typed one.
    """
    return typing.cast(T, _decode(kind, data, kind.__name__))


@functools.cache
def _fields(kind: type) -> tuple[dict[str, Any], frozenset[str]]:
    """Return the types of a dataclass's fields, and which of these have no default."""
    missing = dataclasses.MISSING
    fields = dataclasses.fields(kind)
    required = (f.name for f in fields if f.default is missing and f.default_factory is missing)
    hints = typing.get_type_hints(kind)
    return {f.name: hints[f.name] for f in fields}, frozenset(required)


@functools.cache
def _parts(kind: Any) -> tuple[bool, Any, tuple[Any, ...]]:
    """Return whether a type is a dataclass, and what it is a form of, with its arguments."""
    return dataclasses.is_dataclass(kind) and isinstance(kind, type), get_origin(kind), get_args(kind)


def _decode(kind: Any, data: Any, where: str) -> Any:
    dataclass, origin, inner = _parts(kind)
    if dataclass:
        return _decode_dataclass(kind, data, where)
    if origin in (Union, types.UnionType):
        return None if data is None else _decode(next(k for k in inner if k is not type(None)), data, where)
    if origin is Literal:
        if data not in inner:
            raise ValueError(f"{where} is {data!r}, not one of {', '.join(map(str, inner))}")
        return data
    if origin is tuple:
        items = _expect(list, data, where)
        return tuple(_decode(inner[0], item, f"{where}[{i}]") for i, item in enumerate(items))
    if origin is Mapping:
        mapping = _expect(dict, data, where)
        return {key: _decode(inner[1], item, f"{where}.{key}") for key, item in mapping.items()}
    if kind is float:
        return _decode_float(data, where)
    return _expect(kind, data, where)


def _decode_dataclass(kind: type, data: Any, where: str) -> Any:
    values = _expect(dict, data, where)
    fields, required = _fields(kind)
    if unknown := sorted(values.keys() - fields.keys()):
        raise ValueError(f"{where} has the unknown field {unknown[0]!r}")
    if missing := sorted(required - values.keys()):
        raise ValueError(f"{where} has no field {missing[0]!r}")
    return kind(**{name: _decode(fields[name], value, f"{where}.{name}") for name, value in values.items()})


def _decode_float(data: Any, where: str) -> float:
    if data is None:
        return math.nan
    if data in ("inf", "-inf"):
        return float(data)
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise ValueError(f"{where} is {data!r}, not a number")
    return float(data)


def _expect(kind: Any, data: Any, where: str) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise ValueError(f"{where} is {data!r}, not {kind.__name__}")
    return data
