"""Baselines: a state that someone asked to approve as it stands, and someone else approved (clause 7.1.1)."""

from __future__ import annotations

from sqlalchemy import select

from fwguard.flows.drift import differing_parts
from fwguard.flows.house import Hand, House
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import TicketEvent, TicketState
from fwguard.store.approved import ReadingRow, approve_baseline, current_baseline
from fwguard.store.cases import move_case, open_case_of
from fwguard.store.inventory import FirewallRow, WatchState
from fwguard.store.tickets import TicketKind, TicketRow, move


def adopt_due(house: House, hand: Hand, firewall: FirewallRow, reading: Snapshot) -> bool:
    """Make what was approved the baseline, if the firewall still holds just that; return whether it did.

    A firewall that has moved since makes the approval void: it is asked again.
    """
    approved = select(TicketRow).where(
        TicketRow.firewall_id == firewall.id,
        TicketRow.state == TicketState.APPROVED,
        TicketRow.kind == TicketKind.BASELINE,
    )
    with house.store.reading() as session:
        if session.scalar(approved) is None:
            return False
    with house.store.session() as session:
        hand.renew(session)
        now, row = house.clock(), session.get_one(FirewallRow, firewall.id)
        before = current_baseline(session, row.id)
        for ticket in session.scalars(approved.order_by(TicketRow.id)):
            wanted = session.scalar(
                select(ReadingRow).where(
                    ReadingRow.firewall_id == row.id, ReadingRow.digest == ticket.after_digest
                )
            )
            moved_on = (before.digest if before else "") != ticket.before_digest
            if wanted is None or moved_on or differing_parts(row.platform, wanted.snapshot, reading):
                move(
                    session,
                    ticket,
                    TicketEvent.BASELINE_MOVED,
                    actor="system",
                    at=now,
                    why="the firewall has moved",
                )
                house.work.poke("ticket", ticket.number, after_s=0.05)
                continue
            approve_baseline(
                session, row, reading, before=before, why=f"{ticket.number}: approved as it stands",
                actor=", ".join(approval.user.actor for approval in ticket.approvals), clause=ticket.clause,
                at=now, ticket_id=ticket.id,
            )  # fmt: skip
            row.state = WatchState.WATCHED
            move(session, ticket, TicketEvent.ADOPTED, actor="system", at=now)
            case = open_case_of(session, row.id, CaseKind.DRIFT)
            if case is not None and case.state is CaseState.HELD:
                move_case(
                    session, case, CaseEvent.APPROVED_AFTER_ALL, actor="system", at=now, why=ticket.number
                )
            return True
    return False
