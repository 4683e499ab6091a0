"""What needs more than one packet, or another protocol: ARP, ND, bridges, scans, floods, open connections."""

from __future__ import annotations

import socket
import struct
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_judge import EdgeJudge
from edge_states import CONTROLS, large_state, mac_of
from kernel_judge import checksum

from fwguard.compile.bridged import BRIDGE_SYSCTLS
from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.model.controls import Mode
from fwguard.model.edge import EdgeState, Link
from fwguard.model.packet import Packet
from fwguard.model.ports import TCP, UDP

pytestmark = pytest.mark.integration

NOW_S = 1_800_000_000
WEB, OTHER = "s0-0", "s0-1"  # 10.20.0.11 and .12 behind one firewall
ANYWHERE = {4: "198.51.100.10", 6: "2001:db8:ffff::10"}
OWN = {4: "10.20.0.11", 6: "fd20::b"}


@pytest.fixture
def state() -> EdgeState:
    """One client with a firewall and two servers."""
    return large_state(2, 2)


@pytest.fixture
def edge(state: EdgeState) -> Iterator[EdgeJudge]:
    """Its edge, enforcing."""
    with EdgeJudge(state) as made:
        made.load(first_load_text(compile_edge(state, now_s=NOW_S), now_s=NOW_S))
        yield made


def packet(version: int, number: int, *, protocol: int = TCP, sport: int = 0) -> Packet:
    """Return a packet that the first server opens something with."""
    return Packet(
        source=OWN[version], target=ANYWHERE[version], protocol=protocol, sport=sport or 20000 + number,
        dport=10000 + number, ingress=WEB,
    )  # fmt: skip


def arp(sender_mac: str, sender: str, target: str, *, operation: int = 1) -> bytes:
    """Return an Ethernet frame with an ARP message (RFC 826)."""
    mac = bytes.fromhex(sender_mac.replace(":", ""))
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + socket.inet_aton(sender)
    return b"\xff" * 6 + mac + b"\x08\x06" + body + b"\0" * 6 + socket.inet_aton(target)


def advert(ether: str, source: str, target: str, option: str) -> bytes:
    """Return a frame with a neighbour solicitation whose source link-layer address is `option` (RFC 4861)."""
    src, dst = socket.inet_pton(socket.AF_INET6, source), socket.inet_pton(socket.AF_INET6, target)
    group = socket.inet_pton(socket.AF_INET6, "ff02::1:ff00:0")[:13] + dst[13:]
    body = b"\x87\0\0\0\0\0\0\0" + dst + b"\x01\x01" + bytes.fromhex(option.replace(":", ""))
    total = checksum(src + group + struct.pack("!II", len(body), 58) + body)
    body = body[:2] + struct.pack("!H", total) + body[4:]
    head = struct.pack("!IHBB", 6 << 28, len(body), 58, 255) + src + group
    mac = bytes.fromhex(ether.replace(":", ""))
    return b"\x33\x33" + group[12:] + mac + b"\x86\xdd" + head + body


def answers(edge: EdgeJudge, name: str, frame: bytes, kind: bytes) -> bool:
    """Send a frame into a port and tell whether the edge answers with one of that Ethernet type and more."""
    wire = edge.wires[name]
    while True:  # what came before is no answer
        try:
            wire.recv(2048)
        except BlockingIOError:
            break
    wire.send(frame)
    until = time.monotonic() + 0.3
    while time.monotonic() < until:
        try:
            data, sender = wire.recvfrom(2048)
        except BlockingIOError:
            time.sleep(0.005)
            continue
        if sender[2] != socket.PACKET_OUTGOING and kind in data[12:60]:
            return True
    return False


def test_only_true_arp_is_heard(edge: EdgeJudge) -> None:
    """A server asks with its own MAC and address, or the edge hears nothing (clause 7.1)."""
    edge.run(["ip", "addr", "add", "10.20.0.254/32", "dev", WEB])
    mine, other = edge.state.ports[2].macs[0], edge.state.ports[3].macs[0]
    reply = b"\x08\x06\0\x01\x08\0\x06\x04\0\x02"
    asks = [
        arp(mine, "10.20.0.11", "10.20.0.254"),
        arp(mine, "10.20.0.12", "10.20.0.254"),  # another's address
        arp(other, "10.20.0.11", "10.20.0.254"),  # another's MAC
        arp(mine, "10.20.0.1", "10.20.0.254"),  # the gateway's address
    ]
    assert [True, False, False, False] == [answers(edge, WEB, ask, reply) for ask in asks]


