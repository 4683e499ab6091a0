"""The platform of the edge's benchmark: its size, and that linear iptables hold the same openings."""

from __future__ import annotations

import re

from fwguard.bench.edge_platform import CLOSED, NOW_S, opened, platform, public
from fwguard.bench.linear import linear_text
from fwguard.compile.contract import Contract
from fwguard.model.address import parse_span, show_address
from fwguard.model.packet import Packet
from fwguard.model.ports import TCP

STATE = platform(20)


def test_each_server_has_a_port_and_ten_openings() -> None:
    """Twenty servers of three clients, each client behind a firewall with two ports."""
    assert (20 + 3 * 2, 200, 3) == (len(STATE.ports), len(STATE.openings), len(STATE.shares))


def test_what_the_benchmark_takes_for_open_is_open() -> None:
    """And nothing else, v4 and v6, by the contract in plain words."""
    contract = Contract(STATE, now_s=NOW_S)
    for server in range(20):
        for version, source in ((4, "198.51.100.2"), (6, "2001:db8:ff::2")):
            packets = [
                Packet(source=source, target=public(server, version), protocol=TCP, sport=1024, dport=dport,
                       ingress="uplink")
                for dport in (*opened(server, version), CLOSED)
            ]  # fmt: skip
            assert [True] * 5 + [False] == [contract.judge(packet).passes for packet in packets]


def test_linear_rules_are_the_same_openings() -> None:
    """One rule for each, v4 and v6."""
    wanted = {(show_address(one.public.version, one.public.first), one.first_port) for one in STATE.openings}
    found = set()
    for version in (4, 6):
        for address, port in re.findall(r"-d (\S+) .*--dport (\d+)", linear_text(20, version)):
            found.add((show_address(*parse_span(address)[:2]), int(port)))
    assert wanted == found
