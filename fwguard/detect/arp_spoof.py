"""Poisoned neighbours: ARP and ND claims to an address that another card holds.

A take-over by a standby (claims told to all, and silence of the old holder) is ordinary; so are virtual
routers, whose cards are of VRRP's, CARP's and HSRP's ranges. A forger tells its victims one by one, or repeats
its claim while the holder lives. Sources: RFC 826, RFC 5227 section 2.4, RFC 4861 section 7.2, RFC 9568 section 7.3.
"""

from __future__ import annotations

from typing import Final

from fwguard.detect.accuse import Accuser
from fwguard.detect.bounded import Bounded, Window
from fwguard.detect.flow import show
from fwguard.detect.neighbours import Neighbour
from fwguard.model.detection import Detector, Reason
from fwguard.model.thresholds import ArpSpoof

_VIRTUAL: Final = (
    b"\x00\x00\x5e\x00\x01",
    b"\x00\x00\x5e\x00\x02",
    b"\x00\x00\x0c\x07\xac",
    b"\x00\x00\x0c\x9f\xf0",
)
_NOBODY: Final = (b"\0\0\0\0", b"\0" * 16)

Address = tuple[str, bytes]
"""Link (zone), address."""


class _Holder:
    """Who holds an address, and who else says so."""

    __slots__ = ("claimed_s", "claims", "claims_by", "mac", "seen_s")

    def __init__(self, mac: bytes, time_s: float, window_s: float) -> None:
        self.mac = mac
        self.seen_s = self.claimed_s = time_s
        self.claims = Window(window_s)
        self.claims_by = b""


class ArpSpoofs:
    """Remembers who holds each address."""

    def __init__(self, limits: ArpSpoof, sources_most: int, accuser: Accuser) -> None:
        self.limits = limits
        self.accuser = accuser
        self.holders: Bounded[Address, _Holder] = Bounded(sources_most)
        self.own: Bounded[bytes, bytes] = Bounded(sources_most)  # card -> the address that it first had
        self.liars: Bounded[bytes, Window] = Bounded(sources_most)
        self._spoken: Bounded[tuple[bytes, bytes], list[float]] = Bounded(sources_most)

    def said(self, claim: Neighbour, ingress: str, zone: str, number: int, time_s: float) -> None:
        """Take one ARP packet or neighbour message."""
        if claim.ip in _NOBODY or claim.mac[:1] in (b"\xff",) or not any(claim.mac):
            return
        if claim.mac.startswith(_VIRTUAL):
            return
        if claim.frame_mac != claim.mac and not claim.frame_mac.startswith(_VIRTUAL):
            lies = self.liars.take(claim.frame_mac, lambda: Window(self.limits.window_s))
            if lies.add(time_s, number) > self.limits.claims_most and claim.answers:
                self._speak("arp-card", claim, claim.mac, lies, ingress, time_s)
        key = zone, claim.ip
        self.own.take(claim.frame_mac, lambda: claim.ip)
        holder = self.holders.entries.get(key)
        if holder is None or time_s - holder.seen_s > self.limits.window_s:
            if holder is None:
                self.holders.take(key, lambda: _Holder(claim.mac, time_s, self.limits.window_s))
            else:
                holder.mac, holder.seen_s = claim.mac, time_s
                holder.claims.events.clear()
            return
        if claim.mac == holder.mac:
            holder.seen_s = time_s
            return
        if holder.claims_by != claim.mac:
            holder.claims.events.clear()
            holder.claims_by = claim.mac
            holder.claimed_s = time_s
        announced = not claim.answers or claim.target == claim.ip or claim.frame_target == b"\xff" * 6
        if announced and holder.seen_s <= holder.claimed_s:
            return  # told to all, as a standby does, and the holder has been silent since
        holder.claims.add(time_s, number)
        if len(holder.claims.events) > self.limits.claims_most:
            self._speak("arp-poison", claim, holder.mac, holder.claims, ingress, time_s)

    def _speak(
        self, key: str, claim: Neighbour, other: bytes, seen: Window, ingress: str, time_s: float
    ) -> None:
        spoken = self._spoken.take((claim.frame_mac, claim.ip), list)
        if spoken and time_s - spoken[0] < self.limits.window_s:
            return
        spoken[:] = [time_s]
        own = self.own.entries.get(claim.frame_mac)
        facts = (
            ("ip", show(claim.ip)),
            ("mac", show(claim.frame_mac)),
            ("other", show(other)),
            ("count", str(len(set(seen.numbers())))),
        )
        self.accuser.accuse(
            Detector.ARP_SPOOF,
            Reason(key, facts),
            server=show(claim.frame_mac if own is None or own == claim.ip else own),
            peer=claim.ip,
            protocol=claim.protocol,
            packets=seen.numbers(),
            first_s=seen.events[0][0],
            last_s=time_s,
            ingress=ingress,
        )
