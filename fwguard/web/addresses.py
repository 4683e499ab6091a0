"""`/addresses`: pools and who has what for the staff, one's own for a client, and who had an address when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from flask import Blueprint, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response

from fwguard.approvals.calendar import PARIS
from fwguard.errors import InputError
from fwguard.flows.address import past_moment, who_had
from fwguard.model.machine_state import release_due
from fwguard.model.pool import parse_one
from fwguard.store.addresses import HoldingRow, history_of, subject_of, used_in
from fwguard.store.machine_states import Known, states_by_subject
from fwguard.store.pools import PoolRow, pools
from fwguard.web.people import names_of_actors
from fwguard.web.sessions import reading
from fwguard.web.shield import house_now, is_staff
from fwguard.web.texts import gettext

PAGE_ROWS: Final = 100
MOST_LETTERS: Final = 64
blueprint = Blueprint("addresses", __name__)
Answer = str | Response | tuple[str, int]


@dataclass(slots=True)
class Search:
    """Who had an address when, as it was asked; `at` in Paris, empty for now."""

    address: str = ""
    at: str = ""
    moment: datetime | None = None
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Fill:
    """How full a pool is."""

    pool: PoolRow
    held: int
    cooling: int
    free: int


@blueprint.get("/addresses")
def addresses() -> Answer:
    """List who has which address; the staff also sees pools, and asks who had one."""
    session, pool = reading(), request.args.get("pool", "")[:MOST_LETTERS]
    before = request.args.get("before", type=int)
    query = select(HoldingRow).where(HoldingRow.ended_at.is_(None)).order_by(HoldingRow.id.desc())
    query = query.options(
        joinedload(HoldingRow.server), joinedload(HoldingRow.firewall), joinedload(HoldingRow.client)
    )
    fills = _fills(session) if is_staff() else []
    if chosen := next((fill.pool for fill in fills if fill.pool.name == pool), None):
        query = query.where(HoldingRow.pool_id == chosen.id)
    if before is not None:
        query = query.where(HoldingRow.id < before)
    rows = list(session.scalars(query.limit(PAGE_ROWS + 1)))
    states = states_by_subject(session)
    search, had = _searched(session) if is_staff() else (Search(), None)
    page = render_template(
        "addresses.html", holdings=rows[:PAGE_ROWS], more=rows[PAGE_ROWS - 1].id if len(rows) > PAGE_ROWS else None,
        fills=fills, chosen=chosen, search=search, had=had, states=states, subject=subject_of,
        leaving=lambda row: _leaving(row, states),
    )  # fmt: skip
    return (page, 422) if search.problems else page


@blueprint.get("/addresses/<address>")
def address(address: str) -> Answer:
    """Show the history of one address; a client's session holds its own time with it only."""
    session = reading()
    try:
        text = parse_one(address)[2]
    except InputError as error:
        raise NotFound(str(error)) from error
    rows = history_of(session, text)
    if not rows:
        raise NotFound(f"nobody had {text}")
    return render_template(
        "address.html", address=text, holdings=rows, actor=names_of_actors(session),
        clause=house_now().rulebook.clauses.get("4"), now=house_now().clock(),
    )  # fmt: skip


def _fills(session: Session) -> list[Fill]:
    now, fills = house_now().clock(), []
    for pool in pools(session):
        used = used_in(session, pool)
        held = sum(one.free_at is None for one in used)
        cooling = sum(one.free_at is not None and one.free_at > now for one in used)
        fills.append(Fill(pool, held, cooling, max(pool.value().usable.size - held - cooling, 0)))
    return fills


def _searched(session: Session) -> tuple[Search, HoldingRow | None]:
    """Return what was asked, and who had it; problems stand beside their fields."""
    given = request.args
    search = Search(
        given.get("address", "")[:MOST_LETTERS].strip(), given.get("at", "")[:MOST_LETTERS].strip()
    )
    if not search.address:
        return search, None
    now = house_now().clock()
    try:
        search.moment = _moment(search.at, now)
    except InputError:
        search.problems["at"] = gettext("This is no time that is past: write 2026-03-04T05:06, for example.")
    try:
        parse_one(search.address)
    except InputError:
        search.problems["address"] = gettext("This is no address: write 198.51.100.7 or 2001:db8::7.")
    if search.problems or search.moment is None:
        return search, None
    try:
        return search, who_had(session, search.address, search.moment)
    except InputError:
        search.problems["address"] = gettext("This address lies in none of our pools.")
    return search, None


def _moment(text: str, now: datetime) -> datetime:
    """Read what a browser sends of a time in Paris, or a time with its zone; now for nothing."""
    if not text:
        return now
    try:
        given = datetime.fromisoformat(text)
    except ValueError:
        raise InputError(text) from None
    return past_moment((given if given.tzinfo else given.replace(tzinfo=PARIS)).isoformat(), now)


def _leaving(row: HoldingRow, states: Mapping[str, Known]) -> datetime | None:
    """Return when an address goes by itself: after an overlap, or since its server is out of service."""
    state = states.get(row.holder)
    due = None
    if state is not None:
        due = release_due(
            state.state, since=state.since, off_since=state.off_since or state.since,
            rules=house_now().rulebook.addresses,
        )  # fmt: skip
    return min((at for at in (due, row.ends_at) if at is not None), default=None)
