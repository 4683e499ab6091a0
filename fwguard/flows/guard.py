"""The guard: one look at one firewall, and what follows from it (clause 7.1.1).

A look reads the firewall and compares it with its approved state. What nobody approved is undone, or
held for a person; otherwise what the tables ask of this firewall (changes, ends) is done. The tables
alone say what is under way, so a look after a crash goes on where the last one stopped.

A look takes the firewall into its hand only to act. What it saw before holds all the same: the hand is
given only if nobody else had it since (fencing tokens).
"""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog

from fwguard.devices.protocol import Device, Endpoint
from fwguard.errors import ConflictError, DeviceError, HostKeyChangedError
from fwguard.flows import restoring
from fwguard.flows.adopting import adopt_due
from fwguard.flows.deploying import deploy_due, finish_interrupted, restart_interrupted
from fwguard.flows.drift import differing_parts
from fwguard.flows.ending import end_due, finish_interrupted_end, next_end_s
from fwguard.flows.house import Hand, House
from fwguard.flows.reachability import note_host_key, note_reached, note_unreached
from fwguard.flows.standing import Standing, standing_of
from fwguard.flows.writing import settle_unfinished
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import TicketState
from fwguard.store.approved import current_baseline, record_reading
from fwguard.store.inventory import FirewallRow, WatchState, firewall_named
from fwguard.store.tickets import TicketKind

log = structlog.get_logger(__name__)
LOCK_RETRY_S = 1.0


def look(name: str, house: House) -> float:
    """Look at one firewall now; return in how many seconds to look again.

    Raises DeviceError when it could not be done; the work tries again later.
    """
    try:
        with house.store.reading() as session:
            row = firewall_named(session, name)
            endpoint = house.endpoint(row)
            since = house.last_hand(session, row.id)
            baseline = current_baseline(session, row.id)
        return _look(house, row, endpoint, since, baseline.snapshot if baseline else None)
    except ConflictError as busy:
        log.info("look again", firewall=name, why=str(busy))
        return LOCK_RETRY_S


def _look(house: House, row: FirewallRow, endpoint: Endpoint, since: int, approved: Snapshot | None) -> float:
    try:
        reading, glanced_at = _read(house, endpoint, approved)
    except HostKeyChangedError as error:
        note_host_key(house, row, error)
        return float(house.settings.poll_s)
    except DeviceError as error:
        return note_unreached(house, row, str(error))
    with house.store.reading() as session:
        now = standing_of(session, row)
    parts = differing_parts(row.platform, now.baseline.snapshot, reading) if now.baseline else ()
    seen_at = glanced_at or house.clock()
    note_reached(house, row)
    if now.is_quiet and not parts and row.state is not WatchState.HELD:
        return float(house.settings.poll_s)
    with house.hand_on(row.id, since=since) as hand:
        return _act(house, hand, row, endpoint, now, reading, parts, seen_at)


def _act(
    house: House,
    hand: Hand,
    row: FirewallRow,
    endpoint: Endpoint,
    now: Standing,
    reading: Snapshot,
    parts: tuple[str, ...],
    seen_at: datetime,
) -> float:
    """Do what a reading, and what the tables say of the firewall, ask for."""
    if now.has(TicketKind.BASELINE, TicketState.APPROVED) and adopt_due(house, hand, row, reading):
        return 0.0
    if now.baseline is None:
        _keep_first_reading(house, row, reading)
        return float(house.settings.poll_s)
    if now.unfinished and _finished(house, hand, row, endpoint, now, reading, holds=not parts):
        return 0.0  # what was under way is settled: look at the state it left
    if parts:
        return restoring.on_drift(house, hand, row, endpoint, now.baseline, reading, parts, seen_at=seen_at)
    if now.drift_is_open or row.state is WatchState.HELD:
        restoring.on_no_drift(house, row, now.baseline)
    if now.has(TicketKind.OPENING, TicketState.DEPLOYING):
        restart_interrupted(house, row)
    return _do_what_is_due(house, hand, row, endpoint, reading) if now.busy else float(house.settings.poll_s)


def _read(house: House, endpoint: Endpoint, approved: Snapshot | None) -> tuple[Snapshot, datetime | None]:
    """Read over the kept session; if it had died meanwhile, once more over a new one.

    Return the reading, and when a glance before it already showed that it would differ.
    """
    try:
        with house.sessions.kept(endpoint) as device:
            glanced_at = _glance(house, endpoint, device, approved)
            return device.read(), glanced_at
    except HostKeyChangedError:
        raise
    except DeviceError:
        with house.sessions.fresh(endpoint) as device:
            return device.read(), None


def _glance(house: House, endpoint: Endpoint, device: Device, approved: Snapshot | None) -> datetime | None:
    """Return the time if what costs little to read is not as approved. What to do, a whole reading says."""
    seen = device.glance(approved) if approved is not None else None
    if approved is None or seen is None or not differing_parts(endpoint.firewall.platform, approved, seen):
        return None
    return house.clock()


def _keep_first_reading(house: House, row: FirewallRow, reading: Snapshot) -> None:
    """Nothing is approved yet: keep what was read, so that someone can ask for its approval."""
    with house.store.session() as session:
        record_reading(session, row.id, reading, at=house.clock())


def _finished(
    house: House,
    hand: Hand,
    row: FirewallRow,
    endpoint: Endpoint,
    now: Standing,
    reading: Snapshot,
    *,
    holds: bool,
) -> bool:
    """A kill or a broken line left a write in the middle. If the firewall holds what a deployment or an end
    was writing, finish that and return True. Else end the warrants: a restore that holds is confirmed, and
    anything else undoes itself on the device."""
    assert now.baseline is not None  # noqa: S101  # a firewall without one is never written
    if not holds and (
        finish_interrupted(house, hand, row, endpoint, now.baseline, reading)
        or finish_interrupted_end(house, hand, row, endpoint, now.baseline, reading)
    ):
        return True
    return not settle_unfinished(house, endpoint, now.baseline.snapshot if holds else None)


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
