"""What an approved policy lets in from outside, in the addresses that an edge sees: before the firewall's NAT.

Pure. The filter is asked what it passes (exactly, by comparing it with one that passes nothing), redirections say
by which public address and port each of that is reached, and what someone asked for carries its ticket and its
end. What cannot be read is never taken for a permission; it is named instead (clause 7.1.1).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

from fwguard.analysis.boxes import Box
from fwguard.analysis.compare import compare
from fwguard.analysis.exposure import outside_interfaces
from fwguard.analysis.translate import destination_rules
from fwguard.flows.drift import policy_of
from fwguard.model.address import AddressSet, Family
from fwguard.model.change import Change
from fwguard.model.edge_fields import MOST_SPANS, Span
from fwguard.model.edge_grants import EdgeOpening
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Platform
from fwguard.model.matching import share, without
from fwguard.model.policy import Action, Chain, Hook, Match, NatKind, NatRule, Policy
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, WITH_PORTS
from fwguard.model.snapshot import Snapshot

BASELINE: Final = "baseline"  # the ticket of what stood in the approved state before anyone asked
_CLIENT_PORTS: Final = Intervals(((1024, 65535),))
_MOST_ONE_TO_ONE: Final = 256


@dataclass(frozen=True, slots=True)
class Asked:
    """What someone asked for and has: behind the firewall, as its filter sees it; `ends_at_s` None: no end."""

    change: Change
    ticket: str
    ends_at_s: int | None


@dataclass(frozen=True, slots=True)
class Outer:
    """The port on the outside of a firewall: its number, the addresses that lead there, those of them that are
    servers' own (what comes there is forwarded, never the firewall's), and the firewall's name for it."""

    number: int
    held: AddressSet
    servers: AddressSet = AddressSet()
    device_interface: str = ""


@dataclass(frozen=True, slots=True)
class Let:
    """What passes, and what kept us from knowing more."""

    openings: tuple[EdgeOpening, ...]
    doubts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Way:
    """Connections to `public` arrive behind the firewall at `inner` (None: as they are), ports likewise.

    `hook` is the filter that judges them.
    """

    hook: Hook
    public: Match
    inner: AddressSet | None = None
    inner_ports: Intervals | None = None


@lru_cache(maxsize=4096)
def let_in(platform: Platform, approved: Snapshot, outer: Outer, asked: tuple[Asked, ...]) -> Let:
    """Return the openings of one firewall. Raises InputError when its dialect cannot read the text at all.

    A firewall that filters nothing of what comes to itself approves no opening by that: else whatever its client
    redirects from its own address would be approved too. Of ICMP all types pass where one does: an edge does not
    tell them apart, the firewall does.
    """
    policy = policy_of(platform, approved)
    names = frozenset({outer.device_interface}) if outer.device_interface else outside_interfaces(policy)
    if not names:
        return Let(
            (),
            ("which of its interfaces leads outside is not known: `fwguard edge port --device-interface`",),
        )
    boxes, doubts = _passed(policy, names)
    grants: dict[tuple[Span, int, int, int, str, int | None], AddressSet] = {}
    for way in _ways(policy, outer, names):
        for box in (box for box in boxes if box.hook is way.hook):
            for piece, ticket, ends_at_s in _tickets(_behind(way, box), asked):
                for public in _in_front(way, piece):
                    for key in _keys(public, ticket, ends_at_s):
                        grants[key] = grants.get(key, AddressSet()) | public.source
    openings, wide = [], 0
    for (span, protocol, first, last, ticket, ends_at_s), sources in sorted(grants.items(), key=_order):
        of_version = sources.of_family(Family.V4 if span.version == 4 else Family.V6)
        if not 1 <= len((of_version.v4 if span.version == 4 else of_version.v6).pairs) <= MOST_SPANS:
            wide += 1
            continue
        opening = EdgeOpening(
            port=outer.number, public=span, protocol=protocol, first_port=first, last_port=last, sources=of_version,
            ends_at_s=ends_at_s, ticket=ticket,
        )  # fmt: skip
        openings.append(opening)
    if wide:
        doubts.append(f"{wide} openings have more than {MOST_SPANS} spans of sources")
    return Let(tuple(openings), tuple(doubts))


def _passed(policy: Policy, outside: frozenset[str]) -> tuple[list[Box], list[str]]:
    """Return the new connections that certainly pass from outside, and what is in doubt."""
    shut = Chain(name="shut", families=policy.families, rules=(), default=Action.DROP)
    nothing = Policy(
        dialect="none", families=policy.families, chains={"shut": shut},
        hooks={Hook.FORWARD: ("shut",), Hook.INPUT: ("shut",)},
    )  # fmt: skip
    difference = compare(nothing, policy)

    def arrives(box: Box) -> bool:
        return box.hook is not Hook.OUTPUT and any(name in box.ingress for name in outside)

    doubts = []
    unread = sum(arrives(box) for box in difference.undecided)
    if unread:
        doubts.append(f"{unread} kinds of connections may pass by rules that could not be read: they do not")
    if difference.omitted:
        doubts.append(
            f"{difference.omitted} kinds of connections are too many to write out: they do not pass"
        )
    boxes = [box for box in difference.opens if arrives(box)]
    open_wide = [
        box
        for box in boxes
        if box.hook is Hook.INPUT and box.dport == ANY_PORT == box.sport and box.protocol == ANY_PROTOCOL
    ]
    if open_wide:
        doubts.append("what it takes for itself is not filtered at all, which approves no opening to it")
        boxes = [box for box in boxes if box not in open_wide]
    narrow = [box for box in boxes if not _of_any_client(box.sport)]
    if narrow:
        doubts.append(
            f"{len(narrow)} rules pass by source port only, which anyone can choose: they do not count"
        )
    return [box for box in boxes if _of_any_client(box.sport)], doubts


