"""Port scans: many ports of one target that do not answer, fast or slow, by TCP or UDP."""

from __future__ import annotations

from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.bounded import Bounded
from fwguard.model.detection import Detector, Reason
from fwguard.model.thresholds import PortScan

_UDP: Final = 17
_TRACEROUTE: Final = range(33434, 33535)  # the ports that traceroute counts up; nothing listens there

_MOST_PORTS: Final = 1 << 18  # of all pairs together

Pair = tuple[str, bytes, bytes, int]
"""Ingress, source, target, protocol."""


class _Probes:
    """The ports of one target that one source tried without an answer, by the time of the first try."""

    __slots__ = ("ports", "recent", "spoken")

    def __init__(self) -> None:
        self.ports: dict[int, tuple[float, int]] = {}
        self.recent: tuple[int, ...] = ()  # short, and most are empty: a deque takes half a kilobyte
        self.spoken = False


class PortScans:
    """Counts what each source tries on each target."""

    def __init__(self, limits: PortScan, sources_most: int, accuser: Accuser) -> None:
        self.limits = limits
        self.pairs: Bounded[Pair, _Probes] = Bounded(sources_most)
        self.accuser = accuser
        self.ports = 0

    def tried(self, pair: Pair, port: int, number: int, time_s: float) -> None:
        """Take the first packet to a port."""
        if pair[3] == _UDP and port in _TRACEROUTE:
            return
        limits = self.limits
        probes = self.pairs.take(pair, _Probes)
        if probes.spoken or port in probes.ports:
            return
        if len(probes.ports) > limits.slow_ports_most:
            del probes.ports[next(iter(probes.ports))]
        probes.ports[port] = time_s, number
        self.ports += 1
        if self.ports > _MOST_PORTS:
            self._forget_half()
        probes.recent = (*probes.recent, port)[-limits.ports_most - 1 :]
        fast = len(probes.ports) > limits.ports_most and self._within(probes, time_s)
        if fast or len(probes.ports) > limits.slow_ports_most:
            first = next(iter(probes.ports.values()))[0]
            if fast or time_s - first <= limits.slow_window_s:
                probes.spoken = True
                self._speak(pair, probes, time_s)

    def _forget_half(self) -> None:
        """Forget the older half of the pairs."""
        for pair in list(self.pairs.entries)[: len(self.pairs.entries) // 2]:
            del self.pairs.entries[pair]
            self.pairs.dropped += 1
        self.ports = sum(len(probes.ports) for probes in self.pairs.entries.values())

    def _within(self, probes: _Probes, time_s: float) -> bool:
        """Return whether the last tries are all unanswered and fall into the short window."""
        since = time_s - self.limits.window_s
        return len(probes.recent) > self.limits.ports_most and all(
            probes.ports.get(port, (0.0, 0))[0] >= since for port in probes.recent
        )

    def answered(self, pair: Pair, port: int) -> None:
        """Take it that a port answered: this was no failure."""
        probes = self.pairs.entries.get(pair)
        if probes is not None and probes.ports.pop(port, None) is not None and port in probes.recent:
            probes.recent = tuple(one for one in probes.recent if one != port)

    def _speak(self, pair: Pair, probes: _Probes, time_s: float) -> None:
        ingress, source, target, protocol = pair
        first_s = next(iter(probes.ports.values()))[0]
        ports = sorted(probes.ports)
        facts = (
            ("count", str(len(ports))),
            ("seconds", f"{time_s - first_s:.1f}"),
            ("ports", ", ".join(str(port) for port in ports[:8]) + ("…" if len(ports) > 8 else "")),
        )
        self.accuser.accuse(
            Detector.PORTSCAN,
            Reason("portscan", facts),
            server=source,
            peer=target,
            protocol=protocol,
            packets=tuple(number for _, number in probes.ports.values()),
            first_s=first_s,
            last_s=time_s,
            ingress=ingress,
        )
