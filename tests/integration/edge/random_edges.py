"""Random small edges and packets: two clients behind firewalls, one server without, one uplink."""

from __future__ import annotations

import sys
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_states import CONTROLS, mac_of, port

from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.controls import Mode, Passage, Reason, ServiceKind
from fwguard.model.edge import EdgeArchitecture, EdgePort, EdgeState, PortKind, PortState, Template
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import (
    ClientShare,
    EdgeIsolation,
    EdgeOpening,
    EdgeRegistration,
    PassageRule,
    Scope,
    Transfer,
)
from fwguard.model.inventory import Role
from fwguard.model.packet import Packet
from fwguard.model.ports import GRE, TCP, UDP

NOW_S = 1_800_000_000
OUTSIDE = ("198.51.100.10", "198.51.100.66", "203.0.113.200", "2001:db8:ffff::10", "2001:db8:fffe::66")
CONSOLE = ("203.0.113.200", "2001:db8:fffe::66")
PORTS = (22, 25, 80, 443, 465, 1080, 2525, 3478, 6660, 6667, 6697, 8000, 8005, 8010, 9000)
ENDS = (None, None, NOW_S + 3600, NOW_S - 3600)


def random_state(random: Random) -> EdgeState:
    """Return a state that uses everything an edge enforces somewhere."""
    ports = [_vary(one, random) for one in _ports()]
    architectures = tuple(_architecture(name, random) for name in ("acme", "globex", "lone"))
    servers = [one for one in ports if one.kind is PortKind.SERVER]
    outer = [one for one in ports if one.kind is PortKind.FIREWALL_OUT or one.architecture == "lone"]
    return EdgeState(
        edge="edge1", epoch=1, generation=random.randrange(100), uplinks=("uplink",), uplink_bps=10**9,
        ports=tuple(ports),
        architectures=architectures,
        openings=tuple(_opening(random.choice(outer), random, n) for n in range(random.randrange(4, 24))),
        registrations=tuple(
            EdgeRegistration(
                port=random.choice(servers).number, kind=random.choice(list(ServiceKind)),
                ports=random.choice(((), ((TCP, 6660, 6668),), ((TCP, 1080, 1080), (UDP, 3478, 3478)))),
                ends_at_s=random.choice(ENDS), ticket=f"R{n}",
            )
            for n in range(random.randrange(4))
        ),
        isolations=tuple(_isolation(random, ports, n) for n in range(random.randrange(3))),
        monitoring=AddressSet.parse("198.51.100.66") if random.random() < 0.3 else AddressSet(),
        passages=(
            PassageRule(passage=Passage.CONSOLE, peers=AddressSet.parse(*CONSOLE), ports=(22,)),
            PassageRule(passage=Passage.REMEDIATION, peers=AddressSet.parse("198.51.100.10/32"), ports=(80, 443)),
        ),
        shares=tuple(
            ClientShare(client=name, number=16 + n, assured_bps=101_000_000)
            for n, name in enumerate(("acme", "globex", "lone"))
        ),
        controls=CONTROLS,
    )  # fmt: skip


def _ports() -> list[EdgePort]:
    kinds = PortKind
    made = []
    for index, client in enumerate(("acme", "globex"), 1):
        base = index * 10
        made += [
            port(base, f"{client}-out", kinds.FIREWALL_OUT, client, f"192.0.2.{base}", f"192.0.2.{base + 128}/30",
                 f"2001:db8:0:{index}::/64", zone=2000 + index),
            port(base + 1, f"{client}-in", kinds.FIREWALL_IN, client, "10.20.0.1", "fd20::1", zone=1000 + index),
            port(base + 2, f"{client}-web", kinds.SERVER, client, "10.20.0.11", "fd20::11", zone=1000 + index),
            port(base + 3, f"{client}-mail", kinds.SERVER, client, "10.20.0.12-10.20.0.13", "fd20::12",
                 "fd20:0:0:1::/64", zone=1000 + index, role=Role.MAIL),
        ]  # fmt: skip
    made.append(port(31, "lone", kinds.SERVER, "lone", "192.0.2.99", "2001:db8:0:99::1", zone=3000))
    return made


