"""Connections of a real kernel, ended."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest

from fwguard.kernel.conntrack import FlowMatch, end_flows, flows
from fwguard.kernel.ruleset import apply, compile_text

pytestmark = pytest.mark.integration
# A flow that is ended is a new one to the rules, and only what began while `open` was there may go on.
_TEXT = """table inet edge {
    chain zones { type filter hook prerouting priority -300; ct zone set 77; }
    chain input {
        type filter hook input priority 0; policy drop;
        ct state established accept
        %s
        icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert } accept
    }
    chain output { type filter hook output priority -300; ct zone set 77; }
}
"""
_OPEN = "tcp dport 8080-8089 accept"
_NETWORKS = {socket.AF_INET: "10.9.0.2/32", socket.AF_INET6: "fd09::2/128"}


@pytest.mark.parametrize("family", list(_NETWORKS))
def test_an_opening_that_ends_takes_its_connections_with_it(wire: Any, family: socket.AddressFamily) -> None:
    """`established` would let them live on; other connections of the same client do."""
    netlink = wire.netlink()
    apply(netlink, compile_text(_TEXT % _OPEN))
    client, server = wire.connected(family, 8080)
    other, other_server = wire.connected(family, 8081)
    apply(netlink, compile_text(_TEXT % ""))
    client.send(b"x")
    assert b"x" == server.recv(9)
    peer = ipaddress.ip_network(_NETWORKS[family])
    assert 1 == end_flows(netlink, FlowMatch(zone=77, source=peer, protocol=socket.IPPROTO_TCP, port=8080))
    client.send(b"y")
    with pytest.raises(TimeoutError):
        server.recv(9)
    other.send(b"z")
    assert b"z" == other_server.recv(9)


def test_flows_are_found_by_zone_address_and_port(wire: Any) -> None:
    """v4 and v6 alike, whether or not the kernel helps with the search."""
    netlink = wire.netlink()
    apply(netlink, compile_text(_TEXT % _OPEN))
    for family in _NETWORKS:
        wire.connected(family, 8080)
        wire.connected(family, 8081)
    counted = {}
    for family, text in _NETWORKS.items():
        peer = ipaddress.ip_network(text)
        searches: list[dict[str, Any]] = [
            {"source": peer}, {"target": peer}, {"address": peer},
            {"source": peer, "port": 8081}, {"target": peer, "port": 8081},
        ]  # fmt: skip
        counted[family] = [len(flows(netlink, FlowMatch(**one, protocol=6))) for one in searches]
    assert {family: [2, 0, 2, 1, 0] for family in _NETWORKS} == counted
    assert (4, 0) == (
        len(flows(netlink, FlowMatch(zone=77, protocol=6))),
        len(flows(netlink, FlowMatch(zone=78))),
    )


def test_a_thousand_flows_of_a_server_end(wire: Any) -> None:
    """Answers are read step by step, and what ended by itself is no error."""
    netlink = wire.netlink()
    text = "chain a { type filter hook input priority 0; ct state new accept; }"
    apply(netlink, compile_text(f"table inet edge {{ {text}; }}"))
    for family, address in ((socket.AF_INET, "10.9.0.1"), (socket.AF_INET6, "fd09::1")):
        sender = wire.open_socket(wire.peer, family, socket.SOCK_DGRAM)
        for port in range(20_000, 20_500):
            sender.sendto(b"x", (address, port))
    everything = [FlowMatch(address=ipaddress.ip_network(text), protocol=17) for text in _NETWORKS.values()]
    assert [500, 500] == [end_flows(netlink, one) for one in everything]
    assert [0, 0] == [end_flows(netlink, one) for one in everything]
