"""Link layers other than Ethernet: where the packet begins and of which EtherType it is.

Sources: the list of LINKTYPE_ values of the pcap format; RFC 1661 and 1332 (PPP), RFC 2516 (PPPoE), Linux's
packet(7) (cooked captures).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from struct import Struct
from typing import Final

V4, V6 = 0x0800, 0x86DD
PPP: Final[Mapping[int, int]] = {0x0021: V4, 0x0057: V6, 0x0281: 0x8847, 0x0283: 0x8848}
_short = Struct("!H").unpack_from


def read_ppp(frame: bytes, at: int) -> tuple[int, int]:
    """Return EtherType and start of what a PPP frame holds (RFC 1661: fields may be compressed)."""
    if frame[at : at + 2] == b"\xff\x03":
        at += 2
    if frame[at] & 1:
        return PPP.get(frame[at], 0), at + 1
    return PPP.get(_short(frame, at)[0], 0), at + 2


def _point_to_point(frame: bytes) -> tuple[int, int]:
    kind, start = read_ppp(frame, 0)
    return start, kind


def _raw(frame: bytes) -> tuple[int, int]:
    return 0, V6 if frame[0] >> 4 == 6 else V4


def _loopback(frame: bytes) -> tuple[int, int]:
    """The family is in the byte order of the writer and AF_INET6 differs by system."""
    family = frame[0] | frame[3]
    return 4, V4 if family == 2 else V6 if family in (10, 24, 28, 30) else 0


def _nflog(frame: bytes) -> tuple[int, int]:
    """Attributes as (length, type, value) in the byte order of the writer, padded to 4; 9 is the packet."""
    at = 4
    for _ in range(64):
        size, kind = int.from_bytes(frame[at : at + 2], "little"), frame[at + 2]
        if kind == 9:
            return at + 4, {2: V4, 10: V6}.get(frame[0], 0)
        at += max(4, (size + 3) // 4 * 4)
    return 0, 0


LINKS: Final[Mapping[int, Callable[[bytes], tuple[int, int]]]] = {
    0: _loopback,
    9: _point_to_point,
    12: _raw,
    14: _raw,
    50: _point_to_point,
    51: lambda frame: (6, PPP.get(_short(frame, 6)[0], 0)),
    101: _raw,
    104: lambda frame: (4, _short(frame, 2)[0]),
    108: _loopback,
    113: lambda frame: (16, _short(frame, 14)[0]),
    228: lambda frame: (0, V4),
    229: lambda frame: (0, V6),
    239: _nflog,
    276: lambda frame: (20, _short(frame, 0)[0]),
}
