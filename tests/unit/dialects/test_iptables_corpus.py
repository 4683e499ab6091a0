"""Real dumps: every rule is read or said to be unread, and what passes lies between proven bounds."""

from __future__ import annotations

import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path

import pytest

from fwguard.analysis.query import verdict
from fwguard.dialects.iptables import IPTABLES
from fwguard.model.address import Family, parse_span
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import Hook, Policy

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "firewalls" / "iptables"
PACKETS = 2000
Span = tuple[int, int]
# The bounds know no interfaces: where they were proven with "this interface means these sources", packets
# must come in where they may. Every interface that is not named here may bear any source that is left.
LOCAL: dict[str, tuple[str, ...]] = {"lo": ("127.0.0.0/8",)}
SOURCES: dict[str, dict[str, tuple[str, ...]]] = {
    "config_home_user": {
        f"eth0.{vlan}": (f"192.168.{vlan}.0/24",) for vlan in (10, 11, 12, 13, 14, 19, 20, 21, 22, 23, 24, 50)
    },
    "openvpn.eu": {"eth0": ("192.168.0.0/24",), "eth1": ("192.168.2.0/24",)},
    "configs_synology_diskstation_ds414": {"eth0": ("192.168.1.0/24",)},
}


def dumps() -> list[Path]:
    """Every dump that is no list of bounds."""
    return sorted(path for path in CORPUS.glob("*/*") if path.suffix not in (".lower", ".upper"))


def bounds() -> list[Path]:
    """Every lower bound; its upper bound stands beside it."""
    return sorted(CORPUS.glob("*/*.lower"))


def needs_corpus() -> None:
    if not CORPUS.is_dir():
        pytest.skip(f"no corpus at {CORPUS}: nothing is proven of real dumps")


def test_every_rule_of_every_dump_is_read_or_unread() -> None:
    """No line that appends a rule is lost."""
    needs_corpus()
    assert len(dumps()) >= 12
    for path in dumps():
        text = path.read_text()
        policy = IPTABLES.read(text)
        wanted = {number for number, line in enumerate(text.split("\n"), 1) if line.startswith("-A ")}
        read = {rule.line for chain in policy.chains.values() for rule in chain.rules}
        read |= {rule.line for rule in policy.nat}
        unread = {one.line for one in policy.unread}
        assert wanted == read | (unread & wanted), path.name
        assert len(unread) <= 1, path.name
        print(f"{path.parent.name}/{path.name}: {len(wanted)} rules, {len(unread)} unread")


def test_every_dump_compares_equal_to_itself_without_counters() -> None:
    """Counters, comments and the order of tables are no difference; a deleted rule is."""
    needs_corpus()
    for path in dumps():
        text = path.read_text()
        tables = re.findall(r"^\*.*?^COMMIT$", text, re.MULTILINE | re.DOTALL)
        shuffled = "\n".join(reversed(tables)) + "\n"
        shuffled = re.sub(r"^(:\S+ \S+) \[\d+:\d+\]", r"\1 [7:7]", shuffled, flags=re.MULTILINE)
        assert IPTABLES.canonical(text) == IPTABLES.canonical(shuffled), path.name
        first = next(line for line in text.split("\n") if line.startswith("-A "))
        assert IPTABLES.canonical(text) != IPTABLES.canonical(text.replace(first + "\n", "", 1)), path.name


def test_reading_the_largest_dump_is_quick() -> None:
    """A bound of ten times what it takes, so that only a change of order is noticed."""
    needs_corpus()
    text = max(dumps(), key=lambda path: path.stat().st_size).read_text()
    started = time.process_time()
    IPTABLES.read(text)
    assert time.process_time() - started < 3


@dataclass(frozen=True)
class Bound:
    """One line of a proven list; ports are not asked of protocols without them."""

    accepts: bool
    protocol: int | None
    source: Span
    target: Span
    sport: Span
    dport: Span

    def matches(self, packet: Packet) -> bool:
        return (
            self.protocol in (None, packet.protocol)
            and self.source[0] <= int(IPv4Address(packet.source)) <= self.source[1]
            and self.target[0] <= int(IPv4Address(packet.target)) <= self.target[1]
            and self.sport[0] <= packet.sport <= self.sport[1]
            and self.dport[0] <= packet.dport <= self.dport[1]
        )


