"""Converts dataclasses to JSON and back; an unknown field, a missing field or a value of the wrong type is an error.

Not-a-number and the infinities are written as null, "inf" and "-inf", because JSON has no such numbers.
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
    """Return the value of a JSON text of RFC 8259: without NaN, infinities or a name twice in an object.

    Raises:
        ValueError: with the fault.
    """
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=_refuse_repeats)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _refuse_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} occurs twice in one object")
    return content


def encode(value: Any) -> Any:
    """Return `value` (dataclasses, mappings, tuples, numbers, text) as a value for `json.dumps`."""
    if isinstance(value, RunSpec):
        return {name: encode(item) for name, item in value.fields().items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: encode(getattr(value, f.name)) for f in dataclasses.fields(value) if _is_written(value, f)}
    if isinstance(value, Mapping):
        return {str(key): encode(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [encode(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else ("inf" if value > 0 else "-inf")
    return value


def _is_written(value: Any, field: dataclasses.Field[Any]) -> bool:
    return not field.metadata.get("later") or getattr(value, field.name) != field.default


def run_identity(spec: RunSpec) -> dict[str, Any]:
    """Return the fields that identify a run in a document: id, task, model, method, rank and seed."""
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
    """Return the instance of the dataclass `kind` that `encode` converted to `data`; fields with defaults may be missing.

    Raises:
        ValueError: `data` has an unknown, missing or ill-typed field.
    """
    try:
        return typing.cast(T, _decoder(typing.cast(Any, kind))(data))
    except _DecodeError as fault:
        raise ValueError(f"{kind.__name__}{fault.path} {fault.problem}") from None


class _DecodeError(Exception):
    """A fault and its path within the value. The path is built on the way up, so valid values cost nothing."""

    def __init__(self, problem: str, path: str = "") -> None:
        super().__init__(problem)
        self.problem, self.path = problem, path

    def inside(self, part: object) -> _DecodeError:
        return _DecodeError(self.problem, f"{part}{self.path}")


Decoder = Callable[[Any], Any]
LARGEST = 2**63  # of an integer; arithmetic with fractions fails on far larger ones


@functools.cache
def _decoder(kind: Any) -> Decoder:
    """Return the decoder of a type; it is cached, because a store has millions of answers."""
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
    return {float: _float, int: _int}.get(kind) or _exact_decoder(kind)


def _dataclass_decoder(kind: type) -> Decoder:
    hints, fields = typing.get_type_hints(kind), dataclasses.fields(kind)
    decoders = {f.name: _decoder(hints[f.name]) for f in fields}
    missing = dataclasses.MISSING
    required = {f.name for f in fields if f.default is missing and f.default_factory is missing}

    def decoded(data: Any) -> Any:
        values = _expect(dict, data)
        if not values.keys() <= decoders.keys():
            raise _DecodeError(f"has the unknown field {min(values.keys() - decoders.keys())!r}")
        if not values.keys() >= required:
            raise _DecodeError(f"has no field {min(required - values.keys())!r}")
        content, name = {}, ""
        try:
            for name, value in values.items():
                content[name] = decoders[name](value)
        except _DecodeError as fault:
            raise fault.inside(f".{name}") from None
        return kind(**content)

    return decoded


def _optional_decoder(decode_item: Decoder) -> Decoder:
    return lambda data: None if data is None else decode_item(data)


def _literal_decoder(allowed: Sequence[Any]) -> Decoder:
    def decoded(data: Any) -> Any:
        if data not in allowed:
            raise _DecodeError(f"is {data!r}, not one of {', '.join(map(str, allowed))}")
        return data

    return decoded


def _tuple_decoder(decode_item: Decoder) -> Decoder:
    def decoded(data: Any) -> Any:
        items, values = _expect(list, data), []
        try:
            for item in items:
                values.append(decode_item(item))  # in an error, their number is the index of the fault
        except _DecodeError as fault:
            raise fault.inside(f"[{len(values)}]") from None
        return tuple(values)

    return decoded


def _mapping_decoder(decode_item: Decoder) -> Decoder:
    def decoded(data: Any) -> Any:
        items, values, key = _expect(dict, data), {}, ""
        try:
            for key, item in items.items():
                values[key] = decode_item(item)
        except _DecodeError as fault:
            raise fault.inside(f".{key}") from None
        return values

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
        raise _DecodeError(f"is {data!r}, not a number")
    return float(_int(data))


def _int(data: Any) -> int:
    number: int = data if type(data) is int else _expect(int, data)
    if not -LARGEST <= number <= LARGEST:
        raise _DecodeError(f"is a number of {len(str(number))} digits, too large")
    return number


def _expect(kind: Any, data: Any) -> Any:
    if not isinstance(data, kind) or (kind is int and isinstance(data, bool)):
        raise _DecodeError(f"is {data!r}, not {kind.__name__}")
    return data
