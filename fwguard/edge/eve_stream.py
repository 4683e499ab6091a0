"""Where Suricata's lines come from on an edge: a file that grows and is rotated, or a socket that it writes to.

Nothing here waits, and no line is longer than its bound: what is longer is left out and counted. Suricata opens
the socket itself (`filetype: unix_stream` or `unix_dgram` in suricata.yaml), so that we listen.
"""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final, Protocol

from fwguard.detect.outside.eve import MOST_LINE_BYTES

CHUNK_BYTES: Final = 256 << 10
MOST_WRITERS: Final = 8


class EveSource(Protocol):
    """Lines, as many as are there."""

    too_long: int

    def lines(self) -> Iterator[bytes]:
        """Yield whole lines that are there now, without waiting."""

    def close(self) -> None:
        """Let go of it."""


class _Lines:
    """Bytes to lines; a line that grows beyond its bound is dropped to its end."""

    def __init__(self) -> None:
        self.rest = bytearray()
        self.skipping = False
        self.too_long = 0

    def add(self, data: bytes) -> Iterator[bytes]:
        self.rest += data
        *whole, last = self.rest.split(b"\n")
        self.rest = last
        for line in whole:
            if self.skipping:
                self.skipping = False  # the end of the one that was too long
            elif len(line) > MOST_LINE_BYTES:
                self.too_long += 1
            elif line.strip():
                yield bytes(line)
        if len(self.rest) > MOST_LINE_BYTES:
            self.too_long += not self.skipping
            self.skipping = True
            self.rest.clear()


class EveFile:
    """A file that Suricata appends to. After a rotation the old one is read to its end, then the new one."""

    def __init__(self, path: Path, *, from_start: bool = False) -> None:
        """Begin at the end of what is there, or at its start; the file may come later."""
        self.path = path
        self._file: BinaryIO | None = None
        self._lines = _Lines()
        self._skip = not from_start
        self._skip = self._open() is None and self._skip

    @property
    def too_long(self) -> int:
        """Return how many lines were left out."""
        return self._lines.too_long

    def lines(self) -> Iterator[bytes]:
        """Yield whole lines that are there now, at most 256 KiB of them."""
        if self._file is None and self._open() is None:
            return
        file = self._file
        if file is None:
            return
        data = file.read(CHUNK_BYTES)
        if data:
            yield from self._lines.add(data)
            return
        now = self._there()
        held = os.fstat(file.fileno())
        if now is None or (now.st_dev, now.st_ino) != (held.st_dev, held.st_ino):
            self.close()  # rotated: the next call opens the new one, from its start
        elif now.st_size < file.tell():
            file.seek(0)  # truncated in place
            self._lines = _keep_count(self._lines)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None
            self._lines = _keep_count(self._lines)

    def _there(self) -> os.stat_result | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found if stat.S_ISREG(found.st_mode) else None

    def _open(self) -> BinaryIO | None:
        if self._there() is None:
            self._skip = False  # what is written from now on is new
            return None
        try:
            self._file = self.path.open("rb", buffering=0)
        except OSError:
            return None
        if self._skip and self._file is not None:
            self._file.seek(0, os.SEEK_END)
        self._skip = False
        return self._file


def _keep_count(lines: _Lines) -> _Lines:
    fresh = _Lines()
    fresh.too_long = lines.too_long
    return fresh


class EveSocket:
    """A unix socket that Suricata writes to; `datagrams` for unix_dgram, where each message is a line."""

    def __init__(self, path: Path, *, datagrams: bool = False) -> None:
        """Listen at a path, which is made anew: only our user and group may write to it."""
        self.path = path
        path.unlink(missing_ok=True)
        kind = socket.SOCK_DGRAM if datagrams else socket.SOCK_STREAM
        self._socket = socket.socket(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
        before = os.umask(0o117)
        try:
            self._socket.bind(str(path))
        finally:
            os.umask(before)
        if not datagrams:
            self._socket.listen(MOST_WRITERS)
        self._datagrams = datagrams
        self._writers: dict[socket.socket, _Lines] = {}
        self._left_out = 0

    @property
    def too_long(self) -> int:
        """Return how many lines were left out."""
        return self._left_out + sum(lines.too_long for lines in self._writers.values())

    def fileno(self) -> int:
        """Return the descriptor to wait on for new writers or messages."""
        return self._socket.fileno()

    def lines(self) -> Iterator[bytes]:
        """Yield whole lines that are there now, at most 256 KiB of each writer."""
        if self._datagrams:
            yield from self._messages()
            return
        while len(self._writers) < MOST_WRITERS:
            try:
                writer, _ = self._socket.accept()
            except OSError:
                break
            writer.setblocking(False)
            self._writers[writer] = _Lines()
        for writer, lines in list(self._writers.items()):
            try:
                data = writer.recv(CHUNK_BYTES)
            except BlockingIOError:
                continue
            except OSError:
                data = b""
            if data:
                yield from lines.add(data)
            else:
                self._left_out += lines.too_long
                del self._writers[writer]
                writer.close()

    def _messages(self) -> Iterator[bytes]:
        for _ in range(CHUNK_BYTES // 1024):
            try:
                data = self._socket.recv(MOST_LINE_BYTES + 1)
            except OSError:
                return
            if len(data) > MOST_LINE_BYTES:
                self._left_out += 1
            elif data.strip():
                yield data.rstrip(b"\n")

    def close(self) -> None:
        """Stop listening, and take the path away."""
        for writer in self._writers:
            writer.close()
        self._socket.close()
        self.path.unlink(missing_ok=True)
