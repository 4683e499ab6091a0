"""Spans of addresses as sets hold them."""

from __future__ import annotations

from fwguard.compile.elements import MOST_SINGLE, parted


def test_short_spans_stand_one_by_one() -> None:
    """A single address as it is, sixteen each for itself, seventeen as one interval."""
    short, long = (100, 100 + MOST_SINGLE - 1), (200, 200 + MOST_SINGLE)
    wanted = [(7, 7), *((one, one) for one in range(100, 100 + MOST_SINGLE)), long]
    assert wanted == list(parted([(7, 7), short, long]))