def _of_any_client(ports: Intervals) -> bool:
    return not _CLIENT_PORTS - ports


def _ways(policy: Policy, outer: Outer, outside: frozenset[str]) -> Iterator[_Way]:
    """Yield where connections to the public addresses go: the first redirection that matches decides."""
    left: tuple[Match, ...] = (Match(target=outer.held),)
    for rule in destination_rules(policy):
        matches = [
            replace(match, ingress=left[0].ingress, egress=left[0].egress)
            for match in rule.matches
            if match.can_be_new and any(name in match.ingress for name in outside) and left
        ]
        for taken in share(left, matches):
            if not taken.unknown:
                yield from _of_rule(rule, taken, outer)
        # What a rule that was not read in full may take goes nowhere certain: it is no permission.
        left = without(left, [replace(match, unknown="") for match in matches])
        if not left:
            return
    for rest in left:
        yield from _as_they_are(rest, outer)


def _as_they_are(public: Match, outer: Outer) -> Iterator[_Way]:
    """Yield what is forwarded to servers by their own addresses, and what the firewall takes for itself."""
    if behind := public.target & outer.servers:
        yield _Way(Hook.FORWARD, replace(public, target=behind))
    if own := public.target - outer.servers:
        yield _Way(Hook.INPUT, replace(public, target=own))


def _of_rule(rule: NatRule, taken: Match, outer: Outer) -> Iterator[_Way]:
    match rule.kind:
        case NatKind.EXEMPT:
            yield from _as_they_are(taken, outer)
        case NatKind.DNAT:
            yield _Way(Hook.FORWARD, taken, rule.to or None, rule.to_ports or None)
        case NatKind.REDIRECT:
            yield _Way(Hook.INPUT, taken, None, rule.to_ports or None)
        case NatKind.NETMAP | NatKind.STATIC:
            yield from _one_to_one(rule, taken)
        case _:
            return


def _one_to_one(rule: NatRule, taken: Match) -> Iterator[_Way]:
    """Yield one way an address, where the whole of what the rule matches is as large as what it leads to."""
    for family in (Family.V4, Family.V6):
        v4 = family is Family.V4
        whole = [pair for match in rule.matches for pair in (match.target.v4 if v4 else match.target.v6)]
        there = (rule.to.v4 if v4 else rule.to.v6).pairs
        if len(whole) != 1 or len(there) != 1 or whole[0][1] - whole[0][0] != there[0][1] - there[0][0]:
            continue
        for low, high in taken.target.v4 if v4 else taken.target.v6:
            for number in range(low, min(high, low + _MOST_ONE_TO_ONE - 1) + 1):
                outer, inner = Intervals.single(number), Intervals.single(number - whole[0][0] + there[0][0])
                public = AddressSet(v4=outer) if v4 else AddressSet(v6=outer)
                yield _Way(
                    Hook.FORWARD, replace(taken, target=public), AddressSet(v4=inner) if v4 else AddressSet(v6=inner),
                    rule.to_ports or None,
                )  # fmt: skip


def _behind(way: _Way, box: Box) -> tuple[Match, ...]:
    """Return what of a box comes by a way, in the addresses behind the firewall."""
    passed = Match(source=box.source, target=box.target, protocol=box.protocol, dport=box.dport)
    come = Match(
        source=way.public.source, target=way.public.target if way.inner is None else way.inner,
        protocol=way.public.protocol, dport=way.public.dport if way.inner_ports is None else way.inner_ports,
    )  # fmt: skip
    if not _of_any_client(way.public.sport):
        return ()
    return share((come,), (passed,))


def _tickets(pieces: Iterable[Match], asked: Sequence[Asked]) -> Iterator[tuple[Match, str, int | None]]:
    """Cut what passes by what was asked for: each part with its ticket and end, the rest is the baseline's."""
    left = tuple(pieces)
    for one in asked:
        wanted = [
            Match(source=it.source, target=it.target, protocol=Intervals.single(it.protocol),
                  dport=it.ports or ANY_PORT)
            for it in one.change.openings
        ]  # fmt: skip
        for part in share(left, wanted):
            yield part, one.ticket, one.ends_at_s
        left = without(left, wanted)
    for rest in left:
        yield rest, BASELINE, None


def _in_front(way: _Way, piece: Match) -> tuple[Match, ...]:
    """Return a part behind the firewall in the addresses and ports before it.

    A redirection to one port, or to as many as it takes, is open where any of them is.
    """
    front = replace(
        way.public, source=piece.source, protocol=piece.protocol,
        target=piece.target if way.inner is None else way.public.target,
        dport=piece.dport if way.inner_ports is None else way.public.dport,
    )  # fmt: skip
    return share((way.public,), (front,))


def _keys(
    public: Match, ticket: str, ends_at_s: int | None
) -> Iterator[tuple[Span, int, int, int, str, int | None]]:
    spans = [Span(4, *pair) for pair in public.target.v4] if public.source.v4 else []
    spans += [Span(6, *pair) for pair in public.target.v6] if public.source.v6 else []
    for low, high in public.protocol:
        for protocol in range(low, high + 1):
            ranges = public.dport.pairs if protocol in WITH_PORTS else ((0, 65535),)
            for span in spans:
                for first, last in ranges:
                    yield span, protocol, first, last, ticket, ends_at_s


def _order(item: tuple[tuple[Span, int, int, int, str, int | None], AddressSet]) -> tuple[object, ...]:
    span, protocol, first, last, ticket, ends_at_s = item[0]
    return span, protocol, first, last, ticket, ends_at_s or 0
