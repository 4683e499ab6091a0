"""Objects and object-groups of an ASA, resolved into addresses, services, ports, protocols and ICMP types.

Source: ASA firewall configuration guide, "Objects for Access Control"; command reference `object`,
`object-group`, `service-object`. A name that is missing, empty, or a host name (`fqdn`) leaves what uses
it in doubt.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from fwguard.dialects.cisco.addresses import host, is_v6, with_mask
from fwguard.dialects.cisco.groups import Entry, Service, Table
from fwguard.dialects.cisco.lines import Block, Line, Words
from fwguard.dialects.cisco.names import (
    ASA_PORTS,
    DOUBTFUL_PORTS,
    TCP_UDP,
    icmp_keys,
    is_icmp_type,
    port,
    protocols,
)
from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Unread
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6

Part = TypeVar("Part")
SILENT: Final = frozenset({"description", "nat"})
PORT_WORDS: Final = frozenset({"eq", "neq", "lt", "gt", "range"})


class Book:
    """Every named thing of a configuration; `aliases` are the names that `name` gives to addresses."""

    def __init__(self) -> None:
        self.networks: Table[AddressSet] = Table()
        self.services: Table[Service] = Table()
        self.ports: Table[Intervals] = Table()
        self.protocols: Table[Intervals] = Table()
        self.icmp: Table[Intervals] = Table()
        self.aliases: dict[str, str] = {}
        self.unread: list[Unread] = []

    def refuse_loops(self) -> None:
        """Raise UnreadableError for a group that holds itself."""
        for table in (self.networks, self.services, self.ports, self.protocols, self.icmp):
            table.refuse_loops()

    def read_object(self, block: Block) -> None:
        """Read `object network NAME` or `object service NAME` with the lines below it."""
        kind, name = _kind_and_name(block.line)
        lines = [line for line in block.children if line.first not in SILENT]
        if kind == "network" and name:
            self._parts(self.networks.entry(name, block.line.number), lines, self._network)
        elif kind == "service" and name:
            self._parts(self.services.entry(name, block.line.number), lines, self._service_line)
        else:
            why = "an object of no known kind"
            self.unread.append(Unread(line=block.line.number, text=block.line.text, why=why))

    def _parts(self, entry: Entry[Part], lines: list[Line], read: Callable[[Words], Part]) -> None:
        for line in lines:
            try:
                entry.parts.append(read(Words(line.words)))
            except InputError as error:
                self._doubt(entry, line, str(error))

    def _service_line(self, words: Words) -> Service:
        _expect(words, "service")
        return self._service(words)

    def _doubt(self, entry: Entry[Part], line: Line, why: str) -> None:
        entry.doubts.append(f"line {line.number}: {why}"[:200])
        self.unread.append(Unread(line=line.number, text=line.text, why=why))

    def _network(self, words: Words) -> AddressSet:
        kind = words.next("host, subnet, range or fqdn")
        if kind == "host":
            return host(self.plain(words.next("an address")))
        if kind == "subnet":
            return self.address(words)
        if kind == "range":
            first, last = self.plain(words.next("an address")), self.plain(words.next("an address"))
            return AddressSet.parse(f"{first}-{last}")
        if kind == "fqdn":
            raise InputError(f"{words.rest()[:60]}: a host name, known to the device's resolver alone")
        raise InputError(f"{kind[:40]!r}", expected="host, subnet, range or fqdn")

    def read_group(self, block: Block) -> None:
        """Read `object-group KIND NAME [PROTOCOL]` with the lines below it."""
        words = Words(block.line.words, 1)
        kind, name, protocol = words.peek(), words.peek(1), words.peek(2)
        number = block.line.number
        if kind == "network" and not protocol and name:
            self._members(block, self.networks.entry(name, number), self._network_member)
        elif kind == "service" and not protocol and name:
            self._members(block, self.services.entry(name, number), self._service_member)
        elif kind == "service" and protocol in ("tcp", "udp", "tcp-udp"):
            self._members(block, self.ports.entry(name, number), self._port_member)
        elif kind == "protocol" and not protocol and name:
            self._members(block, self.protocols.entry(name, number), self._protocol_member)
        elif kind == "icmp-type" and not protocol and name:
            self._members(block, self.icmp.entry(name, number), self._icmp_member)
        else:
            self.unread.append(
                Unread(line=number, text=block.line.text, why="an object-group of no known kind")
            )

    def _members(self, block: Block, entry: Entry[Part], read: Callable[[Words], Part | None]) -> None:
        for line in block.children:
            if line.first == "description":
                continue
            words = Words(line.words)
            try:
                if words.take("group-object"):
                    entry.refs.append(words.next("the name of a group"))
                    continue
                part = read(words)
                if part is None:
                    entry.refs.append(words.next("the name of an object"))
                else:
                    entry.parts.append(part)
                if words.left:
                    raise InputError(words.rest()[:60], expected="nothing more")
            except InputError as error:
                self._doubt(entry, line, str(error))

    def _network_member(self, words: Words) -> AddressSet | None:
        _expect(words, "network-object")
        if words.take("object"):
            return None
        if words.take("host"):
            return host(self.plain(words.next("an address")))
        return self.address(words)

    def _service_member(self, words: Words) -> Service | None:
        _expect(words, "service-object")
        return None if words.take("object") else self._service(words)

    def _port_member(self, words: Words) -> Intervals:
        _expect(words, "port-object")
        ports, doubt = read_ports(words)
        if doubt:
            raise InputError(doubt)
        return ports

    def _protocol_member(self, words: Words) -> Intervals:
        _expect(words, "protocol-object")
        return protocols(words.next("a protocol"))

    def _icmp_member(self, words: Words) -> Intervals:
        _expect(words, "icmp-object")
        return icmp_keys(words.next("an ICMP type"), "", 4)

    def _service(self, words: Words) -> Service:
        """Read a protocol with its ports or ICMP type, as `service` and `service-object` write it."""
        word = words.next("a protocol")
        found = protocols(word)
        if word in ("icmp", "icmp6"):
            version = 4 if word == "icmp" else 6
            if not words.left:
                return Service(found)
            kind = words.next("an ICMP type")
            return Service(found, dport=icmp_keys(kind, _code(words), version))
        sport = dport = ANY_PORT
        doubts: list[str] = []
        if found <= TCP_UDP or word == "sctp":
            if words.take("source"):
                sport, doubt = read_ports(words)
                doubts.append(doubt)
            words.take("destination")
            if words.peek() in PORT_WORDS:
                dport, doubt = read_ports(words)
                doubts.append(doubt)
        if words.left:
            raise InputError(words.rest()[:60], expected="source, destination, or nothing more")
        return Service(found, sport, dport, "; ".join(filter(None, doubts)))

    def plain(self, word: str) -> str:
        """Return the address that a name of `name` stands for, or the word itself."""
        return self.aliases.get(word, word)

    def address(self, words: Words) -> AddressSet:
        """Read `ADDRESS MASK` or an IPv6 prefix. Raises InputError."""
        word = self.plain(words.next("an address"))
        if is_v6(word):
            return AddressSet.parse(word)
        addresses, exact = with_mask(word, words.next("a mask"))
        if not exact:
            raise InputError("a mask with very many holes")
        return addresses


def _kind_and_name(line: Line) -> tuple[str, str]:
    words = Words(line.words, 1)
    return words.peek(), words.peek(1)


def _expect(words: Words, keyword: str) -> None:
    if not words.take(keyword):
        raise InputError(f"{words.peek()[:40]!r}", expected=keyword)


def _code(words: Words) -> str:
    return words.next("a code") if words.peek().isdecimal() else ""


def read_ports(words: Words) -> tuple[Intervals, str]:
    """Read `eq P`, `neq P`, `lt P`, `gt P` or `range P Q`, and a doubt or "". Raises InputError."""
    how = words.next("eq, neq, lt, gt or range")
    if how not in PORT_WORDS:
        raise InputError(f"{how[:40]!r}", expected="eq, neq, lt, gt or range")
    name = words.next("a port")
    first = port(name, ASA_PORTS)
    doubt = f"releases disagree about port {name}" if name in DOUBTFUL_PORTS else ""
    if doubt and how != "eq":
        raise InputError(doubt)
    if how == "range":
        last = port(words.next("a port"), ASA_PORTS)
        return Intervals.of((first.first, last.pairs[-1][1])), doubt
    if how == "neq":
        return ANY_PORT - first, doubt
    if how == "lt":
        return (Intervals.of((0, first.first - 1)) if first.first else Intervals()), doubt
    if how == "gt":
        return (Intervals.of((first.first + 1, 65535)) if first.first < 65535 else Intervals()), doubt
    return first, doubt


def icmp_of(words: Words, found: Intervals) -> Intervals | None:
    """Take an ICMP type and code off the words after the addresses, if the protocol is ICMP and one stands."""
    for number, version in ((ICMP, 4), (ICMPV6, 6)):
        if found == Intervals.single(number) and is_icmp_type(words.peek(), version):
            return icmp_keys(words.next("a type"), _code(words), version)
    return None
