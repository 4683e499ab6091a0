"""Sets of integers as sorted, disjoint, non-adjacent closed intervals: what ports and addresses rest on."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Self

from fwguard.errors import InputError

Pair = tuple[int, int]


def normalised(pairs: Iterable[Pair]) -> tuple[Pair, ...]:
    """Return the same numbers as sorted, disjoint, non-adjacent closed intervals. Cost: n log n."""
    merged: list[Pair] = []
    for low, high in sorted(pairs):
        if merged and low <= merged[-1][1] + 1:
            if high > merged[-1][1]:
                merged[-1] = (merged[-1][0], high)
        else:
            merged.append((low, high))
    return tuple(merged)


@dataclass(frozen=True, slots=True)
class Intervals:
    """A set of integers; `pairs` are closed intervals, sorted, disjoint and not adjacent."""

    pairs: tuple[Pair, ...] = ()

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
        return cls(normalised(pairs))

    @classmethod
    def single(cls, *numbers: int) -> Self:
        """Build from single numbers."""
        return cls(normalised((number, number) for number in numbers))

    def __bool__(self) -> bool:
        return bool(self.pairs)

    def __contains__(self, number: int) -> bool:
        index = bisect_right(self.pairs, number, key=lambda pair: pair[0]) - 1
        return index >= 0 and number <= self.pairs[index][1]

    def __iter__(self) -> Iterator[Pair]:
        return iter(self.pairs)

    def __len__(self) -> int:
        """Return how many numbers the set holds."""
        return sum(high - low + 1 for low, high in self.pairs)

    def __or__(self, other: Self) -> Self:
        if not other.pairs:
            return self
        if not self.pairs:
            return other
        return type(self)(normalised((*self.pairs, *other.pairs)))

    def __and__(self, other: Self) -> Self:
        left, right = self.pairs, other.pairs
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
        return type(self)(tuple(out))

    def __sub__(self, other: Self) -> Self:
        out: list[Pair] = []
        cuts = other.pairs
        j = 0
        for low, high in self.pairs:
            start = low
            while j < len(cuts) and cuts[j][1] < start:
                j += 1
            k = j
            while k < len(cuts) and cuts[k][0] <= high:
                if cuts[k][0] > start:
                    out.append((start, cuts[k][0] - 1))
                start = cuts[k][1] + 1
                k += 1
            if start <= high:
                out.append((start, high))
        return type(self)(tuple(out))

    def __le__(self, other: Self) -> bool:
        return not self - other

    def overlaps(self, other: Self) -> bool:
        """Tell whether any number is in both."""
        return bool(self & other)

    @property
    def first(self) -> int:
        """Return the lowest number. Raises IndexError when empty."""
        return self.pairs[0][0]
