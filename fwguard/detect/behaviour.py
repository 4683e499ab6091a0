"""What servers do over many flows: the events of flows, handed to the detectors that count them."""

from __future__ import annotations

from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.bruteforce import BruteForces, session_kind
from fwguard.detect.flood import Floods
from fwguard.detect.flow import Flow, Side
from fwguard.detect.frame import ACK, ICMP, ICMPV6, RST, SYN, TCP, UDP, Packet
from fwguard.detect.hostscan import HostScans
from fwguard.detect.portscan import PortScans
from fwguard.detect.spam_burst import SpamBursts
from fwguard.model.thresholds import Thresholds

_ECHO: Final = {8 << 8: ICMP, 128 << 8: ICMPV6}
_ECHO_REPLY: Final = {0: ICMP, 129 << 8: ICMPV6}
_UNREACHABLE, _UNREACHABLE_V6 = 3, 1
_GROUPS: Final = frozenset(range(224, 240))


class Behaviours:
    """Port and host scans, brute force, floods, spam bursts."""

    def __init__(self, thresholds: Thresholds, accuser: Accuser) -> None:
        most = thresholds.memory.sources_most
        self.portscans = PortScans(thresholds.portscan, most, accuser)
        self.hostscans = HostScans(thresholds.hostscan, most, accuser)
        self.bruteforces = BruteForces(thresholds.bruteforce, most, accuser)
        self.floods = Floods(thresholds.flood, most, accuser)
        self.spam = SpamBursts(thresholds.spam_burst, most, accuser)
        self._amplifiers = thresholds.flood.amplifier_ports

    def opened(self, flow: Flow, flags: int, number: int, time_s: float) -> None:
        """Take the first packet of a flow; only one that opens a connection, or never would, counts."""
        if flow.protocol == TCP and flags & (SYN | ACK) != SYN and flags & (SYN | ACK | RST):
            return
        client, server = flow.client, flow.server
        if is_group(server.address):
            return
        flow.started = True
        pair = client.ingress, client.address, server.address, flow.protocol
        self.portscans.tried(pair, server.port, number, time_s)
        scan = client.ingress, client.address, flow.protocol, server.port
        self.hostscans.tried(scan, server.address, number, time_s)

    def answered(self, flow: Flow) -> None:
        """Take it that the other side answered."""
        if flow.started:
            client, server = flow.client, flow.server
            pair = client.ingress, client.address, server.address, flow.protocol
            self.portscans.answered(pair, server.port)
            self.hostscans.answered(
                (client.ingress, client.address, flow.protocol, server.port), server.address
            )

    def refused(self, flow: Flow, time_s: float) -> None:
        """Take a reset or an ICMP error in place of an answer."""
        if flow.started and not flow.answered and not flow.failed:
            flow.failed = True
            client, server = flow.client, flow.server
            scan = client.ingress, client.address, flow.protocol, server.port
            self.hostscans.refused(scan, server.address, time_s)

    def syn(self, flow: Flow, number: int, time_s: float) -> None:
        """Take a SYN."""
        client, server = flow.client, flow.server
        self.floods.sent((client.ingress, client.address, server.address, TCP, server.port), number, time_s)

    def completed(self, flow: Flow) -> None:
        """Take a connection that both sides opened: data or an acknowledgement shows that it is one."""
        client, server = flow.client, flow.server
        if not flow.answered:
            self.answered(flow)  # the answer was not captured
        self.floods.answered((client.ingress, client.address, server.address, TCP, server.port))

    def datagram(self, flow: Flow, side: Side, length: int, number: int, time_s: float) -> None:
        """Take a UDP packet."""
        other = flow.server if side is flow.client else flow.client
        floods = self.floods
        floods.sent((side.ingress, side.address, other.address, UDP, 0), number, time_s)
        floods.answered((other.ingress, other.address, side.address, UDP, 0))
        server = flow.server
        if server.port in self._amplifiers:
            aim = server.ingress, server.address, flow.client.address, UDP, server.port
            asked, sent = (length, 0) if side is flow.client else (0, length)
            floods.mirrored(aim, asked, sent, number, time_s)

    def icmp(self, packet: Packet, ingress: str, number: int, time_s: float) -> bytes:
        """Take an ICMP packet; return the key of the flow that an error is about, or b""."""
        kind, source, target = packet.sport, packet.source, packet.target
        if _ECHO.get(kind) == packet.protocol:
            if not is_group(target):
                self.hostscans.tried((ingress, source, packet.protocol, 0), target, number, time_s)
                self.floods.sent((ingress, source, target, packet.protocol, 0), number, time_s)
        elif _ECHO_REPLY.get(kind) == packet.protocol:
            self.hostscans.answered((ingress, target, packet.protocol, 0), source)
        elif kind >> 8 == (_UNREACHABLE if packet.protocol == ICMP else _UNREACHABLE_V6):
            return _inner_key(packet)
        return b""

    def recognised(self, flow: Flow, number: int, time_s: float) -> None:
        """Take the first words of both sides."""
        kind = session_kind(flow.client.head, flow.server.head)
        if kind:
            flow.session = kind
            self.bruteforces.started(flow, kind, number, time_s)

    def ended(self, flow: Flow, number: int, time_s: float) -> None:
        """Take the end of a session."""
        kind, flow.session = flow.session, ""
        self.bruteforces.ended(flow, kind, number, time_s)

    def watch_mail(self, flow: Flow, side: Side, payload: bytes, number: int, time_s: float) -> None:
        """Follow a mail session."""
        self.spam.watch(flow, side, payload, number, time_s)
        self.bruteforces.watch_mail(flow, side, payload, number, time_s)

    def finish(self, time_s: float) -> None:
        """Take the end of the packets."""
        self.hostscans.finish(time_s)


def is_group(address: bytes) -> bool:
    """Return whether an address is of a multicast group or a broadcast."""
    if len(address) == 16:
        return address[0] == 0xFF
    return address[0] in _GROUPS or address == b"\xff\xff\xff\xff"


def _inner_key(packet: Packet) -> bytes:
    """Return the key of the packet that an ICMP error quotes (RFC 792, RFC 4443 section 2.4)."""
    quoted = packet.payload
    if packet.protocol == ICMP:
        size = (quoted[0] & 0x0F) * 4 if quoted else 0
        if len(quoted) < size + 4 or size < 20 or quoted[9] not in (TCP, UDP):
            return b""
        ends, protocol = quoted[12:20], quoted[9]
    else:
        size = 40
        if len(quoted) < 44 or quoted[6] not in (TCP, UDP):
            return b""
        ends, protocol = quoted[8:40], quoted[6]
    return ends + quoted[size : size + 4] + (b"u" if protocol == UDP else b"")
