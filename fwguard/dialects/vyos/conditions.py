"""The conditions of one rule as products of sets: what first packets of connections it matches.

What is well known but nobody can decide (rates, times, names that are looked up, MAC addresses) makes the
match unknown. What is not known at all is besides kept as unread. Source: VyOS user guide, Firewall IPv4
and IPv6 rules.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from fwguard.dialects import netfilter_names as names
from fwguard.dialects.vyos.groups import Groups, port_words
from fwguard.dialects.vyos.notes import Notes
from fwguard.dialects.vyos.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import ANY_V4, ANY_V6, AddressSet, Family, parse_span
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_STATE, CtState, InterfaceSet, Match
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, TCP, UDP, icmp_key

MAX_UNKNOWN: Final = 512
NOT_NEW: Final = ANY_STATE - {CtState.NEW}
PORTED: Final = Intervals.single(TCP, UDP)
# No condition: what a rule does besides, or what only people read.
SILENT: Final = frozenset({
    "action", "description", "log", "log-level", "log-options", "jump-target", "offload-target", "queue",
    "queue-options", "set", "disable", "add-address-to-group", "synproxy", "default-log",
})  # fmt: skip
UNDECIDED: Final = frozenset({
    "limit", "recent", "time", "fragment", "ipsec", "hop-limit", "ttl", "dscp", "dscp-exclude", "packet-length",
    "packet-length-exclude", "packet-type", "connection-mark", "connection-status", "conntrack-helper", "mark",
    "gre", "vlan", "p2p", "ethernet-type", "flow-group", "fib", "statistic",
})  # fmt: skip
UNDECIDED_SIDES: Final = frozenset({"mac-address", "fqdn", "geoip"})
UNDECIDED_GROUPS: Final = frozenset({
    "domain-group", "mac-group", "dynamic-address-group", "remote-group", "dynamic-ipv6-address-group",
})  # fmt: skip
STATES: Final = {state.value: state for state in CtState}
_ICMP_MORE: Final = {"info-request": (15, None), "info-reply": (16, None)}
_ICMPV6_MORE: Final = {
    "mld-listener-query": 130, "mld-listener-report": 131, "mld-listener-done": 132,
    "mld-listener-reduction": 132, "nd-router-solicit": 133, "nd-router-advert": 134,
    "nd-neighbor-solicit": 135, "nd-neighbor-advert": 136, "nd-redirect": 137, "router-renumbering": 138,
    "ind-neighbor-solicit": 141, "ind-neighbor-advert": 142, "mld2-listener-report": 143,
}  # fmt: skip


@dataclass(slots=True)
class Reading:
    """The fields of the match in the making."""

    where: str
    family: Family
    source: AddressSet | None = None
    target: AddressSet | None = None
    protocol: Intervals = ANY_PROTOCOL
    sport: Intervals = ANY_PORT
    dport: Intervals = ANY_PORT
    states: frozenset[CtState] = ANY_STATE
    ingress: InterfaceSet = field(default_factory=InterfaceSet)
    egress: InterfaceSet = field(default_factory=InterfaceSet)
    unknown: list[str] = field(default_factory=list)

    def match(self) -> Match:
        """Return what was read."""
        whole = Match()
        return Match(
            ingress=self.ingress, egress=self.egress,
            source=whole.source if self.source is None else self.source,
            target=whole.target if self.target is None else self.target,
            protocol=self.protocol, sport=self.sport, dport=self.dport, states=self.states,
            unknown="; ".join(dict.fromkeys(self.unknown))[:MAX_UNKNOWN],
        )  # fmt: skip


def read_match(
    rule: Node,
    family: Family,
    where: str,
    groups: Groups,
    notes: Notes,
    *,
    ignore: frozenset[str] = frozenset(),
) -> Match:
    """Return what a rule of one IP version matches; `ignore` are further words that are no conditions."""
    reading = Reading(where, family)
    protocol = rule.child("protocol")
    if protocol is not None:
        _tried(protocol, reading, notes, _protocol)
    for node in rule.children.values():
        if node.name in SILENT or node.name in ignore or node.name == "protocol":
            continue
        if node.name in ("source", "destination"):
            _side(node, reading, groups, notes)
        elif node.name == "state":
            _tried(node, reading, notes, _states)
        elif node.name in ("icmp", "icmpv6"):
            _tried(node, reading, notes, _icmp)
        elif node.name == "tcp":
            _tried(node, reading, notes, _flags)
        elif node.name in ("inbound-interface", "outbound-interface"):
            _tried(node, reading, notes, lambda one, into: _interface(one, into, groups))
        elif node.name in UNDECIDED:
            reading.unknown.append(node.words())
        else:
            reading.unknown.append(notes.add(node, "a condition that is not known", where=where))
    match = reading.match()
    if (match.sport, match.dport) != (ANY_PORT, ANY_PORT) and not match.unknown:
        icmp = Intervals.single(ICMP, ICMPV6)
        if not match.protocol <= PORTED and not match.protocol <= icmp:
            note = notes.add(rule, "ports without a protocol that has them", where=where)
            match = replace(match, unknown=note[:MAX_UNKNOWN])
    return match


def _tried(node: Node, reading: Reading, notes: Notes, read: Callable[[Node, Reading], None]) -> None:
    """Read one condition; one that cannot be read is kept as unread and makes the match unknown."""
    try:
        read(node, reading)
    except InputError as error:
        reading.unknown.append(notes.add(node, str(error), where=reading.where))


def _only(node: Node) -> str:
    if len(node.children) != 1:
        raise InputError(f"{len(node.children)} values of {node.name}", expected="one value")
    return next(iter(node.children))


def _protocol(node: Node, reading: Reading) -> None:
    word = _only(node)
    negated, name = word.startswith("!"), word.lstrip("!")
    if name == "tcp_udp":
        numbers = PORTED
    else:
        number = names.protocol_number(name)
        if number is None and negated:
            raise InputError("not any protocol")
        numbers = ANY_PROTOCOL if number is None else Intervals.single(number)
    reading.protocol = ANY_PROTOCOL - numbers if negated else numbers


def _states(node: Node, reading: Reading) -> None:
    chosen: set[CtState] = set()
    for one in node.children.values():
        if one.name not in STATES:
            raise InputError(f"state {one.name[:20]!r}", expected=", ".join(STATES))
        if "disable" not in one.children:
            chosen.add(STATES[one.name])
    if chosen:
        reading.states &= frozenset(chosen)


def _flags(node: Node, reading: Reading) -> None:
    """A connection's first TCP packet is a SYN: no FIN, RST or ACK; of the other flags nobody knows."""
    wanted = mask = 0
    for one in node.nodes("flags"):
        if one.name == "not":
            for other in one.children:
                mask |= names.flag_bits(other)
            continue
        for word in one.name.split(","):
            bit = names.flag_bits(word.lstrip("!"))
            mask |= bit
            wanted |= 0 if word.startswith("!") else bit
    if set(node.children) - {"flags", "mss"}:
        raise InputError(f"tcp {', '.join(node.children)[:60]}", expected="flags")
    if "mss" in node.children or mask & ~names.SYN_MASK:
        reading.unknown.append(node.words())
    if wanted & names.SYN_MASK != names.SYN & mask:
        reading.states &= NOT_NEW


