"""Where addresses lie, and what follows for firewalls that filter by pairs of zones."""

from __future__ import annotations

from pathlib import Path

import pytest

from fwguard.analysis.asking import parse_opening
from fwguard.analysis.routing import behind
from fwguard.analysis.what_if import Coverage, Outcome, what_if
from fwguard.dialects.table import detect
from fwguard.model.address import AddressSet
from fwguard.model.change import Change
from fwguard.model.policy import ANY_INTERFACE, EVERYWHERE, Connected, InterfaceSet, Policy, Route

GOLDEN = Path(__file__).parents[2] / "golden"


def policy(*routes: Route) -> Policy:
    """Build a firewall between two networks."""
    networks = (
        Connected("10.1.0.0/16", "lan"),
        Connected("10.1.2.0/24", "dmz"),
        Connected("2001:db8::/64", "lan"),
        Connected(EVERYWHERE[0], "wan"),
    )
    return Policy(dialect="test", networks=networks, routes=routes)


def parts(policy: Policy, *words: str) -> dict[str, str]:
    """Say what lies where."""
    return {str(way): str(addresses) for way, addresses in behind(policy, AddressSet.parse(*words))}


def test_the_longest_prefix_decides() -> None:
    """Of both IP versions at once, each address apart."""
    assert {"dmz": "10.1.2.9", "lan": "10.1.3.9, 2001:db8::7"} == parts(
        policy(), "10.1.2.9", "10.1.3.9", "2001:db8::7"
    )


def test_a_route_is_followed_to_the_interface_of_its_next_hop() -> None:
    """By name or by address; a blackhole leads nowhere, and neither does an unreadable prefix."""
    routes = (
        Route(prefix="10.9.0.0/16", via="10.1.2.1"),
        Route(prefix="10.8.0.0/16", interface="tun0"),
        Route(prefix="10.7.0.0/16", interface="null", kind="blackhole"),
        Route(prefix="somewhere", interface="lan"),
    )
    asked = ("10.9.1.1", "10.8.1.1", "10.7.1.1")
    assert {"dmz": "10.9.1.1", "tun0": "10.8.1.1", "any": "10.7.1.1"} == parts(policy(*routes), *asked)


def test_a_default_route_says_nothing_of_a_server() -> None:
    """Its own network may be one that the text does not tell."""
    assert {"any": "192.0.2.1"} == parts(policy(Route(prefix="0.0.0.0/0", interface="wan")), "192.0.2.1")


def test_without_addresses_of_interfaces_nothing_is_known() -> None:
    """A static route may be longer than it looks: connected ones are not in such a text."""
    bare = Policy(dialect="test", routes=(Route(prefix="10.0.0.0/8", interface="lan"),))
    assert [(ANY_INTERFACE, AddressSet.parse("10.1.0.1"))] == behind(bare, AddressSet.parse("10.1.0.1"))


def test_one_prefix_at_two_interfaces_lies_behind_both() -> None:
    """Virtual routers may hold the same network twice."""
    twice = Policy(dialect="test", networks=(Connected("10.0.0.0/8", "a"), Connected("10.0.0.0/8", "b")))
    assert [(InterfaceSet.of("a", "b"), AddressSet.parse("10.0.0.1"))] == behind(
        twice, AddressSet.parse("10.0.0.1")
    )


@pytest.mark.parametrize(
    ("case", "target"),
    [
        ("junos/office", "10.0.1.9"),
        ("junos/office-braces", "10.0.2.9"),
        ("junos/office-xml", "10.0.1.9"),
        ("panos/office", "10.0.1.9"),
        ("panos/office-xml", "10.0.2.9"),
        ("fortios/policies", "10.1.0.9"),
        ("asa/levels", "192.0.2.9"),
        ("ios/lists", "192.0.2.9"),
        ("vyos/at-interfaces", "10.20.0.9"),
        ("pfsense/routes", "10.20.0.9"),
        ("opnsense/port-forwards", "10.20.0.9"),
        ("opnsense/groups", "10.20.0.9"),
        ("rfc8519/office", "10.2.0.9"),
        ("rfc8519/office-json", "10.2.0.9"),
    ],
)
def test_a_change_of_a_firewall_with_zones_is_exact_where_its_server_lies(case: str, target: str) -> None:
    """Another pair of zones lets nothing pass, and nobody asked it to."""
    (path,) = (GOLDEN / case).glob("input.*")
    text = path.read_text(encoding="utf-8")
    dialect = detect(text)
    asked = parse_opening(f"tcp/9443 from 198.51.100.0/24 to {target}")
    edit = dialect.write(Change(tag="t", openings=(asked,)), text)
    found = what_if(dialect.read(text), dialect.read(edit.after), (asked,))
    assert (Coverage.NONE, Coverage.ALL, Outcome.EXACT) == (found.already, found.then, found.outcome)
    assert () == found.wider_than_asked


PANOS = """set network interface ethernet ethernet1/1 layer3 ip 203.0.113.2/24
set network interface ethernet ethernet1/2 layer3 ip 10.0.1.1/24
set network virtual-router default interface [ ethernet1/1 ethernet1/2 ]
set network virtual-router default routing-table ip static-route d destination 0.0.0.0/0
set network virtual-router default routing-table ip static-route d nexthop ip-address 203.0.113.1
set network virtual-router default routing-table ip static-route d interface ethernet1/1
set zone untrust network layer3 ethernet1/1
set zone dmz network layer3 ethernet1/2
set rulebase nat rules WEB from untrust
set rulebase nat rules WEB to untrust
set rulebase nat rules WEB source any
set rulebase nat rules WEB destination 203.0.113.10
set rulebase nat rules WEB service any
set rulebase nat rules WEB destination-translation translated-address 10.0.1.10
set rulebase security rules WEB from untrust
set rulebase security rules WEB to dmz
set rulebase security rules WEB source any
set rulebase security rules WEB destination 203.0.113.10
set rulebase security rules WEB application any
set rulebase security rules WEB service any
set rulebase security rules WEB action allow
"""


def test_a_filter_that_judges_addresses_as_they_came_is_asked_where_nat_leads() -> None:
    """PAN-OS: the public address, but the zone of the inner server."""
    read = detect(PANOS).read(PANOS)
    asked = parse_opening("tcp/443 from 198.51.100.7 to 203.0.113.10")
    assert Coverage.ALL is what_if(read, read, (asked,)).already
    inner = parse_opening("tcp/443 from 198.51.100.7 to 10.0.1.10")
    assert Coverage.NONE is what_if(read, read, (inner,)).already
