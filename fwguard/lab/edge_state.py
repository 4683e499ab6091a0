"""What the lab's edge would be told to enforce: its ports, zones, tables, and what its firewalls open. Pure.

The openings are those of the firewalls as they boot (`firewall_files`, `netconf_startup`), seen from outside: before
the client's redirection, by public address and port.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fwguard.lab import plan as p
from fwguard.lab.edge_node import FIREWALL_TABLE, INNER_TABLE, ZONE_INNER, ZONE_OUTER
from fwguard.lab.plan import FirewallPlan, Plan
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.controls import Controls
from fwguard.model.edge import EdgeArchitecture, EdgePort, EdgeState, PortKind
from fwguard.model.edge_fields import Span
from fwguard.model.edge_grants import ClientShare, EdgeOpening
from fwguard.model.inventory import Role
from fwguard.model.ports import ICMP, ICMPV6, TCP, UDP

EDGE: Final = "edge"
UPLINKS: Final = ("uplink", "mail")
UPLINK_BPS: Final = 10**9
TICKET: Final = "lab"
_FIRST_SHARE: Final = 16  # class numbers below are the kernel's own
_PARTNERS: Final = AddressSet.parse(p.PARTNERS4, p.PARTNERS6)
_SCANNERS: Final = AddressSet.parse(p.SCANNER4, p.SCANNER6)


def edge_state_of(plan: Plan, *, controls: Controls, epoch: int = 1, generation: int = 1) -> EdgeState:
    """Return the state of the edge of a platform whose firewalls are as they boot, all of it approved."""
    ports: list[EdgePort] = []
    openings: list[EdgeOpening] = []
    for firewall in plan.firewalls:
        first = len(ports) + 1
        ports += _ports(firewall, first)
        openings += _openings(firewall, first)
    return EdgeState(
        edge=EDGE,
        epoch=epoch,
        generation=generation,
        uplinks=UPLINKS,
        uplink_bps=UPLINK_BPS,
        ports=tuple(ports),
        architectures=tuple(EdgeArchitecture(name=c.name, client=c.name) for c in plan.clients),
        openings=tuple(openings),
        shares=tuple(
            ClientShare(
                client=client.name, number=_FIRST_SHARE + index, assured_bps=controls.bandwidth.assured_bps
            )
            for index, client in enumerate(plan.clients)
        ),
        controls=controls,
    )


def _ports(firewall: FirewallPlan, first: int) -> Iterator[EdgePort]:
    """Yield the outside, the inside, and one for each server, numbered from `first`."""
    index, name = firewall.index, firewall.name
    outside = (firewall.link4[1], firewall.link6[1], *firewall.public4, *firewall.public6)
    plugged = [
        (PortKind.FIREWALL_OUT, firewall.port_out, name, firewall.mac("out"), outside, Role.GENERAL, 0),
        (PortKind.FIREWALL_IN, firewall.port_in, name, firewall.mac("in"), (p.GATEWAY4, p.GATEWAY6),
         Role.GENERAL, FIREWALL_TABLE + index),
        *(
            (PortKind.SERVER, one.port, one.name, one.mac, (one.address4, one.address6), Role(one.role),
             INNER_TABLE + index)
            for one in firewall.servers
        ),
    ]  # fmt: skip
    for number, (kind, interface, holder, mac, addresses, role, table) in enumerate(plugged, first):
        yield EdgePort(
            number=number,
            interface=interface,
            kind=kind,
            client=firewall.client,
            architecture=firewall.client,
            server=holder,
            macs=(mac,),
            addresses=AddressSet.parse(*addresses),
            role=role,
            zone=(ZONE_OUTER if kind is PortKind.FIREWALL_OUT else ZONE_INNER) + index,
            routing_table=table,
        )


def _openings(firewall: FirewallPlan, port: int) -> Iterator[EdgeOpening]:
    """Yield what passes the firewall's outer port `port`, each family apart."""
    for public, echo in ((firewall.public4, ICMP), (firewall.public6, ICMPV6)):
        for address, protocol, numbers, sources in (
            *_services(firewall, public),
            *((one, echo, (), ANY_ADDRESS) for one in public),
        ):
            for number in numbers or (None,):
                yield EdgeOpening(
                    port=port,
                    public=Span.parse(address),
                    protocol=protocol,
                    first_port=0 if number is None else number,
                    last_port=65535 if number is None else number,
                    sources=sources,
                    ticket=TICKET,
                )


def _services(
    firewall: FirewallPlan, public: tuple[str, str]
) -> Iterator[tuple[str, int, tuple[int, ...], AddressSet]]:
    """Yield (public address, protocol, public ports, from where)."""
    anybody = ANY_ADDRESS - _SCANNERS
    yield public[0], TCP, (80, 443), anybody
    yield public[0], TCP, (2222,), _PARTNERS
    if firewall.kind == "iptables":
        yield public[0], UDP, (53,), anybody
        yield public[1], TCP, (5432,), _PARTNERS
    elif any(server.role == "mail" for server in firewall.servers):
        yield public[1], TCP, (25, 587), anybody