def _vary(one: EdgePort, random: Random) -> EdgePort:
    from dataclasses import replace

    role = Role.GENERAL if one.role is Role.MAIL and random.random() < 0.4 else one.role
    state = PortState.STOPPED if random.random() < 0.06 else PortState.STARTED
    return replace(one, role=role, state=state)


def _architecture(name: str, random: Random) -> EdgeArchitecture:
    template = random.choice((Template.STANDARD, Template.STANDARD, *Template))
    public = {"acme": "192.0.2.10", "globex": "2001:db8:0:2::1", "lone": "192.0.2.99"}[name]
    leaving = template is Template.RETRIEVAL
    transfer = Transfer(
        public=Span.parse(public), protocol=TCP, first_port=22, last_port=80,
        sources=random.choice((ANY_ADDRESS, AddressSet.parse("198.51.100.0/26", "2001:db8:ffff::/48"))),
    )  # fmt: skip
    return EdgeArchitecture(
        name=name, client=name, template=template,
        mode=random.choice((Mode.ENFORCE, Mode.ENFORCE, Mode.OBSERVE)),
        own_sources=AddressSet.parse("198.51.100.0/26", "192.0.2.10", "2001:db8:ffff::10"),
        retrieval_ends_at_s=random.choice((NOW_S + 99, NOW_S - 99)) if leaving else None,
        transfers=(transfer,) if leaving else (),
    )  # fmt: skip


def _opening(one: EdgePort, random: Random, number: int) -> EdgeOpening:
    spans = [Span(4, *pair) for pair in one.addresses.v4.pairs] + [
        Span(6, *pair) for pair in one.addresses.v6.pairs
    ]
    span = random.choice(spans)
    if random.random() < 0.7:
        at = span.first + random.randrange(min(4, span.last - span.first + 1))
        span = Span(span.version, at, at)
    protocol = random.choice((TCP, TCP, TCP, UDP, 1 if span.version == 4 else 58, 47))
    low, high = 0, 65535
    if protocol in (TCP, UDP):
        low = random.choice(PORTS)
        high = random.choice((low, low, low + 8, 65535))
    narrow = AddressSet.parse("198.51.100.0/26", "2001:db8:ffff::/48")
    exact = AddressSet.parse("198.51.100.10", "198.51.100.66-198.51.100.70", "2001:db8:fffe::66")
    return EdgeOpening(
        port=one.number, public=span, protocol=protocol, first_port=low, last_port=high,
        sources=random.choice((ANY_ADDRESS, ANY_ADDRESS, narrow, exact)),
        ends_at_s=random.choice(ENDS), ticket=f"T{number}",
    )  # fmt: skip


def _isolation(random: Random, ports: list[EdgePort], number: int) -> EdgeIsolation:
    scope = random.choice(list(Scope))
    stays = random.choice(((), (Passage.CONSOLE,), (Passage.REMEDIATION,), tuple(Passage)))
    where = {"architecture": random.choice(("acme", "globex"))} if scope is Scope.ARCHITECTURE else {
        "port": random.choice(ports).number
    }  # fmt: skip
    low = random.choice(PORTS)
    return EdgeIsolation(
        scope=scope, **where, protocol=random.choice((TCP, UDP)), first_port=low, last_port=low + 10,
        reason=Reason.HACKED, clause="7.3", case=number + 1, stays_open=stays, ends_at_s=random.choice(ENDS),
    )  # fmt: skip


def random_frames(state: EdgeState, random: Random, count: int) -> list[tuple[Packet, str]]:
    """Return packets that could tell a kernel from the contract, with the MAC that each comes from."""
    frames: list[tuple[Packet, str]] = []
    met: set[frozenset[str]] = set()
    while len(frames) < count:
        make = random.choice((_frame, _frame, _frame_at_opening, _frame_of_passage))
        packet, ether = make(state, random, len(frames))
        ends = frozenset((packet.source, packet.target))
        if packet.protocol == GRE:  # without ports, the way back is a reply: never both ways of one pair
            if ends in met:
                continue
            met.add(ends)
        frames.append((packet, ether))
    return frames


