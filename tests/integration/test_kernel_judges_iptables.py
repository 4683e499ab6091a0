"""The kernel is the judge: what we read from a restore file is what it does with real packets."""

from __future__ import annotations

import json
import os
import random
import re
import secrets
import shutil
import socket
import struct
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest
from pyroute2 import netns

from fwguard.dialects.ipset import read_sets
from fwguard.dialects.iptables import IPTABLES
from fwguard.model.address import Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, CtState, Hook, InterfaceSet, Match, NatKind, Policy, Rule

pytestmark = pytest.mark.integration

CORPUS = Path(__file__).parents[3] / "shared" / "corpus" / "firewalls" / "iptables"
PACKETS = 2000
LOCAL = {Family.V4: "203.0.113.1", Family.V6: "2001:db8:ffff::1"}

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

JUDGE = """table inet judge {
  set v4 { typeof ip id
    flags dynamic
    size 65535
  }
  set v6 { typeof ip6 flowlabel
    flags dynamic
    size 65535
  }
  chain seen {
    meta nfproto ipv4 add @v4 { ip id }
    meta nfproto ipv6 add @v6 { ip6 flowlabel }
  }
  chain out { type filter hook postrouting priority 2000; iifname { "wan0", "lan0" } jump seen; }
  chain in { type filter hook input priority 2000; iifname != "lo" jump seen; }
}
"""


@dataclass(frozen=True)
class Sample:
    """One packet: addresses as numbers, `kind` the ICMP type."""

    family: Family
    source: int
    target: int
    protocol: int
    sport: int
    dport: int
    ingress: str
    egress: str
    hook: Hook


# --- what we say: a packet walked rule by rule, three-valued, with nothing shared with the analysis room


def outcomes(policy: Policy, packet: Sample) -> set[str]:
    """Return every thing that may happen to the packet: "accept", "drop"; both when nobody can know."""
    found: set[str] = set()
    for one in translated(policy, packet):
        possible = {"accept"}
        for key in policy.hooks.get(one.hook, ()):
            chain = policy.chains[key]
            if not chain.families & one.family:
                continue
            here = walk(policy, key, one)
            default = "accept" if chain.default is Action.ACCEPT else "drop"
            here = {default if word == "return" else word for word in here}
            if "accept" not in here:
                possible.discard("accept")
            if "drop" in here:
                possible.add("drop")
        found |= possible
    return found


def translated(policy: Policy, packet: Sample) -> list[Sample]:
    """Return the packet after destination NAT, and as it is if nobody knows whether that happens."""
    for rule in policy.nat:
        if rule.kind not in (NatKind.DNAT, NatKind.REDIRECT, NatKind.EXEMPT, NatKind.UNKNOWN):
            continue
        hits = [hit for match in rule.matches if (hit := matches(match, packet)) is not False]
        if not hits:
            continue
        assert True in hits
        assert rule.kind in (NatKind.DNAT, NatKind.EXEMPT)
        if rule.kind is NatKind.EXEMPT:
            break
        low, high = (rule.to.v4 if packet.family is Family.V4 else rule.to.v6).pairs[0]
        assert low == high
        port = rule.to_ports.first if rule.to_ports else packet.dport
        return [replace(packet, target=low, dport=port, egress=egress_of(packet.family, low))]
    return [packet]


def walk(policy: Policy, key: str, packet: Sample) -> set[str]:
    """Return how a chain may end for the packet."""
    ends: set[str] = set()
    for rule in policy.chains[key].rules:
        hit = rule_matches(rule, packet)
        if hit is False:
            continue
        here: set[str] = set()
        if rule.action is Action.CONTINUE:
            continue
        if rule.action is Action.UNKNOWN:
            here = {"accept", "drop", "next"}
        elif rule.jump:
            here = walk(policy, rule.jump, packet)
            if rule.action is Action.JUMP:
                here = {"next" if word == "return" else word for word in here}
        else:
            here = {"drop" if rule.action is Action.REJECT else rule.action.value}
        if hit is None:
            here.add("next")
        ends |= here - {"next"}
        if "next" not in here:
            return ends
    return ends | {"return"}


