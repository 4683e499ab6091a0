"""`/cases`: what was seen that the contract forbids, what was done, and how to contest it."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import joinedload

from fwguard.model.case import CaseState
from fwguard.model.inventory import Language
from fwguard.store.cases import CaseRow, case_numbered
from fwguard.store.inventory import WatchState
from fwguard.web.contest import contest_until
from fwguard.web.language import language_now
from fwguard.web.people import names_of_actors
from fwguard.web.sessions import reading
from fwguard.web.shield import house_now
from fwguard.web.ticket_view import mails_about

PAGE_ROWS: Final = 50
blueprint = Blueprint("cases", __name__)


@blueprint.get("/cases")
def cases() -> str:
    """List cases, the newest first, in pages; a client's session holds its own only."""
    only_open = request.args.get("state") == "open"
    before = request.args.get("before", type=int)
    query = select(CaseRow).options(
        joinedload(CaseRow.client), joinedload(CaseRow.firewall), joinedload(CaseRow.server)
    )
    if only_open:
        query = query.where(CaseRow.state != CaseState.CLOSED)
    if before is not None:
        query = query.where(CaseRow.id < before)
    rows = list(reading().scalars(query.order_by(CaseRow.id.desc()).limit(PAGE_ROWS + 1)))
    more = rows[PAGE_ROWS - 1].id if len(rows) > PAGE_ROWS else None
    return render_template(
        "cases.html", cases=rows[:PAGE_ROWS], more=more, only_open=only_open, summary=summary
    )


@blueprint.get("/cases/<number>")
def case(number: str) -> str:
    """Show one case with its clause, evidence, moves and mails, and until when it can be contested."""
    session, house = reading(), house_now()
    row = case_numbered(session, number)
    return render_template(
        "case.html", case=row, summary=summary, clause=house.rulebook.clauses.get(row.clause),
        actor=names_of_actors(session), mails=mails_about(session, case_id=row.id),
        contest_until=contest_until(row.opened_at), HELD=CaseState.HELD, HELD_FIREWALL=WatchState.HELD,
    )  # fmt: skip


def summary(row: CaseRow) -> list[str]:
    """Return what a case says in the reader's language, line by line."""
    return (row.summary_fr if language_now() is Language.FR else row.summary_en).splitlines()
