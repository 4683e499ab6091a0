"""Compare two policies: exactly which new connections one lets pass and the other does not."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from fwguard.analysis.boxes import Box, read_boxes
from fwguard.analysis.difference import (
    Difference,
    ListChange,
    Signature,
    common_ends,
    nat_signature,
    route_signature,
    rule_signature,
    unread_signature,
)
from fwguard.analysis.interfaces import InterfaceTable, interface_sets
from fwguard.analysis.partition import (
    CLOSES,
    MAX_REGIONS,
    MAY_CLOSE,
    MAY_OPEN,
    OPENS,
    UNCLEAR,
    Partition,
)
from fwguard.analysis.program import flatten
from fwguard.analysis.simply import simpler
from fwguard.analysis.space import Dim, Space, address_pairs
from fwguard.model.address import Family
from fwguard.model.intervals import Pairs, normalised
from fwguard.model.matching import intersect
from fwguard.model.policy import Hook, Match, NatRule, Policy, Rule

T = TypeVar("T")
N = TypeVar("N", bound=Hashable)

# A universe of more pieces than this costs more than it saves.
_MOST_PIECES: Final = 64
# Pairs of moved NAT rules looked at before order is taken to matter.
_MOST_MOVED: Final = 200
_LEANS: Final = {MAY_OPEN: "opens", MAY_CLOSE: "closes", UNCLEAR: ""}


def compare(before: Policy, after: Policy) -> Difference:
    """Return what new connections the two policies pass differently, and how NAT, routes and rules differ.

    Exact over interfaces, source, target, protocol, ports and ICMP types, each hook apart, both IP
    versions. Addresses are those that the filter sees: after destination NAT. Cost: near-linear in the
    rules that differ times the rules that overlap them. Source: CONTRACT.md clause 7.1.1.
    """
    suspects = changed_rules(before, after)
    opens: list[Box] = []
    closes: list[Box] = []
    undecided: list[Box] = []
    omitted = 0
    for hook in Hook:
        region = suspects.region(hook)
        if region is None:
            continue
        partitions = list(_partitions(before, after, hook, region))
        omitted += sum(
            max(0, partition.count(leaf) - MAX_REGIONS)
            for partition in partitions
            for leaf in (OPENS, CLOSES, *_LEANS)
        )
        opens += _boxes(partitions, OPENS)
        closes += _boxes(partitions, CLOSES)
        for leaf in _LEANS:
            undecided += _boxes(partitions, leaf)
    return Difference(
        opens=tuple(opens),
        closes=tuple(closes),
        undecided=tuple(undecided),
        nat=list_change(before.nat, after.nat, nat_signature, in_the_way=_nat_overlaps),
        routes=list_change(before.routes, after.routes, route_signature),
        unread=list_change(before.unread, after.unread, unread_signature),
        rules=ListChange(tuple(suspects.added), tuple(suspects.removed), suspects.reordered),
        omitted=omitted,
        in_words=(
            simpler(opens, after, passes=True),
            _simpler_doubts(undecided, after),
            simpler(closes, after, passes=False),
        ),
    )


def _simpler_doubts(undecided: list[Box], after: Policy) -> tuple[Box, ...]:
    opening = [box for box in undecided if box.leans == "opens"]
    rest = [box for box in undecided if box.leans != "opens"]
    return (*simpler(opening, after, passes=True), *rest)


def _partitions(before: Policy, after: Policy, hook: Hook, region: Sequence[Match]) -> Iterable[Partition]:
    table = InterfaceTable.of(interface_sets((before, after), hook))
    for family in (Family.V4, Family.V6):
        space = Space.of(hook, family, table, _universe(region, family, table))
        if not space.is_empty:
            yield Partition(space, flatten(before, space), flatten(after, space))


def _boxes(partitions: list[Partition], leaf: int) -> list[Box]:
    raw = [(partition.space, partition.boxes(leaf)) for partition in partitions if partition.count(leaf)]
    return read_boxes(raw, leans=_LEANS.get(leaf, ""))


def _universe(region: Sequence[Match], family: Family, table: InterfaceTable) -> dict[Dim, Pairs]:
    """Return a product of sets outside which no match of the region stands: whole dimensions left out."""
    parts: dict[Dim, list[Pairs]] = {
        Dim.EGRESS: [table.pairs(match.egress) for match in region],
        Dim.INGRESS: [table.pairs(match.ingress) for match in region],
        Dim.SOURCE: [address_pairs(match.source, family) for match in region],
        Dim.TARGET: [address_pairs(match.target, family) for match in region],
        Dim.PROTOCOL: [match.protocol.pairs for match in region],
        Dim.DPORT: [match.dport.pairs for match in region],
        Dim.SPORT: [match.sport.pairs for match in region],
    }
    universe = {}
    for dim, sets in parts.items():
        pairs = normalised(pair for one in set(sets) for pair in one)
        if len(pairs) <= _MOST_PIECES:
            universe[dim] = pairs
    return universe


@dataclass(slots=True)
class ChangedRules:
    """Which rules differ between two policies, and so where their verdicts may: nowhere else."""

    added: list[Rule] = field(default_factory=list)
    removed: list[Rule] = field(default_factory=list)
    reordered: bool = False
    matches: dict[str, list[Match]] = field(default_factory=dict)  # by chain
    whole: set[Hook] = field(default_factory=set)
    reach: dict[Hook, set[str]] = field(default_factory=dict)

    def region(self, hook: Hook) -> list[Match] | None:
        """Return the matches that cover every change of verdict of a hook, or None when there is none."""
        if hook in self.whole:
            return [Match()]
        region = [match for key in self.reach[hook] for match in self.matches.get(key, ())]
        return region or None


def changed_rules(before: Policy, after: Policy) -> ChangedRules:
    """Find the rules that differ: by meaning, without lines, comments and texts."""
    out = ChangedRules()
    for hook in Hook:
        out.reach[hook] = _reached(before, hook) | _reached(after, hook)
        if before.families != after.families or _frame(before, hook) != _frame(after, hook):
            out.whole.add(hook)
    for key in dict.fromkeys((*before.chains, *after.chains)):
        old = before.chains[key].rules if key in before.chains else ()
        new = after.chains[key].rules if key in after.chains else ()
        _changed_in_chain(key, old, new, out)
        if (key in before.chains) != (key in after.chains):
            # Only a jump leads here, and that jump differs too; an entry of a hook is in its frame.
            out.matches.pop(key, None)
    return out


def _frame(policy: Policy, hook: Hook) -> list[tuple[object, ...]]:
    """Return what surrounds the rules of a hook: its base chains and their defaults."""
    chains = ((key, policy.chains[key]) for key in policy.hooks.get(hook, ()))
    return [(key, chain.families, chain.default) for key, chain in chains]


def _reached(policy: Policy, hook: Hook) -> set[str]:
    todo = list(policy.hooks.get(hook, ()))
    seen = set(todo)
    while todo:
        for rule in policy.chains[todo.pop()].rules:
            if rule.jump and rule.jump not in seen:
                seen.add(rule.jump)
                todo.append(rule.jump)
    return seen


def _changed_in_chain(key: str, old: Sequence[Rule], new: Sequence[Rule], out: ChangedRules) -> None:
    head, tail = common_ends([rule_signature(rule) for rule in old], [rule_signature(rule) for rule in new])
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if not old and not new:
        return
    numbers: dict[Signature, int] = {}  # what a rule means is hashed once: it is deep
    old_names = [numbers.setdefault(rule_signature(rule), len(numbers)) for rule in old]
    new_names = [numbers.setdefault(rule_signature(rule), len(numbers)) for rule in new]
    gone, come = Counter(old_names) - Counter(new_names), Counter(new_names) - Counter(old_names)
    removed = _pick(old, old_names, gone)
    added = _pick(new, new_names, come)
    out.removed += [old[i] for i in sorted(removed)]
    out.added += [new[i] for i in sorted(added)]
    stayed_old = [name for i, name in enumerate(old_names) if i not in removed]
    stayed_new = [name for i, name in enumerate(new_names) if i not in added]
    suspects = [old[i] for i in removed] + [new[i] for i in added]
    if stayed_old != stayed_new:
        out.reordered = True
        suspects = [*old, *new]
    out.matches[key] = [match for rule in suspects for match in rule.matches]


def _pick(rules: Sequence[T], names: Sequence[N], wanted: Counter[N]) -> set[int]:
    """Return which places of a list hold the wanted names, each as often as wanted, last ones first."""
    left = Counter(wanted)
    places = set()
    for place in range(len(rules) - 1, -1, -1):
        if left[names[place]] > 0:
            left[names[place]] -= 1
            places.add(place)
    return places


def list_change(
    before: Sequence[T],
    after: Sequence[T],
    signature: Callable[[T], Signature],
    *,
    in_the_way: Callable[[T, T], bool] | None = None,
) -> ListChange[T]:
    """Compare two lists by what their items mean.

    `in_the_way` tells whether the order of two items matters; without it no order does.
    """
    old, new = [signature(item) for item in before], [signature(item) for item in after]
    removed = _pick(before, old, Counter(old) - Counter(new))
    added = _pick(after, new, Counter(new) - Counter(old))
    reordered = False
    if in_the_way is not None:
        left = [(old[i], item) for i, item in enumerate(before) if i not in removed]
        right = [name for i, name in enumerate(new) if i not in added]
        reordered = [name for name, _ in left] != right and _order_matters(left, right, in_the_way)
    return ListChange(
        tuple(after[i] for i in sorted(added)), tuple(before[i] for i in sorted(removed)), reordered
    )


def _order_matters(
    left: list[tuple[Signature, T]], right: list[Signature], in_the_way: Callable[[T, T], bool]
) -> bool:
    if len(left) > _MOST_MOVED:
        return True
    place = {name: i for i, name in enumerate(right)}
    return any(
        place[left[i][0]] > place[left[j][0]] and in_the_way(left[i][1], left[j][1])
        for i in range(len(left))
        for j in range(i + 1, len(left))
    )


def _nat_overlaps(left: NatRule, right: NatRule) -> bool:
    return any(intersect(a, b) is not None for a in left.matches for b in right.matches)
