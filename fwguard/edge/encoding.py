"""From the compiler's elements to the kernel's: keys packed, intervals ended, timeouts counted from now."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from fwguard.compile.elements import Held, Key, is_live
from fwguard.compile.names import TABLE
from fwguard.compile.sets import Field, SetSpec
from fwguard.kernel import keys
from fwguard.kernel.elements import Element, Verdict
from fwguard.kernel.keys import after
from fwguard.kernel.nf_tables import Table

_v4 = lru_cache(maxsize=1 << 16)(lambda value: int(value).to_bytes(4, "big"))
_v6 = lru_cache(maxsize=1 << 16)(lambda value: int(value).to_bytes(16, "big"))
_name = lru_cache(maxsize=1 << 15)(keys.interface)
_ether = lru_cache(maxsize=1 << 15)(keys.ether)
_port = lru_cache(maxsize=1 << 16)(keys.port)
_protocol = lru_cache(maxsize=256)(keys.protocol)
_PADDING: Final = {Field.ETHER: 2, Field.ARP_ETHER: 2, Field.ND_ETHER: 2, Field.PROTOCOL: 3, Field.SPORT: 2,
                   Field.DPORT: 2, Field.TCP_SPORT: 2, Field.TCP_DPORT: 2, Field.ZONE: 2}  # fmt: skip


def _zone(value: int) -> bytes:
    return value.to_bytes(2, sys.byteorder)


# What is no multiple of four bytes is padded behind within a concatenation (keys.concat).
PACKERS: Final[Mapping[Field, Callable[[Any], bytes]]] = {
    Field.IIF: _name, Field.OIF: _name, Field.ETHER: _ether, Field.ARP_ETHER: _ether, Field.ND_ETHER: _ether,
    Field.V4_SOURCE: _v4, Field.V4_TARGET: _v4, Field.ARP_IP: _v4,
    Field.V6_SOURCE: _v6, Field.V6_TARGET: _v6, Field.ND_TARGET: _v6,
    Field.PROTOCOL: _protocol, Field.SPORT: _port, Field.DPORT: _port,
    Field.TCP_SPORT: _port, Field.TCP_DPORT: _port, Field.ZONE: _zone, Field.PRIORITY: keys.mark,
}  # fmt: skip


def table_of(spec: SetSpec) -> Table:
    """Return the table that a set stands in."""
    return Table(spec.family, TABLE)


def elements_of(spec: SetSpec, key: Key, held: Held, *, now_s: int) -> tuple[Element, ...]:
    """Return what the kernel holds of one element: an interval of a plain key is a start and an end."""
    packed, packed_end = _packed(spec, key)
    timeout_ms = 0 if held.ends_at_s is None else max(1, (held.ends_at_s - now_s) * 1000)
    data = _data(spec, held)
    if spec.is_interval and len(spec.key) == 1:
        start = Element(packed, timeout_ms=timeout_ms, comment=held.comment, data=data)
        end = after(packed_end)
        return (start,) if end is None else (start, Element(end, ends_interval=True))
    return (
        Element(packed, packed_end if spec.is_interval else b"", timeout_ms, 0, held.comment, data),
    )  # positions: this runs 100 000 times at a start


def live_elements(spec: SetSpec, content: Mapping[Key, Held], *, now_s: int) -> Iterator[Element]:
    """Yield the elements of a set that have not ended, intervals of a plain key in ascending order."""
    plain = spec.is_interval and len(spec.key) == 1
    items: Iterable[tuple[Key, Held]] = content.items()
    if plain:
        items = sorted(items, key=lambda item: item[0][0][0])  # type: ignore[index]
    for key, held in items:
        if is_live(held, now_s):
            yield from elements_of(spec, key, held, now_s=now_s)


def identity(element: Element) -> tuple[object, ...]:
    """Return what must be equal for two elements to be the same, time left out; ends of intervals say nothing."""
    if element.ends_interval:
        return element.key, b"", True, "", None
    return element.key, element.key_end, False, element.comment, element.data


@lru_cache(maxsize=256)
def _parts(key: tuple[Field, ...]) -> tuple[tuple[Callable[[Any], bytes], bytes], ...]:
    """Return how each field is packed, and what pads it within a concatenation."""
    if len(key) == 1:
        return ((PACKERS[key[0]], b""),)
    return tuple((PACKERS[field], bytes(_PADDING.get(field, 0))) for field in key)


def _packed(spec: SetSpec, key: Key) -> tuple[bytes, bytes]:
    parts = zip(_parts(spec.key), key, strict=True)
    if spec.is_interval:
        both = [(pack(value[0]) + pad, pack(value[1]) + pad) for (pack, pad), value in parts]  # type: ignore[index]
        return b"".join([low for low, _ in both]), b"".join([high for _, high in both])
    packed = b"".join([pack(value) + pad for (pack, pad), value in parts])
    return packed, packed


def _data(spec: SetSpec, held: Held) -> bytes | Verdict | None:
    if spec.data is None:
        return None
    if spec.data is Field.VERDICT:
        return _verdict(str(held.data))
    return PACKERS[spec.data](held.data)


@lru_cache(maxsize=1024)
def _verdict(words: str) -> Verdict:
    name, _, chain = words.partition(" ")
    return Verdict(name, chain)
