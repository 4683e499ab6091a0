"""Named sets of the Linux kernel, from the text of `ipset save` or `ipset list`.

Source: ipset(8). What no packet alone decides (marks, MAC addresses, interfaces, counters) makes a set
whose match is not known; the text is compared all the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from fwguard.dialects import netfilter_names as names
from fwguard.errors import InputError, UnreadableError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.intervals import Intervals
from fwguard.model.matching import intersect, without
from fwguard.model.policy import Match
from fwguard.model.ports import ANY_PORT, TCP, UDP

MAX_TEXT: Final = 64 << 20
MAX_MEMBERS: Final = 500_000  # of all sets; the kernel takes 65 536 to a set unless told otherwise
MAX_LINE: Final = 4096
MAX_MATCHES: Final = 4096
MAX_REST: Final = 1024  # products of everything that is not in a set
TYPES: Final = {
    "bitmap:ip": ("ip",), "bitmap:ip,mac": ("ip", "mac"), "bitmap:port": ("port",), "hash:ip": ("ip",),
    "hash:mac": ("mac",), "hash:ip,mac": ("ip", "mac"), "hash:net": ("net",), "hash:net,net": ("net", "net"),
    "hash:ip,port": ("ip", "port"), "hash:net,port": ("net", "port"), "hash:ip,port,ip": ("ip", "port", "ip"),
    "hash:ip,port,net": ("ip", "port", "net"), "hash:net,port,net": ("net", "port", "net"),
    "hash:ip,mark": ("ip", "mark"), "hash:net,iface": ("net", "iface"), "list:set": ("set",),
}  # fmt: skip
_NAME: Final = re.compile(r"\S{1,31}")  # IPSET_MAXNAMELEN is 32
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
        plain = [self._span(member.values[0]) for member in self.members if not member.excluded]
        every = _spans(plain)
        if len(plain) == len(self.members):
            return every
        # Prefixes of one length are disjoint: from the widest to the narrowest, a length at a time.
        lengths: dict[int, tuple[list[tuple[int, int, int]], list[tuple[int, int, int]]]] = {}
        for member in self.members:
            span = self._span(member.values[0])
            lengths.setdefault(span[2] - span[1], ([], []))[member.excluded].append(span)
        every = AddressSet()
        for _, (included, excluded) in sorted(lengths.items(), reverse=True):
            every = (every | _spans(included)) - _spans(excluded)
        return every

    def _span(self, text: str) -> tuple[int, int, int]:
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
                grouped.setdefault(member.values[1:], []).append(self._span(member.values[0]))
            else:
                grouped[member.values] = []
        if len(grouped) > MAX_MATCHES:
            raise InputError(f"{len(grouped)} kinds of members", expected=f"at most {MAX_MATCHES}")
        skipped = 1 if by_address else 0
        matches: list[Match] = []
        for values, spans in grouped.items():
            product: Match | None = _one_side(directions[0], _spans(spans))[0] if by_address else Match()
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
            return _one_side(direction, _spans([self._span(value)]))[0]
        if dimension == "port":
            protocol, ports = service(value)
            protocols = Intervals.single(TCP, UDP) if protocol is None else Intervals.single(protocol)
            if protocol in (1, 58) or direction == "dst":
                return Match(protocol=protocols, dport=ports)
            return Match(protocol=protocols, sport=ports)
        raise InputError(f"dimension {dimension}", expected="addresses and ports")


def _one_side(direction: str, addresses: AddressSet) -> tuple[Match, ...]:
    return (Match(source=addresses),) if direction == "src" else (Match(target=addresses),)


def _spans(spans: list[tuple[int, int, int]]) -> AddressSet:
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


def read_sets(text: str) -> Mapping[str, NamedSet]:
    """Read `ipset save` or `ipset list`. Raises UnreadableError with the line for what is neither."""
    if len(text) > MAX_TEXT:
        raise UnreadableError(f"{len(text)} characters", expected=f"at most {MAX_TEXT}")
    reader = _Reader()
    for number, raw in enumerate(text.split("\n"), 1):
        if len(raw) > MAX_LINE:
            raise UnreadableError(f"a line of {len(raw)} characters", line=number, expected=f"≤ {MAX_LINE}")
        reader.line(number, raw.strip())
    reader.join_lists()
    return reader.sets


class _Reader:
    def __init__(self) -> None:
        self.sets: dict[str, NamedSet] = {}
        self.listed: NamedSet | None = None  # the block of `ipset list` that we are in
        self.in_members = False
        self.members = 0

    def line(self, number: int, line: str) -> None:
        words = line.split()
        if not words or line.startswith("#"):
            self.in_members = self.in_members and bool(words)
            return
        if words[0] == "-exist":
            words = words[1:]
        verb = {"-N": "create", "n": "create", "-A": "add"}.get(words[0], words[0]) if words else ""
        if self.in_members:
            self._add(number, self.listed, words)
        elif verb in ("create", "add"):
            if len(words) < 3:
                raise UnreadableError(f"{line[:60]!r}", line=number, expected=f"{verb} NAME …")
            if verb == "create":
                self._create(number, words[1], words[2], words[3:])
            else:
                self._add(number, self._named(number, words[1]), words[2:])
        elif verb in ("flush", "destroy", "COMMIT", "quit"):
            return
        else:
            self._heading(number, line)

    def _heading(self, number: int, line: str) -> None:
        key, colon, value = line.partition(":")
        value = value.strip()
        if not colon or (key != "Name" and self.listed is None):
            raise UnreadableError(
                f"{line[:60]!r}", line=number, expected="ipset save: create NAME TYPE, add NAME MEMBER"
            )
        if key == "Name":
            self.listed = NamedSet(self._new_name(number, value), "", number)
            self.sets[value] = self.listed
        elif self.listed is not None and key == "Type":
            self.listed.kind = self._kind(number, value)
        elif self.listed is not None and key == "Header":
            self._options(number, self.listed, value.split())
        elif key == "Members":
            if self.listed is not None and not self.listed.kind:
                raise UnreadableError("members of a set without a type", line=number, expected="Type: …")
            self.in_members = True

    def _new_name(self, number: int, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise UnreadableError(f"set name {name[:60]!r}", line=number, expected="at most 31 characters")
        if name in self.sets:
            raise UnreadableError(f"set {name} is created twice", line=number)
        return name

    @staticmethod
    def _kind(number: int, word: str) -> str:
        if word not in TYPES:
            raise UnreadableError(f"set type {word[:40]!r}", line=number, expected=", ".join(TYPES))
        return word

    def _create(self, number: int, name: str, kind: str, options: list[str]) -> None:
        created = NamedSet(self._new_name(number, name), self._kind(number, kind), number)
        self._options(number, created, options)
        self.sets[name] = created

    @staticmethod
    def _options(number: int, named: NamedSet, words: list[str]) -> None:
        for key, value in zip(words, [*words[1:], ""], strict=False):
            if key == "family":
                if value not in ("inet", "inet6"):
                    raise UnreadableError(f"family {value[:20]!r}", line=number, expected="inet or inet6")
                named.family = Family.V6 if value == "inet6" else Family.V4
            elif key == "netmask":
                named.netmask = value
            elif key == "timeout":
                named.volatile = True

    def _named(self, number: int, name: str) -> NamedSet:
        if name not in self.sets:
            raise UnreadableError(
                f"set {name[:60]!r} does not exist", line=number, expected="create before add"
            )
        return self.sets[name]

    def _add(self, number: int, named: NamedSet | None, words: list[str]) -> None:
        if named is None or not words:
            raise UnreadableError("a member of no set", line=number)
        values = tuple(words[0].split(","))
        if len(values) != len(TYPES[named.kind]) and named.kind not in ("bitmap:ip,mac",):
            raise UnreadableError(
                f"member {words[0][:60]!r} of {named.name}",
                line=number,
                expected=f"{named.kind.partition(':')[2]}",
            )
        self.members += 1
        if self.members > MAX_MEMBERS:
            raise UnreadableError(f"more than {MAX_MEMBERS} members", line=number)
        named.members.append(Member(values, "nomatch" in words[1:]))
        try:
            for dimension, value in zip(TYPES[named.kind], values, strict=False):
                if dimension in ("ip", "net"):
                    named._span(value)
                elif dimension == "port":
                    service(value)
        except InputError as error:
            raise UnreadableError(f"member {words[0][:60]!r} of {named.name}: {error}", line=number) from None

    def join_lists(self) -> None:
        for named in self.sets.values():
            if not named.kind:
                raise UnreadableError(f"set {named.name} has no type", line=named.line, expected="Type: …")
            if named.kind != "list:set":
                continue
            for member in named.members:
                part = self._named(named.line, member.values[0])
                if part.kind == "list:set":
                    raise UnreadableError(
                        f"list {named.name} holds list {part.name}",
                        line=named.line,
                        expected="sets of addresses",
                    )
                named.parts.append(part)


def canonical(text: str) -> str:
    """Return the sets by name, members sorted, without comments, counters and what only tunes memory."""
    lines: list[str] = []
    for name, named in sorted(read_sets(text).items()):
        options = (
            f" family inet{6 if named.family is Family.V6 else ''}" if named.kind.startswith("hash") else ""
        )
        options += f" netmask {named.netmask}" if named.netmask else ""
        options += " timeout" if named.volatile else ""
        lines.append(f"create {name} {named.kind}{options}")
        members = [_member_text(named, member) for member in named.members]
        # The order of a list's members decides nothing for a match: any of them may hold the packet.
        lines.extend(f"add {name} {member}" for member in sorted(members))
    return "\n".join(lines) + ("\n" if lines else "")


def _member_text(named: NamedSet, member: Member) -> str:
    parts: list[str] = []
    for dimension, value in zip(TYPES[named.kind], member.values, strict=False):
        parts.append(
            ",".join(_spans([named._span(value)]).texts())
            if dimension in ("ip", "net")
            else value.lower()
            if dimension == "port"
            else value
        )
    parts.extend(member.values[len(parts) :])
    return ",".join(parts) + (" nomatch" if member.excluded else "")
