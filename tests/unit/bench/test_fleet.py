"""How times are summed up, and that every firewall of the lab has changes to make."""

from __future__ import annotations

import pytest

from fwguard.bench.changes import order, ways_of
from fwguard.bench.fleet import STREAMING, spread
from fwguard.lab.plan import Kind, plan


def test_spread_names_values_that_were_measured() -> None:
    """The 95th percentile is the smallest value that 95 % of all do not exceed (nearest rank)."""
    assert {"p50": 50.0, "p95": 95.0, "max": 100.0} == spread([float(n) for n in range(100, 0, -1)])
    assert {"p50": 10.0, "p95": 48.0, "max": 50.0} == spread([10.0] * 30 + [31.0 + n for n in range(20)])


def test_spread_of_one_value() -> None:
    """One measurement is its own median and maximum."""
    assert {"p50": 7.1, "p95": 7.1, "max": 7.1} == spread([7.12])


@pytest.mark.parametrize("kind", STREAMING)
def test_changes_come_in_turn_and_differ(kind: Kind) -> None:
    """50 changes run through all ways of a kind, and a way's text is another each time it may be."""
    box = next(one for one in plan("t", kinds=frozenset(STREAMING)).firewalls if one.kind == kind)
    made = [order(box, number) for number in range(50)]
    assert [*ways_of(kind)] == [name for name, _ in made[: len(ways_of(kind))]]
    rules = [change for name, change in made if name == "rule"]
    assert len(rules) == len({str(change) for change in rules})
