"""`/edges`: the operator's nodes: when seen, what they enforce, what they refused, repaired and warned of."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from flask import Blueprint, render_template
from sqlalchemy import select

from fwguard.model.edge_wire import EventKind
from fwguard.store.addresses import subject_of
from fwguard.store.edge_events import EdgeEventRow, recent_events, refused_packets
from fwguard.store.edge_ports import ports_of
from fwguard.store.edge_states import newest_state
from fwguard.store.edges import EdgeRow, edge_named
from fwguard.store.isolations import isolations_touching
from fwguard.web.sessions import reading
from fwguard.web.shield import house_now, staff_only

MOST_EVENTS: Final = 30
MOST_LETTERS: Final = 160
SILENT: Final = timedelta(seconds=90)  # three long polls
COUNTED: Final = timedelta(days=1)
TOLD: Final = (EventKind.REFUSED, EventKind.REPAIRED, EventKind.ALARM, EventKind.VERDICT, EventKind.CUT)
blueprint = Blueprint("edge_pages", __name__)


@blueprint.get("/edges")
@staff_only
def edges() -> str:
    """List edges, those that need someone first."""
    rows = list(reading().scalars(select(EdgeRow).order_by(EdgeRow.name)))
    rows.sort(key=lambda row: (condition(row) == "good", row.name))
    return render_template("edges.html", edges=rows, condition=condition, is_silent=is_silent)


@blueprint.get("/edges/<name>")
@staff_only
def edge(name: str) -> str:
    """Show one edge: its state, what is cut there, what it told of, its ports."""
    session = reading()
    row = edge_named(session, name)
    ports = ports_of(session, row.id)
    since = house_now().clock() - COUNTED
    return render_template(
        "edge.html", edge=row, state=newest_state(session, row), ports=ports, subject=subject_of, condition=condition,
        is_silent=is_silent, cuts=isolations_touching(session, ports),
        refused=refused_packets(session, row, since=since), by_number={port.id: port for port in ports},
        said=said, told=recent_events(session, row, TOLD, limit=MOST_EVENTS),
    )  # fmt: skip


def is_silent(row: EdgeRow) -> bool:
    """Tell whether an edge that should ask was not heard of for a while."""
    return row.is_trusted and (row.seen_at is None or house_now().clock() - row.seen_at > SILENT)


def condition(row: EdgeRow) -> str:
    """Return the tone of an edge: good, wait (it is behind, or new), bad (silent, revoked, no state can be made)."""
    if row.revoked_at is not None or is_silent(row):
        return "bad"
    behind = (row.applied_epoch, row.applied_generation) != (row.epoch, row.generation)
    return "wait" if behind or row.problem or not row.is_trusted else "good"


def said(row: EdgeEventRow) -> str:
    """Return in a few words what an event is about, whatever an edge put there."""
    facts = row.facts
    what = facts.get("what", facts.get("why", "")) if row.kind is not EventKind.VERDICT else ""
    words = ", ".join(str(one) for one in what[:8]) if isinstance(what, list) else str(what)
    return words if len(words) <= MOST_LETTERS else words[:MOST_LETTERS] + "…"
