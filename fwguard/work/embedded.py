"""Looks run by threads of this very process: one machine, no broker, nothing to lose at a kill."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Mapping
from itertools import count

import structlog

from fwguard.errors import FwguardError
from fwguard.work.protocol import Flow, Look

log = structlog.get_logger(__name__)

# What a failed look waits before it is tried again: doubles up to the last.
FIRST_RETRY_S = 1.0
LAST_RETRY_S = 60.0


class EmbeddedWork:
    """A heap of looks with their times, and a few threads that take the next due one.

    `flows` maps a kind to its flow; `sweep` is called every `sweep_s` and pokes whatever the tables
    say is due, which is also how work goes on after a restart.
    """

    def __init__(
        self,
        flows: Mapping[str, Flow],
        *,
        threads: int = 4,
        sweep: Callable[[], None] | None = None,
        sweep_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._flows = dict(flows)
        self._clock = clock
        self._sweep, self._sweep_s = sweep, sweep_s
        self._changed = threading.Condition()
        self._heap: list[tuple[float, int, Look]] = []
        self._due: dict[Look, float] = {}  # the time that holds; heap entries of another time are stale
        self._running: set[Look] = set()
        self._again: dict[Look, float] = {}  # poked while running
        self._failures: dict[Look, int] = {}
        self._order = count()
        self._stopping = False
        self._threads = [
            threading.Thread(target=self._run, name=f"work-{i}", daemon=True) for i in range(threads)
        ]
        if sweep is not None:
            self._flows["sweep"] = self._sweep_once

    def start(self) -> None:
        """Start the threads, and sweep at once."""
        if self._sweep is not None:
            self.poke("sweep", "")
        for thread in self._threads:
            thread.start()

    def stop(self, *, wait_s: float = 10.0) -> None:
        """Let running looks end (at most `wait_s`), start no more."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        deadline = time.monotonic() + wait_s
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))

    def poke(self, kind: str, subject: str, *, after_s: float = 0.0) -> None:
        """Ask for a look (see Work.poke). Raises KeyError for a kind that no flow serves."""
        if kind not in self._flows:
            raise KeyError(kind)
        look, at = Look(kind, subject), self._clock() + after_s
        with self._changed:
            if look in self._running:
                self._again[look] = min(at, self._again.get(look, at))
            elif at < self._due.get(look, float("inf")):
                self._schedule(look, at)

    def idle(self) -> bool:
        """Tell whether nothing runs and nothing is due now (a sweep apart)."""
        with self._changed:
            now = self._clock()
            return not any(look.kind != "sweep" for look in self._running) and not any(
                at <= now for look, at in self._due.items() if look.kind != "sweep"
            )

    def _schedule(self, look: Look, at: float) -> None:
        self._due[look] = at
        heapq.heappush(self._heap, (at, next(self._order), look))
        self._changed.notify()

    def _take(self) -> Look | None:
        """Wait for the next due look and mark it running; None when stopping."""
        with self._changed:
            while not self._stopping:
                while self._heap and self._due.get(self._heap[0][2]) != self._heap[0][0]:
                    heapq.heappop(self._heap)
                if self._heap and self._heap[0][0] <= self._clock():
                    _, _, look = heapq.heappop(self._heap)
                    del self._due[look]
                    self._running.add(look)
                    return look
                self._changed.wait(max(0.0, self._heap[0][0] - self._clock()) if self._heap else None)
            return None

    def _run(self) -> None:
        while (look := self._take()) is not None:
            again_s = self._one(look)
            with self._changed:
                self._running.discard(look)
                times = [at for at in (self._again.pop(look, None),) if at is not None]
                if again_s is not None:
                    times.append(self._clock() + again_s)
                if times and not self._stopping:
                    self._schedule(look, min(times))

    def _one(self, look: Look) -> float | None:
        """Run one look; a failure is logged and tried again, later each time."""
        try:
            again_s = self._flows[look.kind](look.subject)
        except Exception as error:
            failures = self._failures[look] = self._failures.get(look, 0) + 1
            retry_s = min(FIRST_RETRY_S * float(1 << min(failures - 1, 16)), LAST_RETRY_S)
            expected = isinstance(error, FwguardError)
            log.warning("look failed", kind=look.kind, subject=look.subject, why=str(error), retry_s=retry_s,
                        exc_info=not expected)  # fmt: skip
            return retry_s
        self._failures.pop(look, None)
        return again_s

    def _sweep_once(self, _subject: str) -> float:
        assert self._sweep is not None  # noqa: S101  # only registered with a sweep
        self._sweep()
        return self._sweep_s
