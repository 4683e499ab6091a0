"""Floods: SYN, UDP and ICMP packets a second at one target, and answers far larger than what asked for them.

Sources: RFC 4987 (SYN floods), RFC 5635, US-CERT TA14-017A (amplifiers by port).
"""

from __future__ import annotations

from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.bounded import Bounded
from fwguard.model.detection import Detector, Reason
from fwguard.model.thresholds import Flood

Aim = tuple[str, bytes, bytes, int, int]
"""Ingress, source, target, protocol, port (0: any)."""
_UDP: Final = 17
_QUIET_S: Final = 60.0


class _Second:
    """What one source sent to one target in the current second."""

    __slots__ = ("answered", "begin_s", "first_number", "last_number", "sent", "spoken_s")

    def __init__(self) -> None:
        self.begin_s = self.spoken_s = float("-inf")
        self.sent = self.answered = self.first_number = self.last_number = 0


class Floods:
    """Counts packets by second."""

    def __init__(self, limits: Flood, sources_most: int, accuser: Accuser) -> None:
        self.limits = limits
        self.accuser = accuser
        self.aims: Bounded[Aim, _Second] = Bounded(sources_most)
        self.mirrors: Bounded[Aim, list[float]] = Bounded(sources_most)
        self._most = {6: limits.syn_pps, _UDP: limits.udp_pps}

    def sent(self, aim: Aim, number: int, time_s: float) -> None:
        """Take one packet of those that floods are made of."""
        second = self.aims.entries.get(aim)
        if second is None:
            second = self.aims.take(aim, _Second)
        if not 0.0 <= time_s - second.begin_s < 1.0:
            second.begin_s, second.sent, second.answered, second.first_number = time_s, 0, 0, number
        second.sent += 1
        second.last_number = number
        if second.sent > self._most.get(aim[3], self.limits.icmp_pps):
            self._judge(aim, second, time_s)

    def answered(self, aim: Aim) -> None:
        """Take an answer to one of these packets, or a connection that was completed."""
        second = self.aims.entries.get(aim)
        if second is not None:
            second.answered += 1

    def _judge(self, aim: Aim, second: _Second, time_s: float) -> None:
        ingress, source, target, protocol, port = aim
        echoed = protocol not in self._most  # a host answers a flood of echo requests as long as it can
        if not echoed and second.answered * 100 > second.sent * self.limits.answered_percent:
            return
        if time_s - second.spoken_s < _QUIET_S:
            return
        second.spoken_s = time_s
        key = {6: "flood-syn", _UDP: "flood-udp"}.get(protocol, "flood-icmp")
        facts = (
            ("count", str(second.sent)),
            ("seconds", f"{time_s - second.begin_s:.2f}"),
            ("port", str(port)),
        )
        self.accuser.accuse(
            Detector.FLOOD,
            Reason(key, facts),
            server=source,
            peer=target,
            port=port,
            protocol=protocol,
            packets=(second.first_number, second.last_number),
            first_s=second.begin_s,
            last_s=time_s,
            ingress=ingress,
        )

    def mirrored(self, aim: Aim, asked_bytes: int, sent_bytes: int, number: int, time_s: float) -> None:
        """Take a datagram between an amplifier's port and who asked: bytes asked, or bytes sent back."""
        # begin, asked, sent, first packet, spoken
        count = self.mirrors.take(aim, lambda: [time_s, 0.0, 0.0, float(number), 0.0])
        if time_s - count[0] > self.limits.amplified_window_s:
            count[0:4] = time_s, 0.0, 0.0, float(number)
        count[1] += asked_bytes
        count[2] += sent_bytes
        limits = self.limits
        if count[2] < limits.amplified_bytes or count[2] < count[1] * limits.amplified_ratio or count[4]:
            return
        count[4] = 1.0
        ingress, source, target, protocol, port = aim
        facts = (("bytes", f"{count[2]:.0f}"), ("asked", f"{count[1]:.0f}"), ("port", str(port)))
        self.accuser.accuse(
            Detector.FLOOD,
            Reason("flood-amplified", facts),
            server=source,
            peer=target,
            port=port,
            protocol=protocol,
            packets=(int(count[3]), number),
            first_s=count[0],
            last_s=time_s,
            ingress=ingress,
        )
