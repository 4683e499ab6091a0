"""Where two flattened policies decide differently, found by splitting header space only where they can.

One dimension after the other is cut at the boundaries of the items left in the current region. Items that
no packet of the region reaches are dropped; regions in which both lists are left with the same items are
equal and not looked at again; equal sub-lists are solved once. The answer is a diagram (a graph of cuts)
from which boxes are read. Cost: near-linear in the items that differ times the items that overlap them.
"""

from __future__ import annotations

from bisect import bisect_left
from itertools import islice
from typing import Final

from fwguard.analysis.diagram import LEVELS, Diagram, RawBox
from fwguard.analysis.program import ACCEPT, MARK, SKIP, Program
from fwguard.analysis.space import WHOLE, Space
from fwguard.analysis.sublists import Cut, Sublists
from fwguard.model.intervals import Pair, normalised, touch

# Leaves of the diagram; every other number is a node.
SAME: Final = 0
OPENS: Final = 1
CLOSES: Final = 2
MAY_OPEN: Final = 3  # opens, unless something unknown that is the same on both sides stops it
MAY_CLOSE: Final = 4
UNCLEAR: Final = 5
UNDECIDED: Final = (MAY_OPEN, MAY_CLOSE, UNCLEAR)

# What may happen to a packet, as bits.
_MAY_PASS: Final = 1
_MAY_BLOCK: Final = 2
# What may happen to one packet before and after, as bits.
_BOTH_SAME: Final = 1
_NEWLY_PASSES: Final = 2
_NEWLY_BLOCKED: Final = 4
_PAIRS: Final = {
    _NEWLY_PASSES: (_MAY_BLOCK, _MAY_PASS),
    _NEWLY_BLOCKED: (_MAY_PASS, _MAY_BLOCK),
}
_LEANING: Final = {
    0: SAME,
    _BOTH_SAME: SAME,
    _NEWLY_PASSES: MAY_OPEN,
    _NEWLY_BLOCKED: MAY_CLOSE,
    _BOTH_SAME | _NEWLY_PASSES: MAY_OPEN,
    _BOTH_SAME | _NEWLY_BLOCKED: MAY_CLOSE,
    _NEWLY_PASSES | _NEWLY_BLOCKED: UNCLEAR,
    _BOTH_SAME | _NEWLY_PASSES | _NEWLY_BLOCKED: UNCLEAR,
}

# Splits done at most: past this, what is left is undecided rather than late.
MAX_SPLITS: Final = 400_000
# Unknown items in one region that are still told apart one by one.
_LONGEST_JOINT: Final = 200
# Lists shorter than this, and more differing sets than that, are not worth cutting down first.
_WORTH_CUTTING: Final = 24
_MOST_WANTED: Final = 64

# Ways written out to one leaf; what is beyond is counted.
MAX_REGIONS: Final = 40_000


class _Found(Exception):
    """Ends the search of someone who asks only whether anything differs."""

    def __init__(self, leaf: int) -> None:
        self.leaf = leaf


