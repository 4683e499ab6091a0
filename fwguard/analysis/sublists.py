"""Lists of items that regions of header space are left with, each kept once by what it means.

A region's fate is that of the items that hold there, in order. Two sublists with one number decide every
packet alike, whichever policy they come from, so a region where both policies are left with one number is
not looked at again, and each sublist is cut along a dimension once.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import Final

from fwguard.analysis.diagram import LEVELS
from fwguard.analysis.program import DROP, MARK, REJECT, SKIP, Program
from fwguard.analysis.space import WHOLE, Space
from fwguard.analysis.sweep import sweep
from fwguard.model.intervals import Pairs

Cut = list[tuple[int, int, int]]
"""Where a dimension is cut, ascending: first, last, and the number of the sublist one level down."""

_OFFSET: Final = 1 << 24
_SKIPS: Final = 1
_ENDS: Final = 2


class Sublists:
    """The items of two programs, and the sublists met so far at each level, numbered by what they mean."""

    def __init__(self, space: Space, before: Program, after: Program) -> None:
        self.space = space
        border = len(before.op)
        self.sets = before.sets + after.sets
        self.op = [DROP if op == REJECT else op for op in (*before.op, *after.op)]
        self.target = before.target + [place + border for place in after.target]
        self.unknown = before.unknown + after.unknown
        self._narrow = [sum(1 << dim for dim in range(LEVELS) if sets[dim] != WHOLE) for sets in self.sets]
        self._name_items()
        self.items: list[list[list[int]]] = [[] for _ in range(LEVELS + 1)]
        self.narrow: list[list[int]] = [[] for _ in range(LEVELS + 1)]  # dimensions that any item narrows
        self._number: list[dict[tuple[int, ...], int]] = [{} for _ in range(LEVELS + 1)]
        self._lifted: dict[tuple[int, int, int], int] = {}
        self._cut: dict[tuple[int, int], Cut] = {}

    def _name_items(self) -> None:
        """Give items that mean the same from a level on the same name there, in both policies.

        `name[level][i]` speaks of the dimensions from `level` on, the action and what is unknown, negative
        for a SKIP; `turns[level][i]` says whether it skips, and whether every packet that gets there ends.
        """
        count = len(self.op)
        known: dict[tuple[object, ...], int] = {}
        last = [
            known.setdefault((op, unknown), len(known))
            for op, unknown in zip(self.op, self.unknown, strict=True)
        ]
        skips = [op == SKIP for op in self.op]
        ends = [op != MARK for op in self.op]
        sure = [not unknown for unknown in self.unknown]
        self.name: list[list[int]] = []
        self.turns: list[list[int]] = []

        def put() -> None:
            self.name.insert(0, [-1 - name if skip else name for name, skip in zip(last, skips, strict=True)])
            self.turns.insert(
                0,
                [
                    (_SKIPS if skip else 0) | (_ENDS if own and end else 0)
                    for skip, own, end in zip(skips, sure, ends, strict=True)
                ],
            )

        put()
        for level in range(LEVELS - 1, -1, -1):
            column = [sets[level] for sets in self.sets]
            pairs: dict[tuple[int, int], int] = {}
            last = [pairs.setdefault((column[i], last[i]), len(pairs)) for i in range(count)]
            sure = [sure[i] and column[i] == WHOLE for i in range(count)]
            put()

    def trim(self, items: Sequence[int], level: int) -> list[int]:
        """Return the items that a packet of the region can reach and that can change its fate."""
        turns, targets = self.turns[level], self.target
        kept: list[int] = []
        pending: set[int] = set()
        resume = -1
        for item in items:
            if item < resume:
                continue
            kept.append(item)
            turn = turns[item]
            if turn:
                if turn & _SKIPS:
                    pending.add(targets[item])
                if turn & _ENDS:
                    resume = min([place for place in pending if place > item], default=-1)
                    if resume < 0:
                        break
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

    def key(self, items: list[int], level: int) -> tuple[int, ...]:
        """Return what the list means from a level on: equal keys, equal fate of every packet."""
        names, targets = self.name[level], self.target
        key = [names[item] for item in items]
        if key and min(key) < 0:
            for place, item in enumerate(items):
                if key[place] < 0:
                    key[place] = key[place] * _OFFSET - bisect_left(items, targets[item], place) + place
        return tuple(key)

    def enter(self, level: int, items: list[int]) -> int:
        """Return the number of a trimmed sublist at a level."""
        numbers = self._number[level]
        number = numbers.setdefault(self.key(items, level), len(numbers))
        if number == len(self.items[level]):
            self.items[level].append(items)
            narrow = 0
            for item in items:
                narrow |= self._narrow[item]
            self.narrow[level].append(narrow)
        return number

    def lift(self, level: int, number: int, deeper: int) -> int:
        """Return the number at a deeper level of a sublist that narrows no dimension in between."""
        question = (level, number, deeper)
        known = self._lifted.get(question)
        if known is None:
            known = self._lifted[question] = self.enter(deeper, self.items[level][number])
        return known

    def cut_whole(self, level: int, number: int) -> Cut:
        """Cut a sublist along its dimension, over the whole universe."""
        known = self._cut.get((level, number))
        if known is None:
            universe = self.space.tables[level].universe
            known = self._cut[level, number] = self.cut(level, self.items[level][number], universe)
        return known

    def cut(self, level: int, items: list[int], spans: Pairs) -> Cut:
        """Cut a sublist along its dimension, over some numbers."""
        always, pieces = sweep(self.space.tables[level], self.sets, level, items, spans)
        landings = sorted([self.target[item] for item in always if self.op[item] == SKIP])
        alike: dict[tuple[int, ...], int] = {}
        cut = []
        for active, pairs in pieces:
            active.sort()
            likeness = self._likeness(level + 1, always, landings, active)
            number = alike.get(likeness)
            if number is None:
                here = sorted(always + active) if active else always
                number = alike[likeness] = self.enter(level + 1, self.trim(here, level + 1))
            for low, high in pairs:
                cut.append((low, high, number))
        cut.sort()
        return cut

    def _likeness(
        self, level: int, always: list[int], landings: list[int], active: list[int]
    ) -> tuple[int, ...]:
        """Return what `active` adds to `always`: equal for two pieces whose lists mean the same.

        `landings` are where the skips of `always` go on: on which side of them an item stands matters.
        """
        names, targets = self.name[level], self.target
        likeness = []
        for place, item in enumerate(active):
            name = names[item]
            mark = (name << 24 | bisect_left(always, item)) << 24
            likeness.append(mark | bisect_right(landings, item) if landings else mark)
            if name < 0:
                likeness.append(-bisect_left(always, targets[item]))
                likeness.append(place - bisect_left(active, targets[item]))
        return tuple(likeness)
