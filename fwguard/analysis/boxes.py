"""Boxes: regions of header space as a person reads them, few, and each with a packet that stands in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from fwguard.analysis.diagram import RawBox
from fwguard.analysis.interfaces import InterfaceTable
from fwguard.analysis.merging import COMPARED, fewer
from fwguard.analysis.space import Dim, Space, addresses_of
from fwguard.model.address import AddressSet, Family, show_address
from fwguard.model.intervals import Intervals, Pairs
from fwguard.model.packet import Packet
from fwguard.model.policy import ANY_INTERFACE, Hook, InterfaceSet
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, WITH_PORTS, show_ports, show_protocol

_ICMPS: Final = Intervals.single(ICMP, ICMPV6)


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """New connections, as a product of sets; source and target only pair up within one IP version.

    `dport` holds ICMP type * 256 + code where `protocol` is ICMP. `leans` says of an undecided box what
    the rules that could be read say: "opens", "closes" or "" for neither.
    """

    hook: Hook
    ingress: InterfaceSet = ANY_INTERFACE
    egress: InterfaceSet = ANY_INTERFACE
    source: AddressSet
    target: AddressSet
    protocol: Intervals = ANY_PROTOCOL
    sport: Intervals = ANY_PORT
    dport: Intervals = ANY_PORT
    witness: Packet | None = None
    leans: str = ""

    def __contains__(self, packet: Packet) -> bool:
        port = packet.dport if packet.icmp_type is None else packet.icmp_type
        return (
            packet.hook is self.hook
            and packet.ingress in self.ingress
            and packet.egress in self.egress
            and packet.source in self.source
            and packet.target in self.target
            and packet.protocol in self.protocol
            and packet.sport in self.sport
            and port in self.dport
        )

    @property
    def families(self) -> Family:
        """Return the IP versions in which the box holds anything."""
        return self.source.families & self.target.families

    def to_json(self) -> dict[str, Any]:
        """Return the box as the command line prints it (texts, not numbers)."""
        return {
            "hook": self.hook.value,
            "in": str(self.ingress),
            "out": str(self.egress),
            "src": list(self.source.texts()),
            "dst": list(self.target.texts()),
            "proto": show_protocols(self.protocol),
            "sport": show_ports(self.sport),
            "dport": show_ports(self.dport),
            "witness": packet_to_json(self.witness) if self.witness else None,
            **({"leans": self.leans} if self.leans else {}),
        }


def packet_to_json(packet: Packet) -> dict[str, Any]:
    """Return a packet in the form that `query --packets` reads."""
    return {
        "src": packet.source,
        "dst": packet.target,
        "proto": show_protocol(packet.protocol),
        "sport": packet.sport,
        "dport": packet.dport,
        "in": packet.ingress,
        "out": packet.egress,
        "chain": packet.hook.value,
        **({} if packet.icmp_type is None else _icmp_to_json(packet.icmp_type)),
    }


def _icmp_to_json(key: int) -> dict[str, int]:
    kind, code = key >> 8, key & 0xFF
    return {"icmp_type": kind, "icmp_code": code} if code else {"icmp_type": kind}


def show_protocols(protocols: Intervals) -> str:
    """Write protocols by name: "tcp,udp", "any", or "any but tcp"."""
    if protocols == ANY_PROTOCOL:
        return "any"
    if protocols.size > 128:
        return f"any but {show_protocols(ANY_PROTOCOL - protocols)}"
    words = []
    for low, high in protocols:
        if high - low > 2:
            words.append(f"{low}-{high}")
        else:
            words += [show_protocol(number) for number in range(low, high + 1)]
    return ",".join(words)


def read_boxes(raw: Iterable[tuple[Space, Iterable[RawBox]]], *, leans: str = "") -> list[Box]:
    """Turn raw boxes of one hook, one IP version after the other, into few readable ones.

    The union is exactly that of the raw boxes. Boxes may overlap where that makes them fewer or simpler.
    """
    merged: dict[Family, list[RawBox]] = {}
    last: Space | None = None
    for space, boxes in raw:
        merged[space.family] = fewer([box[:COMPARED] for box in boxes])
        last = space
    if last is None:
        return []
    both: dict[tuple[Pairs, ...], dict[Family, list[tuple[Pairs, Pairs]]]] = {}
    for family, boxes in merged.items():
        for box in boxes:
            key = (*box[: Dim.SOURCE], *box[Dim.PROTOCOL :])
            both.setdefault(key, {}).setdefault(family, []).append((box[Dim.SOURCE], box[Dim.TARGET]))
    out = []
    for (egress, ingress, protocol, dport, sport), families in both.items():
        v4, v6 = families.get(Family.V4, []), families.get(Family.V6, [])
        if len(v4) == len(v6) == 1 and _alike(v4[0], v6[0]):
            pairs = [(AddressSet(*_made(v4[0][i], v6[0][i])) for i in (0, 1))]
            addresses = [tuple(pair) for pair in pairs]
        else:
            addresses = [(AddressSet(v4=_set(a)), AddressSet(v4=_set(b))) for a, b in v4]
            addresses += [(AddressSet(v6=_set(a)), AddressSet(v6=_set(b))) for a, b in v6]
        for source, target in addresses:
            for kinds, ports in _by_kind(_set(protocol), _set(dport)):
                out.append(
                    _box(last.hook, last.interfaces, ingress, egress, source, target, kinds, _set(sport),
                         ports, leans)
                )  # fmt: skip
    out.sort(key=_rank)
    return out


def _set(pairs: Pairs) -> Intervals:
    return Intervals.trusted(pairs)


def _made(v4: Pairs, v6: Pairs) -> tuple[Intervals, Intervals]:
    return _set(v4), _set(v6)


def _alike(v4: tuple[Pairs, Pairs], v6: tuple[Pairs, Pairs]) -> bool:
    """Tell whether a v4 and a v6 box say the same: each end is all of its IP version in both, or in none."""
    return all(
        (a == addresses_of(Family.V4)) == (b == addresses_of(Family.V6)) for a, b in zip(v4, v6, strict=True)
    )


def _by_kind(protocol: Intervals, dport: Intervals) -> list[tuple[Intervals, Intervals]]:
    """Keep ICMP apart from ports where the destination-port dimension says anything."""
    if dport == ANY_PORT:
        return [(protocol, dport)]
    parts = ((protocol & _ICMPS, dport), (protocol - _ICMPS, dport))
    return [(kinds, ports) for kinds, ports in parts if kinds]


def _rank(box: Box) -> tuple[int, ...]:
    """Wide ones first: what opens most is read first."""
    size = (box.source.v4.size << 96) + box.source.v6.size
    return (-size, -(box.target.v4.size << 96) - box.target.v6.size, -box.dport.size)


def _box(
    hook: Hook, table: InterfaceTable, ingress: Pairs, egress: Pairs, source: AddressSet,
    target: AddressSet, protocol: Intervals, sport: Intervals, dport: Intervals, leans: str,
) -> Box:  # fmt: skip
    """Build one box and its witness: an ordinary packet where the box holds one."""
    here = ANY_INTERFACE if hook is Hook.OUTPUT else table.show(ingress)
    there = ANY_INTERFACE if hook is Hook.INPUT else table.show(egress)
    witness = _packet(
        hook, source, target, protocol, sport, dport, _name(table, ingress), _name(table, egress)
    )
    return Box(
        hook=hook, ingress=here, egress=there, source=source, target=target, protocol=protocol,
        sport=sport, dport=dport, leans=leans, witness=witness,
    )  # fmt: skip


def _name(table: InterfaceTable, pairs: Pairs) -> str:
    """Return one interface of some classes: none in particular where that is one of them."""
    return "" if pairs[-1][1] == table.unnamed else table.names[pairs[0][0]]


def example(box: Box, ingress: str | None = None, egress: str | None = None) -> Packet:
    """Return a packet that stands in a box: an ordinary one where the box holds one.

    Without names of interfaces, those of the box's own witness.
    """
    old = box.witness
    if ingress is None:
        ingress = old.ingress if old else ""
    if egress is None:
        egress = old.egress if old else ""
    return _packet(box.hook, box.source, box.target, box.protocol, box.sport, box.dport, ingress, egress)


def _packet(
    hook: Hook, source: AddressSet, target: AddressSet, protocol: Intervals, sport: Intervals,
    dport: Intervals, ingress: str, egress: str,
) -> Packet:  # fmt: skip
    v4 = bool(source.v4 and target.v4)
    usual = (number for number in (6, 17, 1, 58, 132) if number in protocol)
    kind = next(usual, protocol.first)
    ports = kind in WITH_PORTS
    return Packet(
        source=_example(source, v4),
        target=_example(target, v4),
        protocol=kind,
        sport=next((n for n in ((40000, 1024) if ports else (0,)) if n in sport), sport.first),
        dport=next((n for n in ((dport.first or 1,) if ports else (0,)) if n in dport), dport.first),
        ingress=ingress,
        egress=egress,
        hook=hook,
        icmp_type=(0x800 if 0x800 in dport else dport.first) if kind in (ICMP, ICMPV6) else None,
    )


def _example(addresses: AddressSet, v4: bool) -> str:
    """Return an address of the set: a documentation one (RFC 5737, RFC 3849) where the set holds any."""
    numbers = addresses.v4 if v4 else addresses.v6
    for candidate in (0xC6336407, 0xCB007107) if v4 else (0x20010DB8 << 96 | 7,):
        if candidate in numbers:
            return show_address(4 if v4 else 6, candidate)
    low, high = numbers.pairs[0]
    return show_address(4 if v4 else 6, low + 1 if high - low > 1 else low)
