"""Sets of integers as sorted, disjoint, non-adjacent closed intervals: what ports and addresses rest on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from fwguard.errors import InputError

Pair = tuple[int, int]
Pairs = tuple[Pair, ...]


def normalised(pairs: Iterable[Pair]) -> Pairs:
    """Return the same numbers as sorted, disjoint, non-adjacent closed intervals. Cost: n log n."""
    merged: list[Pair] = []
    for low, high in sorted(pairs):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


def meet(left: Pairs, right: Pairs) -> Pairs:
    """Return the numbers in both; both normalised. Cost: the sum of the lengths."""
    if left == right:
        return left
    if len(right) == 1:
        left, right = right, left
    if len(left) == 1:
        first, last = left[0]
        if right and first <= right[0][0] and right[-1][1] <= last:
            return right
    out: list[Pair] = []
    i = j = 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            out.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return tuple(out)


def lack(left: Pairs, right: Pairs) -> Pairs:
    """Return the numbers of `left` that are not in `right`; both normalised. Cost: sum of the lengths."""
    out: list[Pair] = []
    j = 0
    for low, high in left:
        start = low
        while j < len(right) and right[j][1] < start:
            j += 1
        k = j
        while k < len(right) and right[k][0] <= high:
            if right[k][0] > start:
                out.append((start, right[k][0] - 1))
            start = right[k][1] + 1
            k += 1
        if start <= high:
            out.append((start, high))
    return tuple(out)


def touch(left: Pairs, right: Pairs) -> bool:
    """Tell whether any number is in both; both normalised. Stops at the first one."""
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i][1] < right[j][0]:
            i += 1
        elif right[j][1] < left[i][0]:
            j += 1
        else:
            return True
    return False


@dataclass(frozen=True, slots=True)
class Intervals:
    """A set of integers; `pairs` are closed intervals, sorted, disjoint and not adjacent."""

    pairs: Pairs = ()

    def __post_init__(self) -> None:
        previous = -2
        for low, high in self.pairs:
            if low > high:
                raise InputError(f"reversed range {low}-{high}", expected=f"{high}-{low}")
            if low <= previous + 1:
                raise InputError(f"intervals overlap or touch at {low}", expected="Intervals.of(…)")
            previous = high

    @classmethod
    def of(cls, *pairs: Pair) -> Self:
        """Build from any closed intervals, in any order, overlapping or not."""
        for low, high in pairs:
            if low > high:
                raise InputError(f"reversed range {low}-{high}", expected=f"{high}-{low}")
        return cls.trusted(pairs if len(pairs) == 1 else normalised(pairs))

    @classmethod
    def single(cls, *numbers: int) -> Self:
        """Build from single numbers."""
        return cls.trusted(normalised((number, number) for number in numbers))

    @classmethod
    def trusted(cls, pairs: Pairs) -> Self:
        """Build from pairs that are normalised already, without checking them again."""
        new = object.__new__(cls)
        object.__setattr__(new, "pairs", pairs)
        return new

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def __contains__(self, number: int) -> bool:
        # (number + 1,) sorts before every pair that starts there, so no key function is needed.
        index = bisect_right(self.pairs, (number + 1,)) - 1
        return index >= 0 and number <= self.pairs[index][1]

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        """Return how many numbers the set holds. Above 2**63 (most of IPv6), use `size`."""
        return self.size

    @property
    def size(self) -> int:
        """Return how many numbers the set holds, of any magnitude."""
        return sum(high - low + 1 for low, high in self.pairs)

    def __or__(self, other: Self) -> Self:
        if not other.pairs:
            return self
        if not self.pairs:
            return other
        return self.trusted(normalised((*self.pairs, *other.pairs)))

    def __and__(self, other: Self) -> Self:
        return self.trusted(meet(self.pairs, other.pairs))

    def __sub__(self, other: Self) -> Self:
        return self.trusted(lack(self.pairs, other.pairs))

    def __le__(self, other: Self) -> bool:
        return not lack(self.pairs, other.pairs)

    def overlaps(self, other: Self) -> bool:
        """Tell whether any number is in both."""
        return touch(self.pairs, other.pairs)

    @property
    def first(self) -> int:
        """Return the lowest number. Raises IndexError when empty."""
        return self.pairs[0][0]
