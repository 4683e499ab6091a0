"""Named sets of the Linux kernel: their members, and what a rule that names one matches.

Source: ipset(8). What no packet alone decides (marks, MAC addresses, interfaces, counters) makes a set
whose match is not known; the text is compared all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from fwguard.dialects import netfilter_names as names
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.intervals import Intervals
from fwguard.model.matching import intersect, without
from fwguard.model.policy import Match
from fwguard.model.ports import ANY_PORT, TCP, UDP

MAX_MATCHES: Final = 4096
MAX_REST: Final = 1024  # products of everything that is not in a set
TYPES: Final = {
    "bitmap:ip": ("ip",), "bitmap:ip,mac": ("ip", "mac"), "bitmap:port": ("port",), "hash:ip": ("ip",),
    "hash:mac": ("mac",), "hash:ip,mac": ("ip", "mac"), "hash:net": ("net",), "hash:net,net": ("net", "net"),
    "hash:ip,port": ("ip", "port"), "hash:net,port": ("net", "port"), "hash:ip,port,ip": ("ip", "port", "ip"),
    "hash:ip,port,net": ("ip", "port", "net"), "hash:net,port,net": ("net", "port", "net"),
    "hash:ip,mark": ("ip", "mark"), "hash:net,iface": ("net", "iface"), "list:set": ("set",),
}  # fmt: skip
Service = tuple[int | None, Intervals]  # protocol (None: TCP and UDP), ports


@dataclass(frozen=True, slots=True)
class Member:
    """One entry, a value for each dimension; `excluded` is the option nomatch."""

    values: tuple[str, ...]
    excluded: bool = False


@dataclass(slots=True)
class NamedSet:
    """One set. `dimensions` are those of its type; `family` V6 after `family inet6`."""

    name: str
    kind: str
    line: int
    family: Family = Family.V4
    netmask: str = ""
    volatile: bool = False  # has a timeout, or is filled by packets
    members: list[Member] = field(default_factory=list)
    parts: list[NamedSet] = field(default_factory=list)  # of a list:set, in its order
    _known: dict[tuple[tuple[str, ...], Family, bool], tuple[tuple[Match, ...], str]] = field(
        default_factory=dict
    )

    def matches(
        self, directions: tuple[str, ...], family: Family, negated: bool = False
    ) -> tuple[tuple[Match, ...], str]:
        """Return what a rule of `family` matches by `--match-set NAME directions`, and why not if unknown."""
        key = (directions, family, negated)
        if key not in self._known:
            try:
                matches = self._matches(directions, family)
                self._known[key] = (_everything_but(matches) if negated else matches, "")
            except InputError as error:
                self._known[key] = ((), str(error))
        return self._known[key]

    def _matches(self, directions: tuple[str, ...], family: Family) -> tuple[Match, ...]:
        if any(direction not in ("src", "dst") for direction in directions):
            raise InputError(f"flags {','.join(directions)[:40]}", expected="src and dst")
        if self.kind == "list:set":
            return tuple(match for part in self.parts for match in part._in_list(directions, family))
        dimensions = TYPES[self.kind]
        if len(directions) < len(dimensions):
            raise InputError(f"{len(directions)} flags for {self.kind}", expected=f"{len(dimensions)}")
        if dimensions != ("port",) and self.family is not family:
            return ()
        if dimensions in (("ip",), ("net",)):
            return _one_side(directions[0], self.addresses())
        if any(member.excluded for member in self.members):
            raise InputError("members that say nomatch in more than one dimension")
        return self._products(dimensions, directions)

    def _in_list(self, directions: tuple[str, ...], family: Family) -> tuple[Match, ...]:
        """A member of a list with more dimensions than the rule has flags is passed over (ipset(8))."""
        if self.kind == "list:set" or len(directions) < len(TYPES[self.kind]):
            return ()
        matches, why = self.matches(directions, family)
        if why:
            raise InputError(f"{self.name}: {why}")
        return matches

    def addresses(self) -> AddressSet:
        """Return the addresses of a set with one dimension; the most specific prefix decides."""
        plain = [self.span(member.values[0]) for member in self.members if not member.excluded]
        every = spans_of(plain)
        if len(plain) == len(self.members):
            return every
        # Prefixes of one length are disjoint: from the widest to the narrowest, a length at a time.
        lengths: dict[int, tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]] = {}
        for member in self.members:
            span = self.span(member.values[0])
            lengths.setdefault(span[2] - span[1], ([], []))[member.excluded].append(span)
        every = AddressSet()
        for _, (included, excluded) in sorted(lengths.items(), reverse=True):
            every = (every | spans_of(included)) - spans_of(excluded)
        return every

    def span(self, text: str) -> tuple[int, int, int]:
        """Return (version, first, last) of a member. Raises InputError when it is of the other family."""
        version, low, high = parse_span(
            f"{text}/{self.netmask}" if self.netmask and "/" not in text else text
        )
        if (version == 6) != (self.family is Family.V6):
            raise InputError(f"member {text[:60]!r} of the other family")
        return version, low, high

    def _products(self, dimensions: tuple[str, ...], directions: tuple[str, ...]) -> tuple[Match, ...]:
        # Members that differ in their first address only become one product.
        grouped: dict[tuple[str, ...], list[tuple[int, int, int]]] = {}
        by_address = dimensions[0] in ("ip", "net")
        for member in self.members:
            if by_address:
                grouped.setdefault(member.values[1:], []).append(self.span(member.values[0]))
            else:
                grouped[member.values] = []
        if len(grouped) > MAX_MATCHES:
            raise InputError(f"{len(grouped)} kinds of members", expected=f"at most {MAX_MATCHES}")
        skipped = 1 if by_address else 0
        matches: list[Match] = []
        for values, spans in grouped.items():
            product: Match | None = _one_side(directions[0], spans_of(spans))[0] if by_address else Match()
            for dimension, direction, value in zip(
                dimensions[skipped:], directions[skipped:], values, strict=False
            ):
                side = self._dimension(dimension, direction, value)
                product = intersect(product, side) if product is not None else None
            if product is not None:
                matches.append(product)
        return tuple(matches)

    def _dimension(self, dimension: str, direction: str, value: str) -> Match:
        if dimension in ("ip", "net"):
            return _one_side(direction, spans_of([self.span(value)]))[0]
        if dimension == "port":
            protocol, ports = service(value)
            protocols = Intervals.single(TCP, UDP) if protocol is None else Intervals.single(protocol)
            if protocol in (1, 58) or direction == "dst":
                return Match(protocol=protocols, dport=ports)
            return Match(protocol=protocols, sport=ports)
        raise InputError(f"dimension {dimension}", expected="addresses and ports")


def _one_side(direction: str, addresses: AddressSet) -> tuple[Match, ...]:
    return (Match(source=addresses),) if direction == "src" else (Match(target=addresses),)


def spans_of(spans: list[tuple[int, int, int]]) -> AddressSet:
    """Return the set of all addresses of spans of either version."""
    return AddressSet(
        Intervals.of(*((low, high) for version, low, high in spans if version == 4)),
        Intervals.of(*((low, high) for version, low, high in spans if version == 6)),
    )


def _everything_but(matches: tuple[Match, ...]) -> tuple[Match, ...]:
    rest: tuple[Match, ...] = (Match(),)
    for match in matches:
        rest = without(rest, (match,))
        if len(rest) > MAX_REST:
            raise InputError("everything but the set", expected=f"fewer than {MAX_REST} products")
    return rest


@lru_cache(maxsize=4096)
def service(text: str) -> Service:
    """Read "80", "tcp:80-90", "icmp:echo-request", "icmpv6:128/0" or "gre:0"."""
    protocol_word, colon, ports_word = text.partition(":")
    if not colon:
        return None, names.port_span(protocol_word.replace("-", ":"))
    protocol = names.protocol_number(protocol_word)
    if protocol in (1, 58):
        family = Family.V6 if protocol == 58 else Family.V4
        return protocol, names.icmp_span(ports_word, family)
    if protocol in (6, 17, 132, 136):
        return protocol, names.port_span(ports_word.replace("-", ":"))
    return protocol, ANY_PORT  # the port of any other protocol is written 0 and not looked at
