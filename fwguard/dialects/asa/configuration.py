"""A running-config of an ASA sorted by what its commands are about; what is of no known kind is unread."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.asa.commands import INNER, INTERFACE, is_harmless
from fwguard.dialects.asa.objects import Book
from fwguard.dialects.cisco.addresses import host, is_v4
from fwguard.dialects.cisco.lines import Block, Config, Line, split_blocks
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import AddressSet, parse_span
from fwguard.model.policy import Unread

EXPECTED: Final = "the text of `show running-config` of an ASA"
MANAGEMENT: Final = frozenset({"ssh", "telnet", "http", "icmp", "webvpn", "dhcpd", "snmp-server"})
ROUTERS: Final = frozenset({"router", "ipv6"})
_VERSION: Final = re.compile(r"(?:ASA|PIX|NGFW) Version (\d+)\.(\d+)")
_KNOWN: Final = re.compile(
    r"^(?:(?:ASA|PIX|NGFW) Version|access-list \S+ |access-group |object(?:-group)? |interface |nat |route |"
    r"same-security-traffic |: Saved| nameif )",
    re.MULTILINE,
)


@dataclass(slots=True)
class Interface:
    """One interface with a name; `connected` are the prefixes that its addresses are in."""

    name: str
    line: int
    hardware: str
    level: int = 0
    level_line: int = 0
    own: list[str] = field(default_factory=list)
    connected: list[str] = field(default_factory=list)
    dynamic: bool = False  # its address comes from DHCP or PPPoE
    default_route: bool = False  # and so does the way to everywhere else
    management_only: bool = False
    tunnel: bool = False
    is_assumed: bool = False  # named by another command of an excerpt that holds no interface


@dataclass(slots=True)
class Configuration:
    """What the reader needs, by kind, in the order of the text."""

    config: Config
    book: Book = field(default_factory=Book)
    version: tuple[int, int] = (9, 0)
    version_line: int = 0
    interfaces: dict[str, Interface] = field(default_factory=dict)
    lists: dict[str, list[tuple[Line, int]]] = field(default_factory=dict)
    list_lines: dict[str, list[Line]] = field(default_factory=dict)  # remarks included
    list_kinds: dict[str, str] = field(default_factory=dict)
    groups: list[Line] = field(default_factory=list)  # access-group
    same_security: set[str] = field(default_factory=set)
    object_nat: list[tuple[str, Line]] = field(default_factory=list)
    twice_nat: list[Line] = field(default_factory=list)
    old_nat: list[Line] = field(default_factory=list)
    routes: list[Line] = field(default_factory=list)
    management: list[Block] = field(default_factory=list)
    crypto: list[Line] = field(default_factory=list)
    pools: AddressSet = AddressSet()
    vpn_passes: bool = True
    reverse_path: dict[str, int] = field(default_factory=dict)
    routers: list[int] = field(default_factory=list)
    unread: list[Unread] = field(default_factory=list)

    def note(self, line: Line, why: str) -> None:
        """Keep a line that was not understood."""
        self.unread.append(Unread(line=line.number, text=line.text, why=why))

    def lacks(self, name: str) -> bool:
        """Tell whether an interface does not exist, in a text that names its interfaces."""
        return name not in self.interfaces

    @property
    def is_old(self) -> bool:
        """Tell whether lists see translated addresses, as before 8.3."""
        return self.version < (8, 3)


def read_configuration(text: str) -> Configuration:
    """Sort the commands of a text. Raises UnreadableError for another text, half a one, and a group in itself."""
    if not text.strip():
        raise UnreadableError("an empty text", line=1, expected=EXPECTED)
    split = split_blocks(text, expected=EXPECTED, banners=False, inner=INNER)
    if not _KNOWN.search(text):
        raise UnreadableError("nothing that an ASA says", line=1, expected=EXPECTED)
    _refuse_half(split)
    found = Configuration(split)
    for block in split.blocks:
        if block.line.first == "name" and len(block.line.words) >= 3:
            found.book.aliases[block.line.words[2]] = block.line.words[1]
    for block in split.blocks:
        _sort(block, found)
    found.book.refuse_loops()
    if not found.interfaces:
        _assume_interfaces(found)
    return found


def _assume_interfaces(found: Configuration) -> None:
    """Take the names that other commands of an excerpt give; of their levels nothing is known."""
    for line in (*found.groups, *found.routes, *found.twice_nat, *(line for _, line in found.object_nat)):
        words = line.words
        named: list[str] = []
        if words[0] == "access-group":
            named = words[4:5]
        elif words[0] in ("route", "ipv6"):
            named = words[2:3] if words[0] == "ipv6" else words[1:2]
        elif words[1:] and words[1].startswith("("):
            named = words[1].strip("()").split(",")
        for name in named:
            if name != "any" and not name.lower().startswith("null"):
                found.interfaces.setdefault(name, Interface(name, line.number, "", is_assumed=True))


def _refuse_half(config: Config) -> None:
    """Raise UnreadableError where the device's own first line stands and its last one does not."""
    if not any(line.startswith(": Saved") for line in config.lines[:20]):
        return
    if not any(line.startswith((": end", "Cryptochecksum:")) for line in config.lines[-20:]):
        raise UnreadableError(
            "the text ends too early", line=len(config.lines), expected=": end as last line"
        )


