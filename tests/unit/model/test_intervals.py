"""Sets of integers against Python's own sets."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fwguard.model.intervals import Intervals, lack, meet, touch

numbers = st.frozensets(st.integers(0, 40))


def of(values: frozenset[int]) -> Intervals:
    """Build from single numbers."""
    return Intervals.single(*values)


def back(intervals: Intervals) -> frozenset[int]:
    """Return the numbers one by one."""
    return frozenset(n for low, high in intervals for n in range(low, high + 1))


@given(numbers, numbers)
def test_the_algebra_is_that_of_sets(left: frozenset[int], right: frozenset[int]) -> None:
    """Union, intersection, difference, inclusion, overlap, size, membership."""
    a, b = of(left), of(right)
    assert left | right == back(a | b)
    assert left & right == back(a & b)
    assert left - right == back(a - b)
    assert (left <= right) == (a <= b)
    assert bool(left & right) == a.overlaps(b)
    assert len(left) == a.size
    assert all((n in left) == (n in a) for n in range(42))


@given(numbers, numbers)
def test_results_are_normalised(left: frozenset[int], right: frozenset[int]) -> None:
    """Sorted, disjoint, not adjacent: what the constructor demands."""
    a, b = of(left), of(right)
    for result in (a | b, a & b, a - b):
        assert result == Intervals(result.pairs)
    assert touch(a.pairs, b.pairs) == bool(meet(a.pairs, b.pairs))
    assert lack(a.pairs, b.pairs) == (a - b).pairs
