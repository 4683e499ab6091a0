"""The kernel is the judge: what we read from a restore file is what it does with real packets."""

from __future__ import annotations

import random
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from kernel_judge import INTERFACES, OWN, KernelJudge, egress_of, is_routable
from naive import translated, verdict

from fwguard.dialects.ipset import read_sets
from fwguard.dialects.iptables import IPTABLES
from fwguard.model.address import AddressSet, Family
from fwguard.model.change import Change, Opening
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Packet
from fwguard.model.policy import Hook, Match, Policy
from fwguard.model.ports import ICMP, ICMPV6

pytestmark = pytest.mark.integration

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "firewalls" / "iptables"
PACKETS = 2000

FILTERS = """*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
:web -
:odd -
:deep -
-A INPUT -p tcp -m multiport --dports 22,80:90 -s {net1} -j ACCEPT
-A INPUT -i lan0 -p udp ! --dport 53 -j ACCEPT
-A FORWARD -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT
-A FORWARD -m conntrack --ctstate INVALID -j DROP
-A FORWARD -i lan0 ! -s {net1} -j odd
-A FORWARD -d {host1} -p tcp -m tcp --dport 443 -j ACCEPT
-A FORWARD -d {net2} -p tcp -m multiport --dports 21,80,8000:8010 -j web
-A FORWARD -p {icmp} {echo} -m limit --limit 5/min -j LOG
-A FORWARD -p {icmp} {echo} -j ACCEPT
-A FORWARD -p udp -m multiport --ports 53,123 -g deep
-A FORWARD -m iprange --src-range {range} -p udp --dport 1000:2000 -j ACCEPT
-A FORWARD -i lan+ -o wan0 -p tcp ! --syn -j DROP
-A FORWARD -i lan+ -o wan0 -p tcp --sport 1024: -m multiport ! --dports 25,465 -j ACCEPT
-A FORWARD -p tcp --tcp-flags SYN,ACK SYN --dport 9000 -j ACCEPT
-A FORWARD -p esp -j ACCEPT
-A FORWARD ! -p tcp -d {net3} -j REJECT
-A FORWARD -d {net3} -j ACCEPT
-A web -s {net3} -j RETURN
-A web -p tcp --dport 80 -j ACCEPT
-A web -p tcp -m tcp --dport 8005:8006 -j REJECT --reject-with tcp-reset
-A web ! -s {net1} -p tcp --dport 8000:8010 -g odd
-A odd -s {host2} -j RETURN
-A odd -p udp -j deep
-A odd -p tcp --sport 2000:3000 -j DROP
-A deep -d {net1} -j ACCEPT
-A deep -s {net2} -p udp --dport 123 -j ACCEPT
COMMIT
"""
TABLES = """*raw
:PREROUTING ACCEPT
:OUTPUT ACCEPT
:free -
-A PREROUTING -s {net1} -p udp --dport 53 -j free
-A PREROUTING -d {host1} -p tcp --dport 7000:7100 -j NOTRACK
-A PREROUTING -s {net2} -p tcp --dport 23 -j DROP
-A free -j CT --notrack
COMMIT
*mangle
:PREROUTING ACCEPT
:FORWARD ACCEPT
:POSTROUTING ACCEPT
-A PREROUTING -j MARK --set-mark 7
-A FORWARD -s {net3} -d {net1} -j DROP
-A POSTROUTING -o wan0 -p udp --dport 137:139 -j DROP
COMMIT
*filter
:INPUT ACCEPT
:FORWARD ACCEPT
:OUTPUT ACCEPT
-A FORWARD -m conntrack --ctstate UNTRACKED -d {host1} -j ACCEPT
-A FORWARD -m conntrack ! --ctstate NEW -j DROP
-A FORWARD -s {host2} -j REJECT
-A FORWARD -p tcp -m conntrack --ctstate NEW --ctorigdstport 22 --ctproto 6 -j DROP
COMMIT
*security
:FORWARD ACCEPT
-A FORWARD -d {host2} -p tcp -m state --state NEW -m tcp --dport 443 -j DROP
COMMIT
"""
TRANSLATED = """*raw
:PREROUTING ACCEPT
-A PREROUTING -d {public} -p tcp --dport 8022 -s {net3} -j DROP
COMMIT
*nat
:PREROUTING ACCEPT
:INPUT ACCEPT
:OUTPUT ACCEPT
:POSTROUTING ACCEPT
:in -
-A PREROUTING -d {public} -p tcp -j in
-A PREROUTING -d {public} -p udp --dport 500 -j DNAT --to-destination {to2}
-A PREROUTING -d {public} -p udp --dport 500:510 -j DNAT --to-destination {to1}
-A POSTROUTING -o wan0 -s {net1} -j MASQUERADE
-A in -s {host2} -j RETURN
-A in -p tcp --dport 8080 -j DNAT --to-destination {to1port}
-A in -p tcp --dport 8022 -j DNAT --to-destination {to2port}
-A in -p tcp --dport 8081 -j ACCEPT
-A in -p tcp --dport 8081:8082 -j DNAT --to-destination {to2}
COMMIT
*filter
:INPUT DROP
:FORWARD DROP
:OUTPUT ACCEPT
-A FORWARD -d {host1} -p tcp --dport 80 -j ACCEPT
-A FORWARD -d {host2} -p tcp --dport 22 -s {net3} -j ACCEPT
-A FORWARD -d {host2} -p tcp --dport 22 -s {net1} -j ACCEPT
-A FORWARD -d {host1} -p udp --dport 501:505 -j ACCEPT
-A FORWARD -d {host2} -p udp -j ACCEPT
-A FORWARD -d {host2} -p tcp --dport 8082 -j ACCEPT
COMMIT
"""
NAMED_SETS = """*filter
:INPUT ACCEPT
:FORWARD DROP
:OUTPUT ACCEPT
-A FORWARD -m set --match-set banned src -j DROP
-A FORWARD -m set --match-set web dst,dst -j ACCEPT
-A FORWARD -m set --match-set ports dst -p tcp -j ACCEPT
-A FORWARD -m set ! --match-set nets dst -p udp -j ACCEPT
-A FORWARD -m set --match-set three src,dst,dst -j REJECT
-A FORWARD -m set --match-set all src -p tcp --dport 5000:6000 -j ACCEPT
COMMIT
"""
SETS = """create banned hash:ip family {inet}
create web hash:ip,port family {inet}
create ports bitmap:port range 0-65535
create nets hash:net family {inet}
create three hash:ip,port,net family {inet}
create all list:set size 8
add banned {host2}
add web {host1},tcp:80
add web {host1},udp:500-510
add web {host3},tcp:443
add web {host3},{icmp_echo}
add ports 22
add ports 8000-8010
add nets {net1}
add nets {inside} nomatch
add nets {net3}
add three {host3},tcp:443,{net1}
add three {host3},udp:53,{net2}
add all banned
add all nets
"""
WORDS: dict[Family, dict[str, str]] = {
    Family.V4: {
        "net1": "10.1.0.0/16", "net2": "192.0.2.0/24", "net3": "198.51.100.128/25", "host1": "10.1.2.3",
        "host2": "198.51.100.200", "host3": "192.0.2.77", "icmp": "icmp", "echo": "--icmp-type echo-request",
        "range": "10.1.255.250-10.2.0.9", "public": "192.0.2.1", "to1": "10.1.2.3",
        "to2": "198.51.100.200", "to1port": "10.1.2.3:80", "to2port": "198.51.100.200:22", "inet": "inet",
        "icmp_echo": "icmp:echo-request", "inside": "10.1.2.0/24",
    },
    Family.V6: {
        "net1": "2001:db8:1::/48", "net2": "2001:db8:2::/64", "net3": "2001:db8:3:8000::/65",
        "host1": "2001:db8:1:2::3", "host2": "2001:db8:3:8000::c8", "host3": "2001:db8:2::77",
        "icmp": "ipv6-icmp", "echo": "--icmpv6-type echo-request",
        "range": "2001:db8:1:ffff:ffff:ffff:ffff:fff0-2001:db8:2::9", "public": "2001:db8:2::1",
        "to1": "2001:db8:1:2::3", "to2": "2001:db8:3:8000::c8", "to1port": "[2001:db8:1:2::3]:80",
        "to2port": "[2001:db8:3:8000::c8]:22", "inet": "inet6", "icmp_echo": "icmpv6:echo-request",
        "inside": "2001:db8:1:2::/64",
    },
}  # fmt: skip


