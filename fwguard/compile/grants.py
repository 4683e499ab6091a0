"""What passes by permission: openings, registrations, approved scans, monitoring, transfers of who left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fwguard.compile.elements import Held, put
from fwguard.compile.names import WIDE, shard_chain
from fwguard.compile.places import Contents
from fwguard.compile.ranged import Shard, shard_of, shards_of
from fwguard.model.address import ANY_ADDRESS
from fwguard.model.edge import EdgePort, EdgeState, Link, PortKind, Template
from fwguard.model.edge_checks import is_outer, walled_architectures
from fwguard.model.edge_grants import EdgeOpening, EdgeRegistration
from fwguard.model.ports import WITH_PORTS


def put_openings(contents: Contents, state: EdgeState) -> dict[int, Shard]:
    """Fill the sets of exact openings; return the shards of all others (clauses 7.1.1 and 13.2)."""
    open4, open6 = contents["inet", "open4"], contents["inet", "open6"]
    whole4, whole6 = contents["inet", "open_whole4"], contents["inet", "open_whole6"]
    others: list[EdgeOpening] = []
    for opening in effective_openings(state):
        version, first, last = opening.public
        if first != last or opening.sources != ANY_ADDRESS:
            others.append(opening)
            continue
        held = Held(ends_at_s=opening.ends_at_s, comment=f"{opening.clause} {opening.ticket}")
        if opening.protocol not in WITH_PORTS:
            put(whole4 if version == 4 else whole6, (first, opening.protocol), held)
        elif opening.first_port == opening.last_port:
            put(open4 if version == 4 else open6, (first, opening.protocol, opening.first_port), held)
        else:
            others.append(opening)
    shards = shards_of(others)
    for opening in others:
        version, first, last = opening.public
        if first == last:
            jump = Held(
                data=f"jump {shard_chain(shard_of(version, first))}", comment=f"7.1.1 port {opening.port}"
            )
            contents["inet", f"ranged{version}"][(first,)] = jump
    return shards


def effective_openings(state: EdgeState) -> Iterator[EdgeOpening]:
    """Return what is open at started ports: of a retrieval, only the agreed transfers."""
    walled = walled_architectures(state)
    leaving = {one.name: one for one in state.architectures if one.template is Template.RETRIEVAL}
    at = {
        port.number: port
        for port in state.ports
        if port.is_started and port.link is Link.ROUTED and is_outer(port, walled)
    }
    if leaving:
        staying = {number for number, port in at.items() if port.architecture not in leaving}
        yield from (opening for opening in state.openings if opening.port in staying)
    else:
        yield from (opening for opening in state.openings if opening.port in at)
    for port in at.values():
        architecture = leaving.get(port.architecture)
        for transfer in architecture.transfers if architecture else ():
            pairs = port.addresses.v4.pairs if transfer.public.version == 4 else port.addresses.v6.pairs
            if architecture and any(low <= transfer.public.first <= high for low, high in pairs):
                yield EdgeOpening(
                    port=port.number,
                    public=transfer.public,
                    protocol=transfer.protocol,
                    first_port=transfer.first_port,
                    last_port=transfer.last_port,
                    sources=transfer.sources,
                    ends_at_s=architecture.retrieval_ends_at_s,
                    ticket=architecture.ticket,
                    clause="13.2",
                )


def put_registrations(contents: Contents, state: EdgeState) -> None:
    """Fill the register (clause 7.5): of a server, and of the firewall's outside that hides it."""
    registered = contents["inet", "registered"]
    ports = {port.number: port for port in state.ports}
    outsides = _outsides(state)
    for one in state.registrations:
        port = ports[one.port]
        if not port.is_started:
            continue
        held = Held(ends_at_s=one.ends_at_s, comment=f"7.5 {one.ticket}")
        for name in (port.interface, *outsides.get(port.architecture, ())):
            for protocol, number in _ports_of(one, state):
                put(registered, (name, protocol, number), held)


def _outsides(state: EdgeState) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for port in state.ports:
        if port.is_started and port.kind is PortKind.FIREWALL_OUT:
            found.setdefault(port.architecture, []).append(port.interface)
    return found


def _ports_of(one: EdgeRegistration, state: EdgeState) -> Iterator[tuple[int, int]]:
    if one.ports:
        ranges = one.ports
    else:
        known = state.controls.registration.services
        ranges = tuple((s.protocol, s.first_port, s.last_port) for s in known if s.kind is one.kind)
    for protocol, first, last in ranges:
        for number in range(first, last + 1):
            yield protocol, number


def put_allow_lists(contents: Contents, state: EdgeState, now_s: int) -> None:
    """Fill what detectors and openings leave alone: agreed scans within their window, our own monitoring."""
    ports = {port.number: port for port in state.ports}
    for v, pairs in (("4", state.monitoring.v4.pairs), ("6", state.monitoring.v6.pairs)):
        for pair in pairs:
            contents["inet", f"monitoring{v}"][(pair,)] = Held(comment="7.10 monitoring")
    for port_number in sorted({scan.port for scan in state.approved_scans}):
        _put_scans(contents, state, ports[port_number], now_s)


def _put_scans(contents: Contents, state: EdgeState, port: EdgePort, now_s: int) -> None:
    """One port's scans, disjoint: where two overlap, the longer one holds."""
    live = [s for s in state.approved_scans if s.port == port.number and s.starts_at_s <= now_s < s.ends_at_s]
    name = (port.interface, port.interface)
    taken = type(port.addresses)()
    for scan in sorted(live, key=lambda s: (-s.ends_at_s, s.ticket)):
        own = scan.targets - taken
        taken = taken | scan.targets
        held = Held(ends_at_s=scan.ends_at_s, comment=f"7.1 {scan.ticket}")
        for v, pairs in (("4", own.v4.pairs), ("6", own.v6.pairs)):
            for pair in pairs:
                contents["inet", f"approved_scans{v}"][name, pair] = held


def next_moment_s(state: EdgeState, now_s: int) -> int | None:
    """Return when the compilation changes by the clock alone (a scan's window opens), None for never."""
    return min((scan.starts_at_s for scan in state.approved_scans if scan.starts_at_s > now_s), default=None)


def has_wide(shards: Mapping[int, Shard]) -> bool:
    """Tell whether any opening speaks of more than one public address."""
    return WIDE in shards
