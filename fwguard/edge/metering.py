"""What clients, architectures and servers carry: the kernel's counters every 5 s, as time series (clause 7.7)."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from fwguard.kernel.counters import Count, PortReading, rates, read_ports, route_socket
from fwguard.kernel.series import Series, Step
from fwguard.model.edge import EdgePort, EdgeState

EVERY_S: Final = 5.0
MOST_SERIES: Final = 8_192  # subjects, 90 KB each when full; servers beyond are counted and have no series


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose traffic: scope is client, architecture or server."""

    scope: str
    name: str


class Metering:
    """Counters and series. `sent` is what machines sent into their ports, `received` what they got.

    A client and an architecture are counted at the ports that face outside, all together (clause 7.7 is about
    the uplink); a server at its own port. Threads may share it.
    """

    def __init__(self, *, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._socket = route_socket()
        self._before: PortReading | None = None
        self._ports: Mapping[str, EdgePort] = {}
        self._outer: frozenset[str] = frozenset()
        self._series: dict[Subject, tuple[Series, Series]] = {}
        self.counts: dict[str, Count] = {}
        self.left_out = 0

    def follow(self, state: EdgeState) -> None:
        """Count by this state from now on."""
        with self._lock:
            self._ports = {port.interface: port for port in state.ports}
            self._outer = frozenset(port.interface for port in state.outer_ports)
            known = {subject for port in state.ports for subject in _subjects(port, outer=True)}
            self._series = {subject: both for subject, both in self._series.items() if subject in known}
            # Clients and architectures first: of servers, as many as there is room for.
            for subject in sorted(known, key=lambda one: (one.scope == "server", one.scope, one.name)):
                if len(self._series) < MOST_SERIES:
                    self._series.setdefault(subject, (Series(), Series()))

    def take(self) -> None:
        """Read the counters once and add to the series. Raises DeviceError, PartialReadingError."""
        reading = read_ports(self._socket)
        names = dict(socket.if_nameindex())
        at_s = self._clock()
        with self._lock:
            before, self._before = self._before, reading
            self.counts = {
                names[index]: count
                for index, count in reading.counts.items()
                if names.get(index, "") in self._ports
            }
            if before is None:
                return
            sums: dict[Subject, list[float]] = {}
            for index, rate in rates(before, reading).items():
                port = self._ports.get(names.get(index, ""))
                if port is None:
                    continue
                for subject in _subjects(port, outer=port.interface in self._outer):
                    both = sums.setdefault(subject, [0.0, 0.0])
                    both[0] += rate.in_bps
                    both[1] += rate.out_bps
            for subject, (sent, received) in sums.items():
                series = self._of(subject)
                if series is not None:
                    series[0].add(at_s, sent)
                    series[1].add(at_s, received)

    def _of(self, subject: Subject) -> tuple[Series, Series] | None:
        found = self._series.get(subject)
        if found is None:
            if len(self._series) >= MOST_SERIES:
                self.left_out += 1
                return None
            found = self._series[subject] = Series(), Series()
        return found

    def latest(self) -> Iterator[tuple[Subject, str, Step, float, float]]:
        """Yield subject, direction, step, and the mean and 95th percentile of its last finished step."""
        with self._lock:
            known = list(self._series.items())
        for subject, both in known:
            for direction, series in zip(("sent", "received"), both, strict=True):
                for step in Step:
                    points = series.points(step)
                    if points:
                        yield subject, direction, step, points[-1].mean_bps, points[-1].p95_bps

    def points(self, subject: Subject, direction: str, step: Step) -> list[tuple[int, float, float]]:
        """Return (when, mean, 95th percentile) of every finished step that is kept."""
        with self._lock:
            both = self._series.get(subject)
        if both is None:
            return []
        series = both[0 if direction == "sent" else 1]
        return [(one.at_s, one.mean_bps, one.p95_bps) for one in series.points(step)]

    def carried(self) -> list[tuple[EdgePort, Count]]:
        """Return what each port of the state has carried since it was made."""
        with self._lock:
            return [(self._ports[name], count) for name, count in self.counts.items() if name in self._ports]

    def usage(self, *, most: int) -> dict[str, Any]:
        """Return the last minute of the busiest clients, for the report: bit/s as mean and 95th percentile."""
        found: dict[str, Any] = {}
        for subject, direction, step, mean, p95 in self.latest():
            if subject.scope == "client" and step is Step.MINUTE:
                found.setdefault(subject.name, {})[direction] = {
                    "mean_bps": round(mean),
                    "p95_bps": round(p95),
                }
        return found

    def close(self) -> None:
        """End the socket."""
        self._socket.close()


def _subjects(port: EdgePort, *, outer: bool) -> Iterator[Subject]:
    if outer:
        yield Subject("client", port.client)
        yield Subject("architecture", port.architecture)
    if port.kind.value == "server":
        yield Subject("server", port.server)
