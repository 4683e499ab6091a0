"""What a change would do: is it open already, would all of it open, does anything else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from fwguard.analysis.boxes import Box, example
from fwguard.analysis.compare import compare
from fwguard.analysis.difference import Difference
from fwguard.analysis.exposure import is_public, outside_interfaces
from fwguard.analysis.interfaces import InterfaceTable, interface_sets
from fwguard.analysis.partition import OPENS, SAME
from fwguard.analysis.passes import may_pass, passing, universe_of
from fwguard.analysis.program import ACCEPT, flatten
from fwguard.analysis.reach import Reach
from fwguard.analysis.routing import behind, leaving
from fwguard.analysis.space import Space
from fwguard.analysis.translate import inner_target
from fwguard.model.address import ANY_ADDRESS, Family
from fwguard.model.change import Opening
from fwguard.model.intervals import Intervals
from fwguard.model.policy import ANY_INTERFACE, Action, Hook, InterfaceSet, Policy
from fwguard.model.ports import ANY_PORT, WITH_PORTS

_MOST_LINES: Final = 20


class Coverage(StrEnum):
    """How much of something passes for sure; PART also where nobody knows."""

    ALL = "all"
    PART = "part"
    NONE = "none"


class Outcome(StrEnum):
    """What a change did, compared with what was asked."""

    EXACT = "exact"
    PARTIAL = "partial"  # less than was asked
    WIDER = "wider"  # more than was asked
    UNRELATED = "unrelated"  # nothing of what was asked


@dataclass(frozen=True, slots=True, kw_only=True)
class WhatIf:
    """The three questions of an approver. `asked` is what was asked for as the filter sees it: after NAT.

    `already_by` are lines that let it pass today. `wider_than_asked` may also hold what only perhaps
    opens. `first_opening`: nothing from outside reaches the servers asked for today.
    """

    asked: tuple[Box, ...]
    already: Coverage
    already_by: tuple[int, ...]
    then: Coverage
    difference: Difference
    wider_than_asked: tuple[Box, ...]
    first_opening: bool

    @property
    def opens(self) -> tuple[Box, ...]:
        """Return what certainly passes newly."""
        return self.difference.opens

    @property
    def closes(self) -> tuple[Box, ...]:
        """Return what certainly no longer passes."""
        return self.difference.closes

    @property
    def undecided(self) -> tuple[Box, ...]:
        """Return what rules that cannot be read leave open."""
        return self.difference.undecided

    @property
    def outcome(self) -> Outcome:
        """Return the change as reconciliation calls it."""
        if self.then is Coverage.NONE:
            return Outcome.UNRELATED
        if self.wider_than_asked or self.closes:
            return Outcome.WIDER
        return Outcome.EXACT if self.then is Coverage.ALL else Outcome.PARTIAL


def what_if(before: Policy, after: Policy, openings: Sequence[Opening]) -> WhatIf:
    """Return what going from one policy to the other does for some openings, and besides.

    An opening of an address that the firewall redirects is taken to where it leads after the change.
    """
    asked = tuple(box for opening in openings for box in asked_boxes(after, opening))
    difference = compare(before, after)
    maybe = tuple(box for box in difference.undecided if box.leans != "closes")
    return WhatIf(
        asked=asked,
        already=coverage(before, asked),
        already_by=passing_lines(before, asked),
        then=coverage(after, asked),
        difference=difference,
        wider_than_asked=tuple(without((*difference.opens, *maybe), asked)),
        first_opening=bool(asked) and not any(_reached(before, box) for box in asked),
    )


def reconcile(before: Policy, after: Policy, openings: Sequence[Opening]) -> Outcome:
    """Return whether a deployment did what was asked: exactly, less, more, or something else."""
    return what_if(before, after, openings).outcome


def asked_boxes(policy: Policy, opening: Opening) -> list[Box]:
    """Return an opening as the forwarding filter sees it: after destination NAT."""
    ports = opening.ports or ANY_PORT
    boxes = []
    for way in inner_target(policy, opening.target, opening.protocol, ports):
        box = Box(
            hook=Hook.FORWARD,
            source=opening.source,
            target=way.target,
            protocol=Intervals.single(opening.protocol),
            dport=way.ports if opening.protocol in WITH_PORTS else ports,
        )
        if box.families:
            boxes.append(replace(box, witness=example(box)))
    return boxes


def coverage(policy: Policy, boxes: Iterable[Box]) -> Coverage:
    """Return how much of some boxes passes for sure.

    A public source is asked about where it comes in, when routes or NAT tell which interface that is; a
    server about where it lies, when the interfaces' own addresses and the routes tell.
    """
    roots = {
        partition.root
        for box in boxes
        for placed in on_the_way(policy, box)
        for partition in passing(policy, box.hook, placed)
    }
    if roots == {OPENS}:
        return Coverage.ALL
    return Coverage.NONE if roots <= {SAME} else Coverage.PART


def on_the_way(policy: Policy, box: Box) -> list[Box]:
    """Return a box as the packets that come where its source lies and leave to where its target lies.

    Interfaces that a box names already stay as they are, and so does a source of which a part lies nobody
    knows where.
    """
    ingress = _ingress(policy, box)
    targets = leaving(policy, box.target) if box.egress.is_any else [(box.egress, box.target)]
    placed = [replace(box, ingress=ingress, egress=egress, target=target) for egress, target in targets]
    sources = behind(policy, box.source) if ingress.is_any else [(ingress, box.source)]
    if any(way.is_any for way, _ in sources):
        sources = [(ingress, box.source)]
    return [
        replace(one, ingress=way, source=source)
        for one in placed
        for way, source in sources
        if source.families & one.target.families
    ]


def _ingress(policy: Policy, box: Box) -> InterfaceSet:
    outside = outside_interfaces(policy)
    if outside and box.ingress.is_any and is_public(box.source):
        return InterfaceSet(outside, negated=False)
    return box.ingress


def passing_lines(policy: Policy, boxes: Iterable[Box]) -> tuple[int, ...]:
    """Return the lines that let some of it pass, defaults of chains too, at most a screen full."""
    lines: set[int] = set()
    for box in (placed for one in boxes for placed in on_the_way(policy, one)):
        table = InterfaceTable.of(interface_sets((policy,), box.hook) | {box.ingress, box.egress})
        for family in (Family.V4, Family.V6):
            space = Space.of(box.hook, family, table, universe_of(box, family, table))
            if not space.is_empty:
                program = flatten(policy, space)
                reach = Reach()
                reach.explore(program)
                lines.update(
                    origin.line
                    for item, origin in enumerate(program.origin)
                    if (origin.chain, origin.place) in reach.reached
                    and (
                        program.op[item] == ACCEPT
                        if origin.rule is None
                        else origin.rule.action is Action.ACCEPT
                    )
                )
    return tuple(sorted(line for line in lines if line))[:_MOST_LINES]


def _reached(policy: Policy, box: Box) -> bool:
    """Tell whether anything from outside may reach the target today, on any service."""
    source = ANY_ADDRESS.of_family(box.families)
    whole = Box(hook=box.hook, ingress=_ingress(policy, box), source=source, target=box.target)
    return any(
        may_pass(policy, box.hook, replace(whole, egress=egress, target=target))
        for egress, target in leaving(policy, box.target)
    )


def without(boxes: Iterable[Box], taken: Iterable[Box]) -> list[Box]:
    """Return what is left of some boxes, each with a packet that stands in the rest."""
    rest = list(boxes)
    for gone in taken:
        rest = [piece for box in rest for piece in _pieces(box, gone)]
    return rest


def _pieces(box: Box, gone: Box) -> list[Box]:
    """Cut a box along another; interfaces of `gone` are taken to be all (an ask names none).

    A list at an interface judges what is for the firewall itself, too: the same connection once more.
    """
    if (
        (box.hook is not gone.hook and box.hook is Hook.OUTPUT)
        or gone.ingress != ANY_INTERFACE
        or gone.egress != ANY_INTERFACE
    ):
        return [box]
    pieces = []
    outside = replace(box, target=box.target - gone.target)
    if outside.families:
        pieces.append(outside)
    rest = replace(box, target=box.target & gone.target)
    outside = replace(rest, source=rest.source - gone.source)
    if outside.families:
        pieces.append(outside)
    rest = replace(rest, source=rest.source & gone.source)
    if not rest.families:
        return [box]
    for name in ("protocol", "dport", "sport"):
        own: Intervals = getattr(rest, name)
        other: Intervals = getattr(gone, name)
        if beyond := own - other:
            pieces.append(_with(rest, name, beyond))
        if not (shared := own & other):
            return [box]
        rest = _with(rest, name, shared)
    return [replace(piece, witness=example(piece)) for piece in pieces]


def _with(box: Box, name: str, numbers: Intervals) -> Box:
    if name == "protocol":
        return replace(box, protocol=numbers)
    return replace(box, dport=numbers) if name == "dport" else replace(box, sport=numbers)
