"""Set elements to and from netlink: keys, intervals, timeouts, comments, map data, verdicts.

Source: <linux/netfilter/nf_tables.h>, enum nft_set_elem_attributes; nft(8), SETS and MAPS. A list of elements
is one nested attribute with a 16-bit length: many elements stand in several messages of one batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Final

from fwguard.errors import InputError
from fwguard.kernel import attributes as a
from fwguard.kernel import nf_tables as n
from fwguard.kernel.keys import after
from fwguard.kernel.messages import NFNL_SUBSYS_NFTABLES, Request, netfilter

MAX_COMMENT_BYTES: Final = 128  # nft's own bound (NFTNL_UDATA_COMMENT_MAXLEN)
# Half of what fits: the kernel copies a message as one piece, and 32 KiB needs no large allocation.
_MESSAGE_BYTES: Final = 32_000
_ENDS_INTERVAL: Final = a.be32(n.NFTA_SET_ELEM_FLAGS, n.NFT_SET_ELEM_INTERVAL_END)
_LISTED: Final = n.NFTA_LIST_ELEM | a.NLA_F_NESTED
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")
_header = Struct("=HH")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a verdict map gives: `accept`, `drop`, `return`, `continue`, or `jump`/`goto` with a chain."""

    name: str
    chain: str = ""

    def __post_init__(self) -> None:
        if self.name not in n.VERDICTS:
            raise InputError(f"verdict {self.name!r}", expected=", ".join(n.VERDICTS))
        if (self.name in ("jump", "goto")) != bool(self.chain):
            raise InputError(
                f"verdict {self.name} with chain {self.chain!r}", expected="a chain to jump or go to"
            )


@dataclass(frozen=True, slots=True)
class Element:
    """One element. `key` is what keys.py packs.

    `key_end` is the last key of a concatenated interval; for a plain interval use `plain_interval`. Times are
    in milliseconds, 0 for none: `timeout_ms` the whole life, `expires_ms` what is left of it (0 when added:
    all). `data` is what a map gives. `packets` and `bytes` are those of its counter, None without one.
    """

    key: bytes
    key_end: bytes = b""
    timeout_ms: int = 0
    expires_ms: int = 0
    comment: str = ""
    data: bytes | Verdict | None = None
    ends_interval: bool = False
    packets: int | None = None
    bytes: int | None = None

    def __post_init__(self) -> None:
        if self.timeout_ms < 0 or self.expires_ms < 0:
            raise InputError("a time before now", where=f"element {self.key.hex()}", expected="0 or more ms")
        if self.key_end and len(self.key_end) != len(self.key):
            raise InputError(
                "an interval's ends differ in length",
                where=f"element {self.key.hex()}",
                expected="equal lengths",
            )


def plain_interval(
    low: bytes, high: bytes, *, comment: str = "", timeout_ms: int = 0, data: bytes | Verdict | None = None
) -> tuple[Element, ...]:
    """Return the elements of low..high (both included) in a set with `flags interval` and a plain key.

    Such a set holds starts and ends: the end stands one behind the last key, and none stands behind the
    highest key of all. Raises InputError when the ends are reversed.
    """
    if low > high or len(low) != len(high):
        raise InputError(
            "an interval reversed", where=f"{low.hex()}-{high.hex()}", expected="low before high"
        )
    start = Element(low, comment=comment, timeout_ms=timeout_ms, data=data)
    end = after(high)
    return (start,) if end is None else (start, Element(end, ends_interval=True))


def encode(element: Element) -> bytes:
    """Return one NFTA_LIST_ELEM. Raises InputError on a comment that is too long.

    Written flat, about 2 µs: an edge loads 100 000 of them at its start.
    """
    key = element.key
    parts = [_key_head(n.NFTA_SET_ELEM_KEY, len(key)), key, _PADDING[len(key) & 3]]
    if element.key_end:
        parts += (_key_head(n.NFTA_SET_ELEM_KEY_END, len(key)), element.key_end, _PADDING[len(key) & 3])
    if element.data is not None:
        parts.append(_map_data(element.data))
    if element.ends_interval:
        parts.append(_ENDS_INTERVAL)
    if element.timeout_ms:
        parts.append(a.be64(n.NFTA_SET_ELEM_TIMEOUT, element.timeout_ms))
        if element.expires_ms:
            parts.append(a.be64(n.NFTA_SET_ELEM_EXPIRATION, element.expires_ms))
    if element.comment:
        userdata = comment_userdata(element.comment)
        parts += (
            _header.pack(len(userdata) + 4, n.NFTA_SET_ELEM_USERDATA),
            userdata,
            _PADDING[len(userdata) & 3],
        )
    body = b"".join(parts)
    return _header.pack(len(body) + 4, _LISTED) + body


def encode_key(element: Element) -> bytes:
    """Return the NFTA_LIST_ELEM that names an element to remove: the kernel compares nothing but keys."""
    return encode(Element(element.key, element.key_end, ends_interval=element.ends_interval))


