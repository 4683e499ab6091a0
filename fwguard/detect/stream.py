"""The first bytes of one direction of a connection, put in order within bounds.

Segments may come late, twice, overlapping or lying about each other: what came first stays (a later copy
cannot rewrite what was judged), a hole is waited for with a few segments in hand, and no more.
Source: RFC 9293 section 3.10.7.4 (sequence numbers), RFC 1858 (why the first copy stays).
"""

from __future__ import annotations

from typing import Final

MAX_LATE: Final = 8
WINDOW_BYTES: Final = 1 << 16
_HALF: Final = 1 << 31
_MASK: Final = (1 << 32) - 1


class Stream:
    """`head` is what is in order so far; `anchored` when the opening SYN told where it begins."""

    __slots__ = ("anchored", "head", "held", "late", "limit_bytes", "next_seq", "torn")

    def __init__(self, limit_bytes: int) -> None:
        self.head = bytearray()
        self.held = 0  # bytes, in order or waiting
        self.limit_bytes = limit_bytes
        self.next_seq = -1
        self.anchored = False
        self.torn = False  # bytes are missing for good: what follows is not appended
        self.late: tuple[tuple[int, bytes], ...] = ()

    def anchor(self, seq: int) -> None:
        """Take the sequence number of the first byte, from a SYN."""
        if self.next_seq < 0:
            self.next_seq = seq & _MASK
            self.anchored = True

    def add(self, seq: int, data: bytes, length: int) -> bool:
        """Take a segment of `length` bytes of which `data` was kept; return whether the head grew."""
        if self.next_seq < 0:
            self.next_seq = seq
        ahead = (seq - self.next_seq) & _MASK
        if ahead and not self._place(seq, data, ahead):
            return self._prepended(seq, data, ahead)
        if ahead:
            back = _MASK + 1 - ahead
            data, length = data[back:], length - back
        grew = self._append(data, length)
        if self.late and grew:
            self._drain()
        self.held = len(self.head) + (sum(len(data) for _, data in self.late) if self.late else 0)
        return grew

    def _place(self, seq: int, data: bytes, ahead: int) -> bool:
        """Return whether a segment that is not the next one still brings bytes at the end."""
        if ahead >= _HALF:
            back = _MASK + 1 - ahead
            return back < len(data)
        if ahead < WINDOW_BYTES and len(self.late) < MAX_LATE and not self.torn:
            self.late += ((seq, data[: self.limit_bytes]),)
            self.held += min(len(data), self.limit_bytes)
        return False

    def _prepended(self, seq: int, data: bytes, ahead: int) -> bool:
        """Put a segment before the first one that was seen, where no SYN said which was first."""
        start = self.next_seq - len(self.head)
        if self.anchored or self.torn or ahead < _HALF or (seq + len(data) - start) & _MASK:
            return False
        room = self.limit_bytes - len(self.head)
        data = data[-room:] if room > 0 else b""
        self.head[:0] = data
        self.held += len(data)
        return bool(data)

    def _append(self, data: bytes, length: int) -> bool:
        room = self.limit_bytes - len(self.head)
        self.next_seq = (self.next_seq + length) & _MASK
        if self.torn or not data:
            return False
        self.head += data[:room]
        if len(data) < length or room <= len(data):
            self.torn = True
            self.late = ()
        return room > 0

    def _drain(self) -> None:
        """Append what was waiting for the hole that is now closed."""
        for _ in range(MAX_LATE):
            for index, (seq, data) in enumerate(self.late):
                back = (self.next_seq - seq) & _MASK
                if back < _HALF:
                    self.late = self.late[:index] + self.late[index + 1 :]
                    if back < len(data):
                        self._append(data[back:], len(data) - back)
                    break
            else:
                return
