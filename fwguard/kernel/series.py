"""A bounded time series of rates: 5 s, 1 min, 1 h, 1 day, each step with its mean and 95th percentile.

A 5-second step holds one measured rate. A minute's percentile is over its 5-second rates, an hour's and a day's
over the means of their minutes: the usual way to bill and to judge bandwidth (clause 7.7). What was not measured
is absent, never zero. A series takes
45 KB when all of its steps are full.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final


class Step(IntEnum):
    """A step by its length in seconds."""

    FIVE_SECONDS = 5
    MINUTE = 60
    HOUR = 3_600
    DAY = 86_400


# How many steps of each length are kept: 15 minutes, 26 hours, 31 days, 400 days.
KEPT: Final = {Step.FIVE_SECONDS: 180, Step.MINUTE: 1_560, Step.HOUR: 744, Step.DAY: 400}
_BELOW: Final = {Step.MINUTE: Step.FIVE_SECONDS, Step.HOUR: Step.MINUTE, Step.DAY: Step.MINUTE}


@dataclass(frozen=True, slots=True)
class Point:
    """One finished step: when it began (Unix time), mean rate, 95th percentile, and how many rates it is of."""

    at_s: int
    mean_bps: float
    p95_bps: float
    count: int


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile by nearest rank: the smallest value that 95 % are not above. 0 for none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    rank = -(-len(ordered) * 95 // 100)
    return ordered[rank - 1]


class Series:
    """The rates of one subject in one direction. Times must not go backwards; a clock that does is ignored."""

    __slots__ = ("_levels", "_open_at", "_open_count", "_open_sum")

    def __init__(self) -> None:
        self._levels = {step: _Level(KEPT[step]) for step in Step}
        self._open_at = -1  # the 5-second step that is not finished
        self._open_sum = 0.0
        self._open_count = 0

    def add(self, at_s: float, bps: float) -> None:
        """Add a rate measured up to a moment (Unix time, seconds). Several in one step are averaged."""
        step = int(at_s) // Step.FIVE_SECONDS * Step.FIVE_SECONDS
        if step < self._open_at:
            return
        if step > self._open_at:
            self._close(step)
        self._open_sum += bps
        self._open_count += 1

    def points(self, step: Step, *, since_s: int = 0) -> tuple[Point, ...]:
        """Return the finished steps that began at `since_s` or later, oldest first."""
        return self._levels[step].since(since_s)

    def _close(self, following: int) -> None:
        if self._open_count:
            mean = self._open_sum / self._open_count
            self._levels[Step.FIVE_SECONDS].append(
                Point(self._open_at, mean, mean, min(self._open_count, 0xFFFF))
            )
            for step in (Step.MINUTE, Step.HOUR, Step.DAY):
                begun = self._open_at // step * step
                if following >= begun + step:
                    self._finish(step, begun)
        self._open_at, self._open_sum, self._open_count = following, 0.0, 0

    def _finish(self, step: Step, begun: int) -> None:
        means = [point.mean_bps for point in self._levels[_BELOW[step]].since(begun)]
        if means:
            self._levels[step].append(Point(begun, sum(means) / len(means), p95(means), len(means)))


class _Level:
    """The last `most` points, in arrays: 14 bytes each."""

    __slots__ = ("_at", "_count", "_mean", "_most", "_p95")

    def __init__(self, most: int) -> None:
        self._most = most
        self._at = array("I")
        self._mean, self._p95 = array("f"), array("f")
        self._count = array("H")

    def append(self, point: Point) -> None:
        self._at.append(point.at_s)
        self._mean.append(point.mean_bps)
        self._p95.append(point.p95_bps)
        self._count.append(point.count)
        # Cut in larger pieces: taking one from the front each time would move all the others.
        if len(self._at) > self._most + max(16, self._most // 8):
            for values in (self._at, self._mean, self._p95, self._count):
                del values[: len(values) - self._most]

    def since(self, at_s: int) -> tuple[Point, ...]:
        first = max(bisect_left(self._at, at_s), len(self._at) - self._most)
        rows = zip(self._at[first:], self._mean[first:], self._p95[first:], self._count[first:], strict=True)
        return tuple(Point(*row) for row in rows)