def expected(policy: Policy, packet: Packet) -> str:
    """Return what our reading says of a packet on the wire: translated first, then judged where it goes."""
    after = translated(policy, packet)
    return "unknown" if after is None else verdict(policy, routed(packet, after))


def routed(packet: Packet, after: Packet) -> Packet:
    """Return the translated packet at the hook and interface that the firewall's routes give it."""
    if packet.hook is Hook.INPUT and not is_routable(after.target):
        return after
    return replace(after, hook=Hook.FORWARD, egress=egress_of(after.target))


def on_the_wire(policy: Policy, packet: Packet) -> Packet:
    """Return the packet with the hook where it will come out, for the judge to look there."""
    after = translated(policy, packet)
    return packet if after is None else replace(packet, hook=routed(packet, after).hook)


def samples(policy: Policy, family: Family, count: int, seed: int) -> list[Packet]:
    """Draw packets near the edges of the rules: each field from inside, the edge or just outside of one."""
    rng = random.Random(seed)
    pool = [
        match
        for chain in policy.chains.values()
        if chain.families & family
        for rule in chain.rules
        for match in rule.matches
    ]
    pool += [match for rule in policy.nat for match in rule.matches if match.source.of_family(family)]
    found: dict[Packet, None] = {}
    sent: set[tuple[object, ...]] = set()
    for _ in range(count * 20):
        if len(found) == count:
            break
        packet = draw(pool or [Match()], family, rng)
        if packet is None:
            continue
        # To conntrack, a packet would be an answer to an earlier one that it mirrors.
        if (packet.protocol, packet.source, packet.dport, packet.sport) not in sent:
            sent.add((packet.protocol, packet.target, packet.sport, packet.dport))
            found[packet] = None
    return list(found)