def rule_matches(rule: Rule, packet: Sample) -> bool | None:
    """Return True, False, or None when an unknown condition decides."""
    hits = [matches(match, packet) for match in rule.matches]
    return True if True in hits else None if None in hits else False


def matches(match: Match, packet: Sample) -> bool | None:
    """Return whether a product matches."""
    v4 = packet.family is Family.V4
    inside = (
        CtState.NEW in match.states
        and packet.protocol in match.protocol
        and packet.source in (match.source.v4 if v4 else match.source.v6)
        and packet.target in (match.target.v4 if v4 else match.target.v6)
        and packet.sport in match.sport
        and packet.dport in match.dport
        and packet.ingress in match.ingress
        and packet.egress in match.egress
    )
    return (None if match.unknown else True) if inside else False


# --- what the kernel says


INTERFACES = ("wan0", "lan0")


def egress_of(family: Family, address: int) -> str:
    """The lower half of the addresses is reached by lan0, the upper and 2001:db8:2::/47 by wan0."""
    if family is Family.V4:
        return "wan0" if address >> 31 else "lan0"
    return "wan0" if address >> 124 == 3 or address >> 81 == 0x20010DB80002 >> 1 else "lan0"


def run(*words: str, text: str = "") -> str:
    """Run a command that must work."""
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, f"{' '.join(words)}: {done.stderr[:600]}"
    return done.stdout


@dataclass
class Bench:
    """A firewall in a namespace, and the far ends of its two wires in another."""

    firewall: str
    wires: str
    sockets: dict[str, socket.socket]
    mac: dict[str, bytes]

    def inside(self, *words: str, text: str = "") -> str:
        return run("ip", "netns", "exec", self.firewall, *words, text=text)

    def seen(self, packets: list[Sample]) -> set[int]:
        """Send all packets and return the indexes of those that the firewall let through."""
        self.inside("nft", "-f", "-", text="flush set inet judge v4; flush set inet judge v6")
        for index, packet in enumerate(packets):
            self.sockets[packet.ingress].send(frame(packet, index + 1, self.mac[packet.ingress]))
            if index % 64 == 63:
                time.sleep(0.005)
        time.sleep(0.1)
        found: set[int] = set()
        for name in ("v4", "v6"):
            listing = json.loads(self.inside("nft", "-j", "list", "set", "inet", "judge", name))
            entry = next(one["set"] for one in listing["nftables"] if "set" in one)
            for element in entry.get("elem", []):
                value = element["elem"]["val"] if isinstance(element, dict) else element
                found.add(int(value) - 1)
        return found


