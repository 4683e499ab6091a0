"""Guessing of passwords: many short SSH or RDP sessions, many refused SMTP logins.

What is encrypted cannot be read; an attempt is a session that ends soon and carries little more than a key
exchange and a log-in. Sources: RFC 4253 section 4.2 (SSH identification), MS-RDPBCGR section 2.2.1.1 (X.224
connection request), RFC 4954 section 6 (SMTP 535).
"""

from __future__ import annotations

from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.bounded import Bounded, Window
from fwguard.detect.flow import Flow, Side
from fwguard.model.detection import Detector, Reason
from fwguard.model.thresholds import BruteForce

_ATTEMPT_PAYLOADS: Final = 14  # identification, key exchange, service, three passwords; a shell needs more
_STARTS_FACTOR: Final = 3  # where ends are not seen, three times as many beginnings

Source = tuple[str, bytes, str]
"""Ingress, source, what is attacked."""


def session_kind(client: bytes | bytearray, server: bytes | bytearray) -> str:
    """Return what two sides log in by, by their first bytes: "ssh", "rdp" or ""."""
    if client[:4] == b"SSH-" and server[:4] == b"SSH-":
        return "ssh"
    # TPKT, then X.224 connection request and confirm.
    if (
        client[:2] == b"\x03\x00"
        and server[:2] == b"\x03\x00"
        and client[5:6] == b"\xe0"
        and server[5:6] == b"\xd0"
    ):
        return "rdp"
    return ""


class BruteForces:
    """Counts attempts, per target and over all targets."""

    def __init__(self, limits: BruteForce, sources_most: int, accuser: Accuser) -> None:
        self.limits = limits
        self.accuser = accuser
        self.attempts: Bounded[tuple[Source, bytes], Window] = Bounded(sources_most)
        self.starts: Bounded[tuple[Source, bytes], Window] = Bounded(sources_most)
        self.everywhere: Bounded[Source, Window] = Bounded(sources_most)
        self.failures: Bounded[tuple[Source, bytes], Window] = Bounded(sources_most)
        self._spoken: Bounded[tuple[Source, bytes], list[float]] = Bounded(sources_most)

    def started(self, flow: Flow, kind: str, number: int, time_s: float) -> None:
        """Take it that two sides began to speak SSH or RDP."""
        key = (flow.client.ingress, flow.client.address, kind), flow.server.address
        seen = self.starts.take(key, self._window)
        if seen.add(time_s, number) > self.limits.attempts_most * _STARTS_FACTOR:
            self._speak(key, flow, "bruteforce-sessions", seen, time_s)

    def ended(self, flow: Flow, kind: str, number: int, time_s: float) -> None:
        """Take the end of such a session."""
        if time_s - flow.first_s > self.limits.short_s or flow.client.payloads > _ATTEMPT_PAYLOADS:
            return
        source = flow.client.ingress, flow.client.address, kind
        key = source, flow.server.address
        seen = self.attempts.take(key, self._window)
        everywhere = self.everywhere.take(source, self._window)
        everywhere.add(time_s, flow.first_number, flow.server.address)
        if seen.add(time_s, flow.first_number) > self.limits.attempts_most:
            self._speak(key, flow, "bruteforce", seen, time_s)
        elif len(everywhere.events) > self.limits.targets_attempts_most:
            self._speak((source, b""), flow, "bruteforce-everywhere", everywhere, time_s)

    def watch_mail(self, flow: Flow, side: Side, payload: bytes, number: int, time_s: float) -> None:
        """Follow an SMTP session for log-ins that are refused."""
        if side is flow.server and payload.startswith(b"535"):
            key = (flow.client.ingress, flow.client.address, "smtp"), flow.server.address
            seen = self.failures.take(key, self._window)
            if seen.add(time_s, number) > self.limits.failures_most:
                self._speak(key, flow, "bruteforce-refused", seen, time_s)

    def _window(self) -> Window:
        return Window(self.limits.window_s)

    def _speak(self, key: tuple[Source, bytes], flow: Flow, reason: str, seen: Window, time_s: float) -> None:
        spoken = self._spoken.take(key, list)
        if spoken and time_s - spoken[0] < self.limits.window_s:
            return
        spoken[:] = [time_s]
        facts = (
            ("count", str(len(seen.events))),
            ("what", key[0][2].upper()),
            ("targets", str(seen.distinct())),
            ("seconds", f"{time_s - seen.events[0][0]:.1f}"),
        )
        self.accuser.accuse(
            Detector.BRUTEFORCE,
            Reason(reason, facts),
            server=flow.client.address,
            peer=flow.server.address,
            port=flow.server.port,
            protocol=flow.protocol,
            packets=seen.numbers(),
            first_s=seen.events[0][0],
            last_s=time_s,
            ingress=flow.client.ingress,
        )
