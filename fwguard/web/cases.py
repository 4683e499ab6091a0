"""`/cases`: what was seen that the contract forbids, what was done, and how to contest it."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.wrappers import Response

from fwguard.errors import ConflictError, InputError
from fwguard.flows import releasing, suspension
from fwguard.flows.incident import PACKETS
from fwguard.flows.incident_words import WHY, steps_of, what_is_cut
from fwguard.model.case import CaseState
from fwguard.model.inventory import Language
from fwguard.store.cases import CaseRow, case_numbered
from fwguard.store.inventory import WatchState
from fwguard.store.isolations import IsolationRow, isolations_of_case
from fwguard.store.people import UserRole, UserRow
from fwguard.web.contest import contest_until
from fwguard.web.language import language_now
from fwguard.web.people import names_of_actors
from fwguard.web.sessions import reading, writing
from fwguard.web.shield import house_now, staff_only
from fwguard.web.texts import gettext
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
        may_contest=house.clock() < contest_until(row.opened_at), cuts=isolations_of_case(session, row),
        cut_words=cut_words, steps=steps, may_check=may_check, PACKETS=PACKETS, CONTEST=releasing.CONTEST,
    )  # fmt: skip


@blueprint.post("/cases/<number>/release")
@staff_only
def release(number: str) -> Response:
    """Take back all that the case cut, with a reason that the client reads."""
    why = request.form.get("why", "").strip()
    if not why:
        flash(gettext("A reason is needed: the client reads it."))
        return redirect(url_for("cases.case", number=number))
    with writing() as (session, user):
        suspension.resume(session, house_now(), number, why=why, user=user)
    flash(gettext("Ordered: what this case cut is being taken back."))
    return redirect(url_for("cases.case", number=number))


@blueprint.post("/cases/<number>/check")
def check(number: str) -> Response:
    """Check again whether it still happens; release by itself where the clause allows."""
    try:
        with writing() as (session, user):
            releasing.check_again(session, house_now(), _own(session, user, number), actor=user.actor)
        flash(gettext("Nothing more was seen: the cut is being taken back."))
    except ConflictError:
        flash(
            gettext(
                "Not yet: it was seen within the last minute, or a person must look. Try again in a minute."
            )
        )
    return redirect(url_for("cases.case", number=number))


@blueprint.post("/cases/<number>/contest")
def contest(number: str) -> Response:
    """Keep what a client says against a case, and call a person."""
    words = request.form.get("words", "").strip()
    if not words:
        flash(gettext("Say what is wrong, in your own words."))
        return redirect(url_for("cases.case", number=number))
    with writing() as (session, user):
        releasing.contest(session, house_now(), _own(session, user, number), words, actor=user.actor)
    flash(gettext("It is kept with the case, and a person was called."))
    return redirect(url_for("cases.case", number=number))


@blueprint.get("/cases/<number>/evidence/<int:evidence_id>")
def evidence(number: str, evidence_id: int) -> Response:
    """Give the packets as a file; that they were read, and by whom, is in the log (clause 15)."""
    with writing() as (session, user):
        row = _own(session, user, number)
        if not any(it.id == evidence_id and it.kind == PACKETS for it in row.evidence):
            raise InputError(f"{number} has no packets {evidence_id}")
        content = releasing.read_evidence(session, house_now(), row, evidence_id, actor=user.actor)
    answer = Response(content, mimetype="application/vnd.tcpdump.pcap")
    answer.headers["Content-Disposition"] = f'attachment; filename="{number}-{evidence_id}.pcap"'
    return answer


def _own(session: Session, user: UserRow, number: str) -> CaseRow:
    """Return a case; another client's does not exist."""
    row = case_numbered(session, number)
    if user.role is UserRole.CLIENT and row.client_id != user.client_id:
        raise InputError(f"no case {number!r}", expected="a number such as C-2026-0001")
    return row


def cut_words(row: IsolationRow) -> tuple[str, str]:
    """Return what a cut cuts, and why, in the reader's language."""
    language = language_now()
    return what_is_cut([row])[language], WHY[row.reason][language]


def steps(cuts: list[IsolationRow]) -> tuple[str, ...]:
    """Return what the client must do about the cuts that hold, in the reader's language."""
    live = [row for row in cuts if row.ended_at is None]
    return steps_of(live[-1].reason)[language_now()] if live else ()


def may_check(cuts: list[IsolationRow]) -> bool:
    """Tell whether a check may release what is cut: only what would end by itself."""
    live = [row for row in cuts if row.ended_at is None]
    return bool(live) and all(row.ends_at is not None and row.author.startswith("edge:") for row in live)


def summary(row: CaseRow) -> list[str]:
    """Return what a case says in the reader's language, line by line."""
    return (row.summary_fr if language_now() is Language.FR else row.summary_en).splitlines()
