"""A running-config of IOS sorted by what its commands are about; what is of no known kind is unread."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.cisco.addresses import is_v4, prefix_of
from fwguard.dialects.cisco.lines import Block, Config, Line, split_blocks
from fwguard.dialects.cisco.routing import Leads
from fwguard.dialects.ios.commands import INNER, is_harmless, is_harmless_below
from fwguard.dialects.ios.objects import Book
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import parse_span, show_address
from fwguard.model.policy import Unread

EXPECTED: Final = "the text of `show running-config` of a router or switch with IOS"
_KNOWN: Final = re.compile(
    r"^(?:version \d|interface |ip access-list |ipv6 access-list |access-list \d+ |ip route |ipv6 route |"
    r"ip nat |Current configuration|Building configuration|object-group )",
    re.MULTILINE,
)
NAT_SETTINGS: Final = frozenset(
    {"translation", "log", "service", "settings", "create", "portmap", "switchover"}
)


@dataclass(slots=True)
class Interface:
    """One interface: what is bound to it, and its own addresses and prefixes."""

    name: str
    line: int
    bound: dict[tuple[str, str], tuple[str, Line]] = field(default_factory=dict)  # (ip|ipv6, in|out)
    nat: str = ""  # inside or outside
    zone: str = ""
    own: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    dynamic: bool = False
    default_route: bool = False  # the way to everywhere else comes with its address
    vrf: str = ""
    reverse_path: dict[str, tuple[str, Line]] = field(default_factory=dict)  # ip|ipv6 -> (rx|any, line)


@dataclass(slots=True)
class AccessList:
    """One list: its kind (standard, extended, ipv6), and its lines with the word where each entry begins."""

    name: str
    kind: str
    line: int
    numbered: bool
    lines: list[tuple[Line, int]] = field(default_factory=list)
    last: int = 0  # the line of the text that the list ends with


@dataclass(slots=True)
class Configuration:
    """What the reader needs, by kind, in the order of the text."""

    config: Config
    book: Book = field(default_factory=Book)
    interfaces: dict[str, Interface] = field(default_factory=dict)
    lists: dict[str, AccessList] = field(default_factory=dict)
    nat: list[Line] = field(default_factory=list)
    pools: dict[str, Line] = field(default_factory=dict)
    routes: list[Line] = field(default_factory=list)
    terminals: list[Block] = field(default_factory=list)  # line vty
    zone_pairs: list[Block] = field(default_factory=list)
    aliases: list[Line] = field(default_factory=list)
    routers: list[int] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def note(self, line: Line, why: str) -> None:
        """Keep a line that was not understood."""
        self.unread.append(Unread(line=line.number, text=line.text, why=why))


def list_key(kind: str, name: str) -> str:
    """Return the key of a list: IPv4 and IPv6 lists have names of their own."""
    return f"{'ipv6' if kind == 'ipv6' else 'ip'} access-list {name}"


def read_configuration(text: str) -> Configuration:
    """Sort the commands of a text. Raises UnreadableError for another text, half a one, and a group in itself."""
    if not text.strip():
        raise UnreadableError("an empty text", line=1, expected=EXPECTED)
    split = split_blocks(text, expected=EXPECTED, banners=True, inner=INNER)
    if not _KNOWN.search(text):
        raise UnreadableError("nothing that IOS says", line=1, expected=EXPECTED)
    head, tail = split.lines[:20], [line.strip() for line in split.lines[-20:]]
    if any(line.startswith("Current configuration") for line in head) and "end" not in tail:
        raise UnreadableError("the text ends too early", line=len(split.lines), expected="end as last line")
    found = Configuration(split)
    for block in split.blocks:
        _sort(block, found)
    found.book.refuse_loops()
    for one in found.lists.values():
        _by_number(one)
    return found


def _sort(block: Block, found: Configuration) -> None:
    line = block.line
    words, first = line.words, line.first
    if first == "interface" and len(words) > 1:
        _interface(block, found)
    elif first == "object-group":
        found.book.read_group(block)
    elif first == "access-list" and len(words) > 2:
        _numbered(line, found)
    elif line.starts("ip", "access-list") or line.starts("ipv6", "access-list"):
        _named(block, found)
    elif line.starts("no", "access-list") and len(words) == 3:
        found.lists.pop(list_key("ip", words[2]), None)
    elif words[:2] in (["no", "ip"], ["no", "ipv6"]) and words[2:3] == ["access-list"] and len(words) > 3:
        found.lists.pop(list_key(words[1], words[-1]), None)
    elif line.starts("ip", "nat", "pool") and len(words) > 5:
        found.pools[words[3]] = line
    elif line.starts("ip", "nat"):
        if not (words[2:3] and words[2] in NAT_SETTINGS):
            found.nat.append(line)
    elif line.starts("ip", "route") or line.starts("ipv6", "route"):
        found.routes.append(line)
    elif first == "ip" and words[1:2] == ["default-gateway"]:
        pass  # of a switch that does not route
    elif line.starts("line", "vty"):
        found.terminals.append(block)
    elif first == "alias":
        found.aliases.append(line)
    elif line.starts("zone-pair", "security"):
        found.zone_pairs.append(block)
    elif first == "router" or line.starts("ipv6", "router"):
        found.routers.append(line.number)
        found.note(line, "routes that come from other routers are in no text")
    elif not is_harmless(words):
        found.note(line, "not a command that is known here")
        for child in block.children:
            found.note(child, f"below line {line.number}, which is not known here")


def _numbered(line: Line, found: Configuration) -> None:
    """File one `access-list NUMBER …`."""
    name = line.words[1]
    number = int(name) if name.isascii() and name.isdecimal() and len(name) < 6 else 0
    if 1 <= number <= 99 or 1300 <= number <= 1999:
        kind = "standard"
    elif 100 <= number <= 199 or 2000 <= number <= 2699:
        kind = "extended"
    else:
        found.note(line, "no list of IP packets")
        return
    key = list_key(kind, name)
    one = found.lists.setdefault(key, AccessList(name, kind, line.number, True))
    one.lines.append((line, 2))
    one.last = line.number


def _named(block: Block, found: Configuration) -> None:
    """File `ip access-list standard|extended NAME` or `ipv6 access-list NAME` with its entries."""
    words = block.line.words
    kind = "ipv6" if words[0] == "ipv6" else words[2] if len(words) > 2 else ""
    if kind in ("log-update", "logging", "persistent", "resequence", "match-local-traffic", "role-based"):
        if kind == "role-based":
            found.note(block.line, "a list by security group")
        return
    if kind not in ("standard", "extended", "ipv6") or len(words) < (3 if kind == "ipv6" else 4):
        found.note(block.line, "expected a list with a kind and a name")
        return
    name = words[2] if kind == "ipv6" else words[3]
    key = list_key(kind, name)
    one = found.lists.setdefault(key, AccessList(name, kind, block.line.number, False))
    one.last = block.line.number
    for line in block.children:
        one.last = line.number
        if line.first == "no":
            _taken_back(line, one, found)
        elif line.first not in ("exit", "!"):
            one.lines.append((line, 0))


def _taken_back(line: Line, one: AccessList, found: Configuration) -> None:
    """Take away the entry that `no NUMBER` or `no ENTRY` names."""
    words = line.words[1:]
    for at, (entry, _) in enumerate(one.lines):
        own = entry.words[1:] if entry.first.isdecimal() else entry.words
        number = str(number_of(entry, 0))
        if words in (entry.words, own, [number], ["sequence", number]):
            del one.lines[at]
            return
    found.note(line, "no entry of this list")


def number_of(line: Line, start: int) -> int:
    """Return the number that an entry says of itself, 0 for none."""
    words = line.words[start:]
    if words and words[0].isdecimal():
        return int(words[0]) if len(words[0]) < 11 else 0
    if "sequence" in words:
        at = words.index("sequence") + 1
        if at < len(words) and words[at].isdecimal() and len(words[at]) < 11:
            return int(words[at])
    return 0


def _by_number(one: AccessList) -> None:
    """Put entries in the order of their numbers; without one, an entry comes ten behind the last."""
    numbers, last = [], 0
    for line, start in one.lines:
        own = number_of(line, start)
        if not own and "remark" in line.words[start : start + 1]:
            own = last
        elif not own:
            own = last + 10
        last = max(last, own)
        numbers.append(own)
    order = sorted(range(len(numbers)), key=lambda at: (numbers[at], at))
    one.lines = [one.lines[at] for at in order]


def _interface(block: Block, found: Configuration) -> None:
    named = [
        word for word in block.line.words[1:] if word not in ("point-to-point", "multipoint", "l2transport")
    ]
    name = "".join(named)
    interface = found.interfaces.setdefault(name, Interface(name, block.line.number))
    for line in block.children:
        words = line.words
        try:
            if not _below(line, words, interface) and not is_harmless_below(words):
                found.note(line, "not known below interface")
        except (InputError, ValueError, IndexError):
            found.note(line, "not understood below interface")


def _below(line: Line, words: list[str], interface: Interface) -> bool:
    """Read one command below `interface`; False for one that is not ours."""
    if words[:2] in (["ip", "access-group"], ["ipv6", "traffic-filter"]) and len(words) == 4:
        if words[3] not in ("in", "out"):
            raise InputError(words[3][:40], expected="in or out")
        interface.bound[words[0], words[3]] = (words[2], line)
    elif words[:2] == ["ip", "nat"] and len(words) == 3 and words[2] in ("inside", "outside"):
        interface.nat = words[2]
    elif words[:2] == ["ip", "address"]:
        if words[2] in ("dhcp", "negotiated", "pool"):
            interface.dynamic = interface.default_route = True
        elif is_v4(words[2]):
            interface.own.append(words[2])
            prefix = prefix_of(words[2], words[3])
            interface.connected.append(prefix)
        else:
            raise InputError(words[2][:40])
    elif words[:2] == ["ip", "unnumbered"] or words[:2] == ["ipv6", "unnumbered"]:
        interface.dynamic = True
    elif words[:2] == ["ipv6", "address"]:
        if "/" in words[2]:
            version, low, high = parse_span(words[2])
            if words[3:4] != ["eui-64"]:
                interface.own.append(words[2].partition("/")[0])
            interface.connected.append(f"{show_address(version, low)}/{128 - (high - low).bit_length()}")
        else:
            interface.dynamic = words[3:4] != ["link-local"]
    elif words[:2] == ["zone-member", "security"]:
        interface.zone = words[2]
    elif words[:2] in (["vrf", "forwarding"], ["ip", "vrf"]):
        interface.vrf = words[-1]
    elif words[1:5] == ["verify", "unicast", "source", "reachable-via"] and len(words) > 5:
        interface.reverse_path[words[0]] = (words[5], line)
        return len(words) == 6
    else:
        return False
    return True


def connected(found: Configuration) -> list[Leads]:
    """Return the interfaces' own prefixes."""
    return [Leads(prefix, one.name, -1) for one in found.interfaces.values() for prefix in one.connected]
