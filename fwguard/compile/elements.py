"""Elements of sets: structured for a netlink writer, and the same as nft text."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Final, NamedTuple

from fwguard.compile.names import TABLE
from fwguard.compile.sets import Field, SetSpec
from fwguard.model.address import show_address

Value = int | str | tuple[int, int] | tuple[str, str]
Key = tuple[Value, ...]


class Held(NamedTuple):
    """What a set holds of a key: the map's data, when it ends (None: never), and where it leads back to."""

    data: int | str | None = None
    ends_at_s: int | None = None
    comment: str = ""


Content = dict[Key, Held]
MOST_LINE_ELEMENTS: Final = 2048
MOST_SINGLE: Final = 16
"""Spans of up to so many addresses stand one by one in a hash: every packet asks it, and an interval costs more."""


def parted(pairs: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield the addresses of short spans one by one, as (n, n), and long spans as they are."""
    for first, last in pairs:
        if first != last and last - first < MOST_SINGLE:
            yield from ((one, one) for one in range(first, last + 1))
        else:
            yield first, last


def later(one: Held, other: Held) -> Held:
    """Return the one that holds longer; the first where both end alike."""
    if one.ends_at_s is None or (other.ends_at_s is not None and other.ends_at_s <= one.ends_at_s):
        return one
    return other


def put(content: Content, key: Key, held: Held) -> None:
    """Add an element; what is there already stays as long as the longer of both."""
    present = content.get(key)
    content[key] = held if present is None else later(present, held)


def is_live(held: Held, now_s: int) -> bool:
    """Tell whether an element has not ended yet."""
    return held.ends_at_s is None or held.ends_at_s > now_s


@lru_cache(maxsize=1 << 17)
def _v4(value: int) -> str:
    return show_address(4, value)


@lru_cache(maxsize=1 << 17)
def _v6(value: int) -> str:
    return show_address(6, value)


def _name(value: str) -> str:
    return f'"{value}"'


def _class(value: int) -> str:
    return f"{value >> 16:x}:{value & 0xFFFF:x}"


def _hex_ether(value: str) -> str:
    return "0x" + value.replace(":", "")


_WRITERS: Final[Mapping[Field, Callable[..., str]]] = {
    Field.IIF: _name, Field.OIF: _name, Field.ETHER: str, Field.ARP_ETHER: str, Field.ARP_IP: _v4,
    Field.V4_SOURCE: _v4, Field.V4_TARGET: _v4, Field.V6_SOURCE: _v6, Field.V6_TARGET: _v6,
    Field.ND_TARGET: "0x{:032x}".format, Field.ND_ETHER: _hex_ether,
    Field.PROTOCOL: str, Field.SPORT: str, Field.DPORT: str, Field.TCP_SPORT: str, Field.TCP_DPORT: str,
    Field.ZONE: str, Field.PRIORITY: _class, Field.VERDICT: str,
}  # fmt: skip


def key_text(spec: SetSpec, key: Key) -> str:
    """Return a key as nft writes it."""
    words = []
    for field, value in zip(spec.key, key, strict=True):
        write = _WRITERS[field]
        if isinstance(value, tuple):
            first, last = value
            words.append(write(first) if first == last else f"{write(first)}-{write(last)}")
        else:
            words.append(write(value))
    return " . ".join(words)


def element_text(spec: SetSpec, key: Key, held: Held, now_s: int) -> str:
    """Return an element with its remaining time and comment; the caller leaves out what has ended."""
    text = key_text(spec, key)
    if held.ends_at_s is not None:
        text += f" timeout {held.ends_at_s - now_s}s"
    if held.comment:
        text += f' comment "{held.comment}"'
    if spec.data is not None:
        text += f" : {_WRITERS[spec.data](held.data)}"
    return text


def add_text(spec: SetSpec, content: Mapping[Key, Held], now_s: int) -> Iterator[str]:
    """Return `add element` lines, each of bounded length, in the content's own order."""
    live = (element_text(spec, key, held, now_s) for key, held in content.items() if is_live(held, now_s))
    yield from _lines(f"add element {spec.family} {TABLE} {spec.name}", live)


def delete_text(spec: SetSpec, keys: Iterable[Key]) -> Iterator[str]:
    """Return `delete element` lines."""
    yield from _lines(
        f"delete element {spec.family} {TABLE} {spec.name}", (key_text(spec, key) for key in keys)
    )


def _lines(head: str, elements: Iterable[str]) -> Iterator[str]:
    batch: list[str] = []
    for element in elements:
        batch.append(element)
        if len(batch) == MOST_LINE_ELEMENTS:
            yield f"{head} {{ {', '.join(batch)} }}\n"
            batch.clear()
    if batch:
        yield f"{head} {{ {', '.join(batch)} }}\n"
