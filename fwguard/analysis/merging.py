"""Fewer, wider boxes with exactly the same union: what makes a difference readable."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from fwguard.analysis.diagram import RawBox
from fwguard.model.intervals import Pairs, lack, meet, normalised, touch

# The dimensions of a box: all but the connection state.
COMPARED: Final = 7
# Past this many boxes, making them still fewer costs more than it helps.
_MOST_TO_WIDEN: Final = 120
_MOST_TO_STRETCH: Final = 30
_MOST_PIECES: Final = 60
_Numbers = tuple[int, ...]


class _Sets:
    """Numbers for sets, so that each is hashed once and each pair of them compared once."""

    def __init__(self) -> None:
        self.pairs: list[Pairs] = []
        self._number: dict[Pairs, int] = {}
        self._seen: dict[int, int] = {}
        self._within: dict[tuple[int, int], bool] = {}

    def number(self, pairs: Pairs) -> int:
        """Return the number of a set; equal sets have one."""
        number = self._number.setdefault(pairs, len(self.pairs))
        if number == len(self.pairs):
            self.pairs.append(pairs)
        return number

    def numbered(self, boxes: Sequence[RawBox]) -> list[_Numbers]:
        """Return boxes as numbers. The same object is looked up by identity: diagrams share their sets."""
        seen = self._seen
        out = []
        for box in boxes:
            row = []
            for pairs in box:
                number = seen.get(id(pairs))
                if number is None:
                    number = seen[id(pairs)] = self.number(pairs)
                row.append(number)
            out.append(tuple(row))
        seen.clear()  # identities hold no longer than the boxes
        return out

    def union(self, parts: Iterable[int]) -> int:
        """Return the number of a union."""
        return self.number(normalised(pair for part in parts for pair in self.pairs[part]))

    def within(self, inner: int, outer: int) -> bool:
        """Tell whether one set is in another."""
        if inner == outer:
            return True
        known = self._within.get((inner, outer))
        if known is None:
            known = self._within[inner, outer] = not lack(self.pairs[inner], self.pairs[outer])
        return known


def fewer(raw: Sequence[RawBox]) -> list[RawBox]:
    """Return fewer, wider boxes with exactly the same union."""
    sets = _Sets()
    boxes = _joined(sets.numbered(raw), sets)
    if 1 < len(boxes) <= _MOST_TO_WIDEN:
        boxes = _joined(_trimmed(_widened(boxes, sets), sets), sets)
    if 1 < len(boxes) <= _MOST_TO_STRETCH:
        boxes = _joined(_trimmed(_stretched(boxes, sets), sets), sets)
    return [tuple(sets.pairs[number] for number in box) for box in boxes]


def _joined(boxes: list[_Numbers], sets: _Sets) -> list[_Numbers]:
    """Join boxes that differ in one dimension only, until none do."""
    quiet = 0
    dim = 0
    while quiet < COMPARED and len(boxes) > 1:
        groups: dict[_Numbers, list[int]] = {}
        for box in boxes:
            groups.setdefault(box[:dim] + box[dim + 1 :], []).append(box[dim])
        if len(groups) < len(boxes):
            quiet = 0
            boxes = [
                (*rest[:dim], parts[0] if len(parts) == 1 else sets.union(parts), *rest[dim:])
                for rest, parts in groups.items()
            ]
        else:
            quiet += 1
        dim = (dim + 1) % COMPARED
    return boxes


def _widened(boxes: list[_Numbers], sets: _Sets) -> list[_Numbers]:
    """Widen each box, one dimension after the other, as far as the others cover what is added."""
    within = sets.within
    out: list[_Numbers] = []
    for box in boxes:
        wide = list(box)
        for dim in range(COMPARED):
            around = boxes
            for other in range(COMPARED):
                if other != dim:
                    inner = wide[other]
                    around = [one for one in around if within(inner, one[other])]
            parts = {one[dim] for one in around} | {wide[dim]}
            if len(parts) > 1:
                wide[dim] = sets.union(parts)
        out.append(tuple(wide))
    return list(dict.fromkeys(out))


def _stretched(boxes: list[_Numbers], sets: _Sets) -> list[_Numbers]:
    """Widen each box as far as all the others together cover what is added."""
    out = []
    for box in boxes:
        wide = box
        for dim in range(COMPARED):
            parts = {wide[dim]}
            for other in boxes:
                if sets.within(other[dim], wide[dim]):
                    continue
                added = (*wide[:dim], other[dim], *wide[dim + 1 :])
                if _is_covered(added, boxes, sets):
                    parts.add(other[dim])
            if len(parts) > 1:
                wide = (*wide[:dim], sets.union(parts), *wide[dim + 1 :])
        out.append(wide)
    return list(dict.fromkeys(out))


def _is_covered(box: _Numbers, boxes: list[_Numbers], sets: _Sets) -> bool:
    """Tell whether a box lies in the union of others; gives up, saying no, where that takes too long."""
    rest = [box]
    for other in boxes:
        following: list[_Numbers] = []
        for piece in rest:
            following += _cut(piece, other, sets)
        if not following:
            return True
        if len(following) > _MOST_PIECES:
            return False
        rest = following
    return False


def _cut(box: _Numbers, other: _Numbers, sets: _Sets) -> list[_Numbers]:
    """Return a box without another, as disjoint boxes."""
    if not all(touch(sets.pairs[box[dim]], sets.pairs[other[dim]]) for dim in range(COMPARED)):
        return [box]
    pieces = []
    rest = box
    for dim in range(COMPARED):
        if sets.within(rest[dim], other[dim]):
            continue
        own, theirs = sets.pairs[rest[dim]], sets.pairs[other[dim]]
        pieces.append((*rest[:dim], sets.number(lack(own, theirs)), *rest[dim + 1 :]))
        rest = (*rest[:dim], sets.number(meet(own, theirs)), *rest[dim + 1 :])
    return pieces


def _trimmed(boxes: list[_Numbers], sets: _Sets) -> list[_Numbers]:
    """Drop what wider boxes hold already: whole boxes, or all but one slice of a box."""

    def width(box: _Numbers) -> int:
        size = 1
        for number in box:
            size *= sum(high - low + 1 for low, high in sets.pairs[number])
        return size

    kept: list[_Numbers] = []
    for box in sorted(boxes, key=width, reverse=True):
        rest = box
        for wider in kept:
            less = _less(rest, wider, sets)
            if less is None:
                break
            rest = less
        else:
            kept.append(rest)
    return kept


def _less(box: _Numbers, wider: _Numbers, sets: _Sets) -> _Numbers | None:
    """Return `box` without what `wider` holds of it, where that is still one box; else `box` whole."""
    outside = -1
    for dim in range(COMPARED):
        if not sets.within(box[dim], wider[dim]):
            if outside >= 0:
                return box
            outside = dim
    if outside < 0:
        return None
    rest = lack(sets.pairs[box[outside]], sets.pairs[wider[outside]])
    return (*box[:outside], sets.number(rest), *box[outside + 1 :])
