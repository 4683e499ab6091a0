"""Addresses, services and applications by name, as seen from one rule base.

Names are looked up in the virtual system or device group, in the groups above it, then in what all
share. Source: PAN-OS Administrator's Guide (policy objects), Panorama Administrator's Guide (inheritance).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fwguard.dialects.bounds import (
    ALL_ADDRESSES,
    ALL_SERVICES,
    Addresses,
    Service,
    Services,
    crossed,
    masked,
    unknown_addresses,
    unknown_services,
)
from fwguard.dialects.config_tree import Node
from fwguard.dialects.loops import refuse_loops
from fwguard.dialects.panos.predefined import DEFAULT_PORTS, EXACT, SERVICES
from fwguard.dialects.service_words import services_of
from fwguard.dialects.unread import Notes
from fwguard.errors import InputError
from fwguard.model.address import V4_MAX, AddressSet, parse_span
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT, parse_ports, parse_protocol

MAX_NESTED: Final = 64
SILENT: Final = frozenset({"description", "tag", "disable-override", "id", "color", "comments"})
APPLICATION_DEFAULT: Final = "application-default"
_REGION: Final = re.compile(r"[A-Z]{2}|[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+/region")
_MAPPED: Final = Intervals(((0, V4_MAX),))


class Objects:
    """What names mean; `places` are the nodes that define them, the nearest first.

    Each name is resolved once. Raises UnreadableError for a group that holds itself, of the nearer places:
    the last one is looked through by itself.
    """

    def __init__(self, places: list[Node], notes: Notes, overridden: frozenset[str] = frozenset()) -> None:
        self.places = places
        self.notes = notes
        self.overridden = overridden
        self._open: list[tuple[str, str]] = []
        self._addresses: dict[str, Addresses] = {}
        self._services: dict[str, Services] = {}
        self._applications: dict[tuple[str, bool], Services] = {}
        self._refuse_loops("address-group", "static", "address", frozenset())
        self._refuse_loops("service-group", "members", "service", frozenset())
        self._refuse_loops("application-group", "members", "application", frozenset({*EXACT, *DEFAULT_PORTS}))

    def _refuse_loops(self, kind: str, below: str, plain: str, built_in: frozenset[str]) -> None:
        def held(name: str) -> Iterable[str]:
            group = self.find(kind, name)
            for member in group.words(below) if group is not None else ():
                if member in built_in or self.find(plain, member) is not None:
                    continue
                if self.find(kind, member) is not None:
                    yield member

        def line_of(name: str) -> int:
            group = self.find(kind, name)
            return group.line if group is not None else 0

        starts = (name for place in self.places[:-1] or self.places for name in place.words(kind))
        refuse_loops(starts, held, kind=kind, line_of=line_of)

    def find(self, kind: str, name: str) -> Node | None:
        """Return the nearest definition of a name."""
        return next((node for place in self.places if (node := place.at(kind, name)) is not None), None)

    def addresses(self, nodes: Iterable[Node]) -> Addresses:
        """Return what the members of a rule's source or destination mean together."""
        found = Addresses()
        for node in nodes:
            found |= self.address(node)
        return found

    def address(self, node: Node) -> Addresses:
        """Return what one word means: an object or group of that name, else what it says itself."""
        name = node.word
        if name == "any":
            return ALL_ADDRESSES
        if name in self._addresses:
            return self._addresses[name]
        key = ("address", name)
        if key in self._open or len(self._open) > MAX_NESTED:
            why = self.notes.node(node, f"address-group {name[:60]} nests without end, or has two meanings")
            return unknown_addresses(why)
        self._open.append(key)
        found = self._named(node)
        self._open.pop()
        self._addresses[name] = found
        return found

    def _named(self, node: Node) -> Addresses:
        name = node.word
        own, group = self.find("address", name), self.find("address-group", name)
        try:
            if own is not None:
                return self._entry(own)
            if group is not None:
                return self._group(group)
            if self.find("external-list", name) is not None:
                return unknown_addresses(f"what list {name[:60]} holds")
            if self.find("region", name) is not None or _REGION.fullmatch(name):
                return unknown_addresses(f"the region {name[:60]}")
            return Addresses(literal(name))
        except InputError as error:
            looks = "is defined nowhere" if own is None and not name[:1].isdigit() else str(error)[:150]
            return unknown_addresses(self.notes.node(node, f"address {name[:60]} {looks}"))

    def _entry(self, own: Node) -> Addresses:
        for child in own.children.values():
            if child.word in ("ip-netmask", "ip-range"):
                return Addresses(literal(child.value()))
            if child.word == "ip-wildcard":
                address, _, mask = child.value().partition("/")
                found = masked(parse_span(address)[1], ~parse_span(mask)[1] & V4_MAX)
                return Addresses(found) if found else unknown_addresses(f"wildcard {child.value()[:60]}")
            if child.word == "fqdn":
                return unknown_addresses(f"the addresses of {child.value()[:100]}")
        return unknown_addresses(self.notes.node(own, f"address {own.word[:60]} without a value"))

    def _group(self, group: Node) -> Addresses:
        if "dynamic" in group.children:
            return unknown_addresses(f"the members of dynamic group {group.word[:60]}")
        members = group.below("static")
        if not members:
            return unknown_addresses(
                self.notes.node(group, f"address-group {group.word[:60]} without members")
            )
        return self.addresses(members)

    def services(self, nodes: list[Node], applications: list[Node]) -> Services:
        """Return what a rule's services and applications mean together."""
        wanted = self.application_ports(
            applications, default="application-default" in {n.word for n in nodes}
        )
        named = [node for node in nodes if node.word != APPLICATION_DEFAULT]
        if not nodes or any(node.word == "any" for node in nodes):
            return wanted
        if not named:
            return wanted
        found = Services()
        for node in named:
            found |= self.service(node)
        both = crossed(found, wanted)
        return both | wanted if len(named) < len(nodes) else both

    def service(self, node: Node) -> Services:
        """Return what one service, or group of them, means."""
        name = node.word
        if name == "any":
            return ALL_SERVICES
        if name in self._services:
            return self._services[name]
        key = ("service", name)
        if key in self._open or len(self._open) > MAX_NESTED:
            why = self.notes.node(node, f"service-group {name[:60]} nests without end, or has two meanings")
            return unknown_services(why)
        self._open.append(key)
        own, group = self.find("service", name), self.find("service-group", name)
        if own is not None:
            found = self._service(own)
        elif group is not None:
            found = Services()
            for member in group.below("members"):
                found |= self.service(member)
        elif name in SERVICES:
            found = services_of(SERVICES[name], name)
        else:
            found = unknown_services(self.notes.node(node, f"service {name[:60]} is defined nowhere"))
        self._open.pop()
        self._services[name] = found
        return found

    def _service(self, own: Node) -> Services:
        found = Services()
        try:
            for protocol in own.below("protocol"):
                port, source = protocol.value("port"), protocol.value("source-port")
                found |= Services(
                    (
                        Service(
                            Intervals.single(parse_protocol(protocol.word)),
                            parse_ports(port) if port else ANY_PORT,
                            parse_ports(source) if source else ANY_PORT,
                        ),
                    )
                )
        except InputError as error:
            return unknown_services(self.notes.node(own, str(error)[:200]))
        if not found.sure:
            return unknown_services(self.notes.node(own, f"service {own.word[:60]} without a protocol"))
        return found

    def application_ports(self, nodes: Iterable[Node], *, default: bool) -> Services:
        """Return what applications may be seen on: they are known by their payload, after the first packet.

        `default`: only on the ports that each application has by default.
        """
        nodes = list(nodes)
        if any(node.word == "any" for node in nodes) or not nodes:
            why = "each application only on its default ports"
            return Services((), ALL_SERVICES.sure, why) if default else ALL_SERVICES
        found = Services()
        for node in nodes:
            found |= self._application(node, default)
        return found

    def _application(self, node: Node, default: bool) -> Services:
        name = node.word
        key = ("application", name)
        if key in self._open or len(self._open) > MAX_NESTED:
            why = self.notes.node(
                node, f"application-group {name[:60]} nests without end, or has two meanings"
            )
            return unknown_services(why)
        group = self.find("application-group", name)
        if group is not None:
            if (name, default) not in self._applications:
                self._open.append(key)
                found = self.application_ports(group.below("members"), default=default)
                self._open.pop()
                self._applications[name, default] = found
            return self._applications[name, default]
        why = f"application {name[:60]}"
        own = self.find("application", name)
        if own is None and name in EXACT:
            return services_of(EXACT[name], name)
        if default and name not in self.overridden:
            ports = own.words("default", "port") if own is not None else DEFAULT_PORTS.get(name, "").split()
            narrowed = _default_ports(ports)
            if narrowed is not None:
                return replace(narrowed.doubted(why), why=why)
        return unknown_services(why)


def _default_ports(words: Iterable[str]) -> Services | None:
    """Read "tcp/22", "udp/5060,5061", "tcp/dynamic"; None where nothing narrows."""
    found = Services()
    for word in words:
        protocol, _, ports = word.partition("/")
        try:
            numbers = ANY_PORT if ports == "dynamic" else parse_ports(ports)
            found |= Services((Service(Intervals.single(parse_protocol(protocol)), numbers),))
        except InputError:
            return None
    return found if found.sure else None


def literal(text: str) -> AddressSet:
    """Read an address, prefix or range. An IPv4 address also is in the IPv6 prefixes that hold `::/96`.

    Raises InputError. Source: PAN-OS Networking Administrator's Guide, "NAT Policy Rules".
    """
    found = AddressSet.parse(text)
    both = found.v6 & _MAPPED
    return AddressSet(found.v4 | both, found.v6) if both else found