def read_bounds(path: Path, chain: str) -> list[Bound]:
    """Read the `iptables -L -n` listing of one chain."""
    found: list[Bound] = []
    current = ""
    for line in path.read_text().split("\n"):
        if line.startswith("Chain "):
            current = line.split()[1]
        elif current == chain and line.startswith(("ACCEPT", "DROP")):
            action, protocol, _, source, target, *rest = line.split()
            ports: dict[str, Span] = {}
            for word in rest:
                if port := re.fullmatch(r"([sd])pts?:(\d+)(?::(\d+))?", word):
                    ports[port[1]] = int(port[2]), int(port[3] or port[2])
                else:
                    assert word == protocol, line
            number = {"all": None, "icmp": 1, "tcp": 6, "udp": 17, "gre": 47, "esp": 50}.get(
                protocol, protocol
            )
            found.append(
                Bound(
                    action == "ACCEPT", number if number is None else int(number), parse_span(source)[1:],
                    parse_span(target)[1:], ports.get("s", (0, 65535)), ports.get("d", (0, 65535)),
                )
            )  # fmt: skip
    return found


def accepts(listed: list[Bound], packet: Packet) -> bool:
    return next((bound.accepts for bound in listed if bound.matches(packet)), True)


def samples(listed: list[Bound], hook: Hook, folder: str, names: list[str]) -> Iterator[Packet]:
    """Draw packets near the edges of the bounds, each on an interface that may bear its source."""
    rng = random.Random(1)
    sources = {**LOCAL, **SOURCES.get(folder, {})}
    owned = {name: [parse_span(prefix)[1:] for prefix in prefixes] for name, prefixes in sources.items()}
    free = [name for name in names if name not in owned]
    for _ in range(PACKETS):
        first, other = rng.choice(listed), rng.choice(listed)
        mixed = first if rng.random() < 0.8 else other
        protocol = first.protocol or rng.choice((1, 6, 17, 50))
        with_ports = protocol in (6, 17)
        source = edge(first.source, rng, 2**32 - 1)
        at_home = [name for name, spans in owned.items() if any(low <= source <= high for low, high in spans)]
        yield Packet(
            source=str(IPv4Address(source)), target=str(IPv4Address(edge(mixed.target, rng, 2**32 - 1))),
            protocol=protocol, icmp_type=8 << 8 if protocol == 1 else None, hook=hook,
            sport=edge(first.sport, rng, 65535) if with_ports else 0,
            dport=edge(mixed.dport, rng, 65535) if with_ports else 0,
            ingress=rng.choice(at_home or free), egress="" if hook is Hook.INPUT else rng.choice(names),
        )  # fmt: skip


def edge(span: Span, rng: random.Random, highest: int) -> int:
    low, high = span
    return max(0, min(highest, rng.choice((low, high, low - 1, high + 1, rng.randint(low, high)))))


def filter_alone(text: str) -> Policy:
    """Read the filter table only: that is what the bounds were proven of."""
    table = re.search(r"^\*filter$.*?^COMMIT$", text, re.MULTILINE | re.DOTALL)
    assert table
    return IPTABLES.read(f"{table[0]}\n", family=Family.V4)


@pytest.mark.parametrize("lower", bounds(), ids=lambda path: path.name)
def test_what_passes_lies_between_the_proven_bounds(lower: Path) -> None:
    """Whatever surely passes by theirs may pass by ours, and whatever surely passes by ours may by theirs."""
    hook, chain = {"FWD": (Hook.FORWARD, "FORWARD"), "INP": (Hook.INPUT, "INPUT")}[lower.name.split(".")[-2]]
    beside = [path for path in dumps() if path.parent == lower.parent]
    dump = next((path for path in beside if lower.name.startswith(f"{path.name}.Ln")), beside[0])
    text = dump.read_text()
    policy = filter_alone(text)
    least, most = read_bounds(lower, chain), read_bounds(lower.with_suffix(".upper"), chain)
    names = sorted({name for name in re.findall(r"-[io] (\S+)", text) if not name.endswith("+")} | {"other0"})
    counted = dict.fromkeys(Answer, 0)
    for packet in samples(least + most, hook, lower.parent.name, names):
        answer = verdict(policy, packet).answer
        counted[answer] += 1
        if accepts(least, packet):
            assert answer in (Answer.ACCEPT, Answer.UNKNOWN), packet
        if answer is Answer.ACCEPT:
            assert accepts(most, packet), packet
    assert sum(counted.values()) == PACKETS


def test_bounds_are_there() -> None:
    """The test before proves nothing without them."""
    needs_corpus()
    assert len(bounds()) >= 11
