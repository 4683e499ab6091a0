"""Pools of addresses: what may be given from them, and in which order (clause 4)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from netaddr import AddrFormatError, IPAddress, IPNetwork

from fwguard.errors import InputError
from fwguard.model.address import ALL_V4, AddressSet, Family, show_address
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import NAME

# No server has an address of these: this net, loopback, link-local, multicast, reserved (RFC 6890); of IPv6
# all but global unicast and unique local (RFC 4291 2.4, RFC 4193).
_GIVABLE: Final = {
    4: ALL_V4 - AddressSet.parse("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/3").v4,
    6: AddressSet.parse("2000::/3", "fc00::/7").v6,
}
_PLAIN_LENGTH: Final = {4: 31, 6: 127}  # from here on every address is a host's (RFC 3021, RFC 6164)
FAMILY_OF: Final = {4: Family.V4, 6: Family.V6}


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A prefix whose addresses are given to servers; `country` is where it is announced (ISO 3166-1)."""

    name: str
    prefix: str
    country: str = ""

    def __post_init__(self) -> None:
        if not NAME.fullmatch(self.name):
            raise InputError(f"pool name {self.name!r}", expected="a-z, 0-9 and -, at most 40 characters")
        if self.country and not (
            len(self.country) == 2 and self.country.isascii() and self.country.isupper()
        ):
            raise InputError(f"country {self.country!r} of pool {self.name}", expected="two capitals, as FR")
        network = parse_prefix(self.prefix)
        object.__setattr__(self, "prefix", str(network))

    @property
    def version(self) -> int:
        """Return 4 or 6."""
        return int(IPNetwork(self.prefix).version)

    @property
    def family(self) -> Family:
        """Return the IP version as a family."""
        return FAMILY_OF[self.version]

    @property
    def span(self) -> tuple[int, int]:
        """Return the first and last address of the prefix as integers."""
        network = IPNetwork(self.prefix)
        return int(network.first), int(network.last)

    @property
    def usable(self) -> Intervals:
        """Return what a server may be given: not the net's own address, nor the broadcast one (RFC 919), nor
        the routers' anycast (RFC 4291 2.6.1)."""
        network = IPNetwork(self.prefix)
        first, last = self.span
        if network.prefixlen >= _PLAIN_LENGTH[self.version]:
            return Intervals(((first, last),))
        return Intervals(((first + 1, last - (self.version == 4)),))

    def overlaps(self, other: Pool) -> bool:
        """Tell whether two pools share an address."""
        (first, last), (other_first, other_last) = self.span, other.span
        return self.version == other.version and first <= other_last and other_first <= last


@dataclass(frozen=True, slots=True)
class Used:
    """An address of a pool that someone has (`free_at` is None) or had (free for others at that time)."""

    number: int
    free_at: datetime | None


def parse_prefix(text: str) -> IPNetwork:
    """Read "192.0.2.0/24" or "2001:db8::/64". Raises InputError for host bits, and for what no server can have."""
    try:
        network = IPNetwork(text.strip())
    except (AddrFormatError, ValueError, TypeError):
        network = None
    if network is None or "/" not in text:
        raise InputError(f"prefix {text!r}", expected="an IPv4 or IPv6 prefix, as 192.0.2.0/24")
    if network.ip != network.network:
        raise InputError(f"prefix {text} has host bits", expected=str(network.cidr))
    if not Intervals(((int(network.first), int(network.last)),)) <= _GIVABLE[network.version]:
        raise InputError(
            f"no server can have an address of {text}",
            expected="a unicast prefix that is no loopback, link-local or reserved one",
        )
    return network


def parse_one(text: str) -> tuple[int, int, str]:
    """Return (version, number, canonical text) of one address. Raises InputError."""
    try:
        address = IPAddress(text.strip())
    except (AddrFormatError, ValueError, TypeError):
        raise InputError(
            f"address {text!r}", expected="one IPv4 or IPv6 address, as 192.0.2.7 or 2001:db8::7"
        ) from None
    version, number = int(address.version), int(address)
    return version, number, show_address(version, number)


def choose(pool: Pool, used: Iterable[Used], *, now: datetime) -> int:
    """Return the address to give next: the lowest that nobody ever had, else the one free for longest.

    So an address rests as long as the pool allows, and never less than its cooling time. Cost: n log n in
    the addresses used. Raises InputError when every one is held, reserved or cooling; it says what to do.
    """
    known = tuple(used)
    fresh = pool.usable - Intervals.single(*(one.number for one in known))
    if fresh:
        return fresh.first
    usable = pool.usable
    rested = [(one.free_at, one.number) for one in known if one.free_at is not None and one.number in usable]
    if rested and min(rested)[0] <= now:
        return min(rested)[1]
    raise InputError(_exhausted(pool, known, rested), expected="another pool, or an address given back")


def _exhausted(pool: Pool, known: tuple[Used, ...], rested: list[tuple[datetime, int]]) -> str:
    held = sum(one.free_at is None and one.number in pool.usable for one in known)
    words = f"pool {pool.name} ({pool.prefix}) is exhausted: {held} held or reserved, {len(rested)} cooling"
    if rested:
        words += f"; the first of them is free on {min(rested)[0]:%Y-%m-%d %H:%M} UTC"
    return words


def why_not_given(pool: Pool, number: int, used: Iterable[Used], *, now: datetime) -> str:
    """Return why one address of a pool cannot be given to just anyone now; empty when it can."""
    if number not in pool.usable:
        return "it is the address of the net itself"
    for one in used:
        if one.number == number and one.free_at is None:
            return "it is held or reserved"
        if one.number == number and one.free_at is not None and one.free_at > now:
            return f"it cools until {one.free_at:%Y-%m-%d %H:%M} UTC"
    return ""
