"""Which packets fall into which traffic class, and which are copied to user space: on the real kernel."""

from __future__ import annotations

import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_judge import EdgeJudge
from edge_states import large_state
from kernel_judge import craft

from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.compile.shaping import IFB, first_tc_text
from fwguard.model.packet import Packet
from fwguard.model.ports import TCP, UDP

pytestmark = pytest.mark.integration

NOW_S = 1_800_000_000
STATE = large_state(10, 4)  # two clients: classes 1:10 and 1:11
COMPILED = compile_edge(STATE, now_s=NOW_S)


@pytest.fixture(scope="module")
def edge() -> Iterator[EdgeJudge]:
    """An edge of two clients, with rules and traffic classes."""
    with EdgeJudge(STATE) as made:
        made.load(first_load_text(COMPILED, now_s=NOW_S))
        made.run(["ip", "link", "add", IFB, "type", "ifb"])
        made.run(["ip", "link", "set", IFB, "addrgenmode", "none"])
        made.run(["ip", "link", "set", IFB, "up"])
        made.run(["tc", "-batch", "-"], first_tc_text(COMPILED.shaping))
        time.sleep(3.0)  # interfaces that come up report their groups for a while (RFC 3810 section 9.11)
        yield made


def sent(edge: EdgeJudge, device: str) -> Counter[str]:
    """Return the packets of each class of a device, but for empty ones."""
    text = edge.run(["tc", "-s", "class", "show", "dev", device])
    found = re.findall(r"class htb (\S+) parent \S+ leaf .*\n Sent \d+ bytes (\d+) pkt", text)
    return Counter({handle: int(packets) for handle, packets in found if packets != "0"})


@pytest.mark.parametrize(
    ("inside", "outside"), [("198.18.0.16", "198.51.100.10"), ("2001:db8:1::1", "2001:db8:ffff::10")]
)
def test_each_client_has_its_class_in_both_directions(edge: EdgeJudge, inside: str, outside: str) -> None:
    """Up on the uplink, down through the ifb (mirred keeps the priority), other clients' classes untouched."""
    dport = 8001 if "." in inside else 8000
    up = Packet(source=inside, target=outside, protocol=UDP, sport=1, dport=2, ingress="o1")
    down = Packet(source=outside, target=inside, protocol=TCP, sport=3, dport=dport, ingress="uplink")
    before = sent(edge, "uplink"), sent(edge, IFB), counted(edge)
    assert [True] * 5 == edge.judge_frames([(up, "")] * 3 + [(down, "")] * 2)
    after = sent(edge, "uplink"), sent(edge, IFB), counted(edge)
    moved = [dict(new - old) for old, new in zip(before, after, strict=True)]
    assert [{"1:11": 3}, {"1:11": 2}, {"o1": 3}] == moved


def counted(edge: EdgeJudge) -> Counter[str]:
    """Return how many packets each port has sent, as the map of its class counts."""
    listed = json.loads(edge.run(["nft", "-j", "list", "map", "inet", "fwguard", "class_up"]))["nftables"]
    elements = next(one["map"]["elem"] for one in listed if "map" in one)
    return Counter({key["elem"]["val"]: key["elem"]["counter"]["packets"] for key, _ in elements})


def test_what_a_client_sends_inside_has_no_class(edge: EdgeJudge) -> None:
    """Between a client's own servers nothing is shaped."""
    inner = Packet(source="10.20.0.11", target="10.20.0.12", protocol=UDP, sport=1, dport=2, ingress="s0-0")
    before = sent(edge, "uplink"), sent(edge, IFB)
    assert [True] == edge.judge_frames([(inner, "")])
    assert before == (sent(edge, "uplink"), sent(edge, IFB))


@pytest.mark.parametrize(
    ("source", "target", "octets"),
    [("10.20.0.11", "198.51.100.10", 20), ("fd20::b", "2001:db8:ffff::10", 40)],
)
def test_only_packets_with_payload_are_copied(edge: EdgeJudge, source: str, target: str, octets: int) -> None:
    """A bare SYN is not, one octet more is; of UDP every first packet; of each direction the first few."""
    mine, theirs = edge.macs["s0-0"]
    kind = b"\x08\x00" if octets == 20 else b"\x86\xdd"

    def send(protocol: int, sport: int, payload: bytes, times: int) -> None:
        one = Packet(source=source, target=target, protocol=protocol, sport=sport, dport=2, ingress="s0-0")
        for _ in range(times):
            edge.wires["s0-0"].send(mine + theirs + kind + craft(one, payload))

    counts = [copied(edge, octets)]
    for protocol, sport, payload, times in ((TCP, 1, b"", 1), (TCP, 2, b"x", 1), (UDP, 3, b"", 20)):
        send(protocol, sport, payload, times)
        counts.append(copied(edge, octets))
    moved = [dict(after - before) for before, after in pairwise(counts)]
    assert [{}, {"tcp": 1}, {"udp": STATE.controls.watch.packets_most - 1}] == moved


def copied(edge: EdgeJudge, octets: int) -> Counter[str]:
    """Return how many packets the copying rules have met."""
    rules = edge.run(["nft", "list", "chain", "inet", "fwguard", "copy"]).splitlines()
    version = "ipv4" if octets == 20 else "ipv6"
    counts = {"udp": "!= tcp", "tcp": f"nfproto {version}"}
    found: Counter[str] = Counter()
    for name, words in counts.items():
        (line,) = (one for one in rules if words in one)
        match = re.search(r"counter packets (\d+)", line)
        assert match is not None
        found[name] = int(match[1])
    return found
