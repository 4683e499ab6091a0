"""RTP and RTCP: a header that says little, believed only when several packets continue each other.

Sources: RFC 3550 sections 5.1, 6.1 and A.1, RFC 3551 section 6, RFC 5761 section 4 (telling the two apart),
RFC 3711 (what stays clear in SRTP).
"""

from __future__ import annotations

from struct import Struct
from typing import Final

RUN: Final = 4  # packets that continue each other
_MOST_LOST: Final = 64
_MAX_SOURCES: Final = 4
_BROADCAST_TYPES: Final = frozenset((33,))  # MPEG-2 transport streams: television, not conversation
_header = Struct("!BBHII").unpack_from
_control = Struct("!BBHI").unpack_from


def is_rtcp(payload: bytes) -> bool:
    """Return whether a datagram with version 2 is of RTCP's packet types."""
    return len(payload) >= 8 and 192 <= payload[1] <= 223


class Sources:
    """The synchronization sources that one side of a flow sends, and how well they continue."""

    __slots__ = ("control", "tracks")

    def __init__(self) -> None:
        self.tracks: dict[int, tuple[int, int, int, int]] = {}  # ssrc -> type, sequence, timestamp, run
        self.control: dict[int, int] = {}

    def media(self, payload: bytes) -> int:
        """Take what may be an RTP packet; return how many now continue each other, 0 for none."""
        if len(payload) < 12:
            return 0
        first, second, sequence, timestamp, ssrc = _header(payload)
        kind = second & 0x7F
        if 34 < kind < 96 or kind in _BROADCAST_TYPES or 12 + (first & 0x0F) * 4 > len(payload) or not ssrc:
            return 0
        known = self.tracks.get(ssrc)
        if known is None:
            if len(self.tracks) >= _MAX_SOURCES:
                return 0
            self.tracks[ssrc] = kind, sequence, timestamp, 1
            return 1
        _, last, stamp, run = known
        ahead = sequence - last & 0xFFFF
        if 0 < ahead <= _MOST_LOST and (timestamp - stamp & 0xFFFFFFFF) < 1 << 31:
            run += 1
        elif ahead <= 0xFFFF - _MOST_LOST and ahead:
            run = 1  # neither the next nor a late one
        self.tracks[ssrc] = kind, sequence, timestamp, run
        return run

    def report(self, payload: bytes) -> int:
        """Take what may be an RTCP packet; return how many this source has sent, 0 for none."""
        _, kind, words, ssrc = _control(payload)
        size = (words + 1) * 4
        if not 200 <= kind <= 207 or size > len(payload) or not ssrc:
            return 0
        if size < (28 if kind == 200 else 8):
            return 0
        if ssrc not in self.control and len(self.control) >= _MAX_SOURCES:
            return 0
        whole = _whole(payload)
        self.control[ssrc] = self.control.get(ssrc, 0) + (2 if whole else 1)
        return self.control[ssrc]


def _whole(payload: bytes) -> bool:
    """Return whether a datagram is a chain of RTCP packets to its last byte, two or more, in clear."""
    at = count = 0
    while at + 4 <= len(payload) and count < 16:
        kind = payload[at + 1]
        if payload[at] >> 6 != 2 or not 200 <= kind <= 207:
            return False
        at += (int.from_bytes(payload[at + 2 : at + 4], "big") + 1) * 4
        count += 1
    return at == len(payload) and count >= 2