def draw(pool: list[Match], family: Family, rng: random.Random) -> Packet | None:
    """Draw one packet, or None when the kernel would not route it whatever the rules say."""
    first, second = rng.choice(pool), rng.choice(pool)
    mixed = [first if rng.random() < 0.8 else second for _ in range(5)]
    icmp = ICMP if family is Family.V4 else ICMPV6
    protocol = near(mixed[0].protocol, rng, 255)
    if protocol not in (6, 17, 50, icmp):
        protocol = rng.choice((6, 6, 17, 17, 50, icmp))
    # NAT keeps no port 0, and what it does instead is no matter of rules.
    sport, dport = near(mixed[1].sport, rng, 65535) or 1, near(mixed[2].dport, rng, 65535) or 1
    kind = None
    if protocol not in (6, 17):
        sport = dport = 0
    if protocol == icmp:
        kind = rng.choice((8, 13)) << 8 if family is Family.V4 else 128 << 8
    source = near_address(mixed[3].source, family, rng)
    target = near_address(mixed[4].target, family, rng)
    hook = Hook.FORWARD
    if rng.random() < 0.15:
        target, hook = OWN[rng.choice(INTERFACES)][0 if family is Family.V4 else 1], Hook.INPUT
    if not is_routable(source) or not is_routable(target, own=hook is Hook.INPUT):
        return None
    return Packet(
        source=source, target=target, protocol=protocol, sport=sport, dport=dport, icmp_type=kind, hook=hook,
        ingress=rng.choice(INTERFACES), egress="" if hook is Hook.INPUT else egress_of(target),
    )  # fmt: skip


