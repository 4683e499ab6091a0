"""Applications and their sets: what a configuration defines, and what Junos brings along.

Source: Junos Security User Guide, "Security Policy Applications"; CLI reference of `applications`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from fwguard.dialects.bounds import ALL_SERVICES, Service, Services, unknown_services
from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos import predefined
from fwguard.dialects.loops import refuse_loops
from fwguard.dialects.service_words import services_of
from fwguard.dialects.unread import Notes
from fwguard.errors import InputError
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, ICMPV6, WITH_PORTS, icmp_key, icmp_types

MAX_NESTED: Final = 64
SILENT: Final = frozenset(
    {"inactivity-timeout", "description", "application-protocol", "alg", "do-not-translate-A-query-to-AAAA-query",
     "do-not-translate-AAAA-query-to-A-query", "ttl-threshold", "snmp-command", "learn-sip-register",
     "sip-call-hold-timeout", "child-inactivity-timeout", "gate-timeout"}
)  # fmt: skip
PAYLOAD: Final = ("rpc-program-number", "uuid")
READ: Final = frozenset(
    {"protocol", "destination-port", "source-port", "icmp-type", "icmp-code", "icmp6-type", "icmp6-code", "term",
     "ether-type", *PAYLOAD, *SILENT}
)  # fmt: skip


def number_of(word: str, names: Mapping[str, int], most: int) -> int:
    """Return a name or number. Raises InputError."""
    if word in names:
        return names[word]
    if word.isdecimal() and int(word) <= most:
        return int(word)
    raise InputError(f"{word[:60]!r}", expected=f"a known name, or a number up to {most}")


def port_span(word: str) -> tuple[int, int]:
    """Read "80", "http", "8000-8010". A name may hold a hyphen itself. Raises InputError."""
    if word in predefined.PORTS:
        return predefined.PORTS[word], predefined.PORTS[word]
    low, dash, high = word.partition("-")
    if not dash:
        number = number_of(word, predefined.PORTS, 65535)
        return number, number
    first, last = (number_of(part, predefined.PORTS, 65535) for part in (low, high))
    if first > last:
        raise InputError(f"reversed port range {word}", expected=f"{high}-{low}")
    return first, last


def ports(words: Iterable[str]) -> Intervals:
    """Return the union of some ports and ranges; every port where there are none."""
    spans = [port_span(word) for word in words]
    return Intervals.of(*spans) if spans else ANY_PORT


class Applications:
    """What names of applications mean. Raises UnreadableError for a set that holds itself."""

    def __init__(self, root: Node, notes: Notes) -> None:
        self.own = root.at("applications") or Node("applications")
        self.notes = notes
        self._known: dict[str, Services] = {}
        self._open: list[str] = []
        refuse_loops(
            self.own.words("application-set"), self._sets_in, kind="application-set",
            line_of=lambda name: self._set(name).line,
        )  # fmt: skip

    def _set(self, name: str) -> Node:
        return self.own.at("application-set", name) or Node(name)

    def _sets_in(self, name: str) -> Iterable[str]:
        """Yield the sets that a set names; a word of both kinds is the application where that is meant."""
        group = self._set(name)
        for word in group.words("application-set"):
            if self.own.at("application-set", word) is not None:
                yield word
        for word in group.words("application"):
            if self.own.at("application", word) is None and self.own.at("application-set", word) is not None:
                yield word

    def union(self, nodes: Iterable[Node]) -> Services:
        """Return what several names of one rule mean together."""
        found = Services()
        for node in nodes:
            found |= self.named(node)
        return found

    def named(self, node: Node) -> Services:
        """Return what a name means: the configuration's own definition counts before the built-in one."""
        name = node.word
        if name == "any":
            return ALL_SERVICES
        if name in self._known:
            return self._known[name]
        if name in self._open or len(self._open) > MAX_NESTED:
            return unknown_services(
                self.notes.node(node, f"application-set {name[:60]} nests without end, or has two meanings")
            )
        own, group = self.own.at("application", name), self.own.at("application-set", name)
        if own is None and group is None:
            if name in predefined.APPLICATIONS:
                return services_of(predefined.APPLICATIONS[name], name)
            return unknown_services(self.notes.node(node, f"application {name[:60]} is defined nowhere"))
        self._open.append(name)
        found = self._application(own) if own is not None else Services()
        if group is not None:
            for child in group.children.values():
                if child.word in ("application", "application-set"):
                    found |= self.union(child.children.values())
                elif child.word != "description":
                    found |= unknown_services(self.notes.node(child, "not understood in an application-set"))
        self._open.pop()
        self._known[name] = found
        return found

    def _application(self, node: Node) -> Services:
        found = Services()
        if any(word != "term" and word not in SILENT for word in node.children):
            found |= self._term(node, node.word)
        for term in node.below("term"):
            found |= self._term(term, node.word)
        if not found.sure and not found.maybe:
            return unknown_services(self.notes.node(node, "an application without a protocol"))
        return found

    def _term(self, node: Node, name: str) -> Services:
        strange = [child for word, child in node.children.items() if word not in READ]
        why = "; ".join(self.notes.node(child, "not understood in an application") for child in strange)
        if any(word in node.children for word in PAYLOAD):
            why = why or f"the ports of {name}"
        try:
            service = self._service(node)
        except InputError as error:
            return unknown_services(self.notes.node(node, str(error)[:200]))
        if "protocol" not in node.children:
            why = why or self.notes.node(node, f"application {name} without a protocol")
        return Services((service,)).doubted(why) if why else Services((service,))

    def _service(self, node: Node) -> Service:
        word = node.value("protocol")
        protocol = ANY_PROTOCOL
        if word:
            protocol = Intervals.single(number_of(word, predefined.PROTOCOLS, 255))
        kinds = (
            ("icmp6", ICMPV6, predefined.ICMPV6_TYPES) if ICMPV6 in protocol and word
            else ("icmp", ICMP, predefined.ICMP_TYPES)
        )  # fmt: skip
        kind, code = node.value(f"{kinds[0]}-type"), node.value(f"{kinds[0]}-code")
        if kind and (not word or kinds[1] in protocol):
            number = number_of(kind, kinds[2], 255)
            keys = icmp_types(number, number)
            if code:
                keys = Intervals.single(icmp_key(number, number_of(code, {}, 255)))
            return Service(Intervals.single(kinds[1]), keys)
        if word and not protocol.overlaps(WITH_PORTS):
            return Service(protocol)
        return Service(protocol, ports(node.words("destination-port")), ports(node.words("source-port")))
