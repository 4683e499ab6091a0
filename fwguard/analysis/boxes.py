"""Boxes: regions of header space as a person reads them, few, and each with a packet that stands in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from fwguard.analysis.interfaces import InterfaceTable
from fwguard.analysis.partition import RawBox
from fwguard.analysis.space import Dim, Space, addresses_of
from fwguard.model.address import AddressSet, Family, show_address
from fwguard.model.intervals import Intervals, Pairs, lack, meet, normalised, touch
from fwguard.model.packet import Packet
from fwguard.model.policy import ANY_INTERFACE, Hook, InterfaceSet
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, WITH_PORTS, show_ports, show_protocol

_ICMPS: Final = Intervals.single(ICMP, ICMPV6)
# Past this many boxes, making them still fewer costs more than it helps.
_MOST_TO_WIDEN: Final = 120
_MOST_TO_STRETCH: Final = 30
_MOST_PIECES: Final = 60
_COMPARED: Final = 7
_Numbers = tuple[int, ...]


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
        merged[space.family] = fewer([box[:_COMPARED] for box in boxes])
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
    box = Box(
        hook=hook, ingress=here, egress=there, source=source, target=target, protocol=protocol,
        sport=sport, dport=dport, leans=leans,
    )  # fmt: skip
    return replace(box, witness=example(box, _name(table, ingress), _name(table, egress)))


def _name(table: InterfaceTable, pairs: Pairs) -> str:
    """Return one interface of some classes: none in particular where that is one of them."""
    return "" if pairs[-1][1] == table.unnamed else table.names[pairs[0][0]]


def example(box: Box, ingress: str | None = None, egress: str | None = None) -> Packet:
    """Return a packet that stands in a box: an ordinary one where the box holds one.

    Without names of interfaces, those of the box's own witness.
    """
    v4 = bool(box.source.v4 and box.target.v4)
    protocol, sport, dport = box.protocol, box.sport, box.dport
    usual = (number for number in (6, 17, 1, 58, 132) if number in protocol)
    kind = next(usual, protocol.first)
    ports = kind in WITH_PORTS
    old = box.witness
    return Packet(
        source=_example(box.source, v4),
        target=_example(box.target, v4),
        protocol=kind,
        sport=next((n for n in ((40000, 1024) if ports else (0,)) if n in sport), sport.first),
        dport=next((n for n in ((dport.first or 1,) if ports else (0,)) if n in dport), dport.first),
        ingress=(old.ingress if old else "") if ingress is None else ingress,
        egress=(old.egress if old else "") if egress is None else egress,
        hook=box.hook,
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


class _Sets:
    """Numbers for sets, so that each is hashed once and each pair of them compared once."""

    def __init__(self) -> None:
        self.pairs: list[Pairs] = []
        self._number: dict[Pairs, int] = {}
        self._seen: dict[int, int] = {}
        self._within: dict[tuple[int, int], bool] = {}

    def number(self, pairs: Pairs) -> int:
        """Return the number of a set; equal sets have one."""
        number = self._number.setdefault(pairs, len(self.pairs))
        if number == len(self.pairs):
            self.pairs.append(pairs)
        return number

    def numbered(self, boxes: Sequence[RawBox]) -> list[_Numbers]:
        """Return boxes as numbers. The same object is looked up by identity: diagrams share their sets."""
        seen = self._seen
        out = []
        for box in boxes:
            row = []
            for pairs in box:
                number = seen.get(id(pairs))
                if number is None:
                    number = seen[id(pairs)] = self.number(pairs)
                row.append(number)
            out.append(tuple(row))
        seen.clear()  # identities hold no longer than the boxes
        return out

    def union(self, parts: Iterable[int]) -> int:
        """Return the number of a union."""
        return self.number(normalised(pair for part in parts for pair in self.pairs[part]))

    def within(self, inner: int, outer: int) -> bool:
        """Tell whether one set is in another."""
        if inner == outer:
            return True
        known = self._within.get((inner, outer))
        if known is None:
            known = self._within[inner, outer] = not lack(self.pairs[inner], self.pairs[outer])
        return known


def fewer(raw: Sequence[RawBox]) -> list[RawBox]:
    """Return fewer, wider boxes with exactly the same union."""
    sets = _Sets()
    boxes = _joined(sets.numbered(raw), sets)
    if 1 < len(boxes) <= _MOST_TO_WIDEN:
        boxes = _joined(_trimmed(_widened(boxes, sets), sets), sets)
    if 1 < len(boxes) <= _MOST_TO_STRETCH:
        boxes = _joined(_trimmed(_stretched(boxes, sets), sets), sets)
    return [tuple(sets.pairs[number] for number in box) for box in boxes]


def _joined(boxes: list[_Numbers], sets: _Sets) -> list[_Numbers]:
    """Join boxes that differ in one dimension only, until none do."""
    quiet = 0
    dim = 0
    while quiet < _COMPARED and len(boxes) > 1:
        groups: dict[_Numbers, list[int]] = {}
        for box in boxes:
            groups.setdefault(box[:dim] + box[dim + 1 :], []).append(box[dim])
        if len(groups) < len(boxes):
            quiet = 0
            boxes = [
                (*rest[:dim], parts[0] if len(parts) == 1 else sets.union(parts), *rest[dim:])
                for rest, parts in groups.items()
            ]
        else:
            quiet += 1
        dim = (dim + 1) % _COMPARED
    return boxes


def _widened(boxes: list[_Numbers], sets: _Sets) -> list[_Numbers]:
    """Widen each box, one dimension after the other, as far as the others cover what is added."""
    within = sets.within
    out: list[_Numbers] = []
    for box in boxes:
        wide = list(box)
        for dim in range(_COMPARED):
            around = boxes
            for other in range(_COMPARED):
                if other != dim:
                    inner = wide[other]
                    around = [one for one in around if within(inner, one[other])]
            parts = {one[dim] for one in around} | {wide[dim]}
            if len(parts) > 1:
                wide[dim] = sets.union(parts)
        out.append(tuple(wide))
    return list(dict.fromkeys(out))


def _stretched(boxes: list[_Numbers], sets: _Sets) -> list[_Numbers]:
    """Widen each box as far as all the others together cover what is added."""
    out = []
    for box in boxes:
        wide = box
        for dim in range(_COMPARED):
            parts = {wide[dim]}
            for other in boxes:
                if sets.within(other[dim], wide[dim]):
                    continue
                added = (*wide[:dim], other[dim], *wide[dim + 1 :])
                if _is_covered(added, boxes, sets):
                    parts.add(other[dim])
            if len(parts) > 1:
                wide = (*wide[:dim], sets.union(parts), *wide[dim + 1 :])
        out.append(wide)
    return list(dict.fromkeys(out))


def _is_covered(box: _Numbers, boxes: list[_Numbers], sets: _Sets) -> bool:
    """Tell whether a box lies in the union of others; gives up, saying no, where that takes too long."""
    rest = [box]
    for other in boxes:
        following: list[_Numbers] = []
        for piece in rest:
            following += _cut(piece, other, sets)
        if not following:
            return True
        if len(following) > _MOST_PIECES:
            return False
        rest = following
    return False


def _cut(box: _Numbers, other: _Numbers, sets: _Sets) -> list[_Numbers]:
    """Return a box without another, as disjoint boxes."""
    if not all(touch(sets.pairs[box[dim]], sets.pairs[other[dim]]) for dim in range(_COMPARED)):
        return [box]
    pieces = []
    rest = box
    for dim in range(_COMPARED):
        if sets.within(rest[dim], other[dim]):
            continue
        own, theirs = sets.pairs[rest[dim]], sets.pairs[other[dim]]
        pieces.append((*rest[:dim], sets.number(lack(own, theirs)), *rest[dim + 1 :]))
        rest = (*rest[:dim], sets.number(meet(own, theirs)), *rest[dim + 1 :])
    return pieces


def _trimmed(boxes: list[_Numbers], sets: _Sets) -> list[_Numbers]:
    """Drop what wider boxes hold already: whole boxes, or all but one slice of a box."""

    def width(box: _Numbers) -> int:
        size = 1
        for number in box:
            size *= sum(high - low + 1 for low, high in sets.pairs[number])
        return size

    kept: list[_Numbers] = []
    for box in sorted(boxes, key=width, reverse=True):
        rest = box
        for wider in kept:
            less = _less(rest, wider, sets)
            if less is None:
                break
            rest = less
        else:
            kept.append(rest)
    return kept


def _less(box: _Numbers, wider: _Numbers, sets: _Sets) -> _Numbers | None:
    """Return `box` without what `wider` holds of it, where that is still one box; else `box` whole."""
    outside = -1
    for dim in range(_COMPARED):
        if not sets.within(box[dim], wider[dim]):
            if outside >= 0:
                return box
            outside = dim
    if outside < 0:
        return None
    rest = lack(sets.pairs[box[outside]], sets.pairs[wider[outside]])
    return (*box[:outside], sets.number(rest), *box[outside + 1 :])
