"""Address translation: dnat, snat, masquerade, redirect, and their maps (nft(8) NAT STATEMENTS)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.nftables import conditions, values
from fwguard.dialects.nftables.cursor import Cursor
from fwguard.dialects.nftables.lexer import Token
from fwguard.dialects.nftables.selectors import Selector
from fwguard.dialects.nftables.values import NotUnderstood
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.matching import Region
from fwguard.model.policy import NatKind

FLAGS: Final = ("random", "fully-random", "persistent", "prefix", ",")


@dataclass(frozen=True, slots=True)
class Translation:
    """What is rewritten for one region, and to what."""

    kind: NatKind
    region: Region
    to: AddressSet = AddressSet()
    to_ports: Intervals = Intervals()


def nat_of(cursor: Cursor, kind: NatKind, region: Region) -> tuple[Translation, ...]:
    """Take what follows dnat, snat, masquerade or redirect. Raises NotUnderstood."""
    for word in ("ip", "ip6"):
        if cursor.peek() == word and cursor.peek(1) in ("to", "prefix", "interval", "addr"):
            cursor.at += 1
    is_netmap = cursor.peek() == "prefix"
    while cursor.peek() in ("prefix", "interval", "addr", ".", "port"):
        cursor.at += 1
    found: tuple[Translation, ...]
    if cursor.took("to"):
        found = _to(cursor, NatKind.NETMAP if is_netmap else kind, region)
    elif kind in (NatKind.DNAT, NatKind.SNAT):
        raise NotUnderstood(f"{kind} without to")
    else:
        found = (Translation(kind, region),)
    while cursor.peek() in FLAGS:
        cursor.at += 1
    return found


def _to(cursor: Cursor, kind: NatKind, region: Region) -> tuple[Translation, ...]:
    if cursor.peek() == ":":
        return _ports(cursor, kind, region, AddressSet())
    selectors = cursor.selectors()
    if selectors:
        return _map(cursor, kind, region, selectors, None)
    address = _address(cursor)
    if cursor.peek() == ":":
        return _ports(cursor, kind, region, address)
    if cursor.took("."):
        return (Translation(kind, region, address, values.ports(cursor.value())),)
    return (Translation(kind, region, address),)


def _address(cursor: Cursor) -> AddressSet:
    """Take `192.0.2.1`, a range, or IPv6 in brackets."""
    text = ""
    while True:
        if cursor.took("["):
            text += cursor.value()
            if not cursor.took("]"):
                raise NotUnderstood("a [ without ]")
        else:
            text += cursor.take("an address")
        if not cursor.took("-"):
            return values.address(text)
        text += "-"


def _ports(cursor: Cursor, kind: NatKind, region: Region, to: AddressSet) -> tuple[Translation, ...]:
    cursor.at += 1
    selectors = cursor.selectors()
    if selectors:
        return _map(cursor, kind, region, selectors, to)
    return (Translation(kind, region, to, values.ports(cursor.value())),)


def _map(
    cursor: Cursor, kind: NatKind, region: Region, selectors: list[Selector], to: AddressSet | None
) -> tuple[Translation, ...]:
    """Take `tcp dport map { 80 : 10.0.0.1 . 8080 }`; `to` is the address if the map gives ports only."""
    start = cursor.at
    if not cursor.took("map"):
        raise NotUnderstood(f"{cursor.peek()!r} instead of map")
    found = cursor.set_at()
    if found is None:
        raise NotUnderstood("map without a map")
    named, elements = found
    if named is not None and named.is_volatile:
        raise NotUnderstood(f"map @{named.name} changes with packets or time")
    words = " ".join(one.text for one in selectors) + " " + cursor.words(start)
    out: list[Translation] = []
    others = [element.key for element in elements if element.key != ["*"]]
    for element in elements:
        if element.key == ["*"]:
            part = conditions.lookup(selectors, others, words, negated=True)
        else:
            part = conditions.lookup(selectors, [element.key], words)
        address, ports = _data(element.data, to)
        out.append(Translation(kind, conditions.cross(region, part, words), address, ports))
    return tuple(out)


def _data(tokens: list[Token], to: AddressSet | None) -> tuple[AddressSet, Intervals]:
    parts = [""]
    for token in tokens:
        if token.text == ".":
            parts.append("")
        else:
            parts[-1] += token.text
    if to is not None or (len(parts) == 1 and parts[0].isdecimal()):
        return to or AddressSet(), values.ports(parts[0])
    return values.address(parts[0]), values.ports(parts[1]) if len(parts) > 1 else Intervals()
