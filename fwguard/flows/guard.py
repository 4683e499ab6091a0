"""The guard: one look at one firewall, and what follows from it (clause 7.1.1).

A look reads the firewall and compares it with its approved state. What nobody approved is undone, or
held for a person; otherwise what the tables ask of this firewall (changes, ends) is done. The tables
alone say what is under way, so a look after a crash goes on where the last one stopped.
"""

from __future__ import annotations

from datetime import timedelta

import structlog

from fwguard.devices.protocol import Endpoint
from fwguard.errors import ConflictError, DeviceError, HostKeyChangedError
from fwguard.flows import restoring
from fwguard.flows.adopting import adopt_due
from fwguard.flows.deploying import deploy_due, finish_interrupted, restart_interrupted
from fwguard.flows.drift import differing_parts
from fwguard.flows.ending import end_due, finish_interrupted_end, next_end_s
from fwguard.flows.house import Hand, House
from fwguard.flows.reachability import note_host_key, note_reached, note_unreached
from fwguard.flows.writing import settle_unfinished
from fwguard.model.snapshot import Snapshot
from fwguard.store.approved import BaselineRow, current_baseline, record_reading
from fwguard.store.inventory import FirewallRow, WatchState, firewall_named

log = structlog.get_logger(__name__)
LOCK_RETRY_S = 1.0


def look(name: str, house: House) -> float:
    """Look at one firewall now; return in how many seconds to look again.

    Raises DeviceError or ConflictError when it could not be done; the work tries again later.
    """
    with house.store.reading() as session:
        row = firewall_named(session, name)
        endpoint = house.endpoint(row)
    try:
        with house.hand_on(row.id) as hand:
            return _look(house, hand, row, endpoint)
    except ConflictError as busy:
        log.info("look again", firewall=name, why=str(busy))
        return LOCK_RETRY_S


def _look(house: House, hand: Hand, row: FirewallRow, endpoint: Endpoint) -> float:
    try:
        reading = _read(house, endpoint)
    except HostKeyChangedError as error:
        note_host_key(house, row, str(error))
        return float(house.settings.poll_s)
    except DeviceError as error:
        return note_unreached(house, row, str(error))
    note_reached(house, row)
    if adopt_due(house, hand, row, reading):
        return 0.0
    with house.store.reading() as session:
        baseline = current_baseline(session, row.id)
    if baseline is None:
        _keep_first_reading(house, row, reading)
        return float(house.settings.poll_s)
    parts = differing_parts(row.platform, baseline.snapshot, reading)
    if parts and (
        finish_interrupted(house, hand, row, endpoint, baseline, reading)
        or finish_interrupted_end(house, hand, row, endpoint, baseline, reading)
    ):
        return 0.0  # what was under way is settled: look at the state it left
    _settle(house, endpoint, baseline, holds=not parts)
    if parts:
        return restoring.on_drift(house, hand, row, endpoint, baseline, reading, parts)
    restoring.on_no_drift(house, row, baseline)
    restart_interrupted(house, row)
    return _do_what_is_due(house, hand, row, endpoint, reading)


def _read(house: House, endpoint: Endpoint) -> Snapshot:
    """Read over the kept session; if it had died meanwhile, once more over a new one."""
    try:
        with house.sessions.kept(endpoint) as device:
            return device.read()
    except HostKeyChangedError:
        raise
    except DeviceError:
        with house.sessions.fresh(endpoint) as device:
            return device.read()


def _keep_first_reading(house: House, row: FirewallRow, reading: Snapshot) -> None:
    """Nothing is approved yet: keep what was read, so that someone can ask for its approval."""
    with house.store.session() as session:
        record_reading(session, row.id, reading, at=house.clock())


def _settle(house: House, endpoint: Endpoint, baseline: BaselineRow, *, holds: bool) -> None:
    """End what a killed process left: a restore that holds is confirmed, anything else undoes itself."""

    def state_of(digest: str) -> str:
        return "the approved state" if holds and digest == baseline.digest else ""

    settle_unfinished(house, endpoint, state_of)


def _do_what_is_due(
    house: House, hand: Hand, row: FirewallRow, endpoint: Endpoint, reading: Snapshot
) -> float:
    """End what is over, else deploy what is approved: one write a look, each on the state just read."""
    for step in (end_due, deploy_due):
        again_s = step(house, hand, row, endpoint, reading)
        if again_s is not None:
            return again_s
    ends_s = next_end_s(house, row)
    poll_s = float(house.settings.poll_s)
    return poll_s if ends_s is None else min(poll_s, ends_s)


def order_restore(house: House, name: str, *, actor: str) -> None:
    """Restore a held firewall because a person says so, whatever the cap says."""
    with house.store.session() as session:
        restoring.order(session, house, firewall_named(session, name), actor=actor)
    house.work.poke("firewall", name)


def watched(house: House) -> list[str]:
    """Return the names of the firewalls whose last look is older than the polling period."""
    due = house.clock() - timedelta(seconds=house.settings.poll_s)
    with house.store.reading() as session:
        return [
            row.name
            for row in session.query(FirewallRow).order_by(FirewallRow.name)
            if row.last_try_at is None or row.last_try_at <= due or row.state is WatchState.NEW
        ]