def decode(data: a.Buffer) -> Element:
    """Return the element in one NFTA_LIST_ELEM's payload. Raises PartialReadingError on a cut one."""
    key = key_end = b""
    timeout = expires = flags = 0
    comment = ""
    found: bytes | Verdict | None = None
    counted: tuple[int, int] | None = None
    for kind, payload in a.walk(data):
        if kind == n.NFTA_SET_ELEM_KEY:
            key = _value(payload)
        elif kind == n.NFTA_SET_ELEM_KEY_END:
            key_end = _value(payload)
        elif kind == n.NFTA_SET_ELEM_TIMEOUT:
            timeout = a.read_be64(payload)
        elif kind == n.NFTA_SET_ELEM_EXPIRATION:
            expires = a.read_be64(payload)
        elif kind == n.NFTA_SET_ELEM_USERDATA:
            comment = read_comment(payload)
        elif kind == n.NFTA_SET_ELEM_FLAGS:
            flags = a.read_be32(payload)
        elif kind == n.NFTA_SET_ELEM_DATA:
            found = _read_map_data(payload)
        elif kind in (n.NFTA_SET_ELEM_EXPR, n.NFTA_SET_ELEM_EXPRESSIONS):
            counted = _read_counter(kind, payload)
    ends = bool(flags & n.NFT_SET_ELEM_INTERVAL_END)
    packets, octets = counted or (None, None)
    return Element(key, key_end, timeout, expires, comment, found, ends, packets, octets)


def requests(
    operation: int, table: n.Table, set_name: str, encoded: Iterable[bytes], *, flags: int = 0
) -> Iterator[Request]:
    """Yield messages that hold these encoded elements, each below the 16-bit length of a nested attribute."""
    what = f"elements of set {table} {set_name}"
    head = a.text(n.NFTA_SET_ELEM_LIST_TABLE, table.name) + a.text(n.NFTA_SET_ELEM_LIST_SET, set_name)

    def message(parts: list[bytes]) -> Request:
        listed = a.nested(n.NFTA_SET_ELEM_LIST_ELEMENTS, *parts)
        return netfilter(NFNL_SUBSYS_NFTABLES, operation, table.number, head, listed, flags=flags, what=what)

    parts: list[bytes] = []
    size = 0
    for one in encoded:
        if size + len(one) > _MESSAGE_BYTES and parts:
            yield message(parts)
            parts, size = [], 0
        parts.append(one)
        size += len(one)
    if parts:
        yield message(parts)


def comment_userdata(comment: str) -> bytes:
    """Return the userdata in which nft keeps an element's comment. Raises InputError above its bound."""
    encoded = comment.encode() + b"\0"
    if len(encoded) > MAX_COMMENT_BYTES or b"\0" in encoded[:-1]:
        expected = f"at most {MAX_COMMENT_BYTES - 1} bytes without zero"
        raise InputError(f"a comment of {len(encoded) - 1} bytes", where=comment[:40], expected=expected)
    return bytes((n.NFTNL_UDATA_SET_ELEM_COMMENT, len(encoded))) + encoded


def read_comment(userdata: a.Buffer) -> str:
    """Return the comment in an element's userdata, empty when there is none."""
    at = 0
    while at + 2 <= len(userdata):
        kind, size = userdata[at], userdata[at + 1]
        if kind == n.NFTNL_UDATA_SET_ELEM_COMMENT:
            return a.read_text(userdata[at + 2 : at + 2 + size])
        at += 2 + size
    return ""


@cache
def _key_head(kind: int, size: int) -> bytes:
    """Return the two headers before a value of this size: the nested attribute's and NFTA_DATA_VALUE's."""
    return _data(kind, b"\0" * size)[: 2 * a.HEADER_BYTES]


def _data(kind: int, value: bytes) -> bytes:
    if not 0 < len(value) <= 64:
        raise InputError(
            f"{len(value)} bytes", where=value.hex()[:40], expected="1 to 64 (NFT_DATA_VALUE_MAXLEN)"
        )
    return a.nested(kind, a.attribute(n.NFTA_DATA_VALUE, value))


def _map_data(data: bytes | Verdict) -> bytes:
    if isinstance(data, bytes):
        return _data(n.NFTA_SET_ELEM_DATA, data)
    parts = [a.be32(n.NFTA_VERDICT_CODE, n.VERDICTS[data.name])]
    if data.chain:
        parts.append(a.text(n.NFTA_VERDICT_CHAIN, data.chain))
    return a.nested(n.NFTA_SET_ELEM_DATA, a.nested(n.NFTA_DATA_VERDICT, *parts))


def _value(payload: memoryview) -> bytes:
    """Return what stands in NFTA_DATA_VALUE; the nested attribute around it counts the padding too."""
    return bytes(payload[a.HEADER_BYTES : _header.unpack_from(payload)[0]])


def _read_map_data(payload: a.Buffer) -> bytes | Verdict | None:
    for kind, value in a.walk(payload):
        if kind == n.NFTA_DATA_VALUE:
            return bytes(value)
        if kind == n.NFTA_DATA_VERDICT:
            parts = a.table_of(value)
            code = int.from_bytes(parts[n.NFTA_VERDICT_CODE][:4], "big", signed=True)
            chain = parts.get(n.NFTA_VERDICT_CHAIN)
            name = n.VERDICT_NAMES.get(code)
            return Verdict(name, "" if chain is None else a.read_text(chain)) if name else None
    return None


def _read_counter(kind: int, payload: a.Buffer) -> tuple[int, int] | None:
    """Return packets and bytes when the expression, or one of several, is a counter."""
    several = [value for _, value in a.walk(payload)] if kind == n.NFTA_SET_ELEM_EXPRESSIONS else [payload]
    for one in several:
        parts = a.table_of(one)
        if a.read_text(parts.get(n.NFTA_EXPR_NAME, b"")) == "counter":
            inner = a.table_of(parts[n.NFTA_EXPR_DATA])
            return a.read_be64(inner[n.NFTA_COUNTER_PACKETS]), a.read_be64(inner[n.NFTA_COUNTER_BYTES])
    return None
