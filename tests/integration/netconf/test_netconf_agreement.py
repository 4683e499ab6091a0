"""The dialect's reading of a datastore and the lab device's own agree, with a real kernel as the judge."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from lxml import etree

sys.path.insert(0, str(Path(__file__).parents[1]))

from kernel_judge import INTERFACES, KernelJudge, egress_of, is_routable
from naive import translated, verdict
from sampling import Sampler

from fwguard.dialects.rfc8519 import RFC8519, lay_out
from fwguard.lab.netconf_rules import render
from fwguard.model.packet import Packet
from fwguard.model.policy import Hook, Policy
from fwguard.model.ports import ICMP, ICMPV6

pytestmark = pytest.mark.integration

GOLDEN = Path(__file__).parents[2] / "golden" / "rfc8519"
PACKETS = 1000
# Conntrack calls other unsolicited ICMP invalid, and the device drops that; the lists judge NEW ones.
REQUESTS = {ICMP: (8, 13, 15, 17), ICMPV6: (128,)}


def expected(policy: Policy, packet: Packet) -> str:
    """Return what our reading says of a packet on the wire: translated first, then judged where it goes."""
    after = translated(policy, packet)
    if after is None:
        return "unknown"
    if packet.hook is Hook.INPUT and is_routable(after.target):  # it was for the firewall until DNAT
        after = replace(after, hook=Hook.FORWARD, egress=egress_of(after.target))
    elif packet.hook is Hook.FORWARD:
        after = replace(after, egress=egress_of(after.target))
    return str(verdict(policy, after))


def on_the_wire(policy: Policy, packet: Packet) -> Packet:
    """Return the packet with the hook where it will come out, for the judge to look there."""
    after = translated(policy, packet)
    if packet.hook is Hook.INPUT and after is not None and is_routable(after.target):
        return replace(packet, hook=Hook.FORWARD)
    return packet


def is_new(packet: Packet) -> bool:
    """Tell whether conntrack takes the packet for the first of a connection."""
    kinds = REQUESTS.get(packet.protocol)
    return kinds is None or (packet.icmp_type is not None and packet.icmp_type >> 8 in kinds)


@pytest.mark.parametrize("name", ["operators", "two-lists", "office"])
def test_kernel_and_reading_agree(name: str) -> None:
    """Wherever our reading decides, the kernel under the rendered rules decides the same."""
    text = lay_out((GOLDEN / name / "input.xml").read_text())
    policy = RFC8519.read(text)
    sampled = Sampler(text, seed=len(text)).packets(PACKETS, (Hook.FORWARD, Hook.FORWARD, Hook.INPUT))
    packets = [packet for packet in sampled if is_new(packet)]
    rendered = render(etree.fromstring(text.encode()), INTERFACES)
    with KernelJudge() as judge:
        judge.run(["nft", "-f", "-"], rendered.nft)
        arrived = judge.judge([on_the_wire(policy, packet) for packet in packets])
    said = [expected(policy, packet) for packet in packets]
    print(name, {word: said.count(word) for word in set(said)})
    wrong = [
        (word, packet)
        for word, packet, came in zip(said, packets, arrived, strict=True)
        if word != "unknown" and (word == "accept") != came
    ]
    assert [] == rendered.skipped
    assert [] == wrong[:5]
    assert {"accept", "drop"} <= set(said)


@pytest.mark.parametrize("name", sorted(path.parent.name for path in GOLDEN.glob("*/input.xml")))
def test_what_is_rendered_loads(name: str) -> None:
    """Also what holds conditions that nobody understands."""
    text = (GOLDEN / name / "input.xml").read_text()
    root = etree.fromstring(lay_out(text).encode())
    with KernelJudge() as judge:
        judge.run(["nft", "-c", "-f", "-"], render(root, INTERFACES).nft)