def near(numbers: Intervals, rng: random.Random, highest: int) -> int:
    """Draw a number inside, at the edge of, or just outside a set."""
    if not numbers or rng.random() < 0.1:
        return rng.randint(0, highest)
    low, high = rng.choice(numbers.pairs)
    return max(0, min(highest, rng.choice((low, high, low - 1, high + 1, rng.randint(low, high)))))


def near_address(addresses: AddressSet, family: Family, rng: random.Random) -> str:
    """Draw an address the same way; of IPv6 only where addresses are given out."""
    if family is Family.V4:
        return str(IPv4Address(near(addresses.v4, rng, 2**32 - 1)))
    number = near(addresses.v6, rng, 2**128 - 1)
    return str(IPv6Address(number if number >> 125 == 1 else 1 << 125 | number >> 3))


def disagreements(
    text: str, family: Family, sets: str = "", variant: str = "nft", seed: int = 1
) -> tuple[int, int, list[str]]:
    """Load a text, send packets, and return how many were compared, undecided, and where we are wrong."""
    policy = IPTABLES.read(text, family=family, ipsets=read_sets(sets))
    restore = f"{'iptables' if family is Family.V4 else 'ip6tables'}-{variant}-restore"
    packets = samples(policy, family, PACKETS, seed)
    with KernelJudge() as judge:
        if sets:
            judge.run(["ipset", "restore"], sets)
        judge.run([restore], text)
        arrived = judge.judge([on_the_wire(policy, packet) for packet in packets])
        saved = judge.run([restore.replace("restore", "save")])
    again = IPTABLES.read(saved, family=family, ipsets=read_sets(sets))
    wrong: list[str] = []
    undecided = 0
    for packet, came in zip(packets, arrived, strict=True):
        ours = expected(policy, packet)
        undecided += ours == "unknown"
        if ours != "unknown" and (ours == "accept") != came:
            wrong.append(f"{packet}: kernel {'accept' if came else 'drop'}, ours {ours}")
        if expected(again, packet) != ours:  # what iptables-save prints of it means the same
            wrong.append(f"{packet}: written {ours}, saved {expected(again, packet)}")
    return len(packets), undecided, wrong


@pytest.mark.parametrize("family", [Family.V4, Family.V6], ids=["v4", "v6"])
@pytest.mark.parametrize("text", [FILTERS, TABLES], ids=["filters", "tables"])
@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_the_kernel_does_what_we_read(text: str, family: Family, variant: str) -> None:
    """Chains, gotos, ports, ranges, negations, flags and every filtering table, in both variants."""
    compared, undecided, wrong = disagreements(text.format(**WORDS[family]), family, variant=variant)
    assert [] == wrong[:5]
    assert compared == PACKETS
    assert undecided < compared // 4


@pytest.mark.parametrize("family", [Family.V4, Family.V6], ids=["v4", "v6"])
def test_the_kernel_translates_as_we_read(family: Family) -> None:
    """Destination NAT through a chain with a return, and a raw rule that sees the address before it."""
    compared, undecided, wrong = disagreements(TRANSLATED.format(**WORDS[family]), family)
    assert [] == wrong[:5]
    assert compared == PACKETS
    assert undecided < compared // 4


@pytest.mark.parametrize("family", [Family.V4, Family.V6], ids=["v4", "v6"])
def test_the_kernel_knows_the_same_sets(family: Family) -> None:
    """Sets of one to three dimensions, with nomatch, negated, and a list of sets."""
    sets = SETS.format(**WORDS[family])
    compared, undecided, wrong = disagreements(NAMED_SETS.format(**WORDS[family]), family, sets)
    assert [] == wrong[:5]
    assert compared == PACKETS
    assert undecided == 0


