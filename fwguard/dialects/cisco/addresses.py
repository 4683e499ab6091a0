"""Addresses as both command lines write them: with a mask, with a wildcard that may have holes, IPv6 prefixes."""

from __future__ import annotations

from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import V4_MAX, AddressSet, parse_span, show_address
from fwguard.model.intervals import Intervals

MAX_HOLES: Final = 12  # 4 096 intervals of one wildcard; beyond, only its leading bits are read


def v4_number(word: str) -> int:
    """Read one dotted IPv4 address or mask. Raises InputError."""
    if word.count(".") != 3 or "/" in word or "-" in word:
        raise InputError(f"address {word[:40]!r}", expected="an IPv4 address")
    return parse_span(word)[1]


def is_v4(word: str) -> bool:
    """Tell whether a word looks like a dotted IPv4 address."""
    return word.count(".") == 3 and word.replace(".", "").isdecimal()


def is_v6(word: str) -> bool:
    """Tell whether a word looks like an IPv6 address or prefix."""
    return ":" in word and not word.strip("0123456789abcdefABCDEF:./")


def host(word: str) -> AddressSet:
    """Read one address of either version. Raises InputError for prefixes and names."""
    if "/" in word or "-" in word:
        raise InputError(f"address {word[:60]!r}", expected="one address")
    return AddressSet.parse(word)


def with_mask(base: str, mask: str) -> tuple[AddressSet, bool]:
    """Read an address and its mask; the second value tells whether that is exact."""
    return _agreeing(v4_number(base), v4_number(mask))


def with_wildcard(base: str, wildcard: str) -> tuple[AddressSet, bool]:
    """Read an address and a wildcard, whose set bits do not matter; else as `with_mask`."""
    return _agreeing(v4_number(base), V4_MAX ^ v4_number(wildcard))


def _agreeing(base: int, care: int) -> tuple[AddressSet, bool]:
    """Return the addresses that agree with `base` in the bits of `care`."""
    base &= care
    tail = 0  # bits at the end that do not matter: the size of every interval
    while tail < 32 and not care >> tail & 1:
        tail += 1
    holes = [bit for bit in range(tail, 32) if not care >> bit & 1]
    if len(holes) > MAX_HOLES:
        return AddressSet(Intervals.of((base, base | (V4_MAX ^ care)))), False
    starts = [base]
    for bit in holes:
        starts += [start | 1 << bit for start in starts]
    return AddressSet(Intervals.of(*((start, start + (1 << tail) - 1) for start in starts))), True


def prefix_of(base: str, mask: str) -> str:
    """Return "192.0.2.0/24" of an address and a mask without holes. Raises InputError for one with holes."""
    number = v4_number(mask)
    length = number.bit_count()
    if number != (V4_MAX << 32 - length) & V4_MAX:
        raise InputError(f"mask {mask}", expected="a mask without holes")
    return f"{show_address(4, v4_number(base) & number)}/{length}"


def v6_prefix(word: str) -> str:
    """Return an IPv6 prefix without host bits. Raises InputError."""
    version, low, _ = parse_span(word)
    if version != 6 or "/" not in word:
        raise InputError(f"prefix {word[:60]!r}", expected="an IPv6 prefix")
    return f"{show_address(6, low)}/{word.partition('/')[2]}"
