"""The first page: what waits for whoever looks at it."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template
from flask_security import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from fwguard.model.case import CaseState
from fwguard.model.registration import RegistrationState
from fwguard.model.ticket import TicketState
from fwguard.store.cases import CaseRow
from fwguard.store.inventory import FirewallRow, WatchState
from fwguard.store.mail import MailInRow, MailState
from fwguard.store.registrations import RegistrationRow
from fwguard.store.tickets import TicketRow
from fwguard.web.cases import summary
from fwguard.web.sessions import reading
from fwguard.web.shield import house_now, is_staff
from fwguard.web.ticket_view import analysis_of, deciding_of, what_of

MOST_ROWS: Final = 10
UNDER_WAY: Final = (
    TicketState.REQUESTED, TicketState.REVIEW, TicketState.APPROVED, TicketState.DEPLOYING, TicketState.CLOSING,
)  # fmt: skip
blueprint = Blueprint("start", __name__)


@blueprint.get("/")
def start() -> str:
    """Show what waits for this person: decisions, held firewalls and mail for the staff, one's own for a client."""
    session = reading()
    return _for_staff(session) if is_staff() else _for_client(session)


def _for_staff(session: Session) -> str:
    review = select(TicketRow).where(TicketRow.state == TicketState.REVIEW, TicketRow.binding != "")
    tickets = list(
        session.scalars(review.options(joinedload(TicketRow.client)).order_by(TicketRow.created_at))
    )
    deciding = {row.id: deciding_of(session, house_now(), row, current_user) for row in tickets}
    yours = [row for row in tickets if (found := deciding[row.id]) is not None and found.may]
    troubled = select(FirewallRow).where(FirewallRow.state != WatchState.WATCHED).order_by(FirewallRow.name)
    quarantined = select(func.count(MailInRow.id)).where(MailInRow.state == MailState.QUARANTINED)
    registering = select(func.count(RegistrationRow.id)).where(
        RegistrationRow.state == RegistrationState.REQUESTED
    )
    return render_template(
        "start_staff.html", yours=yours[:MOST_ROWS], waiting=len(tickets), more=len(yours) - MOST_ROWS,
        firewalls=list(session.scalars(troubled.limit(MOST_ROWS))), cases=_open_cases(session),
        quarantined=session.scalar(quarantined) or 0,
        registering=session.scalar(registering) or 0, what=what_of, analysis=analysis_of, summary=summary,
    )  # fmt: skip


def _for_client(session: Session) -> str:
    tickets = select(TicketRow).options(joinedload(TicketRow.firewall)).order_by(TicketRow.id.desc())
    return render_template(
        "start_client.html",
        under_way=list(session.scalars(tickets.where(TicketRow.state.in_(UNDER_WAY)).limit(MOST_ROWS))),
        is_open=list(session.scalars(tickets.where(TicketRow.state == TicketState.OPEN).limit(MOST_ROWS))),
        cases=_open_cases(session), what=what_of, summary=summary,
        firewalls=list(session.scalars(select(FirewallRow).order_by(FirewallRow.name).limit(MOST_ROWS))),
    )  # fmt: skip


def _open_cases(session: Session) -> list[CaseRow]:
    query = select(CaseRow).options(joinedload(CaseRow.firewall)).where(CaseRow.state != CaseState.CLOSED)
    return list(session.scalars(query.order_by(CaseRow.id.desc()).limit(MOST_ROWS)))
