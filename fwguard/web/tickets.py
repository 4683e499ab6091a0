"""`/tickets` and `/queue`: what was asked, what became of it, and the decision."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from flask_security import current_user
from sqlalchemy import Select, select
from sqlalchemy.orm import joinedload
from werkzeug.wrappers import Response

from fwguard.errors import NotAllowedError
from fwguard.flows.asking import visible_ticket, withdraw
from fwguard.flows.deciding import approve, quorum, refuse
from fwguard.flows.names import server_names
from fwguard.model.ticket import TicketState
from fwguard.store.tickets import TicketRow, approval_count
from fwguard.web.contest import contest_until
from fwguard.web.login import shown_code
from fwguard.web.people import asker_of, names_of_actors
from fwguard.web.sessions import reading, writing
from fwguard.web.shield import house_now, is_approver, is_fresh, staff_only
from fwguard.web.texts import gettext
from fwguard.web.ticket_view import analysis_of, deciding_of, mails_about, may_withdraw, what_of

PAGE_ROWS: Final = 50
MOST_COMMENT: Final = 2000
blueprint = Blueprint("tickets", __name__)
Answer = str | Response | tuple[str, int]


@blueprint.get("/tickets")
def tickets() -> Answer:
    """List tickets, the newest first, in pages; a client's session holds its own only."""
    state = request.args.get("state", "")
    before = request.args.get("before", type=int)
    query = _with_names().order_by(TicketRow.id.desc()).limit(PAGE_ROWS + 1)
    if state in set(TicketState):
        query = query.where(TicketRow.state == TicketState(state))
    if before is not None:
        query = query.where(TicketRow.id < before)
    rows = list(reading().scalars(query))
    return render_template(
        "tickets.html", tickets=rows[:PAGE_ROWS], more=rows[PAGE_ROWS - 1].id if len(rows) > PAGE_ROWS else None,
        state=state, states=list(TicketState), what=what_of, analysis=analysis_of,
    )  # fmt: skip


@blueprint.get("/queue")
@staff_only
def queue() -> Answer:
    """List what waits for a decision, the oldest first."""
    query = _with_names().where(TicketRow.state == TicketState.REVIEW, TicketRow.binding != "")
    session, house = reading(), house_now()
    rows = list(session.scalars(query.order_by(TicketRow.created_at, TicketRow.id)))
    deciding = {row.id: deciding_of(session, house, row, current_user) for row in rows}
    return render_template(
        "queue.html", tickets=rows, deciding=deciding, what=what_of, analysis=analysis_of, asker=asker_of
    )


@blueprint.get("/tickets/<number>")
def ticket(number: str) -> Answer:
    """Show one ticket."""
    return _page(number)


@blueprint.post("/tickets/<number>/decision")
def decision(number: str) -> Answer:
    """Approve or refuse exactly what was shown, by someone whose second factor is fresh."""
    if not is_approver():
        raise NotAllowedError(gettext("You are not an approver: someone else decides."))
    comment = request.form.get("comment", "")[:MOST_COMMENT].strip()
    refused = request.form.get("decision") == "refuse"
    if refused and not comment:
        return _page(number, problem=gettext("A refusal needs a reason: the client is told.")), 422
    if not is_fresh() and not shown_code(request.form.get("code", "")):
        problem = gettext("To decide, show a code of your authenticator that was not used yet.")
        return _page(number, problem=problem, comment=comment), 422
    house, digest = house_now(), request.form.get("digest", "")
    with writing() as (session, user):
        row = visible_ticket(session, number, user)
        decide = refuse if refused else approve
        state = decide(session, house, row, user, digest=digest, source="portal", comment=comment)
        given, needed = approval_count(session, row), quorum(house, row)
    if state is TicketState.REVIEW:
        flash(gettext("Your approval counts: %(given)d of %(needed)d.", given=given, needed=needed))
    else:
        flash(gettext("%(number)s is refused.", number=number) if refused
              else gettext("%(number)s is approved, and is deployed now.", number=number))  # fmt: skip
    return redirect(url_for("tickets.ticket", number=number))


@blueprint.post("/tickets/<number>/withdrawal")
def withdrawal(number: str) -> Answer:
    """Take a request back, or end what it opened before its time."""
    with writing() as (session, user):
        state = withdraw(session, house_now(), number, user=user)
    flash(gettext("%(number)s is withdrawn.", number=number) if state is TicketState.WITHDRAWN
          else gettext("%(number)s ends now: what it opened is being closed.", number=number))  # fmt: skip
    return redirect(url_for("tickets.ticket", number=number))


def _page(number: str, *, problem: str = "", comment: str = "") -> str:
    session, house = reading(), house_now()
    row = visible_ticket(session, number, current_user)
    return render_template(
        "ticket.html", ticket=row, what=what_of(row), analysis=analysis_of(row, server_names(session, row.client_id)),
        deciding=deciding_of(session, house, row, current_user) if current_user.client_id is None else None,
        may_withdraw=may_withdraw(row), mails=mails_about(session, ticket_id=row.id), asker=asker_of,
        actor=names_of_actors(session), problem=problem, comment=comment,
        clause=house.rulebook.clauses.get(row.clause), contest_until=contest_until,
    )  # fmt: skip


def _with_names() -> Select[TicketRow]:
    return select(TicketRow).options(joinedload(TicketRow.client), joinedload(TicketRow.firewall))
