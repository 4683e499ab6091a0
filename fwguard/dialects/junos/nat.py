"""NAT: static, then destination, then (after the policies) source; each in the order that Junos looks.

Of rule sets the most specific context is looked at first: interface, zone, routing instance. Static NAT
works in both directions. Policies see what is left after static and destination NAT, as the model wants
it. Source: Junos NAT User Guide (processing order, rule sets, static/destination/source NAT).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fwguard.dialects.bounds import ALL_ADDRESSES, ALL_SERVICES, Addresses, Service, Services, join, matches
from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos import predefined
from fwguard.dialects.junos.addresses import GLOBAL, AddressBooks
from fwguard.dialects.junos.applications import Applications, number_of, port_span
from fwguard.dialects.junos.zones import Zones
from fwguard.dialects.unread import Notes
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_INTERFACE, InterfaceSet, NatKind, NatRule
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL

SPECIFIC: Final = ("interface", "zone", "routing-instance", "routing-group")
SILENT_KINDS: Final = frozenset(
    {"proxy-arp", "proxy-ndp", "traceoptions", "natv6v4", "allow-overlapping-pools"}
)
SILENT_SOURCE: Final = frozenset(
    {"pool", "rule-set", "address-persistent", "pool-default-port-range", "pool-default-twin-port-range",
     "pool-utilization-alarm", "port-randomization", "interface", "session-drop-hold-down", "traceoptions",
     "port-round-robin", "port-scaling-enlargement", "session-persistence-scan"}
)  # fmt: skip
MATCHES: Final = frozenset(
    {"source-address", "source-address-name", "destination-address", "destination-address-name", "source-port",
     "destination-port", "protocol", "application"}
)  # fmt: skip
SILENT_RULE: Final = frozenset({"match", "then", "description", "session-count-alarm"})


class Nat:
    """Reads `security nat`."""

    def __init__(
        self, root: Node, zones: Zones, books: AddressBooks, applications: Applications, notes: Notes
    ) -> None:
        self.node = root.at("security", "nat") or Node("nat")
        self.zones = zones
        self.books = books
        self.applications = applications
        self.notes = notes

    def rules(self) -> tuple[NatRule, ...]:
        """Return every rule in the order that a packet meets them."""
        for child in self.node.children.values():
            if child.word not in ("static", "destination", "source") and child.word not in SILENT_KINDS:
                self.notes.node(child, "not understood in NAT")
        for kind in ("static", "destination", "source"):
            for child in self.node.below(kind):
                if child.word not in SILENT_SOURCE:
                    self.notes.node(child, "not understood in NAT")
        return (
            *self._of("static"), *self._of("destination"), *self._of("source"),
        )  # fmt: skip

    def _of(self, kind: str) -> Iterator[NatRule]:
        sets = sorted(self.node.below(kind, "rule-set"), key=_specificity)
        for rule_set in sets:
            ingress = self._context(rule_set.at("from"))
            egress = self._context(rule_set.at("to")) if kind == "source" else [(ANY_INTERFACE, "")]
            if kind == "source" and rule_set.at("to") is None:
                egress = [(ANY_INTERFACE, "")]
            for rule in rule_set.below("rule"):
                yield self._rule(kind, rule_set, rule, ingress, egress)

    def _context(self, node: Node | None) -> list[tuple[InterfaceSet, str]]:
        if node is None:
            return [(ANY_INTERFACE, "the rule set says not from where")]
        found: list[tuple[InterfaceSet, str]] = []
        zones = node.words("zone")
        if zones:
            found.append((InterfaceSet.of(*zones), ""))
        found += [self.zones.only(interface) for interface in node.words("interface")]
        for word in SPECIFIC[2:]:
            found += [(ANY_INTERFACE, f"{word} {name}"[:80]) for name in node.words(word)]
        for child in node.children.values():
            if child.word not in SPECIFIC:
                found.append((ANY_INTERFACE, self.notes.node(child, "not understood in a rule set")))
        return found

    def _rule(
        self,
        kind: str,
        rule_set: Node,
        rule: Node,
        ingress: list[tuple[InterfaceSet, str]],
        egress: list[tuple[InterfaceSet, str]],
    ) -> NatRule:
        match = rule.at("match") or Node("match")
        whys = [
            self.notes.node(child, "not understood in a NAT rule")
            for parent, known in ((rule, SILENT_RULE), (match, MATCHES))
            for child in parent.children.values()
            if child.word not in known
        ]
        aimed = match.below("destination-address") or match.below("destination-address-name")
        if kind != "source" and not aimed:
            whys.append(self.notes.node(rule, "match says no destination-address"))
        source = self._addresses(match, "source-address")
        target = self._addresses(match, "destination-address")
        services = self._services(match)
        found = [
            one
            for start, start_why in ingress
            for end, end_why in egress
            for one in matches([(start, end)], source, target, services, join(start_why, end_why, *whys))
        ]
        then = rule.at("then", f"{kind}-nat") or Node("then")
        done, to, to_ports = self._translation(kind, rule, then)
        return NatRule(
            kind=done, matches=tuple(found), to=to, to_ports=to_ports, line=rule.line,
            text=f"{kind} rule-set {rule_set.word} rule {rule.text()}"[:400],
            comment=rule.value("description"),
        )  # fmt: skip

    def _addresses(self, match: Node, word: str) -> Addresses:
        literal, named = match.below(word), match.below(f"{word}-name")
        if not literal and not named:
            return ALL_ADDRESSES
        found = self.books.union(named, [])
        for node in literal:
            try:
                found |= Addresses(AddressSet.parse(node.word))
            except InputError as error:
                found |= replace(ALL_ADDRESSES.inverted(), why=self.notes.node(node, str(error)[:200]))
        return found

    def _services(self, match: Node) -> Services:
        asked = match.below("application")
        if asked:
            return self.applications.union(asked)
        try:
            protocols = [number_of(word, predefined.PROTOCOLS, 255) for word in match.words("protocol")]
            service = Service(
                Intervals.single(*protocols) if protocols else ANY_PROTOCOL,
                _ports(match.at("destination-port")),
                _ports(match.at("source-port")),
            )
        except InputError as error:
            return ALL_SERVICES.doubted(self.notes.node(match, str(error)[:200]))
        return Services((service,))

    def _translation(self, kind: str, rule: Node, then: Node) -> tuple[NatKind, AddressSet, Intervals]:
        try:
            if "off" in then.children:
                return NatKind.EXEMPT, AddressSet(), Intervals()
            if kind == "source":
                return self._source(rule, then)
            if kind == "destination":
                return self._pool(then.value("pool"))
            return self._static(then)
        except InputError as error:
            self.notes.node(rule, str(error)[:200])
            # A source that is rewritten to something unknown is still the same packet to the policies.
            return NatKind.SNAT if kind == "source" else NatKind.UNKNOWN, AddressSet(), Intervals()

    def _source(self, rule: Node, then: Node) -> tuple[NatKind, AddressSet, Intervals]:
        if "interface" in then.children:
            return NatKind.MASQUERADE, AddressSet(), Intervals()
        name = then.value("pool")
        pool = self.node.at("source", "pool", name) if name else None
        if pool is None:
            raise InputError(f"source pool {name[:60]!r} is defined nowhere")
        spans = []
        for address in pool.below("address"):
            high = address.value("to")
            spans.append(f"{address.word.split('/')[0]}-{high.split('/')[0]}" if high else address.word)
        port = pool.at("port")
        numbers = Intervals()
        if port is not None and "no-translation" not in port.children:
            numbers = _ports(port.at("range"))
        return NatKind.SNAT, AddressSet.parse(*spans), Intervals() if numbers == ANY_PORT else numbers

    def _pool(self, name: str) -> tuple[NatKind, AddressSet, Intervals]:
        pool = self.node.at("destination", "pool", name) if name else None
        if pool is None:
            raise InputError(f"destination pool {name[:60]!r} is defined nowhere")
        addresses = AddressSet()
        ports = Intervals()
        for address in pool.below("address"):
            if address.word == "port":
                ports |= Intervals.of(*(port_span(word) for word in address.words()))
                continue
            high = address.value("to")
            first = address.word.split("/")[0]
            addresses |= AddressSet.parse(f"{first}-{high.split('/')[0]}" if high else address.word)
            if address.words("port"):
                ports |= Intervals.of(*(port_span(word) for word in address.words("port")))
        if not addresses:
            raise InputError(f"destination pool {name[:60]!r} without an address")
        if "routing-instance" in pool.children and pool.value("routing-instance") != "default":
            self.notes.node(pool, "goes on in another routing instance")
        return NatKind.DNAT, addresses, ports

    def _static(self, then: Node) -> tuple[NatKind, AddressSet, Intervals]:
        ports = Intervals()
        name = then.value("prefix-name")
        for child in (*then.below("prefix"), *then.below("prefix-name")):
            mapped = child.at("mapped-port")
            if mapped is not None:
                ports |= _ports(mapped)
            if "routing-instance" in child.children:
                self.notes.node(child, "goes on in another routing instance")
        if "inet" in then.children or "nptv6-prefix" in then.children:
            raise InputError("a translation between IP versions")
        prefixes = [word for word in then.words("prefix") if word not in ("mapped-port", "routing-instance")]
        names = [
            word for word in then.words("prefix-name") if word not in ("mapped-port", "routing-instance")
        ]
        if names:
            found = self.books.named(then.below("prefix-name")[0], [GLOBAL])
            if found.why:
                raise InputError(f"prefix-name {name[:60]}: {found.why}")
            return NatKind.STATIC, found.sure, ports
        if not prefixes:
            raise InputError("static NAT to nothing")
        mapped = then.at("prefix", "mapped-port")
        if mapped is not None:
            ports |= _ports(mapped)
        return NatKind.STATIC, AddressSet.parse(*prefixes), ports


def _ports(node: Node | None) -> Intervals:
    """Read `80`, `80 to 90`, `range 80 to 90`, `low 80 high 90`; every port where nothing is said."""
    if node is None or not node.children:
        return ANY_PORT
    spans = []
    beside = node.value("to") or node.value("high")
    for child in node.children.values():
        if child.word == "range":
            spans += list(_ports(child))
            continue
        if child.word in ("to", "high"):
            continue
        low, high = port_span(child.word)
        end = child.value("to") or beside
        spans.append((low, port_span(end)[1] if end else high))
    return Intervals.of(*spans) if spans else ANY_PORT


def _specificity(rule_set: Node) -> tuple[int, int]:
    def rank(node: Node | None) -> int:
        words = node.words() if node is not None else []
        return min((SPECIFIC.index(word) for word in words if word in SPECIFIC), default=len(SPECIFIC))

    return rank(rule_set.at("from")), rank(rule_set.at("to"))
