"""The contract in plain words over the desired state: what one packet that begins something may do, and why.

It knows nothing of sets, chains or marks, so that it can say whether the kernel enforces what was meant. It
judges one packet of a forwarded, new flow; what needs memory (scans, floods, open connections) is not in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from fwguard.errors import InputError
from fwguard.model.address import AddressSet, parse_span
from fwguard.model.controls import Mode, Passage
from fwguard.model.edge import EdgeArchitecture, EdgePort, EdgeState, Link, PortKind, Template
from fwguard.model.edge_checks import is_outer, walled_architectures
from fwguard.model.edge_grants import EdgeIsolation, EdgeOpening, PassageRule, Scope
from fwguard.model.inventory import Role
from fwguard.model.packet import Packet
from fwguard.model.ports import ICMP, ICMPV6, TCP, UDP, WITH_PORTS, show_protocol

_ROUTERS_ONLY = {ICMP: (5, 9), ICMPV6: (134, 137)}  # redirect and router advertisement (RFC 792, 1256, 4861)
_ADDRESS_SERVERS = (67, 547)  # UDP source ports of DHCP servers (RFC 2131, RFC 8415)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """Whether the packet passes; the clause, ticket or case that decides; `key` and `facts` say why in words."""

    passes: bool
    clause: str
    key: str
    ticket: str = ""
    facts: tuple[tuple[str, str], ...] = ()


def _no(clause: str, key: str, ticket: str = "", **facts: object) -> Decision:
    return Decision(passes=False, clause=clause, key=key, ticket=ticket, facts=_facts(facts))


def _yes(clause: str, key: str, ticket: str = "", **facts: object) -> Decision:
    return Decision(passes=True, clause=clause, key=key, ticket=ticket, facts=_facts(facts))


def _facts(facts: dict[str, object]) -> tuple[tuple[str, str], ...]:
    return tuple((name, str(value)) for name, value in facts.items())


class Contract:
    """The contract for one edge at one time."""

    def __init__(self, state: EdgeState, *, now_s: int) -> None:
        self._state = state
        self._now_s = now_s
        self._walled = walled_architectures(state)
        self._ports = {port.interface: port for port in state.ports}
        self._architectures = {one.name: one for one in state.architectures}

    def judge(self, packet: Packet, *, ether: str = "") -> Decision:
        """Say what happens to a packet that comes in at `packet.ingress`; `ether` is its source MAC.

        Without a MAC it is its port's own; without an egress, the one where its target is.
        Raises InputError on addresses of two IP versions.
        """
        if parse_span(packet.source)[0] != parse_span(packet.target)[0]:
            raise InputError(
                f"{packet.source} to {packet.target}", expected="two addresses of one IP version"
            )
        source = self._ports.get(packet.ingress)
        if source is None and packet.ingress not in self._state.uplinks:
            return _no("4", "no-port", interface=packet.ingress)
        egress = packet.egress or self.egress_of(packet)
        target = self._ports.get(egress)
        return (
            self._arrives(packet, source, ether)
            or (None if egress else _no("4", "no-path", interface="-"))
            or self._is_cut(packet, source, target)
            or self._bridged(source)
            or self._suspended(packet, source, target)
            or (
                self._from_uplink(packet, egress)
                if source is None
                else self._from_port(packet, source, egress)
            )
        )

    def egress_of(self, packet: Packet) -> str:
        """Return the interface where the edge's routes send the packet, "" for nowhere."""
        source = self._ports.get(packet.ingress)
        if source is None or is_outer(source, self._walled):
            here = (port for port in self._state.ports if is_outer(port, self._walled))
            found = _holder(here, packet.target)
            return found.interface if found else self._state.uplinks[0]
        inside = [port for port in self._inside() if port.zone == source.zone]
        found = _holder(inside, packet.target)
        if found or source.kind is PortKind.FIREWALL_IN:
            return found.interface if found else ""
        return next((port.interface for port in inside if port.kind is PortKind.FIREWALL_IN), "")

    def _inside(self) -> Iterator[EdgePort]:
        return (port for port in self._state.ports if not is_outer(port, self._walled))

    # ------------------------------------------------------------------ clauses 4 and 7.1: who sends

    def _arrives(self, packet: Packet, source: EdgePort | None, ether: str) -> Decision | None:
        if source is None:
            holder = _holder(
                (p for p in self._state.ports if p.is_started and is_outer(p, self._walled)), packet.source
            )
            return _no("4", "ours-from-outside", source=packet.source) if holder else None
        if not source.is_started:
            return _no("4", "stopped", server=source.server)
        cut = self._cut(packet, source, sends=True)
        if isinstance(cut, Decision):
            return cut
        if ether and ether not in source.macs:
            return _no("4", "forged-mac", server=source.server, mac=ether)
        if source.kind is not PortKind.FIREWALL_IN and packet.source not in source.addresses:
            return _no("4", "forged-address", server=source.server, source=packet.source)
        if packet.protocol == UDP and packet.sport in _ADDRESS_SERVERS:
            return _no("7.1", "dhcp-server", server=source.server)
        if packet.icmp_type is not None and packet.icmp_type >> 8 in _ROUTERS_ONLY.get(packet.protocol, ()):
            return _no("7.1", "router", server=source.server)
        return None

    # ------------------------------------------------------------------ clauses 6.1 and 8: what is cut

    def _isolations(self, port: EdgePort) -> list[EdgeIsolation]:
        return [
            one
            for one in self._state.isolations
            if (one.port == port.number or one.architecture == port.architecture)
            and (one.ends_at_s is None or one.ends_at_s > self._now_s)
        ]

    def _cut(self, packet: Packet, port: EdgePort, *, sends: bool) -> Decision | Passage | None:
        """Return a refusal, the passage that lets it through all the same, or None where nothing is cut."""
        whole = [one for one in self._isolations(port) if one.scope is not Scope.SERVICE]
        if not whole:
            return None
        for rule in self._state.passages:
            if all(rule.passage in one.stays_open for one in whole) and _is_of(packet, rule, sends):
                return rule.passage
        first = whole[0]
        return _no(first.clause, "isolated", f"case {first.case}", server=port.server, reason=first.reason)

    def _is_cut(self, packet: Packet, source: EdgePort | None, target: EdgePort | None) -> Decision | None:
        away = self._cut(packet, source, sends=True) if source else None
        back = self._cut(packet, target, sends=False) if target and target.is_started else None
        if isinstance(back, Decision):
            return back
        passage = away or back
        return _yes("8", "stays-open", passage=passage) if isinstance(passage, Passage) else None

    def _bridged(self, source: EdgePort | None) -> Decision | None:
        """Conntrack is refused on a bridge: there a true frame that nobody cut passes."""
        return _yes("4", "bridged", server=source.server) if source and source.link is Link.BRIDGED else None

    def _suspended(self, packet: Packet, source: EdgePort | None, target: EdgePort | None) -> Decision | None:
        ends = [(source, packet.dport), (source, packet.sport), (target, packet.dport)]
        for port, number in ends:
            for one in self._isolations(port) if port and port.is_started else ():
                is_meant = one.scope is Scope.SERVICE and one.protocol == packet.protocol
                if is_meant and one.first_port <= number <= one.last_port:
                    return _no(one.clause, "suspended", f"case {one.case}", ports=number)
        return None

    # ------------------------------------------------------------------ what may begin

    def _from_uplink(self, packet: Packet, egress: str) -> Decision:
        if egress in self._state.uplinks:
            return _yes("4", "between-uplinks")
        return self._to(packet, egress)

    def _from_port(self, packet: Packet, source: EdgePort, egress: str) -> Decision:
        if not is_outer(source, self._walled):
            if source.kind is PortKind.SERVER and (refused := self._forbidden(packet, source, egress)):
                return refused
            return self._to_inside(packet, source, egress)
        architecture = self._architectures[source.architecture]
        if architecture.template is Template.RETRIEVAL:
            return _no("13.2", "service-ended", architecture.ticket, architecture=architecture.name)
        if refused := self._forbidden(packet, source, egress):
            return refused
        if egress in self._state.uplinks:
            return _yes("7.7", "outward", server=source.server)
        return self._to(packet, egress)

    def _forbidden(self, packet: Packet, source: EdgePort, egress: str) -> Decision | None:
        """Clauses 7.4 and 7.5, for a server and for the outside of the firewall that hides it."""
        target = self._ports.get(egress)
        to_own_server = target is not None and target.is_started and self._is_inner_server(target)
        if (
            packet.protocol == TCP
            and packet.dport in self._state.controls.mail.ports
            and not to_own_server
            and not self._may_mail(source)
        ):
            return _no("7.4", "mail", server=source.server, port=packet.dport)
        return self._unregistered(packet, source, "used-unregistered")

    def _is_inner_server(self, port: EdgePort) -> bool:
        return port.kind is PortKind.SERVER and not is_outer(port, self._walled)

    def _may_mail(self, source: EdgePort) -> bool:
        behind = [source] if source.kind is PortKind.SERVER else self._servers_behind(source)
        return any(port.role is Role.MAIL for port in behind)

    def _servers_behind(self, source: EdgePort) -> list[EdgePort]:
        return [
            port
            for port in self._state.ports
            if port.kind is PortKind.SERVER and port.architecture == source.architecture and port.is_started
        ]

    def _unregistered(self, packet: Packet, port: EdgePort, key: str) -> Decision | None:
        services = self._state.controls.registration.services
        known = [
            one
            for one in services
            if one.protocol == packet.protocol and one.first_port <= packet.dport <= one.last_port
        ]
        behind = [port] if port.kind is PortKind.SERVER else self._servers_behind(port)
        numbers = {one.number for one in behind}
        for one in self._state.registrations if known else ():
            if one.port in numbers and (one.ends_at_s is None or one.ends_at_s > self._now_s):
                ports = one.ports or [
                    (s.protocol, s.first_port, s.last_port) for s in services if s.kind is one.kind
                ]
                if any(p == packet.protocol and low <= packet.dport <= high for p, low, high in ports):
                    return None
        if known:
            return _no("7.5", key, server=port.server, kind=known[0].kind, port=packet.dport)
        return None

    def _to_inside(self, packet: Packet, source: EdgePort, egress: str) -> Decision:
        target = self._ports.get(egress)
        if (
            target is None
            or not target.is_started
            or is_outer(target, self._walled)
            or target.zone != source.zone
        ):
            return _no("4", "no-path", interface=egress or "-")
        if self._is_inner_server(target) and (
            refused := self._unregistered(packet, target, "offered-unregistered")
        ):
            return refused
        to_firewall = target.kind is PortKind.FIREWALL_IN
        return _yes("4", "to-firewall" if to_firewall else "inside", client=source.client)

    def _to(self, packet: Packet, egress: str) -> Decision:
        """Towards a port that faces outside: Annex 2, clauses 7.1.1 and 13.2."""
        target = self._ports.get(egress)
        if target is None or not target.is_started or not is_outer(target, self._walled):
            return _no("4", "no-path", interface=egress or "-")
        if packet.source in self._state.monitoring:
            return _yes("7.10", "monitoring")
        architecture = self._architectures[target.architecture]
        if architecture.template is Template.RETRIEVAL:
            return self._retrieved(packet, architecture)
        if architecture.template is Template.DEVELOPMENT and packet.source not in architecture.own_sources:
            return _no("annex-2", "not-own-source", architecture.ticket, source=packet.source)
        for one in self._state.openings:
            if one.port == target.number and self._opens(one, packet):
                return _yes(one.clause, "open", one.ticket)
        if architecture.mode is Mode.OBSERVE:
            return _yes("7.1.1", "observed", architecture.ticket, architecture=architecture.name)
        return _no("7.1.1", "not-open", service=_service(packet), target=packet.target)

    def _opens(self, one: EdgeOpening, packet: Packet) -> bool:
        version, number, _ = parse_span(packet.target)
        return (
            one.protocol == packet.protocol
            and (one.ends_at_s is None or one.ends_at_s > self._now_s)
            and version == one.public.version
            and one.public.first <= number <= one.public.last
            and (one.protocol not in WITH_PORTS or one.first_port <= packet.dport <= one.last_port)
            and packet.source in one.sources
        )

    def _retrieved(self, packet: Packet, architecture: EdgeArchitecture) -> Decision:
        version, number, _ = parse_span(packet.target)
        if architecture.retrieval_ends_at_s is None or architecture.retrieval_ends_at_s > self._now_s:
            for one in architecture.transfers:
                if (
                    one.protocol == packet.protocol
                    and one.public.version == version
                    and one.public.first <= number <= one.public.last
                    and one.first_port <= packet.dport <= one.last_port
                    and packet.source in one.sources
                ):
                    return _yes("13.2", "transfer", architecture.ticket)
        return _no("13.2", "service-ended", architecture.ticket, architecture=architecture.name)


def _holder(ports: Iterator[EdgePort] | list[EdgePort], address: str) -> EdgePort | None:
    held = AddressSet.parse(address)
    return next((port for port in ports if held <= port.addresses), None)


def _is_of(packet: Packet, rule: PassageRule, sends: bool) -> bool:
    """Tell whether a packet of a cut port belongs to a passage: to it or from it, stateless, TCP."""
    number = packet.sport if (rule.passage is Passage.CONSOLE) == sends else packet.dport
    peer = packet.target if sends else packet.source
    return packet.protocol == TCP and number in rule.ports and peer in rule.peers


def _service(packet: Packet) -> str:
    name = show_protocol(packet.protocol)
    return f"{name}/{packet.dport}" if packet.protocol in WITH_PORTS else name
