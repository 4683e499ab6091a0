"""The `matches` of one access-list entry (RFC 8519, ietf-packet-fields) as a product of sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.rfc8519.names import ACL
from fwguard.dialects.rfc8519.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, ANY_V4, ANY_V6, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.matching import is_empty
from fwguard.model.policy import ANY_INTERFACE, ANY_STATE, CtState, InterfaceSet, Match
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, TCP, UDP

Note = Callable[[Node, str], str]  # keeps a node as unread, returns its words
ANY_OF: Final = {Family.V4: ANY_V4, Family.V6: ANY_V6, Family.BOTH: ANY_ADDRESS, Family(0): AddressSet()}
# The first packet of a TCP connection bears SYN, with RFC 3168 perhaps ECE and CWR, and no other flag.
_OPENING_FLAGS: Final = frozenset({"syn", "ece", "cwr"})
_OTHER_FLAGS: Final = frozenset({"ack", "fin", "rst", "psh", "urg"})
_LATER_STATES: Final = ANY_STATE - {CtState.NEW}


@dataclass(slots=True)
class _Fields:
    """What one entry asks for, while its leaves are read."""

    family: Family
    note: Note
    source: AddressSet = ANY_ADDRESS
    target: AddressSet = ANY_ADDRESS
    protocol: Intervals = ANY_PROTOCOL
    sport: Intervals = ANY_PORT
    dport: Intervals = ANY_PORT
    is_icmp: bool = False
    states: frozenset[CtState] = ANY_STATE
    ingress: InterfaceSet = ANY_INTERFACE
    egress: InterfaceSet = ANY_INTERFACE
    unknown: list[str] = field(default_factory=list)

    def doubt(self, node: Node, why: str) -> None:
        """The entry matches some subset of what we read so far."""
        self.unknown.append(self.note(node, why))


def read_matches(matches: Node, family: Family, note: Note) -> tuple[Match, ...]:
    """Return what an entry matches, within the IP versions of its list.

    Header fields that header space does not hold (DSCP, TTL, Ethernet…) and leaves that nobody here knows
    make the match `unknown`: some subset of the rest, and both are kept as unread.
    """
    fields = _Fields(family, note)
    for node in matches.children:
        reader = _CONTAINERS.get(node.name) if node.module == ACL else None
        if reader is None:
            fields.doubt(node, "a condition that is not known")
        elif node.name.endswith("interface"):
            reader(fields, node)
        elif not node.children:
            fields.doubt(
                node, "an empty container: one device takes it for any packet, another for its protocol"
            )
        else:
            reader(fields, node)
    products = (_product(fields, version) for version in _versions(fields))
    return tuple(match for match in products if not is_empty(match))


def _versions(fields: _Fields) -> list[Family]:
    """ICMP is another protocol in each IP version: one match each."""
    if not fields.is_icmp:
        return [fields.family] if fields.family else []
    return [version for version in (Family.V4, Family.V6) if version & fields.family]


def _product(fields: _Fields, version: Family) -> Match:
    protocol = fields.protocol
    if fields.is_icmp:
        protocol = protocol & Intervals.single(ICMP if version == Family.V4 else ICMPV6)
    return Match(
        ingress=fields.ingress, egress=fields.egress,
        source=fields.source & ANY_OF[version], target=fields.target & ANY_OF[version],
        protocol=protocol, sport=fields.sport, dport=fields.dport, states=fields.states,
        unknown="; ".join(fields.unknown),
    )  # fmt: skip


def _ip(fields: _Fields, container: Node) -> None:
    version, word = (Family.V4, "ipv4") if container.name == "ipv4" else (Family.V6, "ipv6")
    fields.family &= version
    for node in container.children:
        try:
            if node.module != ACL:
                raise InputError("not of this module")
            if node.name == f"source-{word}-network":
                fields.source &= AddressSet.parse(node.text).of_family(version)
            elif node.name == f"destination-{word}-network":
                fields.target &= AddressSet.parse(node.text).of_family(version)
            elif node.name == "protocol":
                fields.protocol &= Intervals.single(_number(node, 255))
            else:
                raise InputError("a header field that header space does not hold")
        except InputError as error:
            fields.doubt(node, str(error))


def _ports(fields: _Fields, container: Node) -> None:
    fields.protocol &= Intervals.single(TCP if container.name == "tcp" else UDP)
    for node in container.children:
        try:
            if node.module != ACL:
                raise InputError("not of this module")
            if node.name == "source-port":
                fields.sport &= _port_set(node)
            elif node.name == "destination-port":
                fields.dport &= _port_set(node)
            elif node.name == "flags" and container.name == "tcp":
                _flags(fields, node)
            else:
                raise InputError("a header field that header space does not hold")
        except InputError as error:
            fields.doubt(node, str(error))


def _flags(fields: _Fields, node: Node) -> None:
    flags = frozenset(node.text.split())
    if not flags or not flags <= _OPENING_FLAGS | _OTHER_FLAGS:
        raise InputError("no TCP flags")
    if flags & _OTHER_FLAGS:
        fields.states = fields.states & _LATER_STATES
    elif flags != {"syn"}:
        raise InputError("flags that only some first packets bear")


def _port_set(node: Node) -> Intervals:
    """Read `port-range-or-operator` (RFC 8519 section 4.2)."""
    known = {"lower-port", "upper-port", "operator", "port"}
    strange = [child for child in node.children if child.module != ACL or child.name not in known]
    if strange or not node.children:
        raise InputError("not a port range or operator")
    lower, upper, port = node.child("lower-port"), node.child("upper-port"), node.child("port")
    if lower and upper and not port:
        return Intervals.of((_number(lower, 65535), _number(upper, 65535)))
    if port is None or lower or upper:
        raise InputError("half a port range")
    number = _number(port, 65535)
    operator = node.value("operator") or "eq"
    if operator == "eq":
        return Intervals.single(number)
    if operator == "neq":
        return ANY_PORT - Intervals.single(number)
    if operator == "lte":
        return Intervals.of((0, number))
    if operator == "gte":
        return Intervals.of((number, 65535))
    raise InputError(f"operator {operator!r}", expected="eq, neq, lte or gte")


def _icmp(fields: _Fields, container: Node) -> None:
    fields.is_icmp = True
    kinds, codes = Intervals(((0, 255),)), Intervals(((0, 255),))
    for node in container.children:
        try:
            if node.module == ACL and node.name == "type":
                kinds = Intervals.single(_number(node, 255))
            elif node.module == ACL and node.name == "code":
                codes = Intervals.single(_number(node, 255))
            else:
                raise InputError("a header field that header space does not hold")
        except InputError as error:
            fields.doubt(node, str(error))
    fields.dport &= Intervals.of(
        *((kind << 8 | low, kind << 8 | high) for start, end in kinds for kind in range(start, end + 1)
          for low, high in codes)
    )  # fmt: skip


def _interface(fields: _Fields, node: Node) -> None:
    if node.name == "ingress-interface":
        fields.ingress = InterfaceSet.of(node.text)
    else:
        fields.egress = InterfaceSet.of(node.text)


def _number(node: Node, most: int) -> int:
    if not (node.text.isascii() and node.text.isdecimal() and len(node.text) <= 9) or int(node.text) > most:
        raise InputError(f"{node.name} {node.text!r}", expected=f"0 to {most}")
    return int(node.text)


_CONTAINERS: Final[dict[str, Callable[[_Fields, Node], None]]] = {
    "ipv4": _ip,
    "ipv6": _ip,
    "tcp": _ports,
    "udp": _ports,
    "icmp": _icmp,
    "ingress-interface": _interface,
    "egress-interface": _interface,
}
