"""Named things that consist of parts and of other named things: objects and object-groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Final, Generic, TypeVar

from fwguard.dialects.bounds import ANY_SERVICE, Addresses, Services, join, merged
from fwguard.dialects.bounds import Service as Plain
from fwguard.dialects.loops import refuse_loops
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_STATE, Action, Match, Rule
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL

Part = TypeVar("Part")
MAX_PARTS: Final = 100_000  # of one group with all that it holds
MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True)
class Service:
    """Protocols with their ports; `dport` holds ICMP types. `doubt` says why the match is a subset of it."""

    protocol: Intervals = ANY_PROTOCOL
    sport: Intervals = ANY_PORT
    dport: Intervals = ANY_PORT
    doubt: str = ""


@dataclass(slots=True)
class Entry(Generic[Part]):
    """A name with its own parts, the names that it refers to, and why it may be more or less than these."""

    line: int
    parts: list[Part] = field(default_factory=list)
    refs: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


class Table(Generic[Part]):
    """All names of one kind, resolved when first asked for; what is missing or very deep is in doubt."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry[Part]] = {}
        self._done: dict[str, tuple[tuple[Part, ...], str]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self.entries

    def entry(self, name: str, line: int) -> Entry[Part]:
        """Return the entry of a name, made if there is none: later lines add to it."""
        return self.entries.setdefault(name, Entry(line))

    def refuse_loops(self) -> None:
        """Raise UnreadableError for a group that holds itself; to be asked before any is resolved."""
        refuse_loops(
            self.entries,
            lambda name: (ref for ref in self.entries[name].refs if ref in self.entries),
            kind="object-group",
            line_of=lambda name: self.entries[name].line,
        )

    def resolve(self, name: str) -> tuple[tuple[Part, ...], str]:
        """Return all parts of a name, and a doubt or "". Cost: each name is followed once."""
        return self._resolve(name, 0)

    def _resolve(self, name: str, depth: int) -> tuple[tuple[Part, ...], str]:
        if name in self._done:
            return self._done[name]
        if depth > MAX_DEPTH:
            return (), f"{name} is nested too deep"
        entry = self.entries.get(name)
        if entry is None:
            return (), f"{name} does not exist"
        parts: dict[Part, None] = dict.fromkeys(entry.parts)
        doubts: dict[str, None] = dict.fromkeys(entry.doubts)
        for ref in dict.fromkeys(entry.refs):
            more, doubt = self._resolve(ref, depth + 1)
            parts.update(dict.fromkeys(more))
            if doubt:
                doubts[doubt] = None
            if len(parts) > MAX_PARTS:
                doubts[f"{name} holds too many parts"] = None
                break
        if not parts and not doubts:
            doubts[f"{name} is empty"] = None
        found = self._done[name] = tuple(parts), "; ".join(doubts)[:300]
        return found


def union(parts: tuple[AddressSet, ...]) -> AddressSet:
    """Return all addresses of all parts."""
    if len(parts) == 1:
        return parts[0]
    return AddressSet(
        Intervals.of(*(pair for part in parts for pair in part.v4)) if parts else Intervals(),
        Intervals.of(*(pair for part in parts for pair in part.v6)) if parts else Intervals(),
    )


def numbers(parts: tuple[Intervals, ...]) -> Intervals:
    """Return all numbers of all parts."""
    return Intervals.of(*(pair for part in parts for pair in part)) if parts else Intervals()


def doubted(match: Match, doubt: str) -> Match:
    """Return a match of which nobody knows how much it covers, if there is a doubt."""
    if not doubt or doubt == match.unknown:
        return match
    return replace(match, unknown="; ".join(filter(None, (match.unknown, doubt)))[:400])


def known_addresses(parts: tuple[AddressSet, ...], doubt: str, whole: AddressSet) -> Addresses:
    """Return what a name surely means; with a doubt, it may mean all of `whole` besides."""
    return Addresses(union(parts) & whole, whole if doubt else AddressSet(), doubt)


def known_services(parts: tuple[Service, ...], doubt: str) -> Services:
    """Return what a name surely means; with a doubt, it may mean any service besides."""
    sure = tuple(_plain(part) for part in parts if not part.doubt)
    maybe = tuple(_plain(part) for part in parts if part.doubt)
    why = join(doubt, *(part.doubt for part in parts))
    return Services(merged(sure), (ANY_SERVICE,) if doubt else merged(maybe), why)


def _plain(part: Service) -> Plain:
    return Plain(part.protocol, part.dport, part.sport)


def decides_all(rules: Iterable[Rule], whole: Match) -> bool:
    """Tell whether an entry of a list matches everything, so that its implicit deny never acts."""
    return any(
        not match.unknown
        and whole.source <= match.source
        and whole.target <= match.target
        and match.protocol == ANY_PROTOCOL
        and match.sport == match.dport == ANY_PORT
        and match.states == ANY_STATE
        for rule in rules
        if rule.action in (Action.ACCEPT, Action.DROP)
        for match in rule.matches
    )
