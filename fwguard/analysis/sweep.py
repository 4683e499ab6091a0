"""One dimension cut at the boundaries of the items that narrow it."""

from __future__ import annotations

from collections.abc import Sequence

from fwguard.analysis.space import WHOLE, SetTable
from fwguard.model.intervals import Pair, Pairs

Piece = tuple[list[int], list[Pair]]


def sweep(
    table: SetTable,
    sets: Sequence[tuple[int, ...]],
    dim: int,
    items: Sequence[int],
    spans: Pairs | None = None,
) -> tuple[list[int], list[Piece]]:
    """Return the items that hold all over the dimension, and its pieces by the others that hold there.

    Only the pieces within `spans`, where they are given.
    Each piece is (items, unordered; intervals, ascending). Pieces in which the same sets hold are one.
    Cost: the cuts, and for each piece the items that hold there.
    """
    by_set: dict[int, list[int]] = {}
    for item in items:
        by_set.setdefault(sets[item][dim], []).append(item)
    always = by_set.pop(WHOLE, [])
    events: dict[int, list[int]] = {}
    for number in by_set:
        for low, high in table.pairs[number]:
            events.setdefault(low, []).append(number)
            events.setdefault(high + 1, []).append(~number)
    universe = spans or table.universe
    for low, high in universe:
        events.setdefault(low, [])
        events.setdefault(high + 1, [])
    points = sorted(events)
    pieces: dict[frozenset[int], list[Pair]] = {}
    active: set[int] = set()
    left = iter(universe)
    low, high = next(left)
    for place, point in enumerate(points):
        for number in events[point]:
            if number < 0:
                active.discard(~number)
            else:
                active.add(number)
        if point > high:
            following = next(left, None)
            if following is None:
                break
            low, high = following
        if low <= point:
            pieces.setdefault(frozenset(active), []).append((point, points[place + 1] - 1))
    return always, [
        ([item for number in numbers for item in by_set[number]], pairs) for numbers, pairs in pieces.items()
    ]