def test_only_true_neighbour_messages_are_heard(edge: EdgeJudge) -> None:
    """The same over IPv6: address, MAC and the option with the link-layer address."""
    edge.run(["ip", "-6", "addr", "add", "fd20::fe/128", "dev", WEB, "nodad"])
    mine, other = edge.state.ports[2].macs[0], edge.state.ports[3].macs[0]
    asks = [
        advert(mine, "fd20::b", "fd20::fe", mine),
        advert(mine, "fd20::c", "fd20::fe", mine),  # another's address
        advert(other, "fd20::b", "fd20::fe", other),  # another's MAC
        advert(mine, "fd20::b", "fd20::fe", other),  # another's MAC inside
    ]
    assert [True, False, False, False] == [answers(edge, WEB, ask, b"\x88\0") for ask in asks]


@pytest.mark.parametrize("version", [4, 6])
def test_a_scan_is_cut_by_the_kernel(version: int) -> None:
    """Exactly the burst leaks, then the port is cut for everything, and a drop of its own holds (clause 7.1)."""
    intrusion = replace(CONTROLS.intrusion, scan_targets_per_s=1, scan_burst_targets=20)
    state = replace(large_state(2, 1), controls=replace(CONTROLS, intrusion=intrusion))
    with EdgeJudge(state) as edge:
        edge.load(first_load_text(compile_edge(state, now_s=NOW_S), now_s=NOW_S))
        came = edge.judge_frames([(packet(version, number), "") for number in range(60)])
        known = edge.run(["nft", "list", "set", "inet", "fwguard", "cut_local_port"])
        after = edge.judge_frames([(packet(version, 0, protocol=UDP), "")])
        other = replace(packet(version, 99), source={4: "10.20.0.12", 6: "fd20::c"}[version], ingress=OTHER)
        assert [True] == edge.judge_frames([(other, "")])
    assert ([True] * 20, True) == (came[:20], sum(came) <= 21)
    assert f'"{WEB}"' in known
    assert [False] == after


def test_one_target_again_and_again_is_no_scan() -> None:
    """Connections to what was tried already are not counted, however many."""
    intrusion = replace(CONTROLS.intrusion, scan_targets_per_s=1, scan_burst_targets=5)
    state = replace(large_state(2, 1), controls=replace(CONTROLS, intrusion=intrusion))
    with EdgeJudge(state) as edge:
        edge.load(first_load_text(compile_edge(state, now_s=NOW_S), now_s=NOW_S))
        frames = [(packet(4, 1, sport=21000 + number), "") for number in range(50)]
        assert [True] * 50 == edge.judge_frames(frames)


@pytest.mark.parametrize("version", [4, 6])
def test_a_flood_is_cut_by_the_kernel(version: int) -> None:
    """Unanswered packets of one flow count too (clause 7.1)."""
    intrusion = replace(CONTROLS.intrusion, flood_packets_per_s=1, flood_burst_packets=30)
    state = replace(large_state(2, 1), controls=replace(CONTROLS, intrusion=intrusion))
    with EdgeJudge(state) as edge:
        edge.load(first_load_text(compile_edge(state, now_s=NOW_S), now_s=NOW_S))
        one = packet(version, 1, protocol=UDP, sport=5000)
        came = edge.judge_frames([(one, "")] * 60)
    assert 30 <= sum(came) <= 32


