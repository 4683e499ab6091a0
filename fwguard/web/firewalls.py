"""`/firewalls`: what we know of each, its approved state in tables, and what the staff may order."""

from __future__ import annotations

from typing import Final

from flask import Blueprint, flash, redirect, render_template, url_for
from flask_security import current_user
from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload
from werkzeug.wrappers import Response

from fwguard.errors import FwguardError
from fwguard.flows import guard
from fwguard.flows.asking import ask_baseline
from fwguard.flows.drift import policy_of
from fwguard.flows.names import server_names
from fwguard.model.case import CaseState
from fwguard.model.policy import Policy
from fwguard.store.approved import BaselineRow, current_baseline, last_reading
from fwguard.store.cases import CaseRow
from fwguard.store.inventory import FirewallRow, WatchState, firewall_named
from fwguard.store.openings import HolderRow, OpeningRow
from fwguard.web.cases import summary
from fwguard.web.people import names_of_actors
from fwguard.web.policy_tables import chain_tables, nat_lines
from fwguard.web.sessions import end_reading, reading, writing
from fwguard.web.shield import house_now, staff_only
from fwguard.web.texts import gettext

MOST_FIREWALLS: Final = 1000
blueprint = Blueprint("firewalls", __name__)
Answer = str | Response


@blueprint.get("/firewalls")
def firewalls() -> Answer:
    """List firewalls with what we know of them, what needs someone first; a client's session holds its own."""
    session = reading()
    rows = list(
        session.scalars(select(FirewallRow).options(joinedload(FirewallRow.client)).limit(MOST_FIREWALLS))
    )
    urgent = (WatchState.HELD, WatchState.UNREACHABLE, WatchState.NEW, WatchState.WATCHED)
    rows.sort(key=lambda row: (urgent.index(row.state), row.name))
    return render_template("firewalls.html", firewalls=rows, cases=_open_case_counts(session))


@blueprint.get("/firewalls/<name>")
def firewall(name: str) -> Answer:
    """Show one firewall: its state, its approved rules, redirections and routes, and what is open on request."""
    session = reading()
    row = firewall_named(session, name)
    baseline, names = current_baseline(session, row.id), server_names(session, row.client_id)
    policy = _policy(row, baseline)
    return render_template(
        "firewall.html", firewall=row, baseline=baseline, policy=policy, actor=names_of_actors(session),
        chains=chain_tables(policy, names) if policy else [], nat=nat_lines(policy, names) if policy else [],
        parts=baseline.snapshot.parts if baseline else {}, cases=_open_cases(session, row.id),
        openings=_openings(session, row.id), was_read=last_reading(session, row.id) is not None,
        HELD=WatchState.HELD, summary=summary,
    )  # fmt: skip


@blueprint.post("/firewalls/<name>/restoration")
@staff_only
def restoration(name: str) -> Answer:
    """Put the approved state back on a firewall that is held."""
    end_reading()
    guard.order_restore(house_now(), name, actor=current_user.actor)
    flash(gettext("Ordered: the approved state of %(name)s is being put back.", name=name))
    return redirect(url_for("firewalls.firewall", name=name))


@blueprint.post("/firewalls/<name>/baseline")
@staff_only
def baseline(name: str) -> Answer:
    """Ask that a firewall be approved as it was last read; another of the staff decides."""
    with writing() as (session, user):
        number = ask_baseline(session, house_now(), name, user=user).number
    flash(gettext("%(number)s asks for it; someone else of the staff decides.", number=number))
    return redirect(url_for("tickets.ticket", number=number))


def _policy(row: FirewallRow, baseline: BaselineRow | None) -> Policy | None:
    """Return what the approved state does; None when there is none, or no dialect reads it."""
    if baseline is None:
        return None
    try:
        return policy_of(row.platform, baseline.snapshot)
    except FwguardError:
        return None


def _open_case_counts(session: Session) -> dict[int, int]:
    query = select(CaseRow.firewall_id, func.count(CaseRow.id)).where(CaseRow.state != CaseState.CLOSED)
    counts = session.execute(query.group_by(CaseRow.firewall_id)).all()
    return {firewall_id: count for firewall_id, count in counts if firewall_id is not None}


def _open_cases(session: Session, firewall_id: int) -> list[CaseRow]:
    query = select(CaseRow).where(CaseRow.firewall_id == firewall_id, CaseRow.state != CaseState.CLOSED)
    return list(session.scalars(query.order_by(CaseRow.id.desc())))


def _openings(session: Session, firewall_id: int) -> list[OpeningRow]:
    """Return what is open because someone asked, with who holds it open."""
    query = select(OpeningRow).where(OpeningRow.firewall_id == firewall_id, OpeningRow.ended_at.is_(None))
    holders = selectinload(OpeningRow.holders).joinedload(HolderRow.ticket)
    return list(session.scalars(query.options(holders).order_by(OpeningRow.id)))
