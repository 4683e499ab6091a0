"""Sets of addresses and ports of which a part may be unknown: names that are looked up, leased addresses."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT


@dataclass(frozen=True, slots=True)
class Addresses:
    """All of `sure` is in the set, nothing outside `maybe` is; `why` says what is not known."""

    sure: AddressSet
    maybe: AddressSet
    why: str = ""
    missing: bool = False  # it names what the file does not have

    @classmethod
    def exactly(cls, addresses: AddressSet) -> Addresses:
        """Return a set that is known."""
        return cls(addresses, addresses)

    @classmethod
    def unknown(cls, why: str, maybe: AddressSet = ANY_ADDRESS, *, missing: bool = False) -> Addresses:
        """Return a set of which nothing is known but where it lies."""
        return cls(AddressSet(), maybe, why, missing)

    @property
    def is_exact(self) -> bool:
        """Tell whether all of it is known."""
        return self.sure is self.maybe or self.sure == self.maybe

    def __or__(self, other: Addresses) -> Addresses:
        return Addresses(
            self.sure | other.sure,
            self.maybe | other.maybe,
            self.why or other.why,
            self.missing or other.missing,
        )

    def within(self, addresses: AddressSet) -> Addresses:
        """Return what lies among some addresses."""
        return Addresses(self.sure & addresses, self.maybe & addresses, self.why, self.missing)

    def negated(self) -> Addresses:
        """Return every other address."""
        others = ANY_ADDRESS - self.maybe
        return Addresses(others, others if self.is_exact else ANY_ADDRESS - self.sure, self.why, self.missing)

    def of_family(self, family: Family) -> Addresses:
        """Return the part of some IP versions."""
        if family is Family.BOTH:
            return self
        sure = _part(self.sure, family)
        return Addresses(sure, sure if self.maybe is self.sure else _part(self.maybe, family), self.why)


def _part(addresses: AddressSet, family: Family) -> AddressSet:
    return AddressSet(v4=addresses.v4) if family is Family.V4 else AddressSet(v6=addresses.v6)


def union(parts: Iterable[Addresses]) -> Addresses:
    """Return what is in any of many sets. Cost: n log n of all their intervals."""
    listed = list(parts)

    def together(sets: list[AddressSet]) -> AddressSet:
        return AddressSet(
            Intervals.of(*(pair for one in sets for pair in one.v4)),
            Intervals.of(*(pair for one in sets for pair in one.v6)),
        )

    return Addresses(
        together([one.sure for one in listed]),
        together([one.maybe for one in listed]),
        next((one.why for one in listed if one.why), ""),
        any(one.missing for one in listed),
    )


ANYWHERE = Addresses.exactly(ANY_ADDRESS)


@dataclass(frozen=True, slots=True)
class Ports:
    """The same for ports."""

    sure: Intervals
    maybe: Intervals
    why: str = ""

    @classmethod
    def exactly(cls, ports: Intervals) -> Ports:
        """Return ports that are known."""
        return cls(ports, ports)

    @property
    def is_exact(self) -> bool:
        """Tell whether all of it is known."""
        return self.sure == self.maybe

    def __or__(self, other: Ports) -> Ports:
        return Ports(self.sure | other.sure, self.maybe | other.maybe, self.why or other.why)


EVERY_PORT = Ports.exactly(ANY_PORT)
