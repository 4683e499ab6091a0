"""What of a given space a policy lets pass: at least, and at most."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fwguard.analysis.boxes import Box, read_boxes
from fwguard.analysis.diagram import RawBox
from fwguard.analysis.interfaces import InterfaceTable, interface_sets
from fwguard.analysis.partition import MAX_REGIONS, MAY_OPEN, OPENS, SAME, UNCLEAR, Partition
from fwguard.analysis.program import DROP, Origin, Program, flatten
from fwguard.analysis.space import ANYWHERE, Dim, Space, address_pairs
from fwguard.model.address import ANY_ADDRESS, Family
from fwguard.model.intervals import Pairs
from fwguard.model.policy import Hook, Policy

_PERHAPS: Final = (MAY_OPEN, UNCLEAR)


@dataclass(frozen=True, slots=True)
class Passing:
    """`lower` certainly passes; `upper` is all that may: `lower` and what unknown rules leave open.

    `omitted` regions were not written out, because there were too many.
    """

    lower: tuple[Box, ...]
    upper: tuple[Box, ...]
    omitted: int = 0


def everywhere(hook: Hook) -> Box:
    """Return the whole space of a hook."""
    return Box(hook=hook, source=ANY_ADDRESS, target=ANY_ADDRESS)


def passes(
    policy: Policy, hook: Hook, space: Box | None = None, *, max_regions: int = MAX_REGIONS
) -> Passing:
    """Return what of a space (by default everything) the filter accepts, as boxes.

    Addresses are those that the filter sees: after destination NAT.
    """
    box = space or everywhere(hook)
    certain: list[tuple[Space, list[RawBox]]] = []
    possible: list[tuple[Space, list[RawBox]]] = []
    omitted = 0
    for partition in passing(policy, hook, box):
        sure = partition.boxes(OPENS, max_regions)
        certain.append((partition.space, sure))
        maybe = [raw for leaf in _PERHAPS for raw in partition.boxes(leaf, max_regions)]
        possible.append((partition.space, sure + maybe))
        omitted += sum(max(0, partition.count(leaf) - max_regions) for leaf in (OPENS, *_PERHAPS))
    return Passing(tuple(read_boxes(certain)), tuple(read_boxes(possible)), omitted)


def may_pass(policy: Policy, hook: Hook, box: Box) -> bool:
    """Tell whether anything of a box passes, or may pass."""
    return any(partition.root != SAME for partition in _compared(policy, hook, box, until_found=True))


def passing(policy: Policy, hook: Hook, box: Box) -> list[Partition]:
    """Compare the policy with one that blocks all, inside a box, each IP version apart."""
    return list(_compared(policy, hook, box))


def _compared(policy: Policy, hook: Hook, box: Box, *, until_found: bool = False) -> Iterator[Partition]:
    sets = interface_sets((policy,), hook) | {box.ingress, box.egress}
    table = InterfaceTable.of(sets)
    for family in (Family.V4, Family.V6):
        space = Space.of(hook, family, table, universe_of(box, family, table))
        if not space.is_empty:
            closed = Program(space)
            closed.add(ANYWHERE, DROP, Origin("", None, 0))
            yield Partition(space, closed, flatten(policy, space), until_found=until_found)


def universe_of(box: Box, family: Family, table: InterfaceTable) -> dict[Dim, Pairs]:
    """Return a box as the numbers of one IP version."""
    return {
        Dim.EGRESS: table.pairs(box.egress),
        Dim.INGRESS: table.pairs(box.ingress),
        Dim.SOURCE: address_pairs(box.source, family),
        Dim.TARGET: address_pairs(box.target, family),
        Dim.PROTOCOL: box.protocol.pairs,
        Dim.DPORT: box.dport.pairs,
        Dim.SPORT: box.sport.pairs,
    }
