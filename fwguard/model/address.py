"""Sets of IPv4 and IPv6 addresses: both families in one value, as integer intervals."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from enum import IntFlag
from functools import lru_cache
from typing import Final, Self

from fwguard.errors import InputError
from fwguard.model.intervals import Intervals

# What ipaddress accepts as one IPv4 address, ten times as fast: no leading zeros (RFC 6943 section 3.1.1).
_OCTET: Final = "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_V4: Final = re.compile(rf"{_OCTET}\.{_OCTET}\.{_OCTET}\.{_OCTET}", re.ASCII)
V4_MAX: Final = 2**32 - 1
V6_MAX: Final = 2**128 - 1
ALL_V4: Final = Intervals(((0, V4_MAX),))
ALL_V6: Final = Intervals(((0, V6_MAX),))


class Family(IntFlag):
    """Which IP versions a rule, chain or policy speaks of."""

    V4 = 1
    V6 = 2
    BOTH = 3


@dataclass(frozen=True, slots=True)
class AddressSet:
    """Any set of addresses; `v4` and `v6` are intervals of the addresses as integers."""

    v4: Intervals = Intervals()
    v6: Intervals = Intervals()

    @classmethod
    def parse(cls, *texts: str) -> Self:
        """Read "192.0.2.1", "192.0.2.0/24", "192.0.2.1-192.0.2.9", "2001:db8::/32" or "any"."""
        v4: list[tuple[int, int]] = []
        v6: list[tuple[int, int]] = []
        for text in texts:
            if text == "any":
                return cls(ALL_V4, ALL_V6)
            version, low, high = parse_span(text)
            (v4 if version == 4 else v6).append((low, high))
        return cls(Intervals.of(*v4), Intervals.of(*v6))

    def __bool__(self) -> bool:
        return bool(self.v4 or self.v6)

    def __or__(self, other: Self) -> Self:
        return type(self)(self.v4 | other.v4, self.v6 | other.v6)

    def __and__(self, other: Self) -> Self:
        return type(self)(self.v4 & other.v4, self.v6 & other.v6)

    def __sub__(self, other: Self) -> Self:
        return type(self)(self.v4 - other.v4, self.v6 - other.v6)

    def __le__(self, other: Self) -> bool:
        return self.v4 <= other.v4 and self.v6 <= other.v6

    def __contains__(self, address: str) -> bool:
        version, low, _ = parse_span(address)
        return low in (self.v4 if version == 4 else self.v6)

    @property
    def families(self) -> Family:
        """Return which IP versions have any address in the set."""
        return (Family.V4 if self.v4 else Family(0)) | (Family.V6 if self.v6 else Family(0))

    def of_family(self, family: Family) -> Self:
        """Return the part of the set in `family`."""
        return type(self)(
            self.v4 if family & Family.V4 else Intervals(), self.v6 if family & Family.V6 else Intervals()
        )

    def texts(self) -> tuple[str, ...]:
        """Write the set as few words: prefixes where an interval is one, else ranges; "any" for all."""
        if self == ANY_ADDRESS:
            return ("any",)
        words = [show_span(4, low, high) for low, high in self.v4]
        words += [show_span(6, low, high) for low, high in self.v6]
        return tuple(words)

    def __str__(self) -> str:
        return ", ".join(self.texts()) or "none"


@lru_cache(maxsize=65536)
def parse_span(text: str) -> tuple[int, int, int]:
    """Return (version, first, last) of an address, prefix (host bits ignored) or first-last range."""
    plain = _PLAIN_V4.fullmatch(text)
    if plain:
        a, b, c, d = plain.groups()
        number = int(a) << 24 | int(b) << 16 | int(c) << 8 | int(d)
        return 4, number, number
    try:
        if "-" in text:
            first, last = (ipaddress.ip_address(part.strip()) for part in text.split("-", 1))
            if first.version != last.version or int(first) > int(last):
                raise ValueError
            return first.version, int(first), int(last)
        network = ipaddress.ip_network(text.strip(), strict=False)
        return network.version, int(network.network_address), int(network.broadcast_address)
    except ValueError:
        raise InputError(f"address {text!r}", expected="an IPv4 or IPv6 address, prefix or range") from None


def show_address(version: int, number: int) -> str:
    """Write one address of the given IP version (RFC 5952 for IPv6)."""
    if version == 4:
        return f"{number >> 24}.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
    return str(ipaddress.IPv6Address(number))


def show_span(version: int, low: int, high: int) -> str:
    """Write one interval as an address, a prefix, or first-last."""
    size = high - low + 1
    bits = 32 if version == 4 else 128
    if size & (size - 1) == 0 and low % size == 0:
        length = bits - size.bit_length() + 1
        return show_address(version, low) + (f"/{length}" if length < bits else "")
    return f"{show_address(version, low)}-{show_address(version, high)}"


ANY_ADDRESS: Final = AddressSet(ALL_V4, ALL_V6)
ANY_V4: Final = AddressSet(ALL_V4, Intervals())
ANY_V6: Final = AddressSet(Intervals(), ALL_V6)
