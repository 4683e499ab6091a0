"""An opening in the words of an access list entry, the same on both command lines but for masks and names."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import V4_MAX, AddressSet, Family, show_address
from fwguard.model.change import Opening
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT, ICMP, ICMPV6, SCTP, TCP, UDP, show_protocol

MAX_PREFIXES: Final = 512


def prefixes(addresses: AddressSet, family: Family) -> list[tuple[int, int]]:
    """Return (first address, prefix length) of a set in one IP version. Raises InputError for too many."""
    found: list[tuple[int, int]] = []
    kind = ipaddress.IPv4Address if family is Family.V4 else ipaddress.IPv6Address
    for low, high in addresses.v4 if family is Family.V4 else addresses.v6:
        for network in ipaddress.summarize_address_range(kind(low), kind(high)):
            found.append((int(network.network_address), network.prefixlen))
    if len(found) > MAX_PREFIXES:
        raise InputError(f"{len(found)} prefixes", expected=f"at most {MAX_PREFIXES} in one opening")
    return found


def address_words(addresses: AddressSet, family: Family, mask: Callable[[int], int], every: str) -> list[str]:
    """Return a set in the words of an entry; `mask` makes the second word of a length, `every` means all."""
    words = []
    for base, length in prefixes(addresses, family):
        bits, version = (32, 4) if family is Family.V4 else (128, 6)
        if length == 0:
            words.append(every)
        elif length == bits:
            words.append(f"host {show_address(version, base)}")
        elif version == 6:
            words.append(f"{show_address(6, base)}/{length}")
        else:
            words.append(f"{show_address(4, base)} {show_address(4, mask(length))}")
    return words


def netmask(length: int) -> int:
    """Return a mask as ASA writes it: set bits matter."""
    return (V4_MAX << 32 - length) & V4_MAX


def wildcard(length: int) -> int:
    """Return a mask as IOS writes it: set bits do not matter."""
    return V4_MAX >> length


def service_words(opening: Opening, family: Family, icmp6: str) -> Iterator[tuple[str, str]]:
    """Yield (protocol, what stands after the addresses) for each entry of an opening."""
    number, ports = opening.protocol, opening.ports
    if number in (ICMP, ICMPV6) and (number == ICMPV6) != (family is Family.V6):
        raise InputError(
            f"{show_protocol(number)} to {opening.target}", expected="the ICMP of the IP version"
        )
    name = {ICMP: "icmp", ICMPV6: icmp6, TCP: "tcp", UDP: "udp", SCTP: "sctp"}.get(number, str(number))
    if not ports or ports == ANY_PORT:
        yield name, ""
    elif number in (ICMP, ICMPV6):
        for words in _icmp_words(ports):
            yield name, words
    elif number in (TCP, UDP, SCTP):
        for low, high in ports:
            yield name, f" eq {low}" if low == high else f" range {low} {high}"
    else:
        raise InputError(f"ports of {show_protocol(number)}", expected="tcp, udp or sctp")


def _icmp_words(keys: Intervals) -> Iterator[str]:
    for low, high in keys:
        key = low
        while key <= high:
            if key & 0xFF == 0 and key + 255 <= high:
                yield f" {key >> 8}"
                key += 256
            else:
                yield f" {key >> 8} {key & 0xFF}"
                key += 1