@pytest.mark.parametrize("version", [4, 6])
def test_isolation_ends_open_connections_at_once(edge: EdgeJudge, version: int) -> None:
    """A connection that stands passes both ways until its server's port is cut, and again after release."""
    away = packet(version, 1, protocol=UDP)
    back = Packet(
        source=away.target, target=away.source, protocol=UDP, sport=away.dport, dport=away.sport, ingress="i0"
    )
    frames = [(away, ""), (back, ""), (away, "")]
    open_before = edge.judge_frames(frames)
    edge.load(f'add element inet fwguard cut_local_port {{ "{WEB}" }}')
    cut = edge.judge_frames(frames)
    edge.load(f'delete element inet fwguard cut_local_port {{ "{WEB}" }}')
    assert ([True] * 3, [False] * 3, [True] * 3) == (open_before, cut, edge.judge_frames(frames))


@pytest.mark.parametrize("version", [4, 6])
def test_one_flow_is_cut_alone(edge: EdgeJudge, version: int) -> None:
    """The flow named stops although it is established; its neighbour goes on."""
    named, other = packet(version, 1, protocol=UDP), packet(version, 2, protocol=UDP)
    edge.judge_frames([(named, ""), (other, "")])
    key = f'"{WEB}" . {named.target} . udp . {named.sport} . {named.dport}'
    edge.load(f"add element inet fwguard cut_local_flow{version} {{ {key} timeout 60s }}")
    edge.load(f'add element inet fwguard cut_local_some {{ "{WEB}" }}')
    assert [False, True] == edge.judge_frames([(named, ""), (other, "")])


def test_mode_observe_counts_and_passes() -> None:
    """What is not open passes and is counted, where an architecture is only observed (clause 7.1.1)."""
    state = large_state(2, 1)
    seen = replace(state, architectures=tuple(replace(one, mode=Mode.OBSERVE) for one in state.architectures))
    frame = (
        Packet(source="198.51.100.10", target="198.18.0.0", protocol=TCP, sport=1, dport=2, ingress="uplink"),
        "",
    )
    came = []
    for one in (state, seen):
        with EdgeJudge(one) as edge:
            edge.load(first_load_text(compile_edge(one, now_s=NOW_S), now_s=NOW_S))
            came += edge.judge_frames([frame])
            rules = edge.run(["nft", "list", "chain", "inet", "fwguard", "observed_in"])
    assert [False, True] == came
    assert "counter packets 1" in rules


def test_bridged_ports_have_identity_and_cuts() -> None:
    """On a bridge, where conntrack is refused: true frames pass, forged and cut ones do not."""
    routed = large_state(2, 1)
    ports = tuple(
        replace(one, link=Link.BRIDGED) if one.interface in (WEB, OTHER) else one for one in routed.ports
    )
    state = replace(routed, ports=ports)
    with EdgeJudge(state) as edge:
        edge.run(["ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "0"])
        for name in (WEB, OTHER):
            edge.run(["ip", "link", "set", name, "master", "br0"])
        edge.run(["ip", "link", "set", "br0", "up"])
        edge.run(["sysctl", "-qw", *(f"{name}={value}" for name, value in BRIDGE_SYSCTLS.items())])
        edge.load(first_load_text(compile_edge(state, now_s=NOW_S), now_s=NOW_S))
        edge.macs[WEB] = bytes.fromhex(state.ports[3].macs[0].replace(":", "")), edge.macs[WEB][1]
        edge.macs[OTHER] = bytes.fromhex(state.ports[2].macs[0].replace(":", "")), edge.macs[OTHER][1]
        time.sleep(0.2)
        true4 = Packet(source="10.20.0.11", target="10.20.0.12", protocol=UDP, sport=9, dport=9, ingress=WEB)
        true6 = replace(true4, source="fd20::b", target="fd20::c")
        frames = [
            (true4, ""), (true6, ""), (replace(true4, source="10.20.0.13"), ""), (replace(true6, source="fd20::d"), ""),
            (true4, mac_of(77)), (replace(true4, sport=67), ""),
        ]  # fmt: skip
        assert [True, True, False, False, False, False] == edge.judge_frames(frames)
        edge.load(f'add element netdev fwguard cut_local_port {{ "{OTHER}" }}')
        back = replace(true4, source="10.20.0.12", target="10.20.0.11", ingress=OTHER)
        assert [False, False] == edge.judge_frames([(true4, ""), (back, "")])