@contextmanager
def bench() -> Iterator[Bench]:
    """Build both namespaces; whatever happens, they go."""
    mark = secrets.token_hex(4)
    firewall, wires = f"fwj{mark}", f"fwk{mark}"
    run("ip", "netns", "add", firewall)
    run("ip", "netns", "add", wires)
    home = os.open("/proc/self/ns/net", os.O_RDONLY)
    sockets: dict[str, socket.socket] = {}
    try:
        fw = ("ip", "netns", "exec", firewall)
        for key in ("ipv4.ip_forward=1", "ipv6.conf.all.forwarding=1", "ipv4.conf.all.rp_filter=0",
                    "ipv4.conf.default.rp_filter=0", "ipv6.conf.default.accept_dad=0",
                    "ipv4.conf.default.send_redirects=0", "ipv4.conf.all.send_redirects=0",
                    "ipv4.icmp_ratelimit=0"):  # fmt: skip
            run(*fw, "sysctl", "-qw", f"net.{key}")
        run(*fw, "ip", "link", "set", "lo", "up")
        mac: dict[str, bytes] = {}
        for name in INTERFACES:
            run(
                "ip",
                "-n",
                firewall,
                "link",
                "add",
                name,
                "type",
                "veth",
                "peer",
                "name",
                name,
                "netns",
                wires,
            )
            run("ip", "-n", firewall, "link", "set", name, "arp", "off", "up")
            run("ip", "-n", wires, "link", "set", name, "arp", "off", "up")
            run(*fw, "sysctl", "-qw", f"net.ipv4.conf.{name}.rp_filter=0")
            link = json.loads(run("ip", "-n", firewall, "-j", "link", "show", name))[0]
            mac[name] = bytes.fromhex(link["address"].replace(":", ""))
        routes = (
            "route add 0.0.0.0/1 dev lan0\nroute add 128.0.0.0/1 dev wan0\n"
            f"addr add {LOCAL[Family.V4]}/32 dev lo\n"
        )
        run(*fw, "ip", "-batch", "-", text=routes)
        run(*fw, "ip", "-6", "-batch", "-", text=(
            "route add 2000::/4 dev lan0\nroute add 2001:db8:2::/47 dev wan0\nroute add 3000::/4 dev wan0\n"
            f"addr add {LOCAL[Family.V6]}/128 dev lo\n"
        ))  # fmt: skip
        run(*fw, "nft", "-f", "-", text=JUDGE)
        netns.setns(wires)
        for name in INTERFACES:
            sockets[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
            sockets[name].bind((name, 0))
        netns.setns(home)
        yield Bench(firewall, wires, sockets, mac)
    finally:
        netns.setns(home)
        os.close(home)
        for one in sockets.values():
            one.close()
        for name in (firewall, wires):
            subprocess.run(["ip", "netns", "del", name], check=False, timeout=30)


def checksum(data: bytes) -> int:
    """The Internet checksum (RFC 1071)."""
    if len(data) % 2:
        data += b"\0"
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def frame(packet: Sample, mark: int, mac: bytes) -> bytes:
    """Build the Ethernet frame of a packet; `mark` is in the IP id, or the flow label."""
    v4 = packet.family is Family.V4
    source = IPv4Address(packet.source).packed if v4 else IPv6Address(packet.source).packed
    target = IPv4Address(packet.target).packed if v4 else IPv6Address(packet.target).packed
    if packet.protocol == 6:
        body = struct.pack("!HHIIBBHHH", packet.sport, packet.dport, mark, 0, 5 << 4, 2, 1024, 0, 0)
        place = 16
    elif packet.protocol == 17:
        body, place = struct.pack("!HHHH", packet.sport, packet.dport, 12, 0) + b"abcd", 6
    elif packet.protocol in (1, 58):
        body = struct.pack("!BBHHH", packet.dport >> 8, packet.dport & 255, 0, mark, 1) + bytes(16)
        place = 2
    else:
        body, place = struct.pack("!II", mark, 1) + bytes(16), -1
    if place >= 0:
        pseudo = (
            b"" if packet.protocol == 1 else source + target + struct.pack("!II", len(body), packet.protocol)
        )
        total = checksum(pseudo + body)
        body = body[:place] + struct.pack("!H", total or 0xFFFF) + body[place + 2 :]
    if v4:
        head = struct.pack("!BBHHHBBH", 0x45, 0, 20 + len(body), mark, 0, 64, packet.protocol, 0)
        head = head[:10] + struct.pack("!H", checksum(head + source + target)) + source + target
    else:
        head = struct.pack("!IHBB", 6 << 28 | mark, len(body), packet.protocol, 64) + source + target
    kind = b"\x08\x00" if v4 else b"\x86\xdd"
    return mac + b"\x02\0\0\0\0\x01" + kind + head + body


# --- packets around every boundary


def samples(policy: Policy, family: Family, count: int, seed: int) -> list[Sample]:
    """Draw packets near the edges of the rules: each field from inside, the edge or just outside of one."""
    rng = random.Random(seed)
    pool = [match for chain in policy.chains.values() if chain.families & family for rule in chain.rules
            for match in rule.matches]  # fmt: skip
    pool += [match for rule in policy.nat for match in rule.matches if match.source.of_family(family)]
    pool = pool or [Match()]
    found: dict[Sample, None] = {}
    sent: set[tuple[int, int, int, int]] = set()
    for _ in range(count * 20):
        if len(found) == count:
            break
        first, second = rng.choice(pool), rng.choice(pool)
        mixed = [first if rng.random() < 0.8 else second for _ in range(6)]
        protocol = near(mixed[0].protocol, rng, 255)
        if protocol not in (6, 17, 50, 1 if family is Family.V4 else 58):
            protocol = rng.choice((6, 6, 17, 17, 50, 1 if family is Family.V4 else 58))
        sport, dport = near(mixed[1].sport, rng, 65535), near(mixed[2].dport, rng, 65535)
        if protocol in (1, 58):
            # Conntrack calls other types INVALID or leaves them untracked: no first packets.
            sport, dport = 0, rng.choice((8 << 8, 13 << 8)) if protocol == 1 else 128 << 8
        elif protocol == 50:
            sport = dport = 0
        else:
            # NAT keeps no port 0, and what it does instead is no matter of rules.
            sport, dport = sport or 1, dport or 1
        source = address(near_address(mixed[3], "source", family, rng), family)
        target = address(near_address(mixed[4], "target", family, rng), family)
        hook = Hook.FORWARD
        if rng.random() < 0.15:
            target, hook = (
                int(IPv4Address(LOCAL[family]) if family is Family.V4 else IPv6Address(LOCAL[family])),
                Hook.INPUT,
            )
        if source is None or target is None or (protocol, source, dport, sport) in sent:
            continue  # to conntrack, the last would be an answer to an earlier packet
        egress = "" if hook is Hook.INPUT else egress_of(family, target)
        sent.add((protocol, target, sport, dport))
        found[
            Sample(family, source, target, protocol, sport, dport, rng.choice(INTERFACES), egress, hook)
        ] = None
    return list(found)


def near(numbers: Intervals, rng: random.Random, highest: int) -> int:
    """Draw a number inside, at the edge of, or just outside a set."""
    if not numbers or rng.random() < 0.1:
        return rng.randint(0, highest)
    low, high = rng.choice(numbers.pairs)
    return max(0, min(highest, rng.choice((low, high, low - 1, high + 1, rng.randint(low, high)))))


def near_address(match: Match, side: str, family: Family, rng: random.Random) -> int:
    addresses = match.source if side == "source" else match.target
    numbers = addresses.v4 if family is Family.V4 else addresses.v6
    return near(numbers, rng, 2**32 - 1 if family is Family.V4 else 2**128 - 1)


def address(number: int, family: Family) -> int | None:
    """Return the address if the kernel routes it without looking at any rule."""
    if family is Family.V4:
        text = IPv4Address(number)
        bad = (
            text.is_multicast
            or text.is_loopback
            or text.is_reserved
            or number >> 24 == 0
            or text.is_link_local
        )
        return None if bad or str(text) == LOCAL[family] else number
    if number >> 125 != 1:
        return None
    return None if str(IPv6Address(number)) == LOCAL[family] else number


def disagreements(
    text: str, family: Family, sets: str = "", variant: str = "nft", seed: int = 1
) -> tuple[int, int, list[str]]:
    """Load a text, send packets, and return how many were compared, undecided, and where we are wrong."""
    policy = IPTABLES.read(text, family=family, ipsets=read_sets(sets))
    restore = {Family.V4: f"iptables-{variant}-restore", Family.V6: f"ip6tables-{variant}-restore"}[family]
    with bench() as kernel:
        if sets:
            kernel.inside("ipset", "restore", text=sets)
        kernel.inside(restore, text=text)
        packets = samples(policy, family, PACKETS + 400, seed)
        passed = kernel.seen(packets)
    wrong: list[str] = []
    undecided = 0
    for index, packet in enumerate(packets):
        expected = outcomes(policy, packet)
        actual = "accept" if index in passed else "drop"
        undecided += len(expected) > 1
        if actual not in expected:
            wrong.append(f"{packet}: kernel {actual}, ours {expected}")
    return len(packets), undecided, wrong


@pytest.mark.parametrize("family", [Family.V4, Family.V6], ids=["v4", "v6"])
@pytest.mark.parametrize("text", [FILTERS, TABLES], ids=["filters", "tables"])
@pytest.mark.parametrize("variant", ["nft", "legacy"])
def test_the_kernel_does_what_we_read(text: str, family: Family, variant: str) -> None:
    """Chains, gotos, ports, ranges, negations, flags and every filtering table, in both variants."""
    compared, undecided, wrong = disagreements(text.format(**WORDS[family]), family, variant=variant)
    assert [] == wrong[:5]
    assert compared >= PACKETS
    assert undecided < compared // 4


@pytest.mark.parametrize("family", [Family.V4, Family.V6], ids=["v4", "v6"])
def test_the_kernel_translates_as_we_read(family: Family) -> None:
    """Destination NAT through a chain with a return, and a raw rule that sees the address before it."""
    compared, undecided, wrong = disagreements(TRANSLATED.format(**WORDS[family]), family)
    assert [] == wrong[:5]
    assert compared >= PACKETS
    assert undecided < compared // 4


@pytest.mark.parametrize("family", [Family.V4, Family.V6], ids=["v4", "v6"])
def test_the_kernel_knows_the_same_sets(family: Family) -> None:
    """Sets of one to three dimensions, with nomatch, negated, and a list of sets."""
    sets = SETS.format(**WORDS[family])
    compared, undecided, wrong = disagreements(NAMED_SETS.format(**WORDS[family]), family, sets)
    assert [] == wrong[:5]
    assert compared >= PACKETS
    assert undecided == 0


def corpus_files() -> list[Path]:
    """Every dump of the corpus that is no list of bounds."""
    if not CORPUS.is_dir():
        return []
    return sorted(path for path in CORPUS.glob("*/*") if path.suffix not in (".lower", ".upper"))


def loadable(text: str, names: Mapping[str, str]) -> str:
    """Return a dump as today's iptables takes it: old spellings, anonymised MACs and our two interfaces.

    None of what is replaced is what we decide: MACs and hours are unknown to us either way.
    """
    text = re.sub(r"(-[sd]) ! (\S+)", r"! \1 \2", text).replace("XX:XX:XX:XX:XX:XX", "02:00:00:00:00:02")
    text = re.sub(r" --days \S+", "", text).replace("-m string --string", "-m string --algo bm --string")
    text = "\n".join(line for line in text.split("\n") if "60000:29" not in line)
    return re.sub(r"(-[io]) (\S+)", lambda found: f"{found[1]} {names.get(found[2], found[2])}", text)


def renamed(text: str) -> dict[str, str]:
    """Give the two interfaces that the rules name most the names of ours."""
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
    assert compared >= PACKETS * 9 // 10


def test_an_opening_lets_its_packets_pass_and_no_others() -> None:
    """The change that we write, loaded into the kernel, opens exactly what it says."""
    from fwguard.model.address import AddressSet
    from fwguard.model.change import Change, Opening

    text = FILTERS.format(**WORDS[Family.V4])
    opening = Opening(
        protocol=6,
        source=AddressSet.parse("198.51.100.0/24", "203.0.113.5-203.0.113.9"),
        target=AddressSet.parse("192.0.2.10"),
        ports=Intervals.of((443, 443), (9100, 9110)),
    )
    edit = IPTABLES.write(Change(tag="t-1", openings=(opening,)), text)
    before, after = IPTABLES.read(text), IPTABLES.read(edit.after)
    policy = replace(after, chains={**after.chains}, hooks=after.hooks)
    packets = [
        one
        for one in samples(policy, Family.V4, PACKETS * 2, 3)
        if one.hook is Hook.FORWARD and "203.0.113.1" != str(IPv4Address(one.source))
    ]
    aimed = [
        replace(one, protocol=6, target=int(IPv4Address("192.0.2.10")), egress="wan0",
                sport=one.sport, dport=port)
        for one, port in zip(packets, [442, 443, 444, 9099, 9100, 9105, 9110, 9111] * 500, strict=False)
    ]  # fmt: skip
    with bench() as kernel:
        kernel.inside("iptables-nft-restore", text=edit.after)
        passed = kernel.seen(aimed)
    for index, packet in enumerate(aimed):
        asked = packet.source in opening.source.v4 and packet.dport in opening.ports
        assert (index in passed) == (asked or outcomes(before, packet) == {"accept"}), packet


def test_the_tools_are_there() -> None:
    """This file proves nothing on a machine without them."""
    tools = ("iptables-nft-restore", "iptables-legacy-restore", "ip6tables-nft-restore", "ipset", "nft", "ip")
    assert [] == [tool for tool in tools if shutil.which(tool) is None]
    assert InterfaceSet().is_any
