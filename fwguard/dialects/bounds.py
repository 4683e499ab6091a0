"""Objects that may be known in part: at least these addresses and services, at most those.

A group that holds a DNS name, a list that the device downloads, an application known by its payload: the
part that is known is certain, the rest gives a match that is unknown. So a rule is never silently wider
or narrower than it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from fwguard.model.address import ANY_ADDRESS, V4_MAX, AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_INTERFACE, ANY_STATE, CtState, InterfaceSet, Match
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL

MAX_MASK_SPANS: Final = 4096
MAX_WHY: Final = 300


@dataclass(frozen=True, slots=True)
class Addresses:
    """At least `sure`, at most `sure | maybe`; `why` says what is not known."""

    sure: AddressSet = AddressSet()
    maybe: AddressSet = AddressSet()
    why: str = ""

    @property
    def most(self) -> AddressSet:
        """Return all that may be meant."""
        return self.sure | self.maybe if self.maybe else self.sure

    def __or__(self, other: Addresses) -> Addresses:
        return Addresses(self.sure | other.sure, self.maybe | other.maybe, join(self.why, other.why))

    def inverted(self) -> Addresses:
        """Return all other addresses."""
        return Addresses(ANY_ADDRESS - self.most, self.maybe - self.sure, self.why)


ALL_ADDRESSES: Final = Addresses(ANY_ADDRESS)


def unknown_addresses(why: str) -> Addresses:
    """Return what may be any address, or none."""
    return Addresses(AddressSet(), ANY_ADDRESS, why)


def join(*whys: str) -> str:
    """Join reasons, each once, bounded."""
    return "; ".join(dict.fromkeys(why for why in whys if why))[:MAX_WHY]


@dataclass(frozen=True, slots=True)
class Service:
    """One product of protocols, source ports and destination ports (or ICMP types)."""

    protocol: Intervals = ANY_PROTOCOL
    dport: Intervals = ANY_PORT
    sport: Intervals = ANY_PORT
    states: frozenset[CtState] = ANY_STATE


ANY_SERVICE: Final = Service()


@dataclass(frozen=True, slots=True)
class Services:
    """At least `sure`, at most `sure` and `maybe`."""

    sure: tuple[Service, ...] = ()
    maybe: tuple[Service, ...] = ()
    why: str = ""

    @property
    def most(self) -> tuple[Service, ...]:
        """Return all that may be meant."""
        return merged((*self.sure, *self.maybe))

    def __or__(self, other: Services) -> Services:
        return Services(
            merged((*self.sure, *other.sure)), merged((*self.maybe, *other.maybe)), join(self.why, other.why)
        )

    def doubted(self, why: str) -> Services:
        """Return the same as services that only may be meant."""
        return Services((), self.most, join(self.why, why))


ALL_SERVICES: Final = Services((ANY_SERVICE,))


def unknown_services(why: str) -> Services:
    """Return what may be any service, or none."""
    return Services((), (ANY_SERVICE,), why)


def merged(services: Iterable[Service]) -> tuple[Service, ...]:
    """Return the same services as fewer products: those that differ in one set alone are one."""
    by_ports: dict[tuple[object, ...], Service] = {}
    for one in services:
        key = (one.protocol, one.sport, one.states)
        old = by_ports.get(key)
        by_ports[key] = one if old is None else replace(old, dport=old.dport | one.dport)
    by_protocol: dict[tuple[object, ...], Service] = {}
    for one in by_ports.values():
        key = (one.dport, one.sport, one.states)
        old = by_protocol.get(key)
        by_protocol[key] = one if old is None else replace(old, protocol=old.protocol | one.protocol)
    found = tuple(by_protocol.values())
    return (ANY_SERVICE,) if ANY_SERVICE in found else found


Way = tuple[InterfaceSet, InterfaceSet]
EVERYWHERE: Final[tuple[Way, ...]] = ((ANY_INTERFACE, ANY_INTERFACE),)


def matches(
    ways: Sequence[Way], source: Addresses, target: Addresses, services: Services, unknown: str = ""
) -> tuple[Match, ...]:
    """Return the union that a rule matches: what is certain, then all that may be, as unknown.

    `unknown` is a further condition that nobody can decide: then nothing is certain.
    """
    found: list[Match] = []
    why = join(unknown, source.why, target.why, services.why)
    if not unknown:
        found += _product(ways, source.sure, target.sure, services.sure, "")
    if why:
        found += _product(ways, source.most, target.most, services.most, why)
    return tuple(found)


def _product(
    ways: Sequence[Way], source: AddressSet, target: AddressSet, services: Sequence[Service], unknown: str
) -> list[Match]:
    if not source.families & target.families:
        return []
    return [
        Match(
            ingress=ingress, egress=egress, source=source, target=target, protocol=one.protocol,
            sport=one.sport, dport=one.dport, states=one.states, unknown=unknown,
        )
        for ingress, egress in ways
        for one in services
    ]  # fmt: skip


def masked(address: int, mask: int) -> AddressSet | None:
    """Return the IPv4 addresses that agree with one in the bits of a mask; None for too many intervals."""
    free = ~mask & V4_MAX
    low = (free + 1 & ~free).bit_length() - 1  # the free bits at the end are one interval
    high = free >> low << low
    if 1 << high.bit_count() > MAX_MASK_SPANS:
        return None
    base = address & mask
    spans = []
    part = 0
    while True:
        spans.append((base | part, base | part | (1 << low) - 1))
        part = (part - high) & high  # the next number made of the free bits
        if not part:
            return AddressSet(Intervals.of(*spans))


def crossed(left: Services, right: Services) -> Services:
    """Return what both mean: certain where both are."""
    sure = _shared(left.sure, right.sure)
    most = _shared(left.most, right.most) if left.why or right.why else ()
    return Services(sure, most, join(left.why, right.why))


def _shared(left: Iterable[Service], right: Iterable[Service]) -> tuple[Service, ...]:
    others = tuple(right)
    found = []
    for one in left:
        for other in others:
            both = Service(
                one.protocol & other.protocol, one.dport & other.dport, one.sport & other.sport,
                one.states & other.states,
            )  # fmt: skip
            if both.protocol and both.dport and both.sport and both.states:
                found.append(both)
    return merged(found)
