"""Writes that nobody confirmed yet: what was there before them, and when it is put back.

A device with a deadline of its own needs none of this. For the others the deadline is ours: a thread of this
process. If the process is killed meanwhile, nothing on the device takes the write back; the next look does,
since what it then reads is neither approved nor under way (flows/guard.py), and what starts was not saved.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fwguard.devices.command_line.plan import Plan
from fwguard.model.snapshot import Snapshot

_REMEMBERED: Final = 256


@dataclass(frozen=True, slots=True, kw_only=True)
class Pending:
    """One write: what it was made from and for, and how it is told."""

    before: Snapshot
    after: Snapshot
    plan: Plan


class PendingWrites:
    """Unconfirmed writes by the warrant's id; each is taken once, by whoever confirms or undoes it."""

    def __init__(self) -> None:
        self._writes: dict[str, tuple[Pending, threading.Timer | None]] = {}
        self._guard = threading.Lock()

    def add(self, id: str, write: Pending, *, undo_in_s: int = 0, undo: Callable[[], None]) -> None:
        """Remember a write; with `undo_in_s`, call `undo` then unless it was taken before."""
        timer = threading.Timer(undo_in_s, undo) if undo_in_s else None
        if timer is not None:
            timer.daemon = True
            timer.start()
        with self._guard:
            self._writes[id] = write, timer
            for stale in list(self._writes)[:-_REMEMBERED]:
                self._writes.pop(stale)

    def take(self, id: str) -> Pending | None:
        """Return a write and forget it, its timer with it; None when it was taken already."""
        with self._guard:
            write, timer = self._writes.pop(id, (None, None))
        if timer is not None:
            timer.cancel()
        return write