class Partition:
    """The diagram of where `after` lets a new connection pass that `before` does not, and the reverse."""

    def __init__(
        self,
        space: Space,
        before: Program,
        after: Program,
        *,
        max_splits: int = MAX_SPLITS,
        until_found: bool = False,
    ) -> None:
        """Compare inside a space; `until_found` stops at the first region that differs, `root` being its leaf."""
        self.space = space
        self.border = len(before.op)
        self.lists = lists = Sublists(space, before, after)
        self.sets, self.op, self.target, self.unknown = lists.sets, lists.op, lists.target, lists.unknown
        self.splits_left = max_splits
        self._touches: dict[tuple[int, int, int], bool] = {}
        self.diagram = Diagram(space)
        self._solved: dict[tuple[int, int, int], int] = {}
        left = lists.enter(0, lists.trim(range(self.border), 0))
        right = lists.enter(0, lists.trim(range(self.border, len(self.op)), 0))
        self._until_found = until_found
        try:
            self.root = self._solve(0, left, right)
        except _Found as found:
            self.root = found.leaf

    def _solve(self, level: int, left: int, right: int) -> int:
        """Return the diagram of a region, given the sublists of both policies that are left in it."""
        if left == right:
            return SAME
        lists = self.lists
        narrow = (lists.narrow[level][left] | lists.narrow[level][right]) >> level
        deeper = level + (narrow & -narrow).bit_length() - 1 if narrow else LEVELS
        if deeper != level:
            left, right = lists.lift(level, left, deeper), lists.lift(level, right, deeper)
            if left == right:
                return SAME
        question = (deeper, left, right)
        answer = self._solved.get(question)
        if answer is None:
            solve = self._leaf if deeper == LEVELS else self._split
            answer = self._solved[question] = solve(deeper, left, right)
            if self._until_found and answer != SAME:
                raise _Found(answer)
        return answer

    def _leaf(self, level: int, one: int, other: int) -> int:
        """Return the leaf of a region in which every item holds every packet."""
        left, right = self.lists.items[level][one], self.lists.items[level][other]
        before, after = self._fates(left), self._fates(right)
        if before | after != _MAY_PASS | _MAY_BLOCK:
            return SAME
        if before == _MAY_BLOCK and after == _MAY_PASS:
            return OPENS
        if before == _MAY_PASS and after == _MAY_BLOCK:
            return CLOSES
        return _LEANING[self._joint(left, right)]

    def _joint(self, left: list[int], right: list[int]) -> int:
        """Return which pairs of fates are possible, as bits, where an unknown condition that stands at
        the head of both lists is one condition: it holds for both or for neither."""
        if len(left) + len(right) > _LONGEST_JOINT:
            return _NEWLY_PASSES | _NEWLY_BLOCKED
        names = self.lists.name[LEVELS]
        solved: dict[tuple[int, int], int] = {}
        left_key, right_key = self.lists.key(left, LEVELS), self.lists.key(right, LEVELS)

        def joint(i: int, j: int) -> int:
            if left_key[i:] == right_key[j:]:
                return _BOTH_SAME
            known = solved.get((i, j))
            if known is not None:
                return known
            a, b = left[i], right[j]
            if names[a] == names[b] and self.unknown[a]:
                answer = joint(i + 1, j + 1)
                if self.op[a] == SKIP:
                    answer |= joint(bisect_left(left, self.target[a]), bisect_left(right, self.target[b]))
                else:
                    answer |= _BOTH_SAME
            else:
                answer = 0
                for bit, (before, after) in _PAIRS.items():
                    if self._fates(left[i:]) & before and self._fates(right[j:]) & after:
                        answer |= bit
            solved[i, j] = answer
            return answer

        return joint(0, 0)

    def _fates(self, items: list[int]) -> int:
        """Return what may happen to a packet that matches every item (perhaps, where unknown)."""
        fates = [0] * len(items)
        for place in range(len(items) - 1, -1, -1):
            item = items[place]
            op = self.op[item]
            if op == SKIP:
                fate = fates[bisect_left(items, self.target[item])]
            elif op == MARK:
                fate = fates[place + 1]
            else:
                fate = _MAY_PASS if op == ACCEPT else _MAY_BLOCK
            fates[place] = fate | fates[place + 1] if self.unknown[item] else fate
        return fates[0]

    def _split(self, level: int, left: int, right: int) -> int:
        """Cut one dimension at the items' boundaries and solve every different piece."""
        self.splits_left -= 1
        if self.splits_left < 0:
            return UNCLEAR
        left_cut, right_cut = self._cuts(level, left, right)
        alike: dict[tuple[int, int], list[Pair]] = {}
        j = 0
        for low, high, before in left_cut:
            while right_cut[j][1] < low:
                j += 1
            while True:
                start, end, after = right_cut[j]
                if before != after:
                    pair = (low if low > start else start, high if high < end else end)
                    known = alike.get((before, after))
                    if known is None:
                        alike[before, after] = [pair]
                    else:
                        known.append(pair)
                if end >= high:
                    break
                j += 1
        edges: dict[int, list[Pair]] = {}
        for (before, after), pairs in alike.items():
            child = self._solve(level + 1, before, after)
            if child != SAME:
                edges.setdefault(child, []).extend(pairs)
        return self.diagram.node(level, edges)

    def _cuts(self, level: int, left: int, right: int) -> tuple[Cut, Cut]:
        """Cut both sublists along one dimension, over the same numbers: where they may differ."""
        lists = self.lists
        before, after = lists.items[level][left], lists.items[level][right]
        if len(before) + len(after) > _WORTH_CUTTING:
            differing = self._differing(level, before, after)
            if differing is not None:
                before = self._relevant(level, before, differing)
                after = self._relevant(level, after, differing)
                numbers = {self.sets[item][level] for item in differing}
                if WHOLE not in numbers:
                    table = self.space.tables[level]
                    spans = normalised(pair for number in numbers for pair in table.pairs[number])
                    return lists.cut(level, before, spans), lists.cut(level, after, spans)
                left, right = lists.enter(level, before), lists.enter(level, after)
        return lists.cut_whole(level, left), lists.cut_whole(level, right)

    def _differing(self, level: int, left: list[int], right: list[int]) -> set[int] | None:
        """Return the items that only one side has, if the rest is the same list on both; else None.

        Where none of them holds, both sides are left with the same items in the same order.
        """
        names = self.lists.name[level]
        left_names = {names[item] for item in left}
        right_names = {names[item] for item in right}
        differing = {item for item in left if names[item] not in right_names}
        differing.update(item for item in right if names[item] not in left_names)
        if len(differing) == len(left) + len(right):
            return None
        left_rest = [item for item in left if item not in differing]
        right_rest = [item for item in right if item not in differing]
        if self.lists.key(left_rest, level) != self.lists.key(right_rest, level):
            return None
        return differing

    def _relevant(self, level: int, items: list[int], differing: set[int]) -> list[int]:
        """Drop the items that share no packet with any differing one: elsewhere both sides are the same."""
        for dim in range(level, LEVELS):
            wanted = {self.sets[item][dim] for item in differing}
            if WHOLE in wanted or len(wanted) > _MOST_WANTED:
                continue
            good = {
                number: number == WHOLE or any(self._touch(dim, number, other) for other in wanted)
                for number in {self.sets[item][dim] for item in items}
            }
            items = [item for item in items if good[self.sets[item][dim]]]
        return items

    def _touch(self, dim: int, left: int, right: int) -> bool:
        if left == right:
            return True
        key = (dim, left, right) if left < right else (dim, right, left)
        known = self._touches.get(key)
        if known is None:
            pairs = self.space.tables[dim].pairs
            known = self._touches[key] = touch(pairs[left], pairs[right])
        return known

    @property
    def is_everywhere_different(self) -> bool:
        """Tell whether no part of the space is SAME."""
        return self.diagram.is_whole(self.root)

    def count(self, leaf: int) -> int:
        """Return how many ways through the diagram end in `leaf`, without walking them."""
        return self.diagram.count(self.root, leaf)

    def boxes(self, leaf: int, most: int = MAX_REGIONS) -> list[RawBox]:
        """Read the boxes that end in `leaf`: disjoint; the first ones only, where there are more than `most`
        ways to it."""
        if self.count(leaf) > most:
            return list(islice(self.diagram.ways(self.root, leaf), most))
        return self.diagram.boxes(self.root, leaf)
