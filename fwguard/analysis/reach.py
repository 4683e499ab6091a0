"""Which rules any packet reaches, and which of them change anything.

Each rule is tried with a few packets first: one where it meets a later rule that would do something else.
Nearly every rule is proven so, in microseconds. Only for what is left is its whole region searched, and
that search is exact: who is accused of doing nothing, does nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from typing import Final

from fwguard.analysis.classify import Classifier, bits
from fwguard.analysis.program import ACCEPT, DROP, MARK, REJECT, SKIP, Program
from fwguard.analysis.space import WHOLE, Dim
from fwguard.analysis.sweep import sweep

RuleKey = tuple[str, int]  # chain, place in it; place -1 is the default

_BITS: Final = {ACCEPT: 1, DROP: 2, REJECT: 4}
_ONE_END: Final = (1, 2, 4)
_NEVER: Final = 1 << 62
_MOST_CULPRITS: Final = 12
# Splits for one rule, and for one program; rules that are still unproven then are not accused of anything.
MAX_SPLITS_OF_RULE: Final = 1_500
MAX_SPLITS: Final = 60_000
_MOST_TRIED: Final = 12
_DIMS: Final = range(len(Dim))


class Reach:
    """What exploring programs has shown. Shared by all hooks and IP versions of one policy."""

    def __init__(self) -> None:
        self.seen: set[RuleKey] = set()  # has an item in some program
        self.reached: set[RuleKey] = set()
        self.needed: set[RuleKey] = set()
        self.unproven: set[RuleKey] = set()  # the search was given up
        self.culprits: dict[RuleKey, set[int]] = {}  # lines that keep packets from a rule
        self.heirs: dict[RuleKey, dict[RuleKey, int]] = {}  # who would decide the same without it: line

    def explore(self, program: Program) -> None:
        """Look for packets that prove the rules of one program needed."""
        search = _Search(self, program)
        self.seen.update(search.keys)
        later = [item for item in range(len(program.op)) if not search.is_proven(item)]
        for item in later:
            if not search.is_proven(item):
                search.sample(item)
        for item in later:
            key = search.keys[item]  # a chain that is reached often stands in the list as often
            if key not in self.needed and key not in self.unproven and not search.search(item):
                self.unproven.add(key)


class _Search:
    def __init__(self, reach: Reach, program: Program) -> None:
        self.reach = reach
        self.program = program
        self.sets, self.op, self.target = program.sets, program.op, program.target
        self.unknown = program.unknown
        self.keys: list[RuleKey] = [(origin.chain, origin.place) for origin in program.origin]
        self.narrow = [sum(1 << dim for dim in _DIMS if sets[dim] != WHOLE) for sets in program.sets]
        self.all_dims = (1 << len(Dim)) - 1
        self.classifier = Classifier(program.space, program.sets)
        self.ends = dict.fromkeys((ACCEPT, DROP, REJECT, SKIP, MARK), 0)
        for op in self.ends:
            row = bytearray((len(self.op) + 7) // 8)
            for item, own in enumerate(self.op):
                if own == op:
                    row[item >> 3] |= 1 << (item & 7)
            self.ends[op] = int.from_bytes(row, "little")
        tables = program.space.tables
        self.plain = [self.classifier.plain(dim, tables[dim].universe, ()) for dim in Dim]
        self.splits_left = MAX_SPLITS
        self.rule_splits_left = 0
        self._done: set[tuple[int, tuple[int, ...]]] = set()

    def is_proven(self, item: int) -> bool:
        """Tell whether the item's rule is known to be needed."""
        return self.keys[item] in self.reach.needed

    def sample(self, item: int) -> None:
        """Try packets where the item meets a later one that would do something else."""
        overlapping = self.classifier.overlapping(item)
        later = overlapping >> (item + 1)
        op = self.op[item]
        other = later if op in (MARK, SKIP) else later & ~(self.ends[op] >> (item + 1))
        tried = 0
        while other and tried < _MOST_TRIED:
            step = (other & -other).bit_length()
            self._try(item, item + step)
            if self.is_proven(item):
                return
            other &= other - 1
            tried += 1
        self._try(item, item)

    def _try(self, item: int, other: int) -> None:
        """Judge the packets at the ends of what two items share."""
        tables = self.program.space.tables
        low, high = [], []
        for dim in _DIMS:
            table = tables[dim]
            number = table.meet(self.sets[item][dim], self.sets[other][dim])
            if number == WHOLE:
                low.append(self.plain[dim])
                high.append(self.plain[dim])
            else:
                low.append(table.pairs[number][0][0])
                high.append(table.pairs[number][-1][1])
        for point in (tuple(high), tuple(low)):
            self._leaf(bits(self.classifier.mask(point)))
            if self.is_proven(item):
                return

    def search(self, item: int) -> bool:
        """Search the whole region of an item; False when that took too long."""
        self.rule_splits_left = min(MAX_SPLITS_OF_RULE, self.splits_left)
        before = self.rule_splits_left
        self._done.clear()
        self.solve(self.all_dims, bits(self.classifier.overlapping(item)), item)
        self.splits_left -= before - max(0, self.rule_splits_left)
        return self.rule_splits_left >= 0

    def trimmed(self, items: Sequence[int], dims: int, wanted: int) -> list[int]:
        """Return the items that a packet of the region can reach, without marks.

        What stands behind the wanted item is kept: the question is what happens without it.
        """
        kept: list[int] = []
        pending: list[int] = []
        resume = -1
        ops, key = self.op, self.keys[wanted]
        for item in items:
            if item < resume:
                if item == wanted:
                    self._accuse(key, kept[-1])
                continue
            resume = -1
            op = ops[item]
            if op == MARK:
                if item == wanted:
                    kept.append(item)
                continue
            kept.append(item)
            if op == SKIP:
                pending.append(self.target[item])
            if not self.narrow[item] & dims and not self.unknown[item] and self.keys[item] != key:
                resume = min((place for place in pending if place > item), default=_NEVER)
        return kept

    def _accuse(self, key: RuleKey, blocker: int) -> None:
        lines = self.reach.culprits.setdefault(key, set())
        if len(lines) < _MOST_CULPRITS:
            lines.add(self.program.origin[blocker].line)

    def solve(self, dims: int, items: list[int], wanted: int) -> None:
        """Search a part of the wanted item's region that is still open in `dims`."""
        if self._is_settled(items, wanted):
            return
        dim = self._cheapest(dims, items)
        if dim is None:
            self._leaf(items, self.keys[wanted])
            return
        question = (dims, tuple(items))
        if question in self._done:
            return
        self._done.add(question)
        self.rule_splits_left -= 1
        if self.rule_splits_left < 0:
            return
        rest = dims & ~(1 << dim)
        always, pieces = sweep(self.program.space.tables[dim], self.sets, dim, items)
        everywhere = wanted in always
        for active, _ in pieces:
            if everywhere or wanted in active:
                here = self.trimmed(sorted(always + active), rest, wanted)
                if wanted in here:
                    self.solve(rest, here, wanted)
                if self.is_proven(wanted):
                    return

    def _is_settled(self, items: list[int], wanted: int) -> bool:
        """Tell whether no packet of the region can show more of the wanted item than is known."""
        key = self.keys[wanted]
        if key in self.reach.needed:
            return True
        if key not in self.reach.reached or self.op[wanted] not in _BITS:
            return False
        place = bisect_left(items, wanted)
        return all(self.op[item] == self.op[wanted] for item in items[place:])

    def _cheapest(self, dims: int, items: list[int]) -> int | None:
        """Return the dimension whose pieces repeat the fewest items; None when nothing is left to cut."""
        best, cost = None, _NEVER
        left = 0
        for item in items:
            left |= self.narrow[item]
        left &= dims
        for dim in _DIMS:
            if left >> dim & 1:
                numbers = [self.sets[item][dim] for item in items]
                whole = numbers.count(WHOLE)
                price = (whole + 1) * len(set(numbers))
                if price < cost:
                    best, cost = dim, price
        return best

    def _leaf(self, items: list[int], only: RuleKey | None = None) -> None:
        """Every item holds every packet of the region: walk it as the kernel does, without each rule once.

        With `only`, the list was cut for that rule and says nothing of what happens without another.
        """
        reach = self.reach
        usual, deciders = self._fates(items)
        decider = deciders[0]
        walked = self._walked(items)
        on_the_way = set(walked)
        for place, item in enumerate(items):
            key = self.keys[item]
            if place not in on_the_way:
                if key not in reach.needed:
                    self._accuse(key, decider)
                continue
            reach.reached.add(key)
            if key in reach.needed or (only is not None and key != only):
                continue
            if self.op[item] == MARK or self.unknown[item] or key[1] < 0:
                reach.needed.add(key)
                continue
            rest = [other for other in items if self.keys[other] != key]
            fates, heirs = self._fates(rest)
            onward = bisect_left(rest, item)
            # Both must come to one sure end: two equal doubts may still turn out differently.
            if fates[onward] != usual[place] or fates[onward] not in _ONE_END:
                reach.needed.add(key)
            else:
                heir = heirs[onward]
                reach.heirs.setdefault(key, {})[self.keys[heir]] = self.program.origin[heir].line

    def _walked(self, items: list[int]) -> list[int]:
        """Return the places that a packet may come to, ascending."""
        ahead = {0}
        places = []
        for place, item in enumerate(items):
            if place not in ahead:
                continue
            places.append(place)
            op = self.op[item]
            if op == SKIP:
                ahead.add(bisect_left(items, self.target[item]))
            if op == MARK or self.unknown[item]:
                ahead.add(place + 1)
        return places

    def _fates(self, items: list[int]) -> tuple[list[int], list[int]]:
        """Return what may happen from each place on, as bits, and the item that decides when nothing
        unknown applies."""
        last = len(items) - 1
        fates, deciders = [0] * (last + 1), [last] * (last + 1)
        for place in range(last, -1, -1):
            item = items[place]
            op = self.op[item]
            if op == SKIP:
                onward = bisect_left(items, self.target[item])
                fate, decider = fates[onward], deciders[onward]
            elif op == MARK:
                fate, decider = fates[place + 1], deciders[place + 1]
            else:
                fate, decider = _BITS[op], item
            if self.unknown[item]:
                fate, decider = fate | fates[place + 1], deciders[place + 1]
            fates[place], deciders[place] = fate, decider
        return fates, deciders