def corpus_files() -> list[Path]:
    """Every dump of the corpus that is no list of bounds."""
    if not CORPUS.is_dir():
        return []
    return sorted(path for path in CORPUS.glob("*/*") if path.suffix not in (".lower", ".upper"))


def loadable(text: str, names: Mapping[str, str]) -> str:
    """Return a dump as today's iptables takes it: old spellings, anonymised MACs and our three interfaces.

    None of what is replaced is what we decide: MACs and hours are unknown to us either way.
    """
    text = re.sub(r"(-[sd]) ! (\S+)", r"! \1 \2", text).replace("XX:XX:XX:XX:XX:XX", "02:00:00:00:00:02")
    text = re.sub(r" --days \S+", "", text).replace("-m string --string", "-m string --algo bm --string")
    text = "\n".join(line for line in text.split("\n") if "60000:29" not in line)
    return re.sub(r"(-[io]) (\S+)", lambda found: f"{found[1]} {names.get(found[2], found[2])}", text)


def renamed(text: str) -> dict[str, str]:
    """Give the interfaces that the rules name most the names of ours."""
    counted: dict[str, int] = {}
    for name in re.findall(r"-[io] (\S+)", text):
        if name != "lo" and not name.endswith("+"):
            counted[name] = counted.get(name, 0) + 1
    busiest = sorted(counted, key=lambda name: (-counted[name], name))
    return dict(zip(busiest, INTERFACES, strict=False))


def test_the_corpus_is_there() -> None:
    """The next test proves nothing without it."""
    if not corpus_files():
        pytest.skip(f"no corpus at {CORPUS}: real dumps are not judged")
    assert len(corpus_files()) >= 12


@pytest.mark.parametrize("path", corpus_files(), ids=lambda path: path.parent.name + "/" + path.name)
def test_the_kernel_does_what_real_dumps_say(path: Path) -> None:
    """Every dump of the corpus, loaded as it is but for spellings that iptables gave up."""
    text = path.read_text()
    compared, _, wrong = disagreements(loadable(text, renamed(text)), Family.V4, seed=7)
    assert [] == wrong[:5]
    assert compared == PACKETS


def test_an_opening_lets_its_packets_pass_and_no_others() -> None:
    """The change that we write, loaded into the kernel, opens exactly what it says."""
    text = FILTERS.format(**WORDS[Family.V4])
    opening = Opening(
        protocol=6,
        source=AddressSet.parse("198.51.100.0/24", "192.88.99.5-192.88.99.9"),
        target=AddressSet.parse("192.0.2.10"),
        ports=Intervals.of((443, 443), (9100, 9110)),
    )
    edit = IPTABLES.write(Change(tag="t-1", openings=(opening,)), text)
    before, after = IPTABLES.read(text), IPTABLES.read(edit.after)
    ports = (442, 443, 444, 9099, 9100, 9105, 9110, 9111)
    packets = [
        replace(one, protocol=6, target="192.0.2.10", egress="wan0", icmp_type=None, sport=4000 + index,
                dport=ports[index % len(ports)])
        for index, one in enumerate(samples(after, Family.V4, PACKETS, 3))
        if one.hook is Hook.FORWARD
    ]  # fmt: skip
    with KernelJudge() as judge:
        judge.run(["iptables-nft-restore"], edit.after)
        arrived = judge.judge(packets)
    opened = 0
    for packet, came in zip(packets, arrived, strict=True):
        asked = packet.source in opening.source and packet.dport in opening.ports
        assert (asked or verdict(before, packet) == "accept") == came, packet
        opened += asked
    assert opened > 20


def test_the_tools_are_there() -> None:
    """This file proves nothing on a machine without them."""
    tools = ("iptables-nft-restore", "iptables-legacy-restore", "ip6tables-nft-restore", "ipset", "nft", "ip")
    assert [] == [tool for tool in tools if shutil.which(tool) is None]
