"""Readings of counters become sums and rates."""

from __future__ import annotations

from fwguard.kernel.counters import Count, PortReading, Rate, by_owner, rates


def test_counts_are_summed_by_owner() -> None:
    """A client's ports together; a port of nobody is left out."""
    counts = {1: Count(1, 100, 2, 200), 2: Count(10, 1000, 20, 2000), 3: Count(7, 7, 7, 7)}
    assert {"acme": Count(11, 1100, 22, 2200)} == by_owner(counts, {1: "acme", 2: "acme"})


def test_a_rate_is_bits_in_the_time_between() -> None:
    """125 bytes in half a second are 2 000 bit/s."""
    before, after = PortReading(10.0, {1: Count(0, 1000)}), PortReading(10.5, {1: Count(1, 1125, 1, 250)})
    assert {1: Rate(2000.0, 4000.0, 0.5)} == rates(before, after)


def test_a_port_made_anew_counts_from_nothing() -> None:
    """A counter that fell is another interface under the same index: never a negative rate."""
    before, after = (
        PortReading(0.0, {1: Count(9, 9000, 9, 9000)}),
        PortReading(1.0, {1: Count(1, 100, 1, 9001)}),
    )
    assert {1: Rate(800.0, 72008.0, 1.0)} == rates(before, after)


def test_a_port_that_vanished_has_no_rate() -> None:
    """And one that is new counts from nothing."""
    assert {2: Rate(80.0, 0.0, 1.0)} == rates(
        PortReading(0.0, {1: Count()}), PortReading(1.0, {2: Count(1, 10)})
    )


def test_two_readings_at_one_moment_have_no_rates() -> None:
    """Nothing is divided by zero."""
    assert {} == rates(PortReading(1.0, {1: Count()}), PortReading(1.0, {1: Count()}))
