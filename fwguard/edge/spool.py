"""Events on disk until the controller has them: synced, in order, bounded, at least once.

Two lanes share one numbering: what must never be lost, and counters. When the bound is reached the oldest counters
go, and are counted; a verdict never does. On a full disk counters make room first; what still does not fit waits
in memory, so that enforcement goes on, and `trouble` says so.
"""

from __future__ import annotations

import json
import threading
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fwguard.edge.durable import make_private, write_whole
from fwguard.edge.journal import Journal, Line, read_line, read_lines
from fwguard.errors import InputError
from fwguard.model.edge_wire import MOST_EVENT_BYTES, EdgeEvent, EventKind

COUNTERS: Final = frozenset((EventKind.REFUSAL, EventKind.CONNECTION))
SEGMENT_BYTES: Final = 256 << 10
MOST_WAITING: Final = 20_000
_EVENTS, _COUNTS = "events", "counts"


@dataclass(frozen=True, slots=True)
class _Kept:
    """Where one event stands: in a segment, or (path None) in memory."""

    number: int
    lane: str
    path: Path | None
    offset: int
    size: int
    text: bytes = b""


class Spool:
    """The spool in one folder. Threads may share it.

    `dropped` counts counters that were thrown away, `lost` events that did not even fit in memory, `trouble` is
    why the disk takes no more (empty when it does).
    """

    def __init__(self, folder: Path, *, most_bytes: int = 64 << 20) -> None:
        """Open it: what was not acknowledged is there again. Raises InputError when the folder cannot be made."""
        self.dropped = self.lost = 0
        self.trouble = ""
        self._folder = folder
        self._most_bytes = most_bytes
        self._lock = threading.Lock()
        self._index: deque[_Kept] = deque()
        self._waiting: deque[_Kept] = deque()
        self._sizes: dict[Path, int] = {}
        self._open: dict[str, Journal] = {}
        self.arrived = threading.Event()
        for lane in (_EVENTS, _COUNTS):
            make_private(folder / lane)
        self._acknowledged = self._read_cursor()
        self._is_marked = True
        self._next = self._acknowledged + 1
        self._load()

    def add(self, *events: EdgeEvent) -> None:
        """Keep events; when this returns they last, unless `trouble` says that they wait in memory."""
        if not events:
            return
        with self._lock:
            made: dict[str, list[_Kept]] = {_EVENTS: [], _COUNTS: []}
            for event in events:
                lane = _COUNTS if event.kind in COUNTERS else _EVENTS
                text = json.dumps(event.to_json(), separators=(",", ":")).encode("ascii")
                if len(text) > MOST_EVENT_BYTES:
                    raise InputError(f"{len(text)} bytes", where=event.id, expected=f"≤ {MOST_EVENT_BYTES}")
                made[lane].append(_Kept(self._next, lane, None, 0, len(text), text))
                self._next += 1
            self._settle()
            for lane, some in made.items():
                if some:
                    self._keep(lane, some)
            self._bound()
        self.arrived.set()

    def head(self, most: int) -> list[tuple[int, EdgeEvent]]:
        """Return the oldest events with their numbers, in order; an event that cannot be read is left out."""
        with self._lock:
            first = sorted([*self._first(self._index, most), *self._first(self._waiting, most)],
                           key=lambda one: one.number)[:most]  # fmt: skip
            found = []
            for one in first:
                text = one.text if one.path is None else read_line(one.path, one.offset, one.size)
                if text is not None:
                    found.append((one.number, EdgeEvent.from_json(json.loads(text))))
            if not first:
                self.arrived.clear()
        return found

    def acknowledge(self, number: int) -> None:
        """Forget everything up to this number; it is with the controller."""
        with self._lock:
            self._acknowledged = max(self._acknowledged, number)
            for kept in (self._index, self._waiting):
                while kept and kept[0].number <= number:
                    kept.popleft()
            # First room, then the mark: on a full disk the other way round fails.
            self._forget_segments()
            self._is_marked = False
            self._settle()

    def settle(self) -> bool:
        """Try again to write what waits in memory; return whether everything is on disk."""
        with self._lock:
            self._settle()
            return not self.trouble

    @property
    def undelivered(self) -> int:
        """Return how many events the controller does not have yet."""
        return len(self._index) + len(self._waiting)

    @property
    def bytes(self) -> int:
        """Return what the spool takes on disk."""
        return sum(self._sizes.values())

    def close(self) -> None:
        """Write what waits, if it can be, and close the files."""
        with self._lock:
            self._settle()
            for journal in self._open.values():
                journal.close()
            self._open.clear()

    # ------------------------------------------------------------------ files

    def _read_cursor(self) -> int:
        try:
            return int((self._folder / "cursor").read_bytes())
        except (OSError, ValueError):
            return 0

    def _load(self) -> None:
        found: list[_Kept] = []
        for lane in (_EVENTS, _COUNTS):
            for path in sorted((self._folder / lane).glob("*.log")):
                last = 0
                for line in read_lines(path):
                    last = line.offset + line.size
                    self._next = max(self._next, line.number + 1)
                    if line.number > self._acknowledged:
                        found.append(_Kept(line.number, lane, path, line.offset, line.size))
                self._sizes[path] = last
        found.sort(key=lambda one: one.number)
        self._index.extend(found)
        self._forget_segments()
        if self._index:
            self.arrived.set()

    def _journal(self, lane: str, number: int) -> Journal:
        journal = self._open.get(lane)
        if journal is None or journal.size >= SEGMENT_BYTES:
            # Never append behind what a crash may have torn: a new segment for each start.
            made = Journal(self._folder / lane / f"{number:020d}.log")
            if journal is not None:
                journal.close()
            journal = self._open[lane] = made
            self._sizes[journal.path] = journal.size
        return journal

    def _keep(self, lane: str, some: list[_Kept]) -> None:
        while True:
            try:
                if self._waiting:  # order: nothing overtakes what waits
                    raise OSError(28, self.trouble or "events wait in memory")
                self._write(lane, some)
                self.trouble = ""
                return
            except OSError as error:
                self.trouble = str(error)
                if lane == _EVENTS and not self._waiting and self._drop_oldest_counts():
                    continue
                if lane == _COUNTS:
                    self.dropped += len(some)
                    return
                room = max(0, MOST_WAITING - len(self._waiting))
                self.lost += len(some[room:])
                self._waiting.extend(some[:room])
                return

    def _write(self, lane: str, some: Iterable[_Kept]) -> None:
        batch = list(some)
        journal = self._journal(lane, batch[0].number)
        lines: list[Line] = journal.append((one.number, one.text) for one in batch)
        self._sizes[journal.path] = journal.size
        self._index.extend(_Kept(one.number, lane, journal.path, one.offset, one.size) for one in lines)

    def _settle(self) -> None:
        if not self._is_marked:
            try:
                write_whole(self._folder / "cursor", b"%d" % self._acknowledged)
                self._is_marked = True
            except OSError as error:
                self.trouble = str(error)  # sent again after a restart: the id says that it is the same
                return
        while self._waiting:
            batch = [self._waiting[i] for i in range(min(64, len(self._waiting)))]
            try:
                self._write(_EVENTS, batch)
            except OSError as error:
                self.trouble = str(error)
                if self._drop_oldest_counts():
                    continue
                return
            for _ in batch:
                self._waiting.popleft()
        self.trouble = ""

    def _bound(self) -> None:
        while self.bytes > self._most_bytes and self._drop_oldest_counts():
            pass

    def _drop_oldest_counts(self) -> bool:
        """Give back the oldest segment of counters; return whether there was one."""
        path = min((path for path in self._sizes if path.parent.name == _COUNTS), default=None)
        if path is None:
            return False
        self.dropped += sum(one.path == path for one in self._index)
        self._index = deque(one for one in self._index if one.path != path)
        self._remove(path)
        return True

    def _forget_segments(self) -> None:
        used = {one.path for one in self._index}
        writing = {journal.path for journal in self._open.values()}
        for path in [path for path in self._sizes if path not in used]:
            if path not in writing or self._sizes[path] >= SEGMENT_BYTES:
                self._remove(path)

    def _remove(self, path: Path) -> None:
        journal = self._open.get(path.parent.name)
        if journal is not None and journal.path == path:
            journal.close()
            del self._open[path.parent.name]
        path.unlink(missing_ok=True)
        self._sizes.pop(path, None)

    @staticmethod
    def _first(kept: deque[_Kept], most: int) -> list[_Kept]:
        return [kept[i] for i in range(min(most, len(kept)))]
