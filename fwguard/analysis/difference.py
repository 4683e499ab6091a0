"""What two policies do differently: new connections, NAT, routes, rules, and text nobody could read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from fwguard.analysis.boxes import Box
from fwguard.model.policy import NatRule, Route, Rule, Unread

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ListChange(Generic[T]):
    """What a list has more and less; `reordered` when what stayed stands in another order that matters."""

    added: tuple[T, ...] = ()
    removed: tuple[T, ...] = ()
    reordered: bool = False

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.reordered)


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two policies compared, exact over new connections.

    `opens` certainly passes newly, `closes` certainly no longer; `undecided` may, depending on what could
    not be read. `omitted` boxes were not written out (a difference of that size is read as a whole).
    `rules` are the filter rules themselves, with or without effect. `in_words` are opens, undecided and
    closes as a person would say them (`simply.py`).
    """

    opens: tuple[Box, ...] = ()
    closes: tuple[Box, ...] = ()
    undecided: tuple[Box, ...] = ()
    nat: ListChange[NatRule] = field(default_factory=ListChange)
    routes: ListChange[Route] = field(default_factory=ListChange)
    unread: ListChange[Unread] = field(default_factory=ListChange)
    rules: ListChange[Rule] = field(default_factory=ListChange)
    omitted: int = 0
    in_words: tuple[tuple[Box, ...], tuple[Box, ...], tuple[Box, ...]] | None = None

    @property
    def spoken(self) -> tuple[tuple[Box, ...], tuple[Box, ...], tuple[Box, ...]]:
        """Return what opens, may change and closes, as a person would say it."""
        return self.in_words or (self.opens, self.undecided, self.closes)

    @property
    def is_empty(self) -> bool:
        """Tell whether both do the same with every new connection, and NAT, routes and unread text agree."""
        return not (self.passes_differently or self.nat or self.routes or self.unread)

    @property
    def passes_differently(self) -> bool:
        """Tell whether any new connection is filtered differently, for sure or perhaps."""
        return bool(self.opens or self.closes or self.undecided or self.omitted)


Signature = tuple[object, ...]


def rule_signature(rule: Rule) -> Signature:
    """Return what a rule means: without line, text and comment."""
    return (rule.action, rule.jump, rule.matches)


def nat_signature(rule: NatRule) -> Signature:
    """Return what a translation means: without line, text and comment."""
    return (rule.kind, rule.matches, rule.to, rule.to_ports)


def route_signature(route: Route) -> Signature:
    """Return what a route means: without its line."""
    return (route.prefix, route.via, route.interface, route.table, route.metric, route.kind)


def unread_signature(unread: Unread) -> Signature:
    """Return the text of an unread line without its indentation."""
    return (" ".join(unread.text.split()),)


def common_ends(before: Sequence[object], after: Sequence[object]) -> tuple[int, int]:
    """Return how many items two lists share at their start, and then at their end."""
    head = 0
    for left, right in zip(before, after, strict=False):
        if left != right:
            break
        head += 1
    tail = 0
    for left, right in zip(reversed(before[head:]), reversed(after[head:]), strict=False):
        if left != right:
            break
        tail += 1
    return head, tail
