"""Where two flattened policies decide differently, found by splitting header space only where they can.

One dimension after the other is cut at the boundaries of the items left in the current region. Items that
no packet of the region reaches are dropped; regions in which both lists are left with the same items are
equal and not looked at again; equal sub-lists are solved once. The answer is a diagram (a graph of cuts)
from which boxes are read. Cost: near-linear in the items that differ times the items that overlap them.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from typing import Final

from fwguard.analysis.program import ACCEPT, DROP, MARK, REJECT, SKIP, Program
from fwguard.analysis.space import WHOLE, Space
from fwguard.analysis.sweep import sweep
from fwguard.model.intervals import Pair, Pairs, normalised, touch

# Leaves of the diagram; every other number is a node.
SAME: Final = 0
OPENS: Final = 1
CLOSES: Final = 2
MAY_OPEN: Final = 3  # opens, unless something unknown that is the same on both sides stops it
MAY_CLOSE: Final = 4
UNCLEAR: Final = 5
UNDECIDED: Final = (MAY_OPEN, MAY_CLOSE, UNCLEAR)
_LEAVES: Final = 6

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
_OFFSET: Final = 1 << 24
_NEVER: Final = 1 << 62

RawBox = tuple[Pairs, ...]
# The last dimension (connection state) is fixed to NEW when policies are compared.
_LEVELS: Final = 7


class Partition:
    """The diagram of where `after` lets a new connection pass that `before` does not, and the reverse."""

    def __init__(
        self, space: Space, before: Program, after: Program, *, max_splits: int = MAX_SPLITS
    ) -> None:
        self.space = space
        self.border = len(before.op)
        self.sets = before.sets + after.sets
        self.op = [DROP if op == REJECT else op for op in (*before.op, *after.op)]
        self.target = before.target + [place + self.border for place in after.target]
        self.unknown = before.unknown + after.unknown
        self.splits_left = max_splits
        self.narrow = [sum(1 << dim for dim in range(_LEVELS) if sets[dim] != WHOLE) for sets in self.sets]
        self._touches: dict[tuple[int, int, int], bool] = {}
        self._name_items()
        self.nodes: list[tuple[int, tuple[tuple[Pairs, int], ...]]] = []
        self._node_number: dict[tuple[int, tuple[tuple[Pairs, int], ...]], int] = {}
        self._solved: dict[tuple[int, tuple[int, ...], tuple[int, ...]], int] = {}
        left = self._trim(range(self.border), 0)
        right = self._trim(range(self.border, len(self.op)), 0)
        self.root = self._solve(0, left, right)

    def _name_items(self) -> None:
        """Give items that mean the same from a level on the same name there, in both policies.

        `name[level][i]` speaks of the dimensions from `level` on, the action and what is unknown;
        `sure[level][i]` says that every packet that gets there matches.
        """
        count = len(self.op)
        known: dict[tuple[object, ...], int] = {}
        last = [
            known.setdefault((op, unknown), len(known))
            for op, unknown in zip(self.op, self.unknown, strict=True)
        ]
        sure = [not unknown for unknown in self.unknown]
        self.name: list[list[int]] = [last]
        self.sure: list[list[bool]] = [sure]
        for level in range(_LEVELS - 1, -1, -1):
            column = [sets[level] for sets in self.sets]
            pairs: dict[tuple[int, int], int] = {}
            below_name, below_sure = self.name[0], self.sure[0]
            self.name.insert(
                0, [pairs.setdefault((column[i], below_name[i]), len(pairs)) for i in range(count)]
            )
            self.sure.insert(0, [below_sure[i] and column[i] == WHOLE for i in range(count)])

    def _trim(self, items: Sequence[int], level: int) -> list[int]:
        """Return the items that a packet of the region can reach and that can change its fate."""
        sure, ops, targets = self.sure[level], self.op, self.target
        kept: list[int] = []
        pending: list[int] = []
        resume = -1
        for item in items:
            if item < resume:
                continue
            resume = -1
            kept.append(item)
            op = ops[item]
            if op == SKIP:
                pending.append(targets[item])
            if sure[item] and op != MARK:
                if pending:
                    pending = [place for place in pending if place > item]
                if not pending:
                    break
                resume = min(pending)
        return self._without_idle_tail(kept)

    def _without_idle_tail(self, kept: list[int]) -> list[int]:
        """Drop items before the last one that come to the same as the last one."""
        ops, targets = self.op, self.target
        last = kept[-1]
        while len(kept) > 1:
            item = kept[-2]
            op = ops[item]
            if op == ops[last] or op == MARK or (op == SKIP and targets[item] <= last):
                del kept[-2]
            else:
                break
        return kept

    def _key(self, items: list[int], level: int) -> tuple[int, ...]:
        """Return what the list means from a level on: equal keys, equal fate of every packet."""
        names, ops, targets = self.name[level], self.op, self.target
        key = [names[item] for item in items]
        for place, item in enumerate(items):
            if ops[item] == SKIP:
                key[place] = -1 - (key[place] * _OFFSET + bisect_left(items, targets[item]) - place)
        return tuple(key)

    def _solve(self, level: int, left: list[int], right: list[int]) -> int:
        """Return the diagram of a region, given the items of both policies that are left in it."""
        if len(left) == 1 and len(right) == 1:
            return self._leaf(_LEVELS, left, right)
        narrow = 0
        for item in left:
            narrow |= self.narrow[item]
        for item in right:
            narrow |= self.narrow[item]
        narrow >>= level
        level = level + (narrow & -narrow).bit_length() - 1 if narrow else _LEVELS
        left_key, right_key = self._key(left, level), self._key(right, level)
        if left_key == right_key:
            return SAME
        question = (level, left_key, right_key)
        answer = self._solved.get(question)
        if answer is None:
            solve = self._leaf if level == _LEVELS else self._split
            answer = self._solved[question] = solve(level, left, right)
        return answer

    def _leaf(self, _: int, left: list[int], right: list[int]) -> int:
        """Return the leaf of a region in which every item holds every packet."""
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
        names, level = self.name[_LEVELS], _LEVELS
        solved: dict[tuple[int, int], int] = {}
        left_key, right_key = self._key(left, level), self._key(right, level)

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

    def _split(self, level: int, left: list[int], right: list[int]) -> int:
        """Cut one dimension at the items' boundaries and solve every different piece."""
        self.splits_left -= 1
        if self.splits_left < 0:
            return UNCLEAR
        differing = self._differing(level, left, right)
        if differing is not None and len(left) + len(right) > _WORTH_CUTTING:
            left = self._relevant(level, left, differing)
            right = self._relevant(level, right, differing)
        always, pieces = sweep(self.space.tables[level], self.sets, level, left + right)
        border = self.border
        whole_differs = differing is None or any(item in differing for item in always)
        edges: dict[int, list[Pair]] = {}
        landings = sorted(self.target[item] for item in always if self.op[item] == SKIP)
        alike: dict[tuple[int, ...], tuple[list[int], list[Pair]]] = {}
        for active, pairs in pieces:
            if not whole_differs and differing is not None and differing.isdisjoint(active):
                continue
            active.sort()
            alike.setdefault(self._likeness(level + 1, always, landings, active), (active, []))[1].extend(
                pairs
            )
        for active, pairs in alike.values():
            here = sorted(always + active)
            middle = bisect_left(here, border)
            child = self._solve(
                level + 1, self._trim(here[:middle], level + 1), self._trim(here[middle:], level + 1)
            )
            if child != SAME:
                edges.setdefault(child, []).extend(pairs)
        return self._node(level, edges)

    def _likeness(
        self, level: int, always: list[int], landings: list[int], active: list[int]
    ) -> tuple[int, ...]:
        """Return what `active` adds to `always`: equal for two pieces whose lists mean the same.

        `landings` are where the skips of `always` go on: on which side of them an item stands matters.
        """
        names, ops, targets = self.name[level], self.op, self.target
        likeness = []
        for place, item in enumerate(active):
            mark = (names[item] << 24 | bisect_left(always, item)) << 24
            likeness.append(mark | bisect_right(landings, item) if landings else mark)
            if ops[item] == SKIP:
                likeness.append(-bisect_left(always, targets[item]))
                likeness.append(place - bisect_left(active, targets[item]))
        return tuple(likeness)

    def _differing(self, level: int, left: list[int], right: list[int]) -> set[int] | None:
        """Return the items that only one side has, if the rest is the same list on both; else None.

        Where none of them holds, both sides are left with the same items in the same order.
        """
        names = self.name[level]
        left_names = {names[item] for item in left}
        right_names = {names[item] for item in right}
        differing = {item for item in left if names[item] not in right_names}
        differing.update(item for item in right if names[item] not in left_names)
        if len(differing) == len(left) + len(right):
            return None
        left_rest = [item for item in left if item not in differing]
        right_rest = [item for item in right if item not in differing]
        if self._key(left_rest, level) != self._key(right_rest, level):
            return None
        return differing

    def _relevant(self, level: int, items: list[int], differing: set[int]) -> list[int]:
        """Drop the items that share no packet with any differing one: elsewhere both sides are the same."""
        for dim in range(level, _LEVELS):
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

    def _node(self, level: int, edges: dict[int, list[Pair]]) -> int:
        if not edges:
            return SAME
        sorted_edges = tuple(sorted((normalised(pairs), child) for child, pairs in edges.items()))
        if len(sorted_edges) == 1 and sorted_edges[0][0] == self.space.tables[level].universe:
            return sorted_edges[0][1]
        node = (level, sorted_edges)
        number = self._node_number.get(node)
        if number is None:
            number = self._node_number[node] = len(self.nodes) + _LEAVES
            self.nodes.append(node)
        return number

    @property
    def is_everywhere_different(self) -> bool:
        """Tell whether no part of the space is SAME."""
        differs = {number: number != SAME for number in range(_LEAVES)}
        for number, (level, edges) in enumerate(self.nodes, _LEAVES):
            cut = normalised(pair for pairs, _ in edges for pair in pairs)
            whole = cut == self.space.tables[level].universe
            differs[number] = whole and all(differs[child] for _, child in edges)
        return differs[self.root]

    def count(self, leaf: int) -> int:
        """Return how many boxes end in `leaf`, without reading them."""
        ways = {number: int(number == leaf) for number in range(_LEAVES)}
        for number, (_, edges) in enumerate(self.nodes, _LEAVES):
            ways[number] = sum(ways[child] for _, child in edges)
        return ways[self.root]

    def boxes(self, leaf: int) -> Iterator[RawBox]:
        """Read the boxes that end in `leaf`: disjoint, one for each way through the diagram."""
        if self.count(leaf) == 0:
            return
        universe = [table.universe for table in self.space.tables]

        def walk(number: int, box: list[Pairs]) -> Iterator[RawBox]:
            if number < _LEAVES:
                if number == leaf:
                    yield tuple(box)
                return
            level, edges = self.nodes[number - _LEAVES]
            for pairs, child in edges:
                if child >= _LEAVES or child == leaf:
                    yield from walk(child, [*box[:level], pairs, *box[level + 1 :]])

        yield from walk(self.root, universe)
