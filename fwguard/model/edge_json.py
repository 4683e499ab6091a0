"""The state of an edge as JSON, exactly: canonical bytes to sign, and a reader that trusts nothing.

Every field of every value stands there under its own name; addresses are words of `AddressSet`, spans are
`first-last`, prefixes or addresses, enumerations their words. Unknown and doubled keys are refused,
and missing ones without a default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import MISSING, fields, is_dataclass
from enum import StrEnum
from functools import cache
from types import NoneType, UnionType
from typing import Any, Final, get_args, get_origin, get_type_hints

from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.edge import EdgeState
from fwguard.model.edge_fields import Span

Json = Any
MOST_BYTES: Final = 512 << 20
_MOST_TEXT: Final = 200


def state_to_json(state: EdgeState) -> dict[str, Json]:
    """Return the whole state as JSON-able values, no field left out."""
    value: dict[str, Json] = _write(state)
    return value


def canonical_bytes(state: EdgeState) -> bytes:
    """Return the bytes to sign: keys sorted, no spaces, ASCII. Equal states give equal bytes."""
    return json.dumps(state_to_json(state), sort_keys=True, separators=(",", ":")).encode("ascii")


def state_from_json(value: Json) -> EdgeState:
    """Read a state. Raises InputError that names the path (`ports[3].macs[0]`) and what was expected."""
    state = _reader(EdgeState)(value)
    if not isinstance(state, EdgeState):
        raise TypeError(state)
    return state


def parse_state(data: bytes, file: str = "state") -> EdgeState:
    """Read the bytes of a state; complaints begin with `file`."""
    if len(data) > MOST_BYTES:
        raise InputError(f"{len(data)} bytes", where=file, expected=f"at most {MOST_BYTES}")
    try:
        value = json.loads(data, object_pairs_hook=_no_key_twice, parse_constant=_no_constant)
        return state_from_json(value)
    except InputError as error:
        raise InputError(str(error), where=file) from None
    except (ValueError, RecursionError) as error:
        raise InputError(f"no JSON: {error}", where=file, expected="the JSON form of a state") from None


def _no_key_twice(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    read = dict(pairs)
    if len(read) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InputError(f"key {twice[:60]!r} stands twice", expected="each key once")
    return read


def _no_constant(word: str) -> Json:
    raise InputError(f"{word}", expected="a whole number")


# ---------------------------------------------------------------------- writing


@cache
def _names(kind: type) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))


def _write(value: Any) -> Json:
    if value is ANY_ADDRESS:
        return ["any"]
    if isinstance(value, StrEnum):
        return value.value
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, AddressSet):
        return list(value.texts())
    if isinstance(value, Span):
        return str(value)
    if isinstance(value, tuple):
        return [_write(one) for one in value]
    if isinstance(value, Mapping):
        return {str(_write(key)): _write(one) for key, one in value.items()}
    kind: type = type(value)
    return {name: _write(getattr(value, name)) for name in _names(kind)}


# ---------------------------------------------------------------------- reading

Reader = Callable[[Json], Any]


def _within(name: str, read: Reader, value: Json) -> Any:
    try:
        return read(value)
    except InputError as error:
        raise _deeper(name, error) from None


def _deeper(name: str, error: InputError) -> InputError:
    """Return the same complaint with its path one step longer at the front."""
    message = str(error).removeprefix(f"{error.where}: ") if error.where else str(error)
    message = message.removesuffix(f" (expected {error.expected})") if error.expected else message
    dot = "." if error.where and not error.where.startswith("[") and name else ""
    return InputError(message, where=f"{name}{dot}{error.where}", expected=error.expected)


@cache
def _reader(hint: Any) -> Reader:
    """Return what reads values of one type; made once for each type."""
    if hint is int:
        return _integer
    if hint is str:
        return _text
    if hint is AddressSet:
        return _addresses
    if hint is Span:
        return lambda value: Span.parse(_text(value))
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return _words(hint)
    if isinstance(hint, type) and is_dataclass(hint):
        return _dataclass(hint)
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is UnionType:
        (inner,) = (_reader(one) for one in arguments if one is not NoneType)
        return lambda value: None if value is None else inner(value)
    if origin is tuple and arguments[-1] is Ellipsis:
        return _many(_reader(arguments[0]))
    if origin is tuple:
        return _row(tuple(_reader(one) for one in arguments))
    return _table(_reader(arguments[0]), _reader(arguments[1]))


def _integer(value: Json) -> int:
    if type(value) is not int:
        raise InputError(f"{str(value)[:60]!r}", expected="a whole number")
    return value


def _text(value: Json) -> str:
    if type(value) is not str or len(value) > _MOST_TEXT:
        raise InputError(f"{str(value)[:60]!r}", expected=f"a text of at most {_MOST_TEXT} characters")
    return value


def _addresses(value: Json) -> AddressSet:
    if value == ["any"]:
        return ANY_ADDRESS
    if type(value) is not list:
        raise InputError(f"{str(value)[:60]!r}", expected="a list of addresses")
    return AddressSet.parse(*(_text(one) for one in value))


def _words(kind: type[StrEnum]) -> Reader:
    known = {one.value: one for one in kind}
    expected = "one of " + ", ".join(known)

    def read(value: Json) -> StrEnum:
        found = known.get(value) if type(value) is str else None
        if found is None:
            raise InputError(f"{str(value)[:60]!r}", expected=expected)
        return found

    return read


def _dataclass(kind: type) -> Reader:
    hints = get_type_hints(kind)
    readers = {one.name: _reader(hints[one.name]) for one in fields(kind)}
    needed = {one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING}

    def read(value: Json) -> Any:
        if type(value) is not dict:
            raise InputError(f"{str(value)[:60]!r}", expected=f"an object with {', '.join(readers)}")
        made = {}
        for name, one in value.items():
            reader = readers.get(name)
            if reader is None:
                raise InputError(
                    "is not known", where=str(name)[:60], expected="one of " + ", ".join(readers)
                )
            try:
                made[name] = reader(one)
            except InputError as error:
                raise _deeper(name, error) from None
        if not needed <= made.keys():
            raise InputError("is missing", where=min(needed - made.keys()), expected="a value")
        return kind(**made)

    return read


def _many(read_one: Reader) -> Reader:
    def read(value: Json) -> tuple[Any, ...]:
        if type(value) is not list:
            raise InputError(f"{str(value)[:60]!r}", expected="a list")
        made = []
        for index, one in enumerate(value):
            try:
                made.append(read_one(one))
            except InputError as error:
                raise _deeper(f"[{index}]", error) from None
        return tuple(made)

    return read


def _row(readers: tuple[Reader, ...]) -> Reader:
    def read(value: Json) -> tuple[Any, ...]:
        if type(value) is not list or len(value) != len(readers):
            raise InputError(f"{str(value)[:60]!r}", expected=f"a list of {len(readers)}")
        return tuple(_within(f"[{i}]", one, value[i]) for i, one in enumerate(readers))

    return read


def _table(read_key: Reader, read_value: Reader) -> Reader:
    def read(value: Json) -> dict[Any, Any]:
        if type(value) is not dict:
            raise InputError(f"{str(value)[:60]!r}", expected="an object")
        return {read_key(key): _within(f"[{str(key)[:60]}]", read_value, one) for key, one in value.items()}

    return read
