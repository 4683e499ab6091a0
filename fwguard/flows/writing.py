"""The one way a firewall is written: under a warrant, verified over a new session, then confirmed."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy.orm import Session

from fwguard.devices.protocol import Device, Endpoint, Flow
from fwguard.errors import CommitRefusedError, DeviceError
from fwguard.flows.drift import differing_parts
from fwguard.flows.house import Hand, House
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant
from fwguard.store.warrants import end_warrant, issue_warrant, unfinished_warrants, use_warrant


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

    Raises PreimageMovedError (nothing written), CommitRefusedError (undone) or another DeviceError
    (the device's own timer undoes it). The warrant is spent in each case.
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
    except DeviceError as error:
        outcome = f"{type(error).__name__}: {error}"
        with house.store.session() as session:
            end_warrant(session, warrant.id, outcome=outcome, at=house.clock())
        raise
    return seen


def _verified(device: Device, endpoint: Endpoint, warrant: Warrant, wanted: Snapshot) -> Snapshot:
    """Return what a new session reads if it is what was wanted; else roll back and raise."""
    seen = device.read()
    parts = differing_parts(endpoint.firewall.platform, wanted, seen)
    if parts:
        device.roll_back(warrant)
        raise CommitRefusedError(f"reads back otherwise in {', '.join(parts)}: rolled back")
    return seen


def settle(session: Session, house: House, warrant: Warrant) -> None:
    """Say in the log that the write was confirmed, in the transaction that records what it meant."""
    end_warrant(session, warrant.id, outcome="confirmed", at=house.clock())


def settle_unfinished(
    house: House,
    endpoint: Endpoint,
    state_of: Callable[[str], str],
) -> None:
    """End the warrants that a killed process left in use.

    `state_of` returns what a digest stands for in words. A write whose result stands is confirmed (again,
    where it was already); any other was undone by the device's own timer, or will be within the minute.
    """
    with house.store.reading() as session:
        left = [row.value() for row in unfinished_warrants(session, f"firewall:{endpoint.firewall.name}")]
    for warrant in left:
        stands = state_of(warrant.after)
        outcome = f"found after a restart: the firewall holds {stands or 'another state'}"
        if stands:
            try:
                with house.sessions.kept(endpoint) as device:
                    device.confirm(warrant)
            except DeviceError as error:
                outcome += f"; {error}"
        with house.store.session() as session:
            end_warrant(session, warrant.id, outcome=outcome, at=house.clock())
