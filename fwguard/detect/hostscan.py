"""Host scans: one port of many targets that do not answer, in a burst or by a sequential test.

The test is that of Jung, Paxson, Berger and Balakrishnan, "Fast Portscan Detection Using Sequential Hypothesis
Testing" (2004): each first contact's success or failure moves the odds, and only both bounds end it, so that
a scan of one target an hour is found as well as one of a thousand a second.
"""

from __future__ import annotations

from collections import deque
from math import log
from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.bounded import Bounded
from fwguard.model.detection import Detector, Reason
from fwguard.model.thresholds import HostScan

BURST_ANSWER_S: Final = 1.0  # in a burst, a target that has not answered for that long counts
_MAX_TARGETS: Final = 512
_MAX_PENDING: Final = 65536
_MOST_FAILURES: Final = 64
_MOST_TARGETS: Final = 1 << 18  # of all sources together
_PENDING, _FAILED, _ANSWERED = 0, 1, 2

Scan = tuple[str, bytes, int, int]
"""Ingress, source, protocol, port."""


class _Sweep:
    """What one source tried at one port: target -> (time, packet, outcome), and the odds so far."""

    __slots__ = ("failures", "first_s", "odds", "spoken", "targets")

    def __init__(self, time_s: float) -> None:
        self.targets: dict[bytes, tuple[float, int, int]] = {}
        self.odds = 0.0
        self.spoken = False
        self.first_s = time_s
        self.failures: tuple[int, ...] = ()


class HostScans:
    """Weighs the first contacts of each source."""

    def __init__(self, limits: HostScan, sources_most: int, accuser: Accuser) -> None:
        self.limits = limits
        self.sweeps: Bounded[Scan, _Sweep] = Bounded(sources_most)
        self.accuser = accuser
        benign, scanner = limits.benign_percent / 100, limits.scanner_percent / 100
        self._success = log(scanner / benign)
        self._failure = log((1 - scanner) / (1 - benign))
        self._bound = log(1_000_000 / limits.doubt_ppm)
        self.targets = 0
        self._waiting: deque[tuple[float, Scan, bytes]] = deque(maxlen=_MAX_PENDING)

    def tried(self, scan: Scan, target: bytes, number: int, time_s: float) -> None:
        """Take the first packet to a target."""
        self.tick(time_s)
        sweep = self.sweeps.take(scan, lambda: _Sweep(time_s))
        if sweep.spoken or target in sweep.targets:
            return
        if len(sweep.targets) >= _MAX_TARGETS:
            del sweep.targets[next(iter(sweep.targets))]
            self.targets -= 1
        self.targets += 1
        if self.targets > _MOST_TARGETS:
            self._forget_half()
        sweep.targets[target] = time_s, number, _PENDING
        self._waiting.append((time_s, scan, target))
        if len(sweep.targets) > self.limits.targets_most:
            self._burst(scan, sweep, time_s, BURST_ANSWER_S)

    def _forget_half(self) -> None:
        """Forget the older half of the sources: who floods us with targets is caught by its own."""
        for scan in list(self.sweeps.entries)[: len(self.sweeps.entries) // 2]:
            del self.sweeps.entries[scan]
            self.sweeps.dropped += 1
        self.targets = sum(len(sweep.targets) for sweep in self.sweeps.entries.values())

    def answered(self, scan: Scan, target: bytes) -> None:
        """Take it that a target answered."""
        sweep = self.sweeps.entries.get(scan)
        entry = sweep.targets.get(target) if sweep is not None else None
        if sweep is None or entry is None or entry[2] != _PENDING:
            return
        sweep.targets[target] = entry[0], entry[1], _ANSWERED
        sweep.odds += self._success
        if sweep.odds <= -self._bound:
            sweep.odds = 0.0  # an ordinary source; the test begins again
            sweep.failures = ()

    def refused(self, scan: Scan, target: bytes, time_s: float) -> None:
        """Take it that a target refused, or that the network did."""
        self._fail(scan, target, time_s, self.limits.refused_weight_percent / 100)

    def tick(self, time_s: float) -> None:
        """Let time pass: whoever has not answered by now has failed."""
        waiting, before = self._waiting, time_s - self.limits.answer_s
        while waiting and waiting[0][0] <= before:
            _, scan, target = waiting.popleft()
            self._fail(scan, target, time_s, 1.0)

    def finish(self, time_s: float) -> None:
        """End of the packets: judge bursts without waiting for answers that will not be seen."""
        self.tick(time_s)
        for scan, sweep in list(self.sweeps.entries.items()):
            if not sweep.spoken and len(sweep.targets) > self.limits.targets_most:
                self._burst(scan, sweep, time_s, 0.0)

    def _fail(self, scan: Scan, target: bytes, time_s: float, weight: float) -> None:
        sweep = self.sweeps.entries.get(scan)
        entry = sweep.targets.get(target) if sweep is not None else None
        if sweep is None or entry is None or entry[2] != _PENDING or sweep.spoken:
            return
        sweep.targets[target] = entry[0], entry[1], _FAILED
        private = self.limits.private_weight_percent / 100 if is_private(target) else 1.0
        sweep.odds += self._failure * weight * private
        sweep.failures = (*sweep.failures, entry[1])[-_MOST_FAILURES:]
        if sweep.odds >= self._bound:
            self._speak(scan, sweep, time_s, "hostscan-slow", sweep.failures)

    def _burst(self, scan: Scan, sweep: _Sweep, time_s: float, answer_s: float) -> None:
        since, before = time_s - self.limits.window_s, time_s - answer_s
        silent: list[int] = []
        answered = 0
        for begun, number, outcome in sweep.targets.values():
            if begun < since:
                continue
            if outcome == _ANSWERED:
                answered += 1
            elif outcome == _FAILED or begun <= before:
                silent.append(number)
        total = answered + len(silent)
        if len(silent) > self.limits.targets_most and answered * 100 <= total * self.limits.scanner_percent:
            self._speak(scan, sweep, time_s, "hostscan", tuple(silent[:64]))

    def _speak(self, scan: Scan, sweep: _Sweep, time_s: float, key: str, packets: tuple[int, ...]) -> None:
        sweep.spoken = True
        ingress, source, protocol, port = scan
        failed = sum(outcome != _ANSWERED for _, _, outcome in sweep.targets.values())
        facts = (
            ("count", str(failed)),
            ("all", str(len(sweep.targets))),
            ("port", str(port)),
            ("seconds", f"{time_s - sweep.first_s:.1f}"),
        )
        self.accuser.accuse(
            Detector.HOSTSCAN,
            Reason(key if port else key + "-echo", facts),
            server=source,
            port=port,
            peer=next(reversed(sweep.targets)),
            protocol=protocol,
            packets=packets,
            first_s=sweep.first_s,
            last_s=time_s,
            ingress=ingress,
        )


def is_private(address: bytes) -> bool:
    """Return whether an address is of a private or shared prefix (RFC 1918, 4193, 6598)."""
    if len(address) == 16:
        return address[0] & 0xFE == 0xFC
    first, second = address[0], address[1]
    return (
        first == 10
        or (first == 172 and second & 0xF0 == 16)
        or (first == 192 and second == 168)
        or (first == 100 and second & 0xC0 == 64)
    )
