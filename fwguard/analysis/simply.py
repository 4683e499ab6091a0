"""A difference said more simply: "to anyone" where all but a few could connect before, and now all can.

What opens is exactly what was shut before. A person means what is open now: each region is widened by what
passes anyway, where that makes it simpler to say. For words only; digests and decisions use the exact boxes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from fwguard.analysis.boxes import Box
from fwguard.analysis.partition import OPENS, SAME, Partition
from fwguard.analysis.passes import passing
from fwguard.model.address import ANY_ADDRESS, V4_MAX, V6_MAX, AddressSet
from fwguard.model.policy import ANY_INTERFACE, InterfaceSet, Policy

# Past this many boxes nobody reads them all, and each costs a look at the policy.
MOST_SIMPLIFIED: Final = 24


def simpler(boxes: Sequence[Box], after: Policy, *, passes: bool) -> tuple[Box, ...]:
    """Return boxes that say the same more simply, given how things are afterwards.

    `passes`: widen by what passes then (for what opens), else by what does not (for what closes).
    """
    if not boxes or len(boxes) > MOST_SIMPLIFIED:
        return tuple(boxes)
    out: list[Box] = []
    for box in boxes:
        wide = box
        for candidate in _wider(box):
            merged = replace(wide, **candidate)  # type: ignore[arg-type]
            if all(_holds(partition, box, passes) for partition in passing(after, box.hook, merged)):
                wide = merged
        out.append(wide)
    kept: list[Box] = []
    for box in sorted(out, key=lambda box: -(box.source.v4.size << 96) - box.source.v6.size):
        if not any(_within(box, other) for other in kept):
            kept.append(box)
    return tuple(kept)


def _wider(box: Box) -> list[dict[str, AddressSet | InterfaceSet]]:
    """Return what could be said more simply: all sources for nearly all, any interface for all but one."""
    candidates: list[dict[str, AddressSet | InterfaceSet]] = []
    if not box.egress.is_any and box.egress.negated:
        candidates.append({"egress": ANY_INTERFACE})
    if not box.ingress.is_any and box.ingress.negated:
        candidates.append({"ingress": ANY_INTERFACE})
    if _is_nearly_all(box.source):
        candidates.append({"source": ANY_ADDRESS.of_family(box.source.families)})
    return candidates


def _is_nearly_all(addresses: AddressSet) -> bool:
    """Tell whether more than half of an IP version is in the set, but not all of it."""
    return V4_MAX // 2 < addresses.v4.size <= V4_MAX or V6_MAX // 2 < addresses.v6.size <= V6_MAX


def _holds(partition: Partition, box: Box, passes: bool) -> bool:
    if not passes:
        return partition.root == SAME
    return partition.is_everywhere_different if box.leans else partition.root == OPENS


def _within(box: Box, other: Box) -> bool:
    return (
        box.hook is other.hook
        and box.leans == other.leans
        and other.ingress in (ANY_INTERFACE, box.ingress)
        and other.egress in (ANY_INTERFACE, box.egress)
        and box.source <= other.source
        and box.target <= other.target
        and box.protocol <= other.protocol
        and box.sport <= other.sport
        and box.dport <= other.dport
    )
