"""When the addresses of a server go."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fwguard.errors import InputError
from fwguard.model.machine_state import AddressRules, MachineState, Sighting, release_due

NOW = datetime(2026, 3, 4, tzinfo=UTC)
RULES = AddressRules(
    stopped_grace_s=7 * 86400, archived_grace_s=86400, deleted_grace_s=3600, cooling_s=1, overlap_s=1
)


@pytest.mark.parametrize(
    ("state", "off_days", "wanted"),
    [
        (MachineState.RUNNING, 0, None),
        (MachineState.STOPPED, 0, timedelta(days=7)),
        (MachineState.ARCHIVED, 0, timedelta(days=1)),
        (MachineState.DELETED, 0, timedelta(hours=1)),
        (MachineState.ARCHIVED, 3, timedelta(days=1)),
        (MachineState.ARCHIVED, 6.5, timedelta(days=0.5)),
        (MachineState.DELETED, 30, timedelta(days=-23)),
    ],
)
def test_each_state_has_its_grace(state: MachineState, off_days: float, wanted: timedelta | None) -> None:
    """And whoever is off already waits no longer than from the day it went off."""
    due = release_due(state, since=NOW, off_since=NOW - timedelta(days=off_days), rules=RULES)
    assert wanted == (due - NOW if due is not None else None)


def test_a_sighting_has_a_zone() -> None:
    """A time without one is no time."""
    with pytest.raises(InputError, match="time zone"):
        Sighting(name="web1", state=MachineState.STOPPED, since=datetime(2026, 3, 4))
