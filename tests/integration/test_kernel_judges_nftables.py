"""The kernel and our reading of the same ruleset judge the same packets alike."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kernel_judge import KernelJudge, egress_of, is_routable
from naive import translated, verdict
from sampling import Sampler

from fwguard.dialects.nftables import NFTABLES
from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Packet
from fwguard.model.policy import Hook, Policy

pytestmark = pytest.mark.integration

CASES = sorted(
    folder
    for folder in (Path(__file__).parents[1] / "golden" / "nftables").iterdir()
    if "loads" in (folder / "ORIGIN").read_text() and (folder / "input.nft").exists()
)
PACKETS = 1000
HOOKS = (Hook.FORWARD, Hook.FORWARD, Hook.FORWARD, Hook.INPUT, Hook.OUTPUT)


def expected(policy: Policy, packet: Packet) -> str:
    """Return what our reading says of a packet on the wire: translated first, then judged where it goes."""
    if packet.hook is Hook.OUTPUT:
        return verdict(policy, packet)
    after = translated(policy, packet)
    if after is None:
        return "unknown"
    if packet.hook is Hook.INPUT and is_routable(after.target):  # it was for the firewall until DNAT
        after = replace(after, hook=Hook.FORWARD, egress=egress_of(after.target))
    elif packet.hook is Hook.FORWARD:
        after = replace(after, egress=egress_of(after.target))
    return verdict(policy, after)


def on_the_wire(policy: Policy, packet: Packet) -> Packet:
    """Return the packet with the hook where it will come out, for the judge to look there."""
    after = translated(policy, packet)
    if packet.hook is Hook.INPUT and after is not None and is_routable(after.target):
        return replace(packet, hook=Hook.FORWARD)
    return packet


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_kernel_and_reading_agree(folder: Path, record_property: Callable[[str, object], None]) -> None:
    """Wherever our reading decides, the kernel decides the same."""
    text = (folder / "input.nft").read_text()
    policy = NFTABLES.read(text)
    packets = Sampler(text, seed=len(text)).packets(PACKETS, HOOKS)
    with KernelJudge() as judge:
        judge.run(["nft", "-f", "-"], text)
        arrived = judge.judge([on_the_wire(policy, packet) for packet in packets])
        listed = judge.run(["nft", "list", "ruleset"])
        listed_json = judge.run(["nft", "-j", "list", "ruleset"])
    said = [expected(policy, packet) for packet in packets]
    counts = {word: said.count(word) for word in ("accept", "drop", "unknown")}
    record_property("verdicts", str(counts))
    wrong = [
        (word, packet)
        for word, packet, came in zip(said, packets, arrived, strict=True)
        if word != "unknown" and (word == "accept") != came
    ]
    print(folder.name, counts, len(wrong))
    assert wrong[:5] == []
    assert [expected(NFTABLES.read(listed), packet) for packet in packets] == said  # as nft prints it
    in_json = [expected(NFTABLES.read(listed_json), packet) for packet in packets]
    if "jump {" not in text:  # nft 1.0.6 leaves a chain inside a rule out of its JSON: then unknown, no guess
        assert in_json == said
    assert {"unknown"} >= {new for new, old in zip(in_json, said, strict=True) if new != old}


OPENING = Opening(
    protocol=6,
    source=AddressSet.parse("198.51.100.0/24", "2001:db8:aaaa::/64"),
    target=AddressSet.parse("10.2.0.10", "2001:db8:2::10"),
    ports=Intervals.of((8443, 8443), (9000, 9010)),
)
ASKED = [
    Packet(
        source=source, target=target, protocol=6, sport=port + 20000, dport=port, ingress="wan0", egress="dmz0",
        hook=Hook.FORWARD,
    )
    for source, target in (("198.51.100.9", "10.2.0.10"), ("2001:db8:aaaa::7", "2001:db8:2::10"))
    for port in (8443, 9000, 9005, 9010)
]  # fmt: skip


def is_asked(packet: Packet) -> bool:
    """Tell whether a packet is of the opening."""
    return (
        packet.protocol == 6
        and packet.source in OPENING.source
        and packet.target in OPENING.target
        and packet.dport in OPENING.ports
    )


@pytest.mark.parametrize("folder", CASES, ids=lambda folder: folder.name)
def test_a_change_opens_what_was_asked_and_nothing_else(folder: Path) -> None:
    """In the kernel: the asked packets come through, no other packet's fate moves, and removing undoes it."""
    text = (folder / "input.nft").read_text()
    near = "\n".join(["ip saddr 198.51.100.0/24 ip daddr 10.2.0.10 tcp dport 8443", "tcp dport 9000-9010"])
    policy = NFTABLES.read(text)
    packets = [on_the_wire(policy, one) for one in Sampler(text + near, seed=7).packets(200, (Hook.FORWARD,))]
    packets = [one for one in packets if one.hook is Hook.FORWARD and one not in ASKED]
    after = NFTABLES.write(Change(tag="kernel", openings=(OPENING,)), text).after
    back = NFTABLES.write(Change(tag="kernel", remove=True), after).after
    came: dict[str, list[bool]] = {}
    for name, ruleset in (("before", text), ("after", after)):
        with KernelJudge() as judge:
            judge.run(["nft", "-f", "-"], ruleset)
            came[name] = judge.judge([*ASKED, *packets])
    moved = [
        one
        for one, was, now in zip([*ASKED, *packets], came["before"], came["after"], strict=True)
        if was != now and not is_asked(one)
    ]
    assert moved == []
    assert [True] * len(ASKED) == came["after"][: len(ASKED)]
    assert text == back
