"""A frame to its packet: link layers, tunnels, IPv4 and IPv6 with extension headers and fragments.

About two microseconds a packet: no layer objects, one result. What is truncated, lies about its length or
nests too deep gives no packet, never an exception.

Sources: RFC 791, 8200, 9293, 768, 792, 4443; IEEE 802.1Q; RFC 2516 (PPPoE), 3032 (MPLS), 2784 and 2890 (GRE),
2003 (IP in IP), 4213 (6in4), 7348 (VXLAN); the list of LINKTYPE_ values of the pcap format.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from struct import Struct
from typing import Final

from fwguard.detect.fragments import Fragments
from fwguard.detect.links import LINKS, PPP, V4, V6, read_ppp
from fwguard.detect.neighbours import Neighbour, read_arp, read_discovery

TCP, UDP, ICMP, ICMPV6 = 6, 17, 1, 58
SYN, FIN, RST, ACK = 0x02, 0x01, 0x04, 0x10
MAX_DEPTH: Final = 4  # tunnels in tunnels
_MAX_LABELS: Final = 16
_MAX_HEADERS: Final = 8

_ARP, _TRANSPARENT = 0x0806, 0x6558
_VLANS: Final = frozenset((0x8100, 0x88A8, 0x9100))
_MPLS: Final = frozenset((0x8847, 0x8848))
_PPPOE: Final = 0x8864
_EXTENSIONS: Final = frozenset((0, 43, 51, 60, 135, 139, 140))
_FRAGMENT, _IPIP, _SIX_IN_FOUR, _GRE, _MPLS_IN_IP = 44, 4, 41, 47, 137
_VXLAN_PORT: Final = 4789

_ip4 = Struct("!BxHHHxBxx").unpack_from
_ip6 = Struct("!IHB").unpack_from
_tcp = Struct("!HHIIBB").unpack_from
_udp = Struct("!HHH").unpack_from
_short = Struct("!H").unpack_from


class Packet:
    """One transport packet: `source` and `target` as 4 or 16 bytes, payload `data[start:end]`.

    `length` is the payload's length in bytes by its headers, more than what was kept when the frame was cut.
    For ICMP `sport` is type * 256 + code and `dport` the identifier of an echo. `mac` is the sender's Ethernet
    address or empty.
    """

    __slots__ = (
        "data",
        "dport",
        "end",
        "flags",
        "key",
        "length",
        "mac",
        "protocol",
        "seq",
        "source",
        "sport",
        "start",
        "target",
    )

    def __init__(self, data: bytes, protocol: int, source: bytes, target: bytes) -> None:
        self.data = data
        self.protocol = protocol
        self.source = source
        self.target = target
        self.sport = self.dport = self.flags = self.seq = self.start = self.end = self.length = 0
        self.key = self.mac = b""

    @property
    def payload(self) -> bytes:
        """Return the payload as far as it was kept."""
        return self.data[self.start : self.end]


@dataclass(slots=True)
class Decoder:
    """Frames to packets, with the fragments that wait; `unread` counts frames that hold no whole packet."""

    fragments: Fragments = field(default_factory=Fragments)
    unread: int = 0

    def decode(self, link: int, frame: bytes) -> Packet | Neighbour | None:
        """Return the innermost packet of a frame, a neighbour's claim, or None."""
        try:
            if link == 1:
                packet: Packet | Neighbour | None
                if frame[12:14] == b"\x08\x00":
                    packet = self._ipv4(frame, 14, 0)
                else:
                    packet = self._ethernet(frame, 0, 0)
                    if isinstance(packet, Neighbour):
                        return packet
                if packet is not None:
                    packet.mac = frame[6:12]
                    return packet
            else:
                start, kind = LINKS[link](frame) if link in LINKS else (0, 0)
                found = self._network(kind, frame, start, 0)
                if found is not None:
                    return found
        except (IndexError, struct.error):
            pass  # headers that end before they should
        self.unread += 1
        return None

    def _ethernet(self, frame: bytes, at: int, depth: int) -> Packet | Neighbour | None:
        kind = _short(frame, at + 12)[0]
        start = at + 14
        for _ in range(_MAX_HEADERS):
            if kind not in _VLANS:
                break
            kind = _short(frame, start + 2)[0]
            start += 4
        if kind == _ARP:
            return read_arp(frame, at, start)
        found = self._network(kind, frame, start, depth)
        if isinstance(found, Packet) and found.protocol == ICMPV6 and depth == 0:
            return read_discovery(found, frame) or found
        return found

    def _network(self, kind: int, frame: bytes, at: int, depth: int) -> Packet | Neighbour | None:
        """Read what an EtherType announces."""
        if kind == V4:
            return self._ipv4(frame, at, depth)
        if kind == V6:
            return self._ipv6(frame, at, depth)
        if kind in _MPLS:
            for _ in range(_MAX_LABELS):
                at += 4
                if frame[at - 2] & 1:
                    return self._network(V6 if frame[at] >> 4 == 6 else V4, frame, at, depth)
            return None
        if kind == _PPPOE:
            return self._network(PPP.get(_short(frame, at + 6)[0], 0), frame, at + 8, depth)
        if kind == _TRANSPARENT and depth < MAX_DEPTH:
            return self._ethernet(frame, at, depth + 1)
        return None

    def _ipv4(self, data: bytes, at: int, depth: int) -> Packet | None:
        first, total, identity, offset, protocol = _ip4(data, at)
        start = at + (first & 0x0F) * 4
        if first >> 4 != 4 or start < at + 20 or depth > MAX_DEPTH:
            return None
        end = at + total if total else len(data)  # 0: cut into segments after the capture point
        if end < start:
            return None
        source, target = data[at + 12 : at + 16], data[at + 16 : at + 20]
        if offset & 0x3FFF:
            key = (source + target, protocol, identity.to_bytes(2, "big"))
            piece = data[start:end]
            if len(piece) < end - start:
                return None
            whole = self.fragments.add(key, (offset & 0x1FFF) * 8, piece, not offset & 0x2000)
            if whole is None:
                return None
            return self._transport(whole, protocol, 0, len(whole), source, target, depth)
        return self._transport(data, protocol, start, end, source, target, depth)

    def _ipv6(self, data: bytes, at: int, depth: int) -> Packet | None:
        first, length, protocol = _ip6(data, at)
        if first >> 28 != 6 or depth > MAX_DEPTH:
            return None
        start = at + 40
        end = start + length if length else len(data)
        source, target = data[at + 8 : at + 24], data[at + 24 : at + 40]
        for _ in range(_MAX_HEADERS):
            if protocol in _EXTENSIONS:
                size = (data[start + 1] + 2) * 4 if protocol == 51 else (data[start + 1] + 1) * 8
                protocol = data[start]
                start += size
            elif protocol == _FRAGMENT:
                protocol, offset = data[start], _short(data, start + 2)[0]
                piece = data[start + 8 : end]
                if offset & 0xFFF9:
                    if len(piece) < end - start - 8:
                        return None
                    key = (source + target, protocol, data[start + 4 : start + 8])
                    whole = self.fragments.add(key, offset & 0xFFF8, piece, not offset & 1)
                    if whole is None:
                        return None
                    data, start, end = whole, 0, len(whole)
                else:
                    start += 8
            else:
                break
        return self._transport(data, protocol, start, end, source, target, depth) if start <= end else None

    def _transport(
        self, data: bytes, protocol: int, at: int, end: int, source: bytes, target: bytes, depth: int
    ) -> Packet | None:
        if protocol == TCP:
            packet = Packet(data, TCP, source, target)
            packet.sport, packet.dport, packet.seq, _, size, packet.flags = _tcp(data, at)
            packet.key = source + target + data[at : at + 4]
            start = at + (size >> 4) * 4
            if start > end or size < 0x50:
                return None
        elif protocol == UDP:
            packet = Packet(data, UDP, source, target)
            packet.sport, packet.dport, length = _udp(data, at)
            start = at + 8
            if 8 <= length < end - at:
                end = at + length
            if start > end:
                return None
            if packet.dport == _VXLAN_PORT and data[start : start + 4] == b"\x08\0\0\0" and depth < MAX_DEPTH:
                inner = self._ethernet(data, start + 8, depth + 1)
                return inner if isinstance(inner, Packet) else None
            packet.key = source + target + data[at : at + 4] + b"u"
        elif protocol in _TUNNELS:
            return self._tunnel(data, protocol, at, depth)
        else:
            packet = Packet(data, protocol, source, target)
            start = at
            if protocol in (ICMP, ICMPV6):
                packet.sport = _short(data, at)[0]
                start = at + 8
                if start > end:
                    return None
                packet.dport = _short(data, at + 4)[0]
        packet.start = start
        packet.length = end - start
        packet.end = end if end <= len(data) else len(data)
        return packet

    def _tunnel(self, data: bytes, protocol: int, at: int, depth: int) -> Packet | None:
        if protocol == _IPIP:
            return self._ipv4(data, at, depth + 1)
        if protocol == _SIX_IN_FOUR:
            return self._ipv6(data, at, depth + 1)
        if protocol == _MPLS_IN_IP:
            found = self._network(0x8847, data, at, depth + 1)
        else:
            flags, kind = _short(data, at)[0], _short(data, at + 2)[0]
            # Checksum (and routing), key, sequence, and the acknowledgement of version 1 (RFC 2637).
            at += 4 + sum(4 for bit in (0x8000, 0x2000, 0x1000) if flags & bit)
            if flags & 7 == 1:
                at += 4 if flags & 0x80 else 0
                kind, at = read_ppp(data, at) if kind == 0x880B else (0, at)
            elif kind == 0x880B:
                kind, at = read_ppp(data, at)
            found = self._network(kind, data, at, depth + 1)
        return found if isinstance(found, Packet) else None


_TUNNELS: Final = frozenset((_IPIP, _SIX_IN_FOUR, _GRE, _MPLS_IN_IP))
