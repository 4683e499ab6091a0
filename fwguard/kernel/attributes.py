"""Netlink attributes on `struct`: type, length, payload, padding to four bytes.

Source: netlink(7); <linux/netlink.h>, struct nlattr. The length is 16 bits wide and counts its own header, so
nothing that nests may hold more than MAX_PAYLOAD_BYTES: more silently wraps, and the kernel reads rubbish.
"""

from __future__ import annotations

from collections.abc import Iterator
from struct import Struct
from typing import Final

from fwguard.errors import InputError, PartialReadingError

NLA_F_NESTED: Final = 0x8000
NLA_TYPE_MASK: Final = 0x3FFF
HEADER_BYTES: Final = 4
MAX_PAYLOAD_BYTES: Final = 0xFFFF - HEADER_BYTES

Buffer = bytes | bytearray | memoryview

_header = Struct("=HH")
_be16, _be32, _be64 = Struct("!H"), Struct("!I"), Struct("!Q")
_PADDING: Final = (b"", b"\0\0\0", b"\0\0", b"\0")


def attribute(kind: int, payload: Buffer) -> bytes:
    """Return one attribute, padded. Raises InputError above MAX_PAYLOAD_BYTES."""
    size = len(payload)
    if size > MAX_PAYLOAD_BYTES:
        raise InputError(
            f"{size} bytes do not fit into one netlink attribute",
            where=f"attribute {kind & NLA_TYPE_MASK}",
            expected=f"at most {MAX_PAYLOAD_BYTES} bytes: split the list over several messages",
        )
    return b"".join((_header.pack(size + HEADER_BYTES, kind), payload, _PADDING[size & 3]))


def nested(kind: int, *parts: bytes) -> bytes:
    """Return an attribute that holds attributes."""
    return attribute(kind | NLA_F_NESTED, b"".join(parts))


def be16(kind: int, value: int) -> bytes:
    """Return an attribute with a 16-bit number in network order."""
    return attribute(kind, _be16.pack(value))


def be32(kind: int, value: int) -> bytes:
    """Return an attribute with a 32-bit number in network order, as all of nf_tables' are."""
    return attribute(kind, _be32.pack(value & 0xFFFFFFFF))


def be64(kind: int, value: int) -> bytes:
    """Return an attribute with a 64-bit number in network order."""
    return attribute(kind, _be64.pack(value))


def text(kind: int, value: str) -> bytes:
    """Return an attribute with a string that ends in a zero byte. Raises InputError when it holds one."""
    encoded = value.encode()
    if b"\0" in encoded:
        raise InputError("a name holds a zero byte", where=repr(value), expected="a name without it")
    return attribute(kind, encoded + b"\0")


def walk(data: Buffer) -> Iterator[tuple[int, memoryview]]:
    """Yield type (without its flags) and payload of each attribute.

    Raises:
        PartialReadingError: a length that is impossible; the bytes before it were yielded.
    """
    view = memoryview(data)
    at, end = 0, len(view)
    while end - at >= HEADER_BYTES:
        size, kind = _header.unpack_from(view, at)
        if size < HEADER_BYTES or at + size > end:
            raise PartialReadingError(
                f"netlink attribute of {size} bytes where {end - at} are left: the message was cut; read again"
            )
        yield kind & NLA_TYPE_MASK, view[at + HEADER_BYTES : at + size]
        at += (size + 3) & ~3


def table_of(data: Buffer) -> dict[int, memoryview]:
    """Return the attributes by type; of a repeated type the last."""
    return dict(walk(data))


def first(data: Buffer, kind: int) -> memoryview | None:
    """Return the payload of the first attribute of this type, or None."""
    for found, payload in walk(data):
        if found == kind:
            return payload
    return None


def read_be16(payload: Buffer) -> int:
    """Return a 16-bit number in network order."""
    return int.from_bytes(payload[:2], "big")


def read_be32(payload: Buffer) -> int:
    """Return a 32-bit number in network order."""
    return int.from_bytes(payload[:4], "big")


def read_be64(payload: Buffer) -> int:
    """Return a 64-bit number in network order."""
    return int.from_bytes(payload[:8], "big")


def read_text(payload: Buffer) -> str:
    """Return a string up to its zero byte; bytes that are no UTF-8 are shown escaped."""
    return bytes(payload).split(b"\0", 1)[0].decode(errors="backslashreplace")
