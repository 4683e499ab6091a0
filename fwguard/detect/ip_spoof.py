"""Forged source addresses, where it is known which addresses are inside.

A packet from an address that is not inside, to one that is not inside either, was sent from in here under a
false name; so was one whose source no host can have. On an edge each port has its own addresses, and any other
source on it is forged. Sources: RFC 2827 (BCP 38), RFC 6890 (addresses that no packet comes from), RFC 1122
section 3.2.1.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.bounded import Bounded
from fwguard.detect.flow import show
from fwguard.detect.frame import Packet
from fwguard.model.address import AddressSet
from fwguard.model.detection import Detector, Reason

_QUIET_S: Final = 60.0
_REMEMBERED: Final = 65536


class IpSpoofs:
    """Judges each packet's source; `server` of its verdicts is who sent it, not who it says it is from."""

    def __init__(
        self, inside: AddressSet, allowed: Mapping[str, AddressSet], sources_most: int, accuser: Accuser
    ) -> None:
        self.inside = inside
        self.allowed = allowed
        self.accuser = accuser
        self.active = bool(inside) or bool(allowed)
        self.holders: Bounded[bytes, list[bytes]] = Bounded(sources_most)
        self._spoken: Bounded[bytes, list[float]] = Bounded(sources_most)
        self._kinds: dict[bytes, int] = {}

    def is_inside(self, address: bytes) -> bool:
        """Return whether an address is one of ours."""
        return self._kind(address) == 1

    def sent(self, packet: Packet, ingress: str, number: int, time_s: float) -> bool:
        """Take one packet; return whether its source is forged."""
        source, target = packet.source, packet.target
        own = self.allowed.get(ingress)
        if own is not None:
            if not _within(own, source) and self._kind(source) != 2:
                return self._speak("spoof-port", packet, ingress, number, time_s)
            return False
        if not self.inside:
            return False
        kind = self._kind(source)
        if kind == 1:
            if packet.mac:
                self.holders.take(packet.mac, list)[:] = [source]
            return source == target and self._speak("spoof-land", packet, ingress, number, time_s)
        if kind == 3:
            return self._speak("spoof-martian", packet, ingress, number, time_s)
        return (
            kind == 0
            and self._kind(target) == 0
            and self._speak("spoof-transit", packet, ingress, number, time_s)
        )

    def _kind(self, address: bytes) -> int:
        """Return 0 outside, 1 inside, 2 local to the link or to a group, 3 impossible as a source."""
        kind = self._kinds.get(address)
        if kind is None:
            if len(self._kinds) >= _REMEMBERED:
                self._kinds.clear()
            kind = self._kinds[address] = 1 if _within(self.inside, address) else _special(address)
        return kind

    def _speak(self, key: str, packet: Packet, ingress: str, number: int, time_s: float) -> bool:
        who = packet.mac or ingress.encode()
        spoken = self._spoken.take(who, list)
        if spoken and time_s - spoken[0] < _QUIET_S:
            return True
        spoken[:] = [time_s]
        held = self.holders.entries.get(packet.mac)
        server: bytes | str = held[0] if held else (show(packet.mac) if packet.mac else packet.source)
        facts = (
            ("source", show(packet.source)),
            ("target", show(packet.target)),
            ("mac", show(packet.mac) if packet.mac else "-"),
            ("ingress", ingress or "-"),
        )
        self.accuser.accuse(
            Detector.IP_SPOOF,
            Reason(key, facts),
            server=server,
            peer=packet.target,
            port=packet.dport if packet.protocol in (6, 17) else 0,
            protocol=packet.protocol,
            packets=(number,),
            first_s=time_s,
            last_s=time_s,
            ingress=ingress,
        )
        return True


def _within(addresses: AddressSet, address: bytes) -> bool:
    return int.from_bytes(address, "big") in (addresses.v4 if len(address) == 4 else addresses.v6)


def _special(address: bytes) -> int:
    # An address as a target may be a group or a broadcast; 2 there makes the pair no transit.
    one = IPv4Address(address) if len(address) == 4 else IPv6Address(address)
    if one.is_link_local or one.is_unspecified:
        return 2
    if one.is_multicast or address == b"\xff\xff\xff\xff":
        return 3
    return 3 if one.is_loopback or (len(address) == 4 and address[0] >= 240) else 0
