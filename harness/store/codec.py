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
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from harness.record import RunSpec

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
    try:
        return typing.cast(T, _decoder(typing.cast(Any, kind))(data))
    except _Unfit as fault:
        raise ValueError(f"{kind.__name__}{fault.where} {fault.problem}") from None


class _Unfit(Exception):
    """What is wrong, and where within the value: the path grows on the way up, so that it costs nothing where all is well."""

    def __init__(self, problem: str, where: str = "") -> None:
        super().__init__(problem)
        self.problem, self.where = problem, where

    def inside(self, place: object) -> _Unfit:
        return _Unfit(self.problem, f"{place}{self.where}")


Decoder = Callable[[Any], Any]


@functools.cache
def _decoder(kind: Any) -> Decoder:
    """Return what decodes a type; made once, since a store holds millions of answers."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _dataclass_decoder(kind)
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return _optional_decoder(_decoder(next(k for k in inner if k is not type(None))))
    if origin is Literal:
        return _literal_decoder(inner)
    if origin is tuple:
        return _tuple_decoder(_decoder(inner[0]))
    if origin is Mapping:
        return _mapping_decoder(_decoder(inner[1]))
    return _float if kind is float else _exact_decoder(kind)


def _dataclass_decoder(kind: type) -> Decoder:
    hints, listed = typing.get_type_hints(kind), dataclasses.fields(kind)
    decoders = {f.name: _decoder(hints[f.name]) for f in listed}
    missing = dataclasses.MISSING
    required = {f.name for f in listed if f.default is missing and f.default_factory is missing}

    def decoded(data: Any) -> Any:
        values = _expect(dict, data)
        if not values.keys() <= decoders.keys():
            raise _Unfit(f"has the unknown field {min(values.keys() - decoders.keys())!r}")
        if not values.keys() >= required:
            raise _Unfit(f"has no field {min(required - values.keys())!r}")
        found, name = {}, ""
        try:
            for name, value in values.items():
                found[name] = decoders[name](value)
        except _Unfit as fault:
            raise fault.inside(f".{name}") from None
        return kind(**found)

    return decoded


def _optional_decoder(decode_one: Decoder) -> Decoder:
    return lambda data: None if data is None else decode_one(data)


def _literal_decoder(allowed: Sequence[Any]) -> Decoder:
    def decoded(data: Any) -> Any:
        if data not in allowed:
            raise _Unfit(f"is {data!r}, not one of {', '.join(map(str, allowed))}")
        return data

    return decoded


def _tuple_decoder(decode_one: Decoder) -> Decoder:
    def decoded(data: Any) -> Any:
        given, found = _expect(list, data), []
        try:
            for item in given:
                found.append(decode_one(item))  # how many there are says where it failed
        except _Unfit as fault:
            raise fault.inside(f"[{len(found)}]") from None
        return tuple(found)

    return decoded


def _mapping_decoder(decode_one: Decoder) -> Decoder:
    def decoded(data: Any) -> Any:
        given, found, key = _expect(dict, data), {}, ""
        try:
            for key, item in given.items():
                found[key] = decode_one(item)
        except _Unfit as fault:
            raise fault.inside(f".{key}") from None
        return found

    return decoded


def _exact_decoder(kind: Any) -> Decoder:
    return lambda data: data if type(data) is kind else _expect(kind, data)


def _float(data: Any) -> float:
    if type(data) is float:
        return data
    if data is None:
        return math.nan
    if data in ("inf", "-inf"):
        return float(data)
    if isinstance(data, bool) or not isinstance(data, int | float):
        raise _Unfit(f"is {data!r}, not a number")
    return float(data)


def _expect(kind: Any, data: Any) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise _Unfit(f"is {data!r}, not {kind.__name__}")
    return data
