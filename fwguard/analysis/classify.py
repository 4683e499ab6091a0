"""Which of many items a packet is in, all at once: a bit for every item, an AND for every dimension."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

from fwguard.analysis.space import WHOLE, Dim, Space
from fwguard.model.intervals import Pairs

Point = tuple[int, ...]
_SOME: Final = re.compile(rb"[^\0]")
_PLACES: Final = tuple(tuple(place for place in range(8) if byte >> place & 1) for byte in range(256))


class Classifier:
    """Bit vectors over the cuts of each dimension (Lakshman and Stiliadis, SIGCOMM 1998).

    `sets[i]` are the numbered sets of item `i` in `space`. Building costs the cuts times the items over 64;
    a question costs one search and one AND for each dimension that any item narrows.
    """

    def __init__(self, space: Space, sets: Sequence[tuple[int, ...]]) -> None:
        self.everything = (1 << len(sets)) - 1
        self.sets = sets
        self._space = space
        self._columns: list[tuple[int, list[int], list[int]]] = []
        self._overlaps: dict[tuple[int, int], int] = {}
        for dim in Dim:
            column = _column(space, dim, sets)
            if column is not None:
                self._columns.append((int(dim), *column))

    def mask(self, point: Point) -> int:
        """Return the items that hold a packet, item `i` as bit `i`; the packet as one number a dimension."""
        mask = self.everything
        for dim, starts, masks in self._columns:
            mask &= masks[bisect_right(starts, point[dim])]
            if not mask:
                break
        return mask

    def overlapping(self, item: int) -> int:
        """Return the items that share any packet with one of them, itself included, as bits."""
        mask = self.everything
        for dim, starts, masks in self._columns:
            number = self.sets[item][dim]
            if number != WHOLE:
                known = self._overlaps.get((dim, number))
                if known is None:
                    known = self._overlaps[dim, number] = _any_of(
                        starts, masks, self._space.tables[dim].pairs[number]
                    )
                mask &= known
        return mask

    def plain(self, dim: Dim, universe: Pairs, preferred: Sequence[int]) -> int:
        """Return a value of one dimension that as few items as possible tell apart from others."""
        column = next((entry for entry in self._columns if entry[0] == dim), None)
        if column is None:
            return next((n for n in preferred if _holds(universe, n)), universe[0][0])
        _, starts, masks = column
        edges = [universe[0][0], *(start for start in starts if _holds(universe, start))]
        fewest = min(masks[bisect_right(starts, edge)].bit_count() for edge in edges)
        for number in (*preferred, *edges):
            if _holds(universe, number) and masks[bisect_right(starts, number)].bit_count() == fewest:
                return number
        return edges[0]


def _any_of(starts: list[int], masks: list[int], pairs: Pairs) -> int:
    """Return the union of the masks over some intervals."""
    out = 0
    for low, high in pairs:
        for mask in masks[bisect_right(starts, low) : bisect_right(starts, high) + 1]:
            out |= mask
    return out


def bits(mask: int) -> list[int]:
    """Return the places of the bits that are set, ascending."""
    out = []
    for found in _SOME.finditer(mask.to_bytes((mask.bit_length() + 7) >> 3, "little")):
        first = found.start() << 3
        for place in _PLACES[found[0][0]]:
            out.append(first + place)
    return out


def _holds(universe: Pairs, number: int) -> bool:
    return any(low <= number <= high for low, high in universe)


def _column(space: Space, dim: Dim, sets: Sequence[tuple[int, ...]]) -> tuple[list[int], list[int]] | None:
    bits: dict[int, bytearray] = {}
    size = (len(sets) + 7) // 8
    for item, numbers in enumerate(sets):
        row = bits.get(numbers[dim])
        if row is None:
            row = bits[numbers[dim]] = bytearray(size)
        row[item >> 3] |= 1 << (item & 7)
    whole = int.from_bytes(bits.pop(WHOLE, b""), "little")
    if not bits:
        return None
    toggles: dict[int, int] = {}
    for number, row in bits.items():
        mask = int.from_bytes(row, "little")
        for low, high in space.tables[dim].pairs[number]:
            toggles[low] = toggles.get(low, 0) ^ mask
            toggles[high + 1] = toggles.get(high + 1, 0) ^ mask
    starts = sorted(toggles)
    masks = [whole]
    active = 0
    for start in starts:
        active ^= toggles[start]
        masks.append(whole | active)
    return starts, masks
