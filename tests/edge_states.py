"""States of edges for tests: a small platform, and one of any size."""

from __future__ import annotations

from fwguard.model.address import AddressSet
from fwguard.model.controls import (
    BandwidthControl,
    Controls,
    DevelopmentControl,
    FirewallControl,
    IntrusionControl,
    IsolationControl,
    KnownService,
    Ladder,
    MailControl,
    Mode,
    Passage,
    Reason,
    RegistrationControl,
    RetrievalControl,
    Rung,
    ServiceKind,
    VpnControl,
    WatchControl,
)
from fwguard.model.edge import EdgeArchitecture, EdgePort, EdgeState, PortKind
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import ClientShare, EdgeOpening
from fwguard.model.inventory import Role
from fwguard.model.ports import TCP, UDP

DAY_S = 86400
LADDER = Ladder(rungs=(Rung.WARN, Rung.PORT, Rung.SERVICE, Rung.SERVER), window_s=30 * DAY_S)
AT_ONCE = Ladder(rungs=(Rung.SERVER,), window_s=DAY_S)
CONTROLS = Controls(
    firewall=FirewallControl(mode=Mode.ENFORCE, ladder=LADDER),
    intrusion=IntrusionControl(
        scan_targets_per_s=50, scan_burst_targets=200, mail_burst_targets=1000, window_s=60,
        flood_packets_per_s=5000, flood_burst_packets=10000, memory_most=65536, ladder=AT_ONCE,
    ),
    mail=MailControl(ports=(25, 465, 587, 2525), ladder=LADDER),
    registration=RegistrationControl(
        services=(
            KnownService(kind=ServiceKind.IRC, protocol=TCP, first_port=6660, last_port=6669),
            KnownService(kind=ServiceKind.IRC, protocol=TCP, first_port=6697, last_port=6697),
            KnownService(kind=ServiceKind.PROXY, protocol=TCP, first_port=1080, last_port=1080),
            KnownService(kind=ServiceKind.VIDEOCHAT, protocol=UDP, first_port=3478, last_port=3481),
        ),
        ladder=LADDER,
    ),
    bandwidth=BandwidthControl(assured_bps=101_000_000, quantum_bytes=3000, queue_bytes=65536),
    isolation=IsolationControl(
        stays_open={reason: () if reason is Reason.PAYMENT else (Passage.CONSOLE,) for reason in Reason},
        on_the_spot=(Passage.CONSOLE,),
    ),
    retrieval=RetrievalControl(window_s=3 * DAY_S),
    development=DevelopmentControl(shortest_prefix4=16, shortest_prefix6=32),
    vpn=VpnControl(snaplen_bytes=64),
    watch=WatchControl(packets_most=8, snaplen_bytes=512, refusals_per_s=200),
)  # fmt: skip


def mac_of(number: int) -> str:
    """Return a locally administered MAC address."""
    return ":".join(f"{byte:02x}" for byte in (2, *number.to_bytes(5, "big")))


def port(
    number: int,
    interface: str,
    kind: PortKind,
    client: str,
    *addresses: str,
    zone: int,
    architecture: str = "",
    role: Role = Role.GENERAL,
) -> EdgePort:
    """Return a started, routed port named after its interface."""
    return EdgePort(
        number=number, interface=interface, kind=kind, client=client, architecture=architecture or client,
        server=interface, macs=(mac_of(number),), addresses=AddressSet.parse(*addresses), role=role, zone=zone,
    )  # fmt: skip


def large_state(servers: int, openings_each: int) -> EdgeState:
    """Return an edge of clients with one firewall and eight servers each; openings on their public addresses."""
    clients = -(-servers // 8)
    ports: list[EdgePort] = []
    openings: list[EdgeOpening] = []
    for index in range(clients):
        name = f"c{index}"
        public = [0xC6120000 + index * 16 + i for i in range(8)]
        number = index * 16
        ports.append(
            port(number + 1, f"o{index}", PortKind.FIREWALL_OUT, name, *(str(Span(4, p, p)) for p in public),
                 f"2001:db8:{index:x}::/64", zone=20000 + index)
        )  # fmt: skip
        ports.append(
            port(
                number + 2, f"i{index}", PortKind.FIREWALL_IN, name, "10.20.0.1", "fd20::1", zone=1000 + index
            )
        )
        for at in range(min(8, servers - index * 8)):
            ports.append(
                port(number + 3 + at, f"s{index}-{at}", PortKind.SERVER, name, f"10.20.0.{11 + at}",
                     f"fd20::{11 + at:x}", zone=1000 + index)
            )  # fmt: skip
            for n in range(openings_each):
                span = (
                    Span(4, public[at], public[at])
                    if n % 2
                    else Span.parse(f"2001:db8:{index:x}::{at + 1:x}")
                )
                openings.append(
                    EdgeOpening(port=number + 1, public=span, protocol=TCP, first_port=8000 + n,
                                last_port=8000 + n, ticket=f"T{index}-{at}-{n}")
                )  # fmt: skip
    names = [f"c{index}" for index in range(clients)]
    return EdgeState(
        edge="edge1", epoch=1, generation=1, uplinks=("uplink",), uplink_bps=10_000_000_000,
        ports=tuple(ports),
        architectures=tuple(EdgeArchitecture(name=name, client=name) for name in names),
        openings=tuple(openings),
        shares=tuple(
            ClientShare(client=name, number=16 + index, assured_bps=101_000_000)
            for index, name in enumerate(names)
        ),
        controls=CONTROLS,
    )  # fmt: skip
