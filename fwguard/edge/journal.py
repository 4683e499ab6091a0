"""A file of lines that only grows, each with its checksum: what a crash tore at the end is cut off and counted.

    1c291ca3 17 {"kind": …}

checksum (CRC-32 of what follows the first space), number, text. A line counts once it was synced.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fwguard.edge.durable import sync_folder

MOST_LINE_BYTES: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Line:
    """One line: its number, its text, and where it stands in the file."""

    number: int
    text: bytes
    offset: int
    size: int


class Journal:
    """One such file, open for appending. Not for several threads at once."""

    def __init__(self, path: Path) -> None:
        """Open or make it, and cut off what is torn. `torn_bytes` says how much that was. Raises OSError."""
        self.path = path
        fresh = not path.exists()
        self._handle = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        if fresh:
            sync_folder(path.parent)
        self.size = self.last = 0
        for line in read_lines(path):
            self.size = line.offset + line.size
            self.last = line.number
        self.torn_bytes = os.fstat(self._handle).st_size - self.size
        if self.torn_bytes:
            os.ftruncate(self._handle, self.size)
            os.fsync(self._handle)

    def append(self, lines: Iterable[tuple[int, bytes]]) -> list[Line]:
        """Append lines (number, text) and sync them: all last, or none does.

        Raises OSError (ENOSPC, EIO, …); the file is then as before.
        """
        made: list[Line] = []
        at = self.size
        parts: list[bytes] = []
        for number, text in lines:
            packed = _packed(number, text)
            parts.append(packed)
            made.append(Line(number, text, at, len(packed)))
            at += len(packed)
        data = b"".join(parts)
        try:
            written = 0
            while written < len(data):
                written += os.pwrite(self._handle, data[written:], self.size + written)
            os.fdatasync(self._handle)
        except OSError:
            # A torn line must not stand before the next one.
            with suppress(OSError):
                os.ftruncate(self._handle, self.size)
            raise
        self.size = at
        self.last = made[-1].number if made else self.last
        return made

    def close(self) -> None:
        """Close the file."""
        os.close(self._handle)


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the whole lines of a file up to the first that is torn or altered; nothing of a missing file."""
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        offset = 0
        while raw := file.readline(MOST_LINE_BYTES + 64):
            line = _unpacked(raw, offset)
            if line is None:
                return
            yield line
            offset += len(raw)


def read_line(path: Path, offset: int, size: int) -> bytes | None:
    """Return the text of one line, None when it is no longer as it was written."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            line = _unpacked(file.read(size), offset)
    except OSError:
        return None
    return None if line is None else line.text


def _packed(number: int, text: bytes) -> bytes:
    if b"\n" in text or len(text) > MOST_LINE_BYTES:
        raise ValueError(f"a text of {len(text)} bytes, or with a line break")
    body = b"%d %b" % (number, text)
    return b"%08x %b\n" % (zlib.crc32(body), body)


def _unpacked(raw: bytes, offset: int) -> Line | None:
    if not raw.endswith(b"\n") or raw[8:9] != b" ":
        return None
    body = raw[9:-1]
    number, space, text = body.partition(b" ")
    if not space or not number.isdigit() or raw[:8] != b"%08x" % zlib.crc32(body):
        return None
    return Line(int(number), text, offset, len(raw))
