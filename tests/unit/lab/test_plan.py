"""The platform on paper."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest

from fwguard.errors import InputError
from fwguard.lab.plan import INSIDE4, INSIDE6, Kind, mac_of, plan, port_name

ALL: frozenset[Kind] = frozenset({"nftables", "iptables", "netconf"})


def test_three_clients_have_one_firewall_of_each_kind() -> None:
    """acme, globex and initech, with nftables, iptables and NETCONF."""
    found = plan("t", kinds=ALL)
    expected = [("acme", "nftables"), ("globex", "iptables"), ("initech", "netconf")]
    assert expected == [(firewall.client, firewall.kind) for firewall in found.firewalls]


def test_every_named_client_has_two_servers_at_least_and_contacts_who_log_in() -> None:
    """A platform that is worth guarding."""
    for client in plan("t", kinds=ALL).clients:
        assert len(client.firewall.servers) >= 2
        assert [contact.client for contact in client.contacts] == [client.name, client.name]


def test_clients_share_their_inside_on_purpose() -> None:
    """Nobody may tell clients apart by private addresses."""
    found = plan("t", kinds=ALL)
    assert all(ip_address(server.address4) in ip_network(INSIDE4) for server in found.servers)
    assert all(ip_address(server.address6) in ip_network(INSIDE6) for server in found.servers)
    assert {"10.20.0.11"} == {firewall.servers[0].address4 for firewall in found.firewalls}


def test_two_hundred_firewalls_share_no_name_address_or_port() -> None:
    """What must be one's own is, up to the most that can be."""
    found = plan("t", firewalls=200, kinds=ALL)
    assert 200 == len(found.firewalls)
    for own in (
        list(found.hosts),
        [address for firewall in found.firewalls for address in firewall.public4 + firewall.public6],
        [address for firewall in found.firewalls for address in firewall.link4 + firewall.link6],
        [address for firewall in found.firewalls for address in (firewall.mgmt4, firewall.mgmt6)],
        [port for firewall in found.firewalls for port in (firewall.port_in, firewall.port_out)]
        + [server.port for server in found.servers],
        [server.mac for server in found.servers] + [f.mac("in") for f in found.firewalls],
        [person.mail for person in found.people],
    ):
        assert len(set(own)) == len(own)
        assert all(own)


def test_every_address_is_one() -> None:
    """Addresses made of numbers are addresses for every number."""
    for firewall in plan("t", firewalls=200, kinds=ALL).firewalls:
        texts = (*firewall.public4, *firewall.public6, *firewall.link4, *firewall.link6)
        assert all(ip_address(text) for text in (*texts, firewall.mgmt4, firewall.mgmt6))


def test_a_client_whose_kind_nothing_starts_is_left_out() -> None:
    """The others keep their numbers."""
    found = plan("t", kinds=frozenset({"nftables"}))
    assert ["fw-acme"] == [firewall.name for firewall in found.firewalls]


@pytest.mark.parametrize("name", ["fw-acme-in", "a" * 15, "fw-averylongname-out", "x" * 60])
def test_a_port_name_fits_the_kernel(name: str) -> None:
    """At most 15 characters, its own name where that fits."""
    assert len(port_name(name)) <= 15
    assert (port_name(name) == name) == (len(name) <= 15)


def test_a_mac_address_is_local_and_unicast() -> None:
    """Bits 1 and 0 of the first byte are 1 and 0 (RFC 7042 section 2.1)."""
    assert int(mac_of("anything")[:2], 16) & 0b11 == 0b10


@pytest.mark.parametrize("run", ["", "UPPER", "has-dash", "ninechars", "../up", "é"])
def test_a_run_that_cannot_be_part_of_a_name_is_refused(run: str) -> None:
    """The message says what would do."""
    with pytest.raises(InputError, match="a-z and 0-9"):
        plan(run, kinds=ALL)


@pytest.mark.parametrize("count", [0, -1, 201])
def test_a_number_of_firewalls_without_addresses_is_refused(count: int) -> None:
    """The message says how many there can be."""
    with pytest.raises(InputError, match="1 to 200"):
        plan("t", firewalls=count, kinds=ALL)