def _icmp(node: Node, reading: Reading) -> None:
    version = ICMPV6 if node.name == "icmpv6" else ICMP
    if (version == ICMPV6) != (reading.family is Family.V6):
        raise InputError(f"{node.name} in {reading.family.name}", expected="the ICMP of the IP version")
    reading.protocol &= Intervals.single(version)
    if set(node.children) - {"type", "type-name", "code"}:
        raise InputError(f"{node.words()[:60]}", expected="type, code or type-name")
    if "type-name" in node.children:
        reading.dport &= icmp_words(_only(node.children["type-name"]), reading.family)
        return
    if "type" in node.children:
        reading.dport &= icmp_words(_only(node.children["type"]), reading.family)
    if "code" in node.children:
        word = _only(node.children["code"])
        if not word.isdecimal() or int(word) > 255:
            raise InputError(f"ICMP code {word[:20]!r}", expected="0 to 255")
        reading.dport &= Intervals.single(*(icmp_key(kind, int(word)) for kind in range(256)))


def icmp_words(word: str, family: Family) -> Intervals:
    """Read "8", "3/1" or "echo-request" as the destination-port dimension."""
    more = _ICMPV6_MORE.get(word) if family is Family.V6 else None
    if more is not None:
        return names.icmp_span(str(more), family)
    if family is Family.V4 and word in _ICMP_MORE:
        return names.icmp_span(str(_ICMP_MORE[word][0]), family)
    return names.icmp_span(word, family)


