"""Steps of 5 s, 1 min, 1 h and 1 day."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from fwguard.kernel.series import KEPT, Series, Step, p95

_NOON = 1_800_000_000 // Step.DAY * Step.DAY


@given(st.lists(st.floats(0, 1e12), min_size=1, max_size=300))
def test_95_percent_are_not_above_the_percentile(values: list[float]) -> None:
    """It is the smallest of the values for which that holds."""
    found = p95(values)
    below = [value for value in values if value < found]
    assert sum(value <= found for value in values) >= 0.95 * len(values) > len(below)


def test_no_values_have_no_percentile() -> None:
    """Zero, and never an exception."""
    assert 0.0 == p95([])


def test_a_minute_has_the_mean_and_percentile_of_its_rates() -> None:
    """Twelve rates of five seconds; the minute is finished by the next."""
    series = Series()
    for at in range(13):
        series.add(_NOON + 5 * at, float(at))
    [point] = series.points(Step.MINUTE)
    assert (_NOON, 5.5, 11.0, 12) == (point.at_s, point.mean_bps, point.p95_bps, point.count)


def test_an_hour_and_a_day_are_of_their_minutes() -> None:
    """60 and 1 440 of them; the day's percentile passes over its 72 busiest minutes."""
    series = Series()
    for minute in range(1441):
        for second in range(0, 60, 5):
            series.add(_NOON + 60 * minute + second, float(minute))
    [day] = series.points(Step.DAY)
    hours = series.points(Step.HOUR)
    assert (1440, 719.5, 1367.0) == (day.count, day.mean_bps, day.p95_bps)
    assert (24, 29.5, 60) == (len(hours), hours[0].mean_bps, hours[0].count)


def test_what_was_not_measured_is_absent() -> None:
    """A gap of ten minutes leaves out ten minutes, and the hour has what was measured."""
    series = Series()
    for at in (0, 5, 10, 700, 705, 760, 3600):
        series.add(_NOON + at, 8.0)
    assert [0, 660, 720] == [point.at_s - _NOON for point in series.points(Step.MINUTE)]
    assert [(8.0, 3)] == [(point.mean_bps, point.count) for point in series.points(Step.HOUR)]


def test_several_rates_of_one_step_are_averaged() -> None:
    """A step holds one number."""
    series = Series()
    for at, bps in ((0, 10.0), (3, 20.0), (5, 0.0)):
        series.add(_NOON + at, bps)
    assert [(15.0, 2)] == [(point.mean_bps, point.count) for point in series.points(Step.FIVE_SECONDS)]


def test_a_clock_that_goes_backwards_changes_nothing() -> None:
    """What is finished stays finished."""
    series = Series()
    for at in (100, 50, 105):
        series.add(_NOON + at, 1.0)
    assert [_NOON + 100] == [point.at_s for point in series.points(Step.FIVE_SECONDS)]


def test_the_past_is_bounded() -> None:
    """No more steps than are kept, however long it runs."""
    series = Series()
    for at in range(3 * KEPT[Step.FIVE_SECONDS]):
        series.add(_NOON + 5 * at, 1.0)
    points = series.points(Step.FIVE_SECONDS)
    assert KEPT[Step.FIVE_SECONDS] == len(points)
    assert math.isclose(_NOON + 5 * (3 * KEPT[Step.FIVE_SECONDS] - 2), points[-1].at_s)


def test_points_since_a_moment() -> None:
    """Those that began at it or later."""
    series = Series()
    for at in range(0, 60, 5):
        series.add(_NOON + at, 1.0)
    assert [_NOON + 45, _NOON + 50] == [
        point.at_s for point in series.points(Step.FIVE_SECONDS, since_s=_NOON + 41)
    ]
