"""Deployment: what was approved is written, verified, and becomes the approved state (clause 7.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.analysis.what_if import reconcile
from fwguard.devices.protocol import Endpoint
from fwguard.errors import CommitRefusedError, DeviceError, InputError, PreimageMovedError
from fwguard.flows.drift import differing_parts, policy_of
from fwguard.flows.house import Hand, House
from fwguard.flows.notices import tell_asker, tell_staff_of_ticket
from fwguard.flows.reviewing import Proposal, propose
from fwguard.flows.writing import confirm_found, settle, take_back_half, warrant_for, write
from fwguard.model.inventory import Language
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import TicketEvent, TicketState
from fwguard.model.warrant import Ground, Warrant
from fwguard.store.approved import BaselineRow, approve_baseline, current_baseline
from fwguard.store.inventory import FirewallRow
from fwguard.store.openings import add_opening, hold_opening, live_opening
from fwguard.store.tickets import TicketKind, TicketRow, move
from fwguard.store.warrants import unfinished_warrants

MOST_ATTEMPTS: Final = 3
RETRY_S: Final = 2.0
_TOO_LATE: Final = {
    Language.FR: "sa date de fin est arrivée avant que le pare-feu ait pu être modifié",
    Language.EN: "its end came before the firewall could be changed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """One approved ticket, and what it means on the baseline that holds now."""

    ticket: TicketRow
    baseline: BaselineRow
    proposal: Proposal


def deploy_due(
    house: House, hand: Hand, firewall: FirewallRow, endpoint: Endpoint, reading: Snapshot
) -> float | None:
    """Deploy the oldest approved ticket of a firewall that holds its baseline; return when to look again,
    or None when nothing is due."""
    with house.store.session() as session:
        due = _next_due(session, house, firewall)
        if due is None:
            return None
        if house.rulebook.calendar.closed_because(house.clock()):
            return float(house.settings.poll_s)
        if due.proposal.edit.after.digest == due.baseline.digest or _is_live(session, due.ticket):
            _hold(session, house, due)
            return 0.0
        author = ", ".join(approval.user.actor for approval in due.ticket.approvals) or "system"
        move(session, due.ticket, TicketEvent.DEPLOYMENT_STARTED, actor="system", at=house.clock())
        due.ticket.attempts += 1
        due.ticket.last_error = ""
        warrant = warrant_for(
            session, house, endpoint, ground=Ground.APPROVED_CHANGE, clause=due.ticket.clause,
            author=author, reason=f"{due.ticket.number}: {due.ticket.ask.words}",
            before=reading, after=due.proposal.edit.after,
        )  # fmt: skip
    return _deploy(house, hand, endpoint, due, warrant, reading)


def _deploy(
    house: House, hand: Hand, endpoint: Endpoint, due: Due, warrant: Warrant, reading: Snapshot
) -> float:
    try:
        seen = write(house, hand, endpoint, warrant, reading, due.proposal.edit.after)
    except PreimageMovedError as error:
        _failed(house, due.ticket.id, str(error), tried=False)
        return 0.0
    except CommitRefusedError as error:
        _failed(house, due.ticket.id, str(error))
        return RETRY_S
    except DeviceError as error:  # nobody knows: the next reading tells, as after a kill
        with house.store.session() as session:
            session.get_one(TicketRow, due.ticket.id).last_error = str(error)[:2000]
        return RETRY_S
    with house.store.session() as session:
        hand.renew(session)
        _deployed(session, house, due, warrant, seen)
    return 0.0


def finish_interrupted(
    house: House,
    hand: Hand,
    firewall: FirewallRow,
    endpoint: Endpoint,
    baseline: BaselineRow,
    reading: Snapshot,
) -> bool:
    """A reading that is not the baseline may be a deployment that a kill interrupted: if it is exactly what
    was being deployed, confirm it and go on as if nothing had happened. Return whether it was that."""
    with house.store.reading() as session:
        ticket = _ticket_in(session, firewall.id, TicketState.DEPLOYING)
        if ticket is None:
            return False
        due = Due(ticket=ticket, baseline=baseline, proposal=propose(session, house, ticket, baseline))
        after = due.proposal.edit.after
        warrants = [row.value() for row in unfinished_warrants(session, f"firewall:{firewall.name}")]
    ours = [warrant for warrant in warrants if warrant.after == after.digest]
    if not ours:
        return False
    if differing_parts(firewall.platform, after, reading):
        return take_back_half(
            house, hand, endpoint, ours[-1], before=baseline.snapshot, after=after, reading=reading
        )
    if not confirm_found(house, endpoint, ours[-1], after):
        return True  # look again
    with house.store.session() as session:
        hand.renew(session)
        _deployed(session, house, due, ours[-1], reading)
    return True


def restart_interrupted(house: House, firewall: FirewallRow) -> None:
    """The firewall holds its baseline, so a deployment that was under way was undone: it may start anew."""
    with house.store.reading() as session:
        ticket = _ticket_in(session, firewall.id, TicketState.DEPLOYING)
    if ticket is None:
        return
    why = ticket.last_error or "interrupted: undone by the firewall itself"
    _failed(house, ticket.id, why, tried=bool(ticket.last_error))  # our own end is no fault of the device


def _next_due(session: Session, house: House, firewall: FirewallRow) -> Due | None:
    """Return the oldest approved opening whose approval still holds; others go back to review."""
    baseline = current_baseline(session, firewall.id)
    if baseline is None:
        return None
    approved = select(TicketRow).where(
        TicketRow.firewall_id == firewall.id,
        TicketRow.state == TicketState.APPROVED,
        TicketRow.kind == TicketKind.OPENING,
    )
    for ticket in session.scalars(approved.order_by(TicketRow.id)):
        if ticket.ends_at is not None and ticket.ends_at <= house.clock():
            _too_late(session, house, ticket)
            continue
        try:
            proposal = propose(session, house, ticket, baseline)
        except InputError as error:
            _back_to_review(session, house, ticket, str(error))
            continue
        due = Due(ticket=ticket, baseline=baseline, proposal=proposal)
        if proposal.binding.digest == ticket.binding or _rebinds(session, due):
            return due
        _back_to_review(session, house, ticket, "what was approved would now do something else")
    return None


def _too_late(session: Session, house: House, ticket: TicketRow) -> None:
    """What was approved is over before it could begin: it is not opened for a moment only."""
    move(session, ticket, TicketEvent.GAVE_UP, actor="system", at=house.clock(), why=_TOO_LATE[Language.EN])
    asker = ticket.contact or ticket.requester
    assert asker is not None  # noqa: S101  # a constraint: someone asks
    tell_asker(session, house, ticket, "opening-failed", why=_TOO_LATE[asker.language])


def _rebinds(session: Session, due: Due) -> bool:
    """Tell whether an approval follows the baseline to where it is now (DESIGN.md 4.1).

    It does when only approved deployments and ends moved it, each under a warrant, and change and effect
    recompute identically. A state that a person approved as it stood is no such move.
    """
    if (due.ticket.analysis or {}).get("effect") != due.proposal.effect_digest:
        return False
    baseline: BaselineRow | None = due.baseline
    while baseline is not None and baseline.digest != due.ticket.before_digest:
        if baseline.warrant_id is None:
            return False
        baseline = session.get(BaselineRow, baseline.previous_id) if baseline.previous_id else None
    if baseline is None:
        return False
    due.ticket.before_digest, due.ticket.after_digest = (
        due.proposal.binding.before,
        due.proposal.binding.after,
    )
    return True


def _back_to_review(session: Session, house: House, ticket: TicketRow, why: str) -> None:
    move(session, ticket, TicketEvent.BASELINE_MOVED, actor="system", at=house.clock(), why=why)
    house.work.poke("ticket", ticket.number, after_s=0.05)


def _is_live(session: Session, ticket: TicketRow) -> bool:
    assert ticket.server is not None  # noqa: S101  # an opening has a server, by constraint
    opening = live_opening(session, ticket.ask, firewall=ticket.firewall, server=ticket.server)
    return opening is not None


def _hold(session: Session, house: House, due: Due) -> None:
    """What is asked is open already: the ticket becomes one more holder, and nothing is written."""
    _add_holder(session, house, due)
    move(session, due.ticket, TicketEvent.DEPLOYED, actor="system", at=house.clock(), why="open already")
    tell_asker(session, house, due.ticket, "opening-already-open")


def _add_holder(session: Session, house: House, due: Due) -> None:
    ticket, now = due.ticket, house.clock()
    assert ticket.server is not None  # noqa: S101
    opening = live_opening(session, ticket.ask, firewall=ticket.firewall, server=ticket.server)
    if opening is None:
        opening = add_opening(
            session, ticket.ask, due.proposal.change, firewall=ticket.firewall, server=ticket.server, at=now
        )
        # An opening of which the baseline had all already has nothing to take away at its end.
        written = due.proposal.edit.after.digest != due.baseline.digest
        opening.deployed_at = now if written else None
    hold_opening(session, opening, ticket, at=now)


def _deployed(session: Session, house: House, due: Due, warrant: Warrant, seen: Snapshot) -> None:
    """One transaction: the write is settled, what was read back is the baseline, the ticket is open."""
    ticket = session.get_one(TicketRow, due.ticket.id)
    baseline = session.get_one(BaselineRow, due.baseline.id)
    settle(session, house, warrant)
    approve_baseline(
        session, ticket.firewall, seen, before=baseline, why=f"{ticket.number}: {ticket.ask.words}",
        actor="system", clause=ticket.clause, at=house.clock(), warrant_id=warrant.id, ticket_id=ticket.id,
    )  # fmt: skip
    _add_holder(session, house, Due(ticket=ticket, baseline=baseline, proposal=due.proposal))
    move(
        session,
        ticket,
        TicketEvent.DEPLOYED,
        actor="system",
        at=house.clock(),
        why=f"verified by a new session: {_reconciled(due, seen)}",
    )
    ticket.last_error = ""
    tell_asker(session, house, ticket, "opening-open")


def _reconciled(due: Due, seen: Snapshot) -> str:
    """Say what was read back against what was asked: exact, partial, wider or unrelated."""
    platform = due.ticket.firewall.platform
    try:
        before, after = policy_of(platform, due.baseline.snapshot), policy_of(platform, seen)
    except InputError:
        return "as written, in a text that cannot be analysed"
    return reconcile(before, after, due.proposal.change.openings).value


def _failed(house: House, ticket_id: int, why: str, *, tried: bool = True) -> None:
    """Back to approved, to be tried again; after some tries, failed, and a person is called."""
    with house.store.session() as session:
        ticket = session.get_one(TicketRow, ticket_id)
        ticket.last_error = why[:2000]
        if not tried:
            ticket.attempts -= 1
        if ticket.attempts < MOST_ATTEMPTS:
            move(session, ticket, TicketEvent.ROLLED_BACK, actor="system", at=house.clock(), why=why)
            return
        move(session, ticket, TicketEvent.GAVE_UP, actor="system", at=house.clock(), why=why)
        tell_asker(session, house, ticket, "opening-failed", why=why)
        tell_staff_of_ticket(session, house, ticket, why=f"{ticket.number} failed: {why}")


def _ticket_in(session: Session, firewall_id: int, state: TicketState) -> TicketRow | None:
    return session.scalar(
        select(TicketRow).where(
            TicketRow.firewall_id == firewall_id,
            TicketRow.state == state,
            TicketRow.kind == TicketKind.OPENING,
        )
    )