def _interface(node: Node, reading: Reading, groups: Groups) -> None:
    interfaces = read_interfaces(node, groups)
    if node.name == "inbound-interface":
        reading.ingress = interfaces
    else:
        reading.egress = interfaces


def read_interfaces(node: Node, groups: Groups) -> InterfaceSet:
    """Read `name eth0`, `group LAN`, or the interface itself as 1.2 and 1.3 have it; `!` negates."""
    word = _only(node)
    holder = node.children[word]
    is_group = word in ("group", "interface-group")
    if is_group or word in ("name", "interface-name"):
        word = _only(holder)
    negated, name = word.startswith("!"), word.lstrip("!")
    listed = groups.interfaces(name) if is_group else [name]
    if not is_group and name == "any":
        if negated:
            raise InputError("not any interface")
        return InterfaceSet()
    # A VyOS name may end in + (1.2: iptables) or * (nftables).
    return InterfaceSet(frozenset(one[:-1] + "*" if one.endswith("+") else one for one in listed), negated)


def _side(side: Node, reading: Reading, groups: Groups, notes: Notes) -> None:
    masked = "address-mask" in side.children

    def read(node: Node, into: Reading) -> None:
        if masked and node.name in ("address", "address-mask", "group"):
            # A mask with holes: some addresses anywhere.
            into.unknown.append(f"{side.name} {node.words()}")
        elif node.name in ("address", "prefix", "network"):
            _address(_only(node), side.name, into)
        elif node.name == "port":
            _port(_negations(node.children, notes.legacy), side.name, into)
        elif node.name == "group":
            for group in node.children.values():
                _group(group, side.name, into, groups)
        elif node.name in UNDECIDED_SIDES:
            into.unknown.append(f"{side.name} {node.words()}")
        else:
            raise InputError(f"{side.name} {node.name[:40]}", expected="address, port or group")

    for part in side.children.values():
        _tried(part, reading, notes, read)


def _narrow(reading: Reading, side: str, addresses: AddressSet, negated: bool) -> None:
    everything = ANY_V6 if reading.family is Family.V6 else ANY_V4
    if addresses.of_family(reading.family) != addresses:
        raise InputError(f"address {addresses}", expected=f"of {reading.family.name}")
    wanted = everything - addresses if negated else addresses
    before = reading.source if side == "source" else reading.target
    wanted = wanted if before is None else before & wanted
    if side == "source":
        reading.source = wanted
    else:
        reading.target = wanted


def _address(word: str, side: str, reading: Reading) -> None:
    negated, text = word.startswith("!"), word.lstrip("!")
    version, low, high = parse_span(text)
    span = Intervals.of((low, high))
    _narrow(reading, side, AddressSet(span) if version == 4 else AddressSet(v6=span), negated)


def _negations(words: dict[str, Node], legacy: bool) -> list[tuple[str, bool]]:
    """Return (port, negated); before 1.4 a leading ! negates the whole list."""
    listed = [(word, part) for word in words for part in word.split(",")]
    return [
        (part.lstrip("!"), part.startswith("!") or (legacy and word.startswith("!"))) for word, part in listed
    ]


def _port(words: list[tuple[str, bool]], side: str, reading: Reading) -> None:
    inside = [port_words(word) for word, negated in words if not negated]
    outside = [port_words(word) for word, negated in words if negated]
    wanted = Intervals.of(*(pair for span in inside for pair in span)) if inside else ANY_PORT
    _narrow_port(reading, side, wanted - Intervals.of(*(pair for span in outside for pair in span)))


def _narrow_port(reading: Reading, side: str, ports: Intervals) -> None:
    if side == "source":
        reading.sport &= ports
    else:
        reading.dport &= ports


def _group(group: Node, side: str, reading: Reading, groups: Groups) -> None:
    if group.name in UNDECIDED_GROUPS:
        reading.unknown.append(f"{side} group {group.words()}")
        return
    word = _only(group)
    negated, name = word.startswith("!"), word.lstrip("!")
    if group.name == "port-group":
        ports = groups.ports(name)
        _narrow_port(reading, side, ANY_PORT - ports if negated else ports)
        return
    kind = group.name.removeprefix("ipv4-")
    if kind not in ("address-group", "network-group", "ipv6-address-group", "ipv6-network-group"):
        raise InputError(f"{side} group {group.name[:40]}", expected="a kind of group that is known")
    _narrow(reading, side, groups.addresses(kind, name, reading.family), negated)
