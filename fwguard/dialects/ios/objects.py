"""Object-groups of IOS, resolved into addresses and services.

Source: IOS security configuration guide, "Object Groups for ACLs". Networks are written with a mask here,
not with a wildcard.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from fwguard.dialects.cisco.addresses import host, is_v4, is_v6, with_mask
from fwguard.dialects.cisco.groups import Entry, Service, Table
from fwguard.dialects.cisco.lines import Block, Words
from fwguard.dialects.cisco.names import IOS_PORTS, TCP_UDP, icmp_keys, port, protocols
from fwguard.errors import InputError
from fwguard.model.address import ANY_V4, ANY_V6, AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Unread
from fwguard.model.ports import ANY_PORT, ICMP

Part = TypeVar("Part")


class Book:
    """Every object-group of a configuration."""

    def __init__(self) -> None:
        self.networks: Table[AddressSet] = Table()
        self.services: Table[Service] = Table()
        self.unread: list[Unread] = []

    def refuse_loops(self) -> None:
        """Raise UnreadableError for a group that holds itself."""
        for table in (self.networks, self.services):
            table.refuse_loops()

    def read_group(self, block: Block) -> None:
        """Read `object-group [v6-]network|service NAME` with the lines below it."""
        words = block.line.words
        kind, name = (*words[1:3], "", "")[:2]
        if kind in ("network", "v6-network") and name:
            self._members(block, self.networks.entry(name, block.line.number), _network)
        elif kind in ("service", "v6-service") and name:
            self._members(block, self.services.entry(name, block.line.number), _service)
        else:
            why = "an object-group of no known kind"
            self.unread.append(Unread(line=block.line.number, text=block.line.text, why=why))

    def _members(self, block: Block, entry: Entry[Part], read: Callable[[Words], Part]) -> None:
        for line in block.children:
            words = Words(line.words)
            if words.take("description"):
                continue
            try:
                if words.take("group-object"):
                    entry.refs.append(words.next("the name of a group"))
                else:
                    entry.parts.append(read(words))
                if words.left:
                    raise InputError(words.rest()[:60], expected="nothing more")
            except InputError as error:
                entry.doubts.append(f"line {line.number}: {error}"[:200])
                self.unread.append(Unread(line=line.number, text=line.text, why=str(error)))


def _network(words: Words) -> AddressSet:
    word = words.next("host, any, range or an address")
    if word == "any":
        return ANY_V4 | ANY_V6
    if word == "host":
        return host(words.next("an address"))
    if word == "range":
        return AddressSet.parse(f"{words.next('an address')}-{words.next('an address')}")
    if is_v6(word):
        return AddressSet.parse(word)
    if not is_v4(word.partition("/")[0]):
        raise InputError(f"{word[:40]!r}", expected="host, any, range or an address")
    if "/" in word:
        return AddressSet.parse(word)
    addresses, exact = with_mask(word, words.next("a mask"))
    if not exact:
        raise InputError("a mask with very many holes")
    return addresses


def _service(words: Words) -> Service:
    word = words.next("a protocol")
    found = protocols(word)
    if found == Intervals.single(ICMP):
        if not words.left:
            return Service(found)
        kind = words.next("a type")
        return Service(found, dport=icmp_keys(kind, words.next("a code") if words.left else "", 4))
    sport = dport = ANY_PORT
    if found <= TCP_UDP:
        if words.take("source"):
            sport = _ports(words)
        if words.left:
            dport = _ports(words)
    return Service(found, sport, dport)


def _ports(words: Words) -> Intervals:
    how = words.take("eq", "lt", "gt", "range", "neq") or "eq"
    first = port(words.next("a port"), IOS_PORTS)
    if how == "range":
        return Intervals.of((first.first, port(words.next("a port"), IOS_PORTS).first))
    if how == "lt":
        return Intervals.of((0, first.first - 1)) if first.first else Intervals()
    if how == "gt":
        return Intervals.of((first.first + 1, 65535)) if first.first < 65535 else Intervals()
    return ANY_PORT - first if how == "neq" else first
