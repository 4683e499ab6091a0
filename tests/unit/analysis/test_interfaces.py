"""Interfaces as numbers, and back as names."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fwguard.analysis.interfaces import InterfaceTable
from fwguard.model.intervals import Intervals
from fwguard.model.policy import InterfaceSet

NAMES = ("eth0", "eth1", "eth10", "wan", "eth*", "eth1*", "w*")
PROBES = ("eth0", "eth1", "eth10", "eth11", "eth2", "eth", "wan", "wg0", "lo", "")


@given(
    st.lists(st.builds(InterfaceSet, st.frozensets(st.sampled_from(NAMES)), st.booleans()), max_size=4),
    st.data(),
)
def test_any_choice_of_classes_is_said_exactly(sets: list[InterfaceSet], data: st.DataObject) -> None:
    """Every interface is in the shown set exactly when its class was chosen."""
    table = InterfaceTable.of(sets)
    chosen = data.draw(st.frozensets(st.integers(0, table.unnamed), min_size=1))
    shown = table.show(Intervals.single(*chosen).pairs)
    for probe in (*PROBES, *table.names):
        assert (table.number(probe) in chosen) == (probe in shown), (probe, shown)


@given(st.lists(st.builds(InterfaceSet, st.frozensets(st.sampled_from(NAMES)), st.booleans()), max_size=4))
def test_classes_tell_apart_what_rules_tell_apart(sets: list[InterfaceSet]) -> None:
    """A set and its numbers hold the same interfaces."""
    table = InterfaceTable.of(sets)
    for one in sets:
        numbers = Intervals.trusted(table.pairs(one))
        for probe in (*PROBES, *table.names):
            assert (probe in one) == (table.number(probe) in numbers)