def _sort(block: Block, found: Configuration) -> None:
    line = block.line
    words, first = line.words, line.first
    if first in ("ASA", "PIX", "NGFW") and (version := _VERSION.match(line.text)):
        found.version, found.version_line = (int(version[1]), int(version[2])), line.number
    elif first == "interface":
        _interface(block, found)
    elif first == "object":
        found.book.read_object(block)
        if len(words) > 2:
            found.object_nat += [(words[2], one) for one in block.children if one.first == "nat"]
    elif first == "object-group" and len(words) > 1 and words[1] in ("user", "security", "network-service"):
        pass  # what refers to them is unknown by itself
    elif first == "object-group":
        found.book.read_group(block)
    elif first == "access-list" and len(words) > 2 and not is_harmless(words):
        _entry(line, 1, found)
    elif line.starts("ipv6", "access-list") and len(words) > 3:
        _entry(line, 2, found)
    elif first == "access-group":
        found.groups.append(line)
    elif line.starts("same-security-traffic", "permit") and len(words) == 3:
        found.same_security.add(words[2])
    elif first == "nat":
        old = re.fullmatch(r"nat \([^,)]+\) \d+ .*", line.text)
        (found.old_nat if old else found.twice_nat).append(line)
    elif first in ("static", "global", "alias"):
        found.old_nat.append(line)
    elif first == "route" or line.starts("ipv6", "route"):
        found.routes.append(line)
    elif first in MANAGEMENT or line.starts("ipv6", "icmp"):
        found.management.append(block)
    elif line.starts("crypto", "map") or line.starts("crypto", "dynamic-map"):
        found.crypto.append(line)
    elif first == "crypto" and words[1:3] in (["ikev1", "enable"], ["ikev2", "enable"], ["isakmp", "enable"]):
        found.management.append(block)
    elif line.starts("ip", "local", "pool") or line.starts("ipv6", "local", "pool"):
        _pool(line, found)
    elif line.starts("no", "sysopt", "connection", "permit-vpn"):
        found.vpn_passes = False
    elif line.starts("ip", "verify", "reverse-path", "interface") and len(words) == 5:
        found.reverse_path[words[4]] = line.number
    elif first == "router":
        found.routers.append(line.number)
        found.note(line, "routes that come from other routers are in no text")
    elif first == "name":
        pass
    elif not is_harmless(words):
        found.note(line, "not a command that is known here")
        for child in block.children:
            found.note(child, f"below line {line.number}, which is not known here")


def _entry(line: Line, name_at: int, found: Configuration) -> None:
    """File one `access-list NAME [line N] [KIND] …` under its list."""
    words = line.words
    name, at = words[name_at], name_at + 1
    kind = "extended"
    if words[at : at + 1] == ["line"]:
        at += 2
    if words[at : at + 1] and words[at] in (
        "extended",
        "standard",
        "remark",
        "ethertype",
        "webtype",
        "advanced",
    ):
        kind, at = words[at], at + 1
    if kind in ("ethertype", "webtype"):
        found.list_kinds[name] = kind
        return  # no list of IP packets
    lines = found.lists.setdefault(name, [])
    found.list_lines.setdefault(name, []).append(line)
    if kind == "remark":
        return
    found.list_kinds.setdefault(name, kind)
    if kind == "standard":
        found.list_kinds[name] = kind
    lines.append((line, at))


def _interface(block: Block, found: Configuration) -> None:
    interface = Interface("", block.line.number, " ".join(block.line.words[1:]))
    level: int | None = None
    strange: list[Line] = []
    for line in block.children:
        words = line.words
        try:
            if line.first == "nameif":
                interface.name = words[1]
            elif line.first == "security-level":
                level, interface.level_line = int(words[1]), line.number
            elif line.starts("ip", "address"):
                _address(words[2:], interface, found)
            elif line.starts("ipv6", "address"):
                _v6_address(words[2:], interface)
            elif line.first == "management-only":
                interface.management_only = True
            elif line.starts("tunnel", "mode"):
                interface.tunnel = True
            elif line.first in ("ipv6", "ip") and words[1] in ("enable", "nd", "local", "dhcp", "router"):
                pass
            elif line.first not in INTERFACE:
                strange.append(line)
        except (InputError, ValueError, IndexError):
            strange.append(line)
    for line in strange:
        found.note(line, "not known below interface")
    if interface.name:
        # The device's own default: 100 for "inside", 0 for the rest.
        interface.level = level if level is not None else 100 if interface.name == "inside" else 0
        found.interfaces[interface.name] = interface


def _address(words: list[str], interface: Interface, found: Configuration) -> None:
    if words[0] in ("dhcp", "pppoe"):
        interface.dynamic = True
        interface.default_route = "setroute" in words
        return
    base = found.book.plain(words[0])
    if not is_v4(base):
        raise InputError(f"address {base[:40]!r}")
    interface.own.append(base)
    version, low, high = parse_span(f"{base}/{words[1]}")
    interface.connected.append(f"{base}/{32 - (high - low).bit_length()}" if version == 4 else base)


def _v6_address(words: list[str], interface: Interface) -> None:
    if words[0] in ("autoconfig", "dhcp"):
        interface.dynamic = True
        return
    if words[1:2] in (["eui-64"], ["link-local"]) or "/" not in words[0]:
        interface.dynamic = interface.dynamic or words[1:2] == ["eui-64"]
    else:
        interface.own.append(words[0].partition("/")[0])
    if "/" in words[0]:
        parse_span(words[0])
        interface.connected.append(words[0])


def _pool(line: Line, found: Configuration) -> None:
    """Read `ip local pool NAME FIRST-LAST [mask MASK]`, or the IPv6 form: PREFIX COUNT."""
    words = line.words
    try:
        if line.first == "ip":
            found.pools |= AddressSet.parse(words[4])
        else:
            first = host(words[4].partition("/")[0]).v6.first
            found.pools |= (
                AddressSet.parse(str(words[4]))
                if len(words) < 6
                else AddressSet(v6=type(found.pools.v6).of((first, first + int(words[5]) - 1)))
            )
    except (InputError, ValueError, IndexError):
        found.note(line, "not a pool of addresses")
