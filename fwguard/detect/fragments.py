"""IP fragments put together again, within bounds: who sends fragments in floods loses its own oldest.

Sources: RFC 791 section 3.2, RFC 8200 section 4.5, RFC 5722 (what overlaps is dropped whole).
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

MAX_BYTES: Final = 65535
MAX_PIECES: Final = 64

Key = tuple[bytes, int, bytes]
"""Addresses, protocol and identification of one datagram."""


@dataclass(slots=True)
class _Datagram:
    pieces: dict[int, bytes] = field(default_factory=dict)
    end: int = -1
    held: int = 0


@dataclass(slots=True)
class Fragments:
    """Datagrams of which not every piece has come; `dropped` counts those that were given up."""

    most: int = 256
    dropped: int = 0
    _waiting: OrderedDict[Key, _Datagram] = field(default_factory=OrderedDict)

    def add(self, key: Key, offset: int, piece: bytes, last: bool) -> bytes | None:
        """Take one piece at `offset` bytes; return the whole payload once nothing is missing."""
        datagram = self._waiting.get(key)
        if datagram is None:
            if len(self._waiting) >= self.most:
                self._waiting.popitem(last=False)
                self.dropped += 1
            datagram = self._waiting[key] = _Datagram()
        if datagram.pieces.get(offset) == piece:
            return None  # the same packet once more
        wrong = (
            not piece
            or offset + len(piece) > MAX_BYTES
            or len(datagram.pieces) >= MAX_PIECES
            or (last and 0 <= datagram.end != offset + len(piece))
            or any(
                at < offset + len(piece) and offset < at + len(held) for at, held in datagram.pieces.items()
            )
        )
        if wrong:
            del self._waiting[key]
            self.dropped += 1
            return None
        datagram.pieces[offset] = piece
        datagram.held += len(piece)
        if last:
            datagram.end = offset + len(piece)
        if datagram.held != datagram.end:
            return None
        del self._waiting[key]
        return b"".join(datagram.pieces[at] for at in sorted(datagram.pieces))
