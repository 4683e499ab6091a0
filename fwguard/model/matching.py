"""What two matches share, and what one leaves of the other: the algebra of `policy.Match`.

For a handful of boxes (placing a rule, flattening NAT, negating a concatenation); whole policies are
compared by `analysis`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.policy import InterfaceSet, Match
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL

Region = tuple[Match, ...]
NOWHERE: InterfaceSet = InterfaceSet.of()


def _covers(pattern: str, name: str) -> bool:
    """Tell whether every interface that `name` means is also meant by `pattern`; either may end in `*`."""
    if pattern.endswith("*"):
        return name.startswith(pattern[:-1])
    return pattern == name


def shared_interfaces(left: InterfaceSet, right: InterfaceSet) -> tuple[InterfaceSet, bool]:
    """Return the interfaces in both, and whether that is exact (`eth*` without `eth0` has no name)."""
    if left.is_any or left == right:
        return right, True
    if right.is_any:
        return left, True
    if left.negated and right.negated:
        return InterfaceSet(left.names | right.names), True
    if left.negated:
        left, right = right, left
    if not right.negated:
        names = {b for a in left.names for b in right.names if _covers(a, b)}
        names |= {a for a in left.names for b in right.names if _covers(b, a)}
        return InterfaceSet(frozenset(names), negated=False), True
    kept = frozenset(name for name in left.names if not any(_covers(gone, name) for gone in right.names))
    exact = not any(_covers(name, gone) for name in kept for gone in right.names)
    return InterfaceSet(kept, negated=False), exact


def other_interfaces(interfaces: InterfaceSet) -> InterfaceSet:
    """Return every interface that is not in the set."""
    return InterfaceSet(interfaces.names, not interfaces.negated)


def is_empty(match: Match) -> bool:
    """Tell whether no packet can match: a field is empty, or source and target share no IP version."""
    return not (
        match.protocol
        and match.sport
        and match.dport
        and match.states
        and ((match.source.v4 and match.target.v4) or (match.source.v6 and match.target.v6))
        and (match.ingress.negated or match.ingress.names)
        and (match.egress.negated or match.egress.names)
    )


def _addresses(left: AddressSet, right: AddressSet) -> AddressSet:
    if right is ANY_ADDRESS or left is right:
        return left
    return right if left is ANY_ADDRESS else left & right


def _numbers(left: Intervals, right: Intervals, everything: Intervals) -> Intervals:
    if right is everything or left is right:
        return left
    return right if left is everything else left & right


def intersect(left: Match, right: Match) -> Match | None:
    """Return what both match, or None. Unknown conditions add up; an inexact interface set is one, too."""
    protocol = _numbers(left.protocol, right.protocol, ANY_PROTOCOL)
    dport = _numbers(left.dport, right.dport, ANY_PORT)
    if not protocol or not dport:
        return None
    target = _addresses(left.target, right.target)
    source = _addresses(left.source, right.source)
    if not ((source.v4 and target.v4) or (source.v6 and target.v6)):
        return None
    sport = _numbers(left.sport, right.sport, ANY_PORT)
    states = left.states & right.states
    ingress, exact_in = shared_interfaces(left.ingress, right.ingress)
    egress, exact_out = shared_interfaces(left.egress, right.egress)
    unknown = left.unknown
    if right.unknown and right.unknown != unknown:
        unknown = f"{unknown}; {right.unknown}" if unknown else right.unknown
    if not (exact_in and exact_out) and not unknown:
        unknown = f"interface {left.ingress} and {right.ingress}, {left.egress} and {right.egress}"
    if not (sport and states and (ingress.negated or ingress.names) and (egress.negated or egress.names)):
        return None
    return Match(
        ingress=ingress, egress=egress, source=source, target=target, protocol=protocol, sport=sport,
        dport=dport, states=states, unknown=unknown,
    )  # fmt: skip


def _with(match: Match, field: str, value: Any) -> Match:
    return replace(match, **{field: value})


def subtract(left: Match, right: Match) -> Region:
    """Return `left` without `right` as disjoint matches.

    Nobody knows what an unknown `right` takes away: `left` stays whole. Where the rest has no name
    (`eth*` without `eth0`) it is a little wider than the truth.
    """
    if right.unknown or intersect(left, right) is None:
        return (left,)
    rest = left
    pieces: list[Match] = []

    def cut(piece: Match, remaining: Match) -> Match:
        if not is_empty(piece):
            pieces.append(piece)
        return remaining

    for name in ("protocol", "dport", "sport"):
        mine: Intervals = getattr(rest, name)
        theirs: Intervals = getattr(right, name)
        if outside := mine - theirs:
            rest = cut(_with(rest, name, outside), _with(rest, name, mine & theirs))
    for name in ("target", "source"):
        ours: AddressSet = getattr(rest, name)
        gone: AddressSet = getattr(right, name)
        if far := ours - gone:
            rest = cut(_with(rest, name, far), _with(rest, name, ours & gone))
    if states := rest.states - right.states:
        rest = cut(replace(rest, states=states), replace(rest, states=rest.states & right.states))
    for name in ("ingress", "egress"):
        here: InterfaceSet = getattr(rest, name)
        there: InterfaceSet = getattr(right, name)
        if there.is_any:
            continue
        beyond, _ = shared_interfaces(here, other_interfaces(there))
        if beyond.negated or beyond.names:
            both, _ = shared_interfaces(here, there)
            rest = cut(_with(rest, name, beyond), _with(rest, name, both))
    return tuple(pieces)


def share(region: Iterable[Match], matches: Iterable[Match]) -> Region:
    """Return what a union of matches shares with another."""
    others = tuple(matches)
    return tuple(both for one in region for other in others if (both := intersect(one, other)) is not None)


def without(region: Iterable[Match], matches: Iterable[Match]) -> Region:
    """Return a union of matches without another."""
    rest = tuple(region)
    for match in matches:
        rest = tuple(piece for one in rest for piece in subtract(one, match))
    return rest


ANYTHING: Match = Match()