def _frame(state: EdgeState, random: Random, number: int) -> tuple[Packet, str]:
    version = random.choice((4, 6))
    source_port = random.choice((None, None, *state.ports))
    ingress = source_port.interface if source_port else "uplink"
    own = (
        _own(source_port, version, random)
        if source_port and source_port.kind is not PortKind.FIREWALL_IN
        else None
    )
    source = own if own and random.random() < 0.9 else _any(state, version, random)
    target = _any(state, version, random)
    protocol = random.choice((TCP, TCP, TCP, TCP, UDP, UDP, 1 if version == 4 else 58, 47))
    sport = 20000 + number if random.random() < 0.9 else random.choice((22, 67, 547, 80, 6667))
    dport = random.choice(PORTS) + random.choice((0, 0, 0, 1))
    icmp = None
    if protocol in (1, 58):
        kinds: tuple[int, ...] = (8, 8, 8, 13) if version == 4 else (128,)
        if source_port:  # from elsewhere conntrack itself calls them invalid
            kinds += (5, 9) if version == 4 else (134, 137)
        icmp, sport, dport = random.choice(kinds) << 8, 0, 0
    packet = Packet(
        source=source,
        target=target,
        protocol=protocol,
        sport=sport,
        dport=dport,
        ingress=ingress,
        icmp_type=icmp,
    )
    ether = mac_of(random.choice((11, 12, 77))) if source_port and random.random() < 0.05 else ""
    return packet, ether


def _frame_at_opening(state: EdgeState, random: Random, number: int) -> tuple[Packet, str]:
    """Return a packet in or near an opening, or an agreed transfer."""
    grants: list[EdgeOpening | Transfer] = [
        *state.openings,
        *(one for a in state.architectures for one in a.transfers),
    ]
    one = random.choice(grants)
    first, last = one.public.first, one.public.last
    at = min(last + 1, first + random.randrange(min(6, last - first + 2)))
    sources = [text for text in OUTSIDE if (":" in text) == (one.public.version == 6)]
    dport = random.choice(
        (one.first_port, one.last_port, (one.first_port + one.last_port) // 2, one.last_port + 1)
    )
    is_icmp = one.protocol in (1, 58)
    packet = Packet(
        source=random.choice(sources), target=str(Span(one.public.version, at, at)), protocol=one.protocol,
        sport=0 if is_icmp else 30000 + number, dport=0 if is_icmp else min(dport, 65535), ingress="uplink",
        icmp_type={1: 8 << 8, 58: 128 << 8}.get(one.protocol),
    )  # fmt: skip
    return packet, ""


def _frame_of_passage(state: EdgeState, random: Random, number: int) -> tuple[Packet, str]:
    """Return a packet to or from a machine by what a passage lets through, or nearly."""
    one = random.choice([port for port in state.ports if port.kind is PortKind.SERVER])
    inside = next((p for p in state.ports if p.zone == one.zone and p.kind is PortKind.FIREWALL_IN), None)
    rule = random.choice(state.passages)
    version = random.choice((4, 6))
    peer = random.choice([text for text in OUTSIDE if (":" in text) == (version == 6)])
    own, service, other = _own(one, version, random) or "", random.choice((22, 80, 443)), 40000 + number
    if random.random() < 0.5:
        away = (service, other) if rule.passage is Passage.CONSOLE else (other, service)
        packet = Packet(
            source=own, target=peer, protocol=TCP, sport=away[0], dport=away[1], ingress=one.interface
        )
    else:
        back = (other, service) if rule.passage is Passage.CONSOLE else (service, other)
        packet = Packet(
            source=peer, target=own, protocol=TCP, sport=back[0], dport=back[1],
            ingress=inside.interface if inside else "uplink",
        )  # fmt: skip
    return packet, ""


def _own(one: EdgePort, version: int, random: Random) -> str | None:
    pairs = one.addresses.v4.pairs if version == 4 else one.addresses.v6.pairs
    first, last = random.choice(pairs)
    at = first + random.randrange(min(4, last - first + 1))
    return str(Span(version, at, at))


def _any(state: EdgeState, version: int, random: Random) -> str:
    if random.random() < 0.4:
        return random.choice([one for one in OUTSIDE if (":" in one) == (version == 6)])
    return _own(random.choice(state.ports), version, random) or OUTSIDE[0]
