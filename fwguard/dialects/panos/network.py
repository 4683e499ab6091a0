"""Interfaces and their addresses, static routes, and what may reach the firewall itself.

A service of the firewall answers on an interface with a management profile, where the security rules let
it; the management port is guarded by its own list. Source: PAN-OS Networking Administrator's Guide (static
routes, interface management profiles), PAN-OS Administrator's Guide (management interface).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from fwguard.dialects.bounds import EVERYWHERE, Addresses, Services, matches
from fwguard.dialects.config_tree import Node
from fwguard.dialects.panos.firewalls import Firewall
from fwguard.dialects.panos.objects import literal
from fwguard.dialects.service_words import services_of
from fwguard.dialects.unread import Notes
from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet, parse_span, show_address
from fwguard.model.policy import ANY_INTERFACE, Action, InterfaceSet, Match, Route, Rule

SERVICES: Final = {
    "https": "tcp/443", "http": "tcp/80", "ssh": "tcp/22", "telnet": "tcp/23", "ping": "icmp/8 icmpv6/128",
    "snmp": "udp/161", "http-ocsp": "tcp/80", "response-pages": "tcp/6080-6083 tcp/6081", "userid-service": "tcp/5007",
    "userid-syslog-listener-ssl": "tcp/6514", "userid-syslog-listener-udp": "udp/514",
}  # fmt: skip
MANAGEMENT: Final = "management"
# The port's own services, and whether they run where nothing is said.
OWN_SERVICES: Final = {
    "ssh": True, "https": True, "icmp": True, "telnet": False, "http": False, "snmp": True,
}  # fmt: skip
HOPS: Final = {"ip-address": "", "ipv6-address": "", "next-vr": "vr ", "next-lr": "lr ", "fqdn": ""}
SILENT_ROUTE: Final = frozenset(
    {"destination", "nexthop", "interface", "metric", "admin-dist", "option", "bfd", "path-monitor", "route-table"}
)  # fmt: skip


class Network:
    """What `network` says, of the device and of the templates of Panorama."""

    def __init__(self, root: Node, firewalls: list[Firewall], notes: Notes) -> None:
        self.root = root
        self.notes = notes
        self.networks = [node for node in [root.at("network")] if node is not None]
        for template in root.below("template"):
            inner = template.at("config", "network")
            self.networks += [inner] if inner is not None else []
        self.zone_of: dict[str, str] = {}
        for firewall in firewalls:
            for zone, members in firewall.members.items():
                self.zone_of.update(dict.fromkeys(members, zone))
        self.interfaces = list(self._interfaces())

    def _interfaces(self) -> Iterator[tuple[str, Node]]:
        """Yield (name, its layer 3 settings), subinterfaces too."""
        for network in self.networks:
            for kind in network.below("interface"):
                for interface in [*kind.below("units"), *kind.children.values()]:
                    layer = interface.at("layer3") or interface
                    yield interface.word, layer
                    for unit in layer.below("units"):
                        yield unit.word, unit

    def addresses(self) -> Iterator[tuple[str, str, AddressSet]]:
        """Yield (interface, its prefix, the address itself)."""
        for name, layer in self.interfaces:
            for word in (*layer.words("ip"), *layer.words("ipv6", "address")):
                try:
                    version, number, _ = parse_span(word.split("/")[0])
                except InputError:
                    continue
                yield name, word, AddressSet.parse(show_address(version, number))

    def connected(self) -> Iterator[tuple[str, str]]:
        """Yield (prefix, zone) of what stands at the interfaces themselves."""
        for name, prefix, _ in self.addresses():
            if name in self.zone_of:
                yield prefix, self.zone_of[name]

    def routes(self) -> Iterator[Route]:
        """Yield every static route; `interface` is the zone that it leads to, `via` names the interface."""
        for network in self.networks:
            for router in network.below("virtual-router"):
                yield from self._table(router, router.word)
            for router in network.below("logical-router"):
                for vrf in router.below("vrf"):
                    yield from self._table(vrf, f"{router.word}/{vrf.word}")

    def _table(self, router: Node, table: str) -> Iterator[Route]:
        for family in router.below("routing-table"):
            for route in family.below("static-route"):
                prefix = route.value("destination")
                if not prefix:
                    self.notes.node(route, "a route without a destination")
                    continue
                for child in route.children.values():
                    if child.word not in SILENT_ROUTE:
                        self.notes.node(child, "not understood in a route")
                yield self._route(route, prefix, table)

    def _route(self, route: Node, prefix: str, table: str) -> Route:
        interface, kind, via = route.value("interface"), "unicast", ""
        for hop in route.below("nexthop"):
            if hop.word == "discard":
                kind = "blackhole"
            elif hop.word in HOPS:
                via = f"{HOPS[hop.word]}{hop.value()}"
        zone = self.zone_of.get(interface, interface) if interface else self._towards(via)
        metric = route.value("metric")
        return Route(
            prefix=prefix, via=f"{via}%{interface}" if via and interface else via or interface, interface=zone,
            table=table, metric=int(metric) if metric.isdecimal() else 0, kind=kind, line=route.line,
        )  # fmt: skip

    def _towards(self, via: str) -> str:
        try:
            hop = literal(via)
        except InputError:
            return ""
        holding = []
        for name, prefix, _ in self.addresses():
            net = AddressSet.parse(prefix)
            if hop <= net:
                holding.append((net.v4.size + net.v6.size, name))
        return self.zone_of.get(min(holding)[1], min(holding)[1]) if holding else ""

    def services(self) -> list[Rule]:
        """Return what the interfaces' management profiles, and the management port, accept."""
        rules: list[Rule] = []
        for name, layer in self.interfaces:
            used = layer.at("interface-management-profile")
            if used is None:
                continue
            own = AddressSet()
            for interface, _, address in self.addresses():
                own = own | address if interface == name else own
            rules += self._profile(name, used.value(), used.line, own)
        return rules + self._management_port()

    def _profile(self, interface: str, name: str, line: int, own: AddressSet) -> list[Rule]:
        profile = next(
            (
                node
                for network in self.networks
                if (node := network.at("profiles", "interface-management-profile", name)) is not None
            ),
            None,
        )
        if profile is None:
            why = f"interface-management-profile {name[:60]} is defined nowhere"
            self.notes.add(line, name, why)
            match = Match(target=own or ANY_ADDRESS, unknown=why)
            return [Rule(matches=(match,), action=Action.ACCEPT, line=line, text=f"{interface} {name}"[:80])]
        services = Services()
        for child in profile.children.values():
            if child.word in SERVICES and child.value() == "yes":
                services |= services_of(SERVICES[child.word], child.word)
            elif child.word not in (*SERVICES, "permitted-ip"):
                self.notes.node(child, "not understood in a management profile")
        target = (
            Addresses(own) if own else Addresses(AddressSet(), ANY_ADDRESS, "the address of the interface")
        )
        return [
            Rule(
                matches=matches(EVERYWHERE, Addresses(self._permitted(profile)), target, services),
                action=Action.ACCEPT, line=line, text=f"{interface} interface-management-profile {name}",
            )
        ]  # fmt: skip

    def _permitted(self, holder: Node) -> AddressSet:
        words = holder.words("permitted-ip")
        found = AddressSet()
        for node in holder.below("permitted-ip"):
            try:
                found |= literal(node.word)
            except InputError as error:
                self.notes.node(node, str(error)[:200])
        return found if words else ANY_ADDRESS

    def _management_port(self) -> list[Rule]:
        system = self.root.at("deviceconfig", "system")
        if system is None or not system.value("ip-address"):
            return []
        services = Services()
        for name, default in OWN_SERVICES.items():
            said = system.value("service", f"disable-{name}")
            if said == "no" or (not said and default):
                services |= services_of(SERVICES["ping" if name == "icmp" else name], name)
        way = [(InterfaceSet.of(MANAGEMENT), ANY_INTERFACE)]
        found = matches(way, Addresses(self._permitted(system)), Addresses(ANY_ADDRESS), services)
        line = (system.at("ip-address") or system).line
        return [Rule(matches=found, action=Action.ACCEPT, line=line, text="the management port")]

    def to_itself(self, rules: list[Rule], firewall: Firewall) -> list[Rule]:
        """Return the same rules for packets to the firewall: out by a zone means to an address of its own."""
        own: dict[str, AddressSet] = {}
        for name, _, address in self.addresses():
            zone = self.zone_of.get(name)
            if zone in firewall.names() and zone is not None:
                own[zone] = own.get(zone, AddressSet()) | address
        found = []
        for rule in rules:
            reached = tuple(
                replace(match, egress=ANY_INTERFACE, target=match.target & addresses)
                for match in rule.matches
                for zone, addresses in own.items()
                if zone in match.egress and match.target & addresses
            )
            if reached:
                found.append(replace(rule, matches=reached))
        return found


def management_first() -> Rule:
    """The management port is no part of the zones: security rules do not judge it."""
    return Rule(
        matches=(Match(ingress=InterfaceSet.of(MANAGEMENT)),), action=Action.ACCEPT, line=0,
        text="the management port is judged by its own list alone",
    )  # fmt: skip
