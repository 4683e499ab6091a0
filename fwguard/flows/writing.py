"""The one way a firewall is written: under a warrant, verified over a new session, then confirmed."""

from __future__ import annotations

from contextlib import suppress

import structlog
from sqlalchemy.orm import Session

from fwguard.devices.protocol import Device, Endpoint, Flow
from fwguard.errors import CommitRefusedError, DeviceError, NotPendingError, PreimageMovedError
from fwguard.flows.drift import differing_parts
from fwguard.flows.house import Hand, House
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant
from fwguard.store.warrants import end_warrant, issue_warrant, unfinished_warrants, use_warrant

log = structlog.get_logger(__name__)


def warrant_for(
    session: Session,
    house: House,
    endpoint: Endpoint,
    *,
    ground: Ground,
    clause: str,
    author: str,
    reason: str,
    before: Snapshot,
    after: Snapshot,
) -> Warrant:
    """Issue the warrant for one write of one firewall, in the caller's transaction."""
    return issue_warrant(
        session,
        ground=ground,
        clause=clause,
        author=author,
        reason=reason,
        subject=f"firewall:{endpoint.firewall.name}",
        before=before.digest,
        after=after.digest,
        at=house.clock(),
    )


def write(
    house: House,
    hand: Hand,
    endpoint: Endpoint,
    warrant: Warrant,
    before: Snapshot,
    after: Snapshot,
    *,
    end: tuple[Flow, ...] = (),
) -> Snapshot:
    """Write `after`, read it back over a new session, confirm; return what was read back.

    Raises PreimageMovedError (nothing written) or CommitRefusedError (undone): the warrant is spent. After
    any other DeviceError nobody knows, as after a kill: the warrant stays in use, and the next reading tells
    whether the write is there, to be confirmed, or was undone by the device itself.
    """
    with house.store.session() as session:
        hand.renew(session)
        use_warrant(session, warrant, at=house.clock())
    try:
        with house.sessions.kept(endpoint) as device:
            device.apply(before, after, warrant=warrant, confirm_s=house.settings.confirm_s, end=end)
        with house.sessions.fresh(endpoint) as device:
            seen = _verified(device, endpoint, warrant, after)
            device.confirm(warrant)
            if device.written_by_confirm:
                seen = _saved(device, endpoint, after)
    except (PreimageMovedError, CommitRefusedError) as error:
        outcome = f"{type(error).__name__}: {error}"
        with house.store.session() as session:
            end_warrant(session, warrant.id, outcome=outcome, at=house.clock())
        raise
    return seen


def _verified(device: Device, endpoint: Endpoint, warrant: Warrant, wanted: Snapshot) -> Snapshot:
    """Return what a new session reads if it is what was wanted; else roll back and raise."""
    seen = device.read()
    parts = differing_parts(endpoint.firewall.platform, wanted, seen)
    if set(parts) - device.written_by_confirm:
        device.roll_back(warrant)
        raise CommitRefusedError(f"reads back otherwise in {', '.join(parts)}: rolled back")
    return seen


def _saved(device: Device, endpoint: Endpoint, wanted: Snapshot) -> Snapshot:
    """Return what is read once it is confirmed. Raises DeviceError when that is not what was wanted."""
    seen = device.read()
    parts = differing_parts(endpoint.firewall.platform, wanted, seen)
    if parts:
        raise DeviceError(f"confirmed, but reads back otherwise in {', '.join(parts)}: read again")
    return seen


def settle(session: Session, house: House, warrant: Warrant) -> None:
    """Say in the log that the write was confirmed, in the transaction that records what it meant."""
    end_warrant(session, warrant.id, outcome="confirmed", at=house.clock())


def confirm_found(house: House, endpoint: Endpoint, warrant: Warrant, after: Snapshot) -> bool:
    """A reading shows a write in place that nobody confirmed, or of which we do not know: make it final.

    Returns whether it is. If not, the firewall is to be looked at again: it went back just now, or the line
    broke once more.
    """
    try:
        try:
            with house.sessions.kept(endpoint) as device:
                device.confirm(warrant)
        except NotPendingError:  # final already, or undone since that reading
            with house.sessions.fresh(endpoint) as device:
                return not differing_parts(endpoint.firewall.platform, after, device.read())
    except DeviceError as error:
        log.info("not confirmed", firewall=endpoint.firewall.name, warrant=warrant.id, why=str(error))
        return False
    return True


def take_back_half(
    house: House,
    hand: Hand,
    endpoint: Endpoint,
    warrant: Warrant,
    *,
    before: Snapshot,
    after: Snapshot,
    reading: Snapshot,
) -> bool:
    """A line that drops, or a device's own timer, can leave one part of a write and not another (NETCONF: running
    and startup). If every part is as it was or as we wrote it, that is nobody's drift: put all back as it was.

    Returns whether it was that. How it went, the next reading tells.
    """
    if not _is_half(endpoint, before, after, reading):
        return False
    try:
        reading = _rolled_back(house, endpoint, warrant)
        if not _is_half(endpoint, before, after, reading):
            return True  # all of it, or none: as after any interruption
        back = _order_back(house, hand, endpoint, warrant, reading, before)
        write(house, hand, endpoint, back, reading, before)
    except (DeviceError, PreimageMovedError) as error:
        log.warning("half a write stays", firewall=endpoint.firewall.name, why=str(error))
        return True
    with house.store.session() as session:
        settle(session, house, back)
    return True


def _is_half(endpoint: Endpoint, before: Snapshot, after: Snapshot, reading: Snapshot) -> bool:
    """Tell whether some parts are as before, and all others as after."""
    not_before = set(differing_parts(endpoint.firewall.platform, before, reading))
    not_after = set(differing_parts(endpoint.firewall.platform, after, reading))
    return bool(not_before and not_after) and not not_before & not_after


def _rolled_back(house: House, endpoint: Endpoint, warrant: Warrant) -> Snapshot:
    """Undo what of a write still waits to be confirmed, and read what is there then."""
    with house.sessions.kept(endpoint) as device, suppress(NotPendingError):
        device.roll_back(warrant)
    with house.sessions.fresh(endpoint) as device:
        return device.read()


def _order_back(
    house: House, hand: Hand, endpoint: Endpoint, warrant: Warrant, reading: Snapshot, before: Snapshot
) -> Warrant:
    """End a warrant half of whose write stayed, and issue the one to take that half back."""
    with house.store.session() as session:
        hand.renew(session)
        end_warrant(session, warrant.id, outcome="interrupted: half of it was undone", at=house.clock())
        return warrant_for(
            session, house, endpoint, ground=warrant.ground, clause=warrant.clause, author="system",
            reason=f"take back the half that stayed of: {warrant.reason}", before=reading, after=before,
        )  # fmt: skip


def settle_unfinished(house: House, endpoint: Endpoint, held: Snapshot | None) -> bool:
    """End the warrants that a kill or a broken line left in use; return False to look at the firewall again.

    `held` is the approved state if the firewall holds it: a write of just that is confirmed (again, where it
    was already). Any other was undone by the device's own timer, or will be within the minute.
    """
    with house.store.reading() as session:
        left = [row.value() for row in unfinished_warrants(session, f"firewall:{endpoint.firewall.name}")]
    for warrant in left:
        stands = held is not None and warrant.after == held.digest
        if held is not None and stands and not confirm_found(house, endpoint, warrant, held):
            return False
        outcome = f"interrupted: the firewall holds {'the approved' if stands else 'another'} state"
        with house.store.session() as session:
            end_warrant(session, warrant.id, outcome=outcome, at=house.clock())
    return True
