"""STUN and TURN messages, with or without the cookie, bare or framed in a stream.

Sources: RFC 8489 section 5, RFC 3489 section 11 (without cookie), RFC 8656 (TURN), RFC 8445 section 7.1 (ICE),
RFC 4571 (framing).
"""

from __future__ import annotations

from dataclasses import dataclass
from struct import Struct
from typing import Final

_COOKIE: Final = b"\x21\x12\xa4\x42"
_BINDING: Final = 0x001
_TURN_METHODS: Final = frozenset((0x003, 0x004, 0x006, 0x007, 0x008, 0x009, 0x00A, 0x00B, 0x00C))
_OLD_TYPES: Final = frozenset((0x0001, 0x0101, 0x0111, 0x0002, 0x0102, 0x0112))
_USERNAME, _INTEGRITY, _PRIORITY, _USE_CANDIDATE, _CONTROLLED, _CONTROLLING = 6, 8, 0x24, 0x25, 0x8029, 0x802A
_ICE_ATTRIBUTES: Final = frozenset((_PRIORITY, _USE_CANDIDATE, _CONTROLLED, _CONTROLLING))
_ZOOM_PROBE: Final = b"\x01\x01\x00\x141234567890123456789"
_MAX_ATTRIBUTES: Final = 32
_header = Struct("!HH").unpack_from


@dataclass(frozen=True, slots=True)
class Stun:
    """One message: its method, whether it is a response, and what it is for.

    `cookie` is false for a message of the first standard, which is believed only beside others.
    """

    method: int
    response: bool
    cookie: bool
    transaction: bytes
    turn: bool
    ice: bool
    zoom: bool
    attributes: int


def read_stun(payload: bytes) -> Stun | None:
    """Return the message that a datagram is, or None."""
    size = len(payload)
    if size < 20 or payload[0] & 0xC0:
        return None
    kind, length = _header(payload)
    cookie = payload[4:8] == _COOKIE
    if length + 20 > size:
        return None
    # Microsoft's relays do not pad attributes (MS-TURN section 2.2.2): with the cookie any length goes.
    if not cookie and (length & 3 or kind not in _OLD_TYPES or length + 20 != size or not length):
        return _answer_without_cookie(payload, kind, length)
    return _read(payload, kind, length, cookie)


def _answer_without_cookie(payload: bytes, kind: int, length: int) -> Stun | None:
    """Microsoft's relays answer Send with transaction ids of their own (MS-TURN): attributes must fit."""
    if kind & 0x3EEF not in (0x004, 0x003) or length + 20 != len(payload) or length < 12:
        return None
    return _read(payload, kind, length, False)


def _read(payload: bytes, kind: int, length: int, cookie: bool) -> Stun | None:
    method = kind & 0x000F | kind >> 1 & 0x0070 | kind >> 2 & 0x0F80
    seen: set[int] = set()
    at, end = 20, 20 + length
    while at + 4 <= end and len(seen) < _MAX_ATTRIBUTES:
        attribute, size = _header(payload, at)
        at += 4 + (size + 3 & ~3)
        if at > end:
            if cookie:
                break
            return None
        seen.add(attribute)
    return Stun(
        method=method,
        response=bool(kind & 0x0100),
        cookie=cookie,
        transaction=payload[8:20],
        turn=method in _TURN_METHODS,
        ice=method == _BINDING and _USERNAME in seen and _INTEGRITY in seen and bool(seen & _ICE_ATTRIBUTES),
        zoom=payload[20:43] == _ZOOM_PROBE,
        attributes=len(seen),
    )


def may_be_stream(head: bytes | bytearray) -> bool:
    """Return whether what came of a stream so far may begin with a message."""
    return len(head) < 10 or head[4:8] == _COOKIE or head[6:10] == _COOKIE


def read_stream(head: bytes | bytearray) -> list[Stun]:
    """Return the messages that a stream begins with: bare (RFC 8489 section 6.2.2) or framed (RFC 4571)."""
    data = bytes(head[:2048])
    if len(data) >= 24 and data[6:10] == _COOKIE:
        framed = 2
    elif len(data) >= 20 and data[4:8] == _COOKIE:
        framed = 0
    else:
        return []
    found: list[Stun] = []
    at = 0
    while at + framed + 20 <= len(data) and len(found) < 8:
        length = _header(data, at + framed)[1]
        size = int.from_bytes(data[at : at + 2], "big") if framed else 20 + length
        message = read_stun(data[at + framed : at + framed + max(size, 20)])
        if message is None:
            break
        found.append(message)
        at += framed + max(size, 20)
    return found
