"""Links, shaping and counters of real interfaces."""

from __future__ import annotations

import ipaddress
import socket
import subprocess
from typing import Any

import pytest

from fwguard.errors import CommitRefusedError, ConflictError, DeviceError
from fwguard.kernel import counters, shaping
from fwguard.kernel.elements import Element
from fwguard.kernel.keys import ipv4
from fwguard.kernel.links import Links, make_namespace, namespaces, remove_namespace
from fwguard.kernel.nf_tables import Table
from fwguard.kernel.ruleset import apply, compile_text
from fwguard.kernel.sets import NamedSet

pytestmark = pytest.mark.integration
_SHAPED = """qdisc replace dev port0 root handle 1: htb default 2
class replace dev port0 parent 1: classid 1:1 htb rate 1gbit quantum 1514
class replace dev port0 parent 1:1 classid 1:2 htb rate 101mbit ceil 40gbit burst 32k quantum 1514
qdisc replace dev port0 parent 1:2 bfifo limit 64kb
"""
_WAYS = (
    ("10.9.1.1/24", "198.51.100.0/24", "10.9.1.2"),
    ("fd0a::1/64", "2001:db8::/48", "fd0a::2"),
)


def test_ports_addresses_routes_and_neighbours_are_read_and_written(wire: Any) -> None:
    """v4 and v6 by the same calls."""
    with Links(netns=wire.edge) as links:
        port = links.port("port0")
        assert ("veth", True, True, 1500) == (port.kind, port.is_up, port.has_carrier, port.mtu_bytes)
        for address, target, gateway in _WAYS:
            links.add_address("port0", ipaddress.ip_interface(address))
            links.add_address("port0", ipaddress.ip_interface(address))
            assert (port.index, ipaddress.ip_interface(address)) in links.addresses("port0")
            network, way = ipaddress.ip_network(target), ipaddress.ip_address(gateway)
            for _ in range(2):
                links.replace_route(network, "port0", gateway=way, table=77)
            assert [(way, port.index)] == [
                (one.gateway, one.port) for one in links.routes(77) if one.target == network
            ]
            links.replace_neighbour("port0", way, "02:00:5e:10:00:01")
            declared = [one for one in links.neighbours("port0") if one.is_permanent]
            assert [(way, "02:00:5e:10:00:01")] == [(one.address, one.mac) for one in declared]
            links.remove_neighbour("port0", way)
            links.remove_route(network, "port0", gateway=way, table=77)
            links.remove_address("port0", ipaddress.ip_interface(address))
            assert (port.index, ipaddress.ip_interface(address)) not in links.addresses()


def test_a_port_that_vanished_is_named(wire: Any) -> None:
    """Whatever was to be done with it; and no namespace is made by looking for one."""
    with Links(netns=wire.edge) as links:
        subprocess.run(["ip", "-n", wire.edge, "link", "del", "port0"], check=True)
        network = ipaddress.ip_network("198.51.100.0/24")
        for act in (
            lambda: links.port("port0"),
            lambda: links.set_up("port0"),
            lambda: links.add_address("port0", ipaddress.ip_interface("10.0.0.1/8")),
            lambda: links.replace_route(network, "port0"),
            lambda: shaping.apply(_SHAPED, netns=wire.edge),
        ):
            with pytest.raises(ConflictError, match="port0"):
                act()
    with pytest.raises(DeviceError, match="no-such-namespace"):
        Links(netns="no-such-namespace")
    assert "no-such-namespace" not in namespaces()


def test_what_is_not_there_is_no_silent_success(wire: Any) -> None:
    """Removing a route or address that is gone is a conflict: read again."""
    with Links(netns=wire.edge) as links:
        with pytest.raises(ConflictError, match="ENOENT"):
            links.remove_route(ipaddress.ip_network("198.51.100.0/24"), "port0")
        with pytest.raises(ConflictError, match="ENOENT"):
            links.remove_address("port0", ipaddress.ip_interface("10.77.0.1/24"))


def test_a_namespace_is_made_once(wire: Any) -> None:
    """And removed once."""
    name = f"{wire.edge}-n"
    make_namespace(name)
    try:
        with pytest.raises(ConflictError, match="already"):
            make_namespace(name)
        assert name in namespaces()
    finally:
        remove_namespace(name)
    with pytest.raises(ConflictError, match="none"):
        remove_namespace(name)


def test_shaping_is_applied_read_back_and_applied_again(wire: Any) -> None:
    """A second time changes nothing; rates above 32 bits come back whole."""
    for _ in range(2):
        wanted = shaping.apply(_SHAPED, netns=wire.edge)
    assert set(wanted) == set(shaping.read_classes(["port0"], netns=wire.edge))
    changed = shaping.wanted_classes(_SHAPED.replace("101mbit", "102mbit"))
    assert 1 == len(shaping.differences(changed, netns=wire.edge))
    shaping.apply(_SHAPED.replace("101mbit", "102mbit"), netns=wire.edge)
    assert () == shaping.differences(changed, netns=wire.edge)


def test_a_line_that_is_refused_is_shown(wire: Any) -> None:
    """What stood before it holds, and the message says so."""
    with pytest.raises(CommitRefusedError, match=r"tc line 5: .*1:2 htb.*before it hold"):
        shaping.apply(
            _SHAPED + "class add dev port0 parent 1:1 classid 1:2 htb rate 1mbit\n", netns=wire.edge
        )


def test_traffic_is_counted_by_class_and_by_port(wire: Any) -> None:
    """Ten packets out of the edge: the class and the port have carried at least those."""
    shaping.apply(_SHAPED, netns=wire.edge)
    with counters.route_socket(netns=wire.edge) as netlink, Links(netns=wire.edge) as links:
        index = links.port("port0").index
        before = counters.read_ports(netlink)
        sender = wire.open_socket(wire.edge, socket.AF_INET, socket.SOCK_DGRAM)
        for _ in range(10):
            sender.sendto(bytes(1000), ("10.9.0.2", 9))
        after = counters.read_ports(netlink)
    [rate] = [one for port, one in counters.rates(before, after).items() if port == index]
    carried = shaping.read_counts(["port0"], netns=wire.edge)["port0", "1:2"]
    assert after.counts[index].out_bytes - before.counts[index].out_bytes >= 10_420
    assert (True, True) == (rate.out_bps > 0, carried.bytes >= 10_420 and carried.packets >= 10)


def test_counters_of_a_set_are_read(wire: Any) -> None:
    """Packets and bytes by key."""
    netlink = wire.netlink()
    apply(netlink, compile_text("""table inet edge {
        set seen { type ipv4_addr; counter; }
        chain input { type filter hook input priority 0; ip saddr @seen accept; }
    }"""))  # fmt: skip
    held = NamedSet(netlink, Table("inet", "edge"), "seen")
    held.add([Element(ipv4("10.9.0.2")), Element(ipv4("10.9.0.3"))])
    sender = wire.open_socket(wire.peer, socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(3):
        sender.sendto(bytes(72), ("10.9.0.1", 9))
    assert {ipv4("10.9.0.2"): (3, 300), ipv4("10.9.0.3"): (0, 0)} == counters.read_set(held)
