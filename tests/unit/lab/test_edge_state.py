"""The state that the lab's edge would be sent."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.lab import plan as p
from fwguard.lab.edge_node import FIREWALL_TABLE, INNER_TABLE, ZONE_INNER, ZONE_OUTER
from fwguard.lab.edge_state import edge_state_of
from fwguard.lab.plan import Plan, plan
from fwguard.model.edge import EdgeState, PortKind
from fwguard.model.inventory import Role
from fwguard.rules.controls import read_controls

CONTROLS = read_controls(Path(__file__).parents[3] / "rules")


@pytest.fixture
def platform() -> Plan:
    """The platform that the demo shows."""
    return plan("t", firewalls=4, kinds=frozenset(("nftables", "iptables", "netconf")))


@pytest.fixture
def state(platform: Plan) -> EdgeState:
    """Its edge."""
    return edge_state_of(platform, controls=CONTROLS)


def test_the_compiler_takes_it(state: EdgeState) -> None:
    """Every port is a place in the kernel, and the whole is one text for nft."""
    text = first_load_text(compile_edge(state, now_s=0), now_s=0)
    assert [] == [port.interface for port in state.ports if f'"{port.interface}"' not in text]


def test_200_firewalls_are_within_what_an_edge_can_bear() -> None:
    """The most that a lab can have."""
    large = plan("t", firewalls=200, kinds=frozenset(("nftables", "iptables", "netconf")))
    state = edge_state_of(large, controls=CONTROLS)
    assert 2 * 200 + len(large.servers) == len(state.ports)
    assert compile_edge(state, now_s=0).shaping


def test_each_server_has_its_port_with_what_is_true_of_it(platform: Plan, state: EdgeState) -> None:
    """Name, interface, card, addresses and role are those of the plan."""
    servers = [port for port in state.ports if port.kind is PortKind.SERVER]
    assert [
        (one.name, one.port, (one.mac,), {one.address4, one.address6}, one.role) for one in platform.servers
    ] == [
        (port.server, port.interface, port.macs, set(port.addresses.texts()), port.role.value)
        for port in servers
    ]
    assert {"acme-mail", "initech-mail"} == {port.server for port in servers if port.role is Role.MAIL}


def test_zones_and_tables_are_those_that_the_node_has(state: EdgeState) -> None:
    """So that the agent finds the routes that `lab up` made."""
    of_acme = [(port.interface, port.zone, port.routing_table) for port in state.ports[:5]]
    inner = (ZONE_INNER + 1, INNER_TABLE + 1)
    assert [
        ("fw-acme-out", ZONE_OUTER + 1, 0),
        ("fw-acme-in", ZONE_INNER + 1, FIREWALL_TABLE + 1),
        ("acme-web", *inner),
        ("acme-mail", *inner),
        ("acme-db", *inner),
    ] == of_acme


@pytest.mark.parametrize(
    ("firewall", "opened"),
    [
        (0, {"192.0.2.10": {80, 443, 2222}, "192.0.2.11": {25, 587},
             "2001:db8:0:1::1": {80, 443, 2222}, "2001:db8:0:1::2": {25, 587}}),
        (1, {"192.0.2.20": {80, 443, 2222, 53}, "192.0.2.21": {5432},
             "2001:db8:0:2::1": {80, 443, 2222, 53}, "2001:db8:0:2::2": {5432}}),
        (2, {"192.0.2.30": {80, 443, 2222}, "192.0.2.31": {25, 587},
             "2001:db8:0:3::1": {80, 443, 2222}, "2001:db8:0:3::2": {25, 587}}),
        (3, {"192.0.2.40": {80, 443, 2222}, "2001:db8:0:4::1": {80, 443, 2222}}),
    ],
)  # fmt: skip
def test_openings_are_what_the_firewalls_redirect(
    platform: Plan, state: EdgeState, firewall: int, opened: dict[str, set[int]]
) -> None:
    """By public address and port, as the platform's tests reach them."""
    outside = next(port for port in state.ports if port.interface == platform.firewalls[firewall].port_out)
    found: dict[str, set[int]] = {}
    for one in state.openings:
        if one.port == outside.number and one.protocol in (6, 17):
            found.setdefault(str(one.public), set()).add(one.first_port)
    assert opened == found


def test_scanners_are_let_in_nowhere_and_partners_where_others_are_not(state: EdgeState) -> None:
    """The sources too are those of the firewalls."""
    for one in state.openings:
        if one.protocol in (6, 17):
            for_partners = one.first_port in (2222, 5432)
            for scanner, anybody, partner in (
                (p.SCANNER4, p.INTERNET4, p.PARTNER4),
                (p.SCANNER6, p.INTERNET6, p.PARTNER6),
            ):
                assert scanner not in one.sources
                assert (anybody in one.sources) is not for_partners
                assert partner in one.sources
