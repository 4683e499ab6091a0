"""The detectors at work: frames in, detections out; one dictionary look-up for a packet of a decided flow.

Used on capture files (`scan`) and on the copies of first packets that an edge hands over: there `ingress` is the
port that a frame came in by and `zone` what keeps the same private addresses of two clients apart. A packet
that claims to be of one side of a flow but comes in by another port is not of that flow.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.agreeing import own_words
from fwguard.detect.arp_spoof import ArpSpoofs
from fwguard.detect.behaviour import Behaviours
from fwguard.detect.bounded import Bounded
from fwguard.detect.flow import Flow, Opinion, Proof, Side, show
from fwguard.detect.flow_table import Entry, FlowTable
from fwguard.detect.frame import ACK, FIN, ICMP, ICMPV6, RST, SYN, TCP, UDP, Decoder, Packet
from fwguard.detect.ip_spoof import IpSpoofs
from fwguard.detect.irc import follow_dcc
from fwguard.detect.table import Judges, judges
from fwguard.detect.tls import looks_like_tls
from fwguard.detect.udp import Datagrams
from fwguard.detect.unapproved_opening import Approved, UnapprovedOpenings
from fwguard.model.address import AddressSet
from fwguard.model.detection import Detection, Detector, Reason
from fwguard.model.thresholds import Thresholds

_NOTHING: Final[tuple[Detection, ...]] = ()
_MAX_WATCHED: Final = 512
_EXPECTED_MOST: Final = 4096
_ENOUGH_BYTES: Final = 512  # a side that has said less may be speaking a few bytes at a time
_SLOW_FACTOR: Final = 16
_WORDS_WAITED: Final = 4


class Engine:
    """All detectors over one stream of frames. Not for several threads at once."""

    def __init__(
        self,
        thresholds: Thresholds,
        *,
        inside: AddressSet | None = None,
        allowed: Mapping[str, AddressSet] | None = None,
        approved: Approved | None = None,
    ) -> None:
        """`inside` is whose addresses are held to account; `allowed` the addresses of each port of an edge.

        `approved` is what may answer at the ports that face outside; without it no answer is judged.
        """
        self.thresholds = thresholds
        memory = thresholds.memory
        self.decoder = Decoder()
        self.accuser = Accuser(thresholds)
        self.judges: Judges = judges(thresholds)
        self.behaviours = Behaviours(thresholds, self.accuser)
        self.spoofs = IpSpoofs(inside or AddressSet(), allowed or {}, memory.sources_most, self.accuser)
        self.neighbours = ArpSpoofs(thresholds.arp_spoof, memory.sources_most, self.accuser)
        self.datagrams = Datagrams(thresholds, self._found)
        self.openings = UnapprovedOpenings(
            thresholds.unapproved, approved or Approved(), memory.sources_most, self.accuser
        )
        self.flows = FlowTable(memory, self._last_word)
        self.foreign = 0
        self.packets = 0
        self._expected: Bounded[tuple[bytes, int], tuple[Flow, int]] = Bounded(_EXPECTED_MOST)
        self._follow_dcc = follow_dcc(self._expect)
        self._last_s = 0.0

    def feed(
        self,
        number: int,
        time_s: float,
        link: int,
        frame: bytes,
        ingress: str = "",
        zone: bytes = b"",
        reply: bool | None = None,
    ) -> tuple[Detection, ...] | list[Detection]:
        """Take one frame; return what is now known. Never raises on what a frame holds.

        `reply` is the kernel's word on whether it goes back to who opened the connection; without it a SYN tells.
        """
        self.packets += 1
        self._last_s = time_s
        packet = self.decoder.decode(link, frame)
        if packet is None:
            return _NOTHING
        if not isinstance(packet, Packet):
            self.neighbours.said(packet, ingress, zone.hex(), number, time_s)
        else:
            protocol = packet.protocol
            if self.spoofs.active and self.spoofs.sent(packet, ingress, number, time_s):
                pass  # what bears another's name says nothing of that other
            elif protocol == TCP:
                self._tcp(packet, number, time_s, ingress, zone, reply)
            elif protocol == UDP:
                self._udp(packet, number, time_s, ingress, zone, reply)
            elif protocol in (ICMP, ICMPV6):
                inner = self.behaviours.icmp(packet, ingress, number, time_s)
                if inner and (entry := self.flows.entries.get(zone + inner)) is not None:
                    self.behaviours.refused(entry[0], time_s)
        return self.accuser.taken() if self.accuser.said else _NOTHING

    def finish(self) -> list[Detection]:
        """Say what can be said when no more packets will come."""
        for key in list(self.flows.order):
            self.flows.close(key)
        self.behaviours.finish(self._last_s)
        return self.accuser.taken()

    def _tcp(
        self, packet: Packet, number: int, time_s: float, ingress: str, zone: bytes, reply: bool | None
    ) -> None:
        key = zone + packet.key if zone else packet.key
        flags = packet.flags
        entry = self.flows.entries.get(key)
        if entry is None or (flags & (SYN | ACK) == SYN and self._begins_anew(entry, packet)):
            entry = self._begin(key, packet, number, time_s, ingress, zone, reply)
        flow, side = entry
        if side.ingress != ingress:
            if side.packets:
                self.foreign += 1
                return
            side.ingress = ingress
        side.packets += 1
        flow.last_s = time_s
        if not flow.completed:
            self._handshake(flow, side, packet, number, time_s)
        seq = packet.seq
        if flags & SYN:
            seq += 1
            if side.stream is not None:
                side.stream.anchor(seq)
        if packet.start < packet.end:
            if flow.judges:
                self._segment(flow, side, seq, packet, number, time_s)
            else:
                side.payloads += 1
                if side.stream is not None:
                    self.flows.append(side.stream, seq, packet)
                    self._let_go(flow, number, time_s)
                if flow.watch is not None:
                    self._watched(flow, side, packet, number, time_s)
        if flags & (FIN | RST) and flow.session:
            self.behaviours.ended(flow, number, time_s)

    def _begin(
        self,
        key: bytes,
        packet: Packet,
        number: int,
        time_s: float,
        ingress: str,
        zone: bytes,
        reply: bool | None,
    ) -> Entry:
        entry = flow, sender = self.flows.open(key, packet, number, time_s, ingress, zone)
        flow.judges = self.judges.plain
        if reply is not None and not flow.certain:
            flow.certain = True
            if reply:
                flow.client, flow.server = flow.server, sender
        flags = packet.flags if packet.protocol == TCP else SYN
        if not reply:
            self.behaviours.opened(flow, flags, number, time_s)
        return entry

    def _last_word(self, flow: Flow) -> None:
        if flow.judges and flow.protocol == TCP and (flow.client.payloads or flow.server.payloads):
            self._judge(flow, flow.first_number, flow.last_s, final=True)

    def _begins_anew(self, entry: Entry, packet: Packet) -> bool:
        """Return whether a SYN opens another connection between the same ports."""
        flow, side = entry
        stream = side.stream
        return (
            flow.completed
            or side is flow.server
            or (
                stream is not None
                and stream.anchored
                and (packet.seq + 1 - stream.next_seq) & 0xFFFFFFFF != 0
            )
        )

    def _handshake(self, flow: Flow, side: Side, packet: Packet, number: int, time_s: float) -> None:
        """Follow who opened the flow and whether the other side took it up."""
        client = side is flow.client
        flags = packet.flags
        if flags & RST:
            if not client and not flow.answered:
                self.behaviours.refused(flow, time_s)
        elif client:
            if flow.answered or not flags & SYN:
                if flow.started and flags & ACK and (flow.answered or side.packets > 1):
                    flow.completed = True
                    self.behaviours.completed(flow)
                elif not flow.started and flow.answered:
                    flow.completed = True
            elif flags & SYN:
                self.behaviours.syn(flow, number, time_s)
        elif not flow.answered:
            flow.answered = True
            self.behaviours.answered(flow)
            self._dcc(flow, number)
            if flow.certain and (flags & SYN or packet.start < packet.end):  # a bare ACK may be a refusal
                self.openings.answered(flow, number, time_s)

    def _segment(self, flow: Flow, side: Side, seq: int, packet: Packet, number: int, time_s: float) -> None:
        """Take payload of a flow that is still open."""
        side.note(number)
        stream = side.stream
        grew = stream is not None and self.flows.append(stream, seq, packet)
        most = self.thresholds.memory.packets_most
        over = side.payloads > (most if len(side.head) >= _ENOUGH_BYTES else most * _SLOW_FACTOR)
        if not (grew or over):
            return
        if flow.judges is self.judges.plain and (
            looks_like_tls(flow.client.head) or looks_like_tls(flow.server.head)
        ):
            flow.judges = self.judges.tls
        self._judge(flow, number, time_s, final=over)
        if flow.watch is not None:
            self._watched(flow, side, packet, number, time_s)

    def _judge(self, flow: Flow, number: int, time_s: float, *, final: bool) -> None:
        """Ask who has not ruled itself out; the first proof ends it."""
        waiting = []
        ways = flow.ways()
        tls = looks_like_tls(flow.client.head) or looks_like_tls(flow.server.head)
        if tls:
            if not looks_like_tls(ways[0][0].head) and len(ways) > 1:
                ways = (ways[1], ways[0])
            more = flow.read_tls(*ways[0])
            if more and len(ways) > 1 and flow.hello is None and not final:
                more = flow.read_tls(*ways[1])
            ways = ways[:1]
        for named in flow.judges:
            detector, judge = named
            opinions: list[Opinion] = []
            for client, server in ways:
                opinion = judge(flow, client, server, final)
                if isinstance(opinion, Proof):
                    if client is not flow.client:
                        flow.turn()
                    flow.judges = ()
                    self._found(detector, flow, opinion, time_s)
                    self._let_go(flow, number, time_s)
                    return
                opinions.append(opinion)
            if not final and Opinion.WAIT in opinions:
                waiting.append(named)
        if len(waiting) < len(flow.judges):
            flow.judges = tuple(waiting)
        if not waiting:
            self._let_go(flow, number, time_s)

    def _let_go(self, flow: Flow, number: int, time_s: float) -> None:
        """Give back the memory of a flow that is decided, once the first words of both sides were looked at."""
        client, server = flow.client, flow.server
        if client.head and server.head:
            self.behaviours.recognised(flow, number, time_s)
        elif client.payloads <= _WORDS_WAITED and server.payloads <= _WORDS_WAITED:
            return
        self.flows.free(flow)

    def _found(self, detector: Detector, flow: Flow, proof: Proof, time_s: float) -> bool:
        """Put a verdict on a flow; return False where who is ours did not say itself what proves it."""
        held, other = self._held(flow)
        if detector is Detector.SMTP:
            flow.watch = self.behaviours.watch_mail
        elif detector is Detector.IRC:
            flow.watch = self._follow_dcc
        allowed, inside = self.spoofs.allowed, self.spoofs.inside
        if allowed and held.ingress not in allowed:
            return False
        if (allowed or (inside and self.spoofs.is_inside(held.address))) and not own_words(flow, held, proof):
            return False
        self.accuser.accuse(
            detector,
            proof.reason,
            server=held.address,
            peer=other.address,
            port=flow.server.port,
            protocol=flow.protocol,
            packets=proof.packets,
            first_packet=flow.first_number,
            first_s=flow.first_s,
            last_s=time_s,
            server_port=held.port,
            peer_port=other.port,
            ingress=held.ingress,
        )
        return True

    def _held(self, flow: Flow) -> tuple[Side, Side]:
        """Return who is held to account: the side that is ours, else who opened the flow."""
        client, server = flow.client, flow.server
        if self.spoofs.inside:
            inside = self.spoofs.is_inside
            swap = inside(server.address) and not inside(client.address)
        else:
            swap = bool(server.ingress in self.spoofs.allowed and client.ingress not in self.spoofs.allowed)
        return (server, client) if swap else (client, server)

    def _watched(self, flow: Flow, side: Side, packet: Packet, number: int, time_s: float) -> None:
        flow.watched += 1
        if flow.watch is not None and flow.watched <= _MAX_WATCHED:
            flow.watch(flow, side, packet.payload, number, time_s)

    def _expect(self, address: bytes, port: int, flow: Flow, number: int) -> None:
        """Remember where an IRC user offered a direct connection."""
        if address in (flow.client.address, flow.server.address) or any(address):
            self._expected.take((address, port), lambda: (flow, number))

    def _dcc(self, flow: Flow, number: int) -> None:
        """Judge a connection that an IRC user had offered: both sides agreed, one offered and one came."""
        offer = self._expected.entries.get((flow.server.address, flow.server.port))
        if offer is None or not flow.certain:
            return
        offered, at = offer
        # An offer can name anyone's address: it accuses who spoke IRC, by its port, never whom it names. (A capture
        # knows no ports, and one host may have two addresses.)
        if self.spoofs.allowed and self._held(flow)[0].ingress != self._held(offered)[0].ingress:
            return
        reason = Reason("irc-dcc", (("by", show(offered.client.address)),))
        flow.judges = ()
        self._found(Detector.IRC, flow, Proof(reason, (at, flow.first_number, number)), flow.last_s)

    def _udp(
        self, packet: Packet, number: int, time_s: float, ingress: str, zone: bytes, reply: bool | None
    ) -> None:
        key = zone + packet.key if zone else packet.key
        entry = self.flows.entries.get(key)
        if entry is None:
            entry = self._begin(key, packet, number, time_s, ingress, zone, reply)
        flow, side = entry
        if side.ingress != ingress:
            if side.packets:
                self.foreign += 1
                return
            side.ingress = ingress
        side.packets += 1
        flow.last_s = time_s
        if side is flow.server and not flow.answered:
            flow.answered = True
            self.behaviours.answered(flow)
            self.openings.answered(flow, number, time_s)
        self.behaviours.datagram(flow, side, packet.length, number, time_s)
        if flow.judges and packet.start < packet.end:
            side.note(number)
            over = side.payloads > self.thresholds.memory.packets_most
            if self.datagrams.take(flow, side, packet.payload, number, time_s) or over:
                flow.judges = ()
                flow.media = None
