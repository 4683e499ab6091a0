"""The lab's NETCONF firewall filters what its datastore says."""

from __future__ import annotations

import socket

import pytest

from fwguard.lab import traffic
from fwguard.lab.netconf_alone import Site

pytestmark = pytest.mark.integration


def test_only_what_the_lists_open_passes_in_both_ip_versions(site: Site) -> None:
    """Open with a redirection, redirected but closed, neither; a banned source."""
    assert [True, True] == [site.reaches(443), site.reaches(443, v6=True)]
    assert [False, False] == [site.reaches(2222), site.reaches(2222, v6=True)]
    assert [False, False] == [site.reaches(8080), site.reaches(8080, v6=True)]
    assert not traffic.can_connect(
        site.netns("outside"), site.plan.public4[0], 443, timeout_s=0.5, source="198.51.100.66"
    )


def test_the_inside_gets_out_and_forged_sources_do_not(site: Site) -> None:
    """The list of the inner interface lets the own prefix out."""
    assert site.inside_reaches_out()
    assert site.inside_reaches_out(v6=True)


@pytest.mark.parametrize(
    ("way", "opens"), [("open-port", True), ("add-rule", False), ("add-redirection", False)]
)
def test_an_opening_needs_rule_and_redirection(site: Site, way: str, opens: bool) -> None:
    """As on any firewall with NAT."""
    site.tamper(way)
    reached = site.eventually_reaches(8080) if opens else site.reaches(8080, timeout_s=1.0)
    assert opens == reached


def test_a_connection_ends_with_the_entry_that_let_it_in_and_others_stay(site: Site) -> None:
    """Port 80 loses its entry, port 8080 keeps its own: one connection ends, one stays."""
    site.tamper("open-port")
    assert site.eventually_reaches(8080)
    kept, ended = _connected(site, 8080), _connected(site, 80)
    site.tamper("delete-rule")
    assert site.eventually_refuses(80)
    assert b"kept" == _echo(kept, b"kept")
    assert b"" == _echo(ended, b"ended")


def test_a_route_follows_the_datastore(site: Site) -> None:
    """Added with it and taken away with it."""
    site.tamper("add-route")
    there = site.eventually(lambda: "198.18.250.0/24" in site.run_inside("ip", "route"))
    six = "2001:db8:fa::/48" in site.run_inside("ip", "-6", "route")
    site.tamper("reboot")
    gone = site.eventually(lambda: "198.18.250.0/24" not in site.run_inside("ip", "route"))
    default = "default via" in site.run_inside("ip", "route")
    assert [True, True, True, True] == [there, six, gone, default]


def test_a_boot_loads_startup(site: Site) -> None:
    """What stood in startup alone filters after the restart."""
    site.tamper("boot-file")
    before = site.reaches(8080)
    site.tamper("reboot")
    assert not before
    assert site.eventually_reaches(8080)


def _connected(site: Site, port: int) -> socket.socket:
    connection = traffic.connect(site.netns("outside"), site.plan.public4[0], port, timeout_s=2.0)
    assert connection is not None
    assert b"hello" == _echo(connection, b"hello")
    return connection


def _echo(connection: socket.socket, data: bytes) -> bytes:
    connection.settimeout(1.0)
    try:
        connection.sendall(data)
        return connection.recv(100)
    except OSError:
        return b""
