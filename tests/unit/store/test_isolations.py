"""What was cut is history: it ends once, and nobody changes why."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fwguard.errors import ConflictError
from fwguard.model.case import CaseKind
from fwguard.model.controls import Passage, Reason
from fwguard.model.edge import PortKind
from fwguard.model.edge_grants import Scope
from fwguard.store import Store
from fwguard.store.cases import CaseRow, open_case
from fwguard.store.edge_ports import add_port, ports_of
from fwguard.store.edges import EdgeRow, add_edge, edge_named
from fwguard.store.inventory import server_named
from fwguard.store.isolations import (
    BREAKER,
    IsolationRow,
    add_isolation,
    clients_cut_since,
    end_isolation,
    isolations_ending,
    isolations_touching,
    next_isolation_end,
    note_taken_back,
    to_take_back,
)
from fwguard.store.verify import verify

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _cut(
    session: Session, *, cut: str = "", ends_in_s: int | None = 600, author: str = "edge:edge1"
) -> IsolationRow:
    server = server_named(session, "web-acme")
    case, _ = open_case(
        session, kind=CaseKind.VIOLATION, clause="7.1", actor="system", at=NOW, facts={}, summary_fr="",
        summary_en="", server=server,
    )  # fmt: skip
    edge = session.query(EdgeRow).first() or _edge(session)
    return add_isolation(
        session, case, server, scope=Scope.PORT, reason=Reason.INTRUSION, clause="7.1", stays_open=(Passage.CONSOLE,),
        author=author, why="scan", at=NOW, ends_at=NOW + timedelta(seconds=ends_in_s) if ends_in_s else None,
        cut=(edge, cut, 1) if cut else None,
    )  # fmt: skip


def _edge(session: Session) -> EdgeRow:
    edge = add_edge(session, "edge1", uplinks=("up0",), uplink_bps=10**9, actor="system", at=NOW)
    add_port(session, edge, "s0", server_named(session, "web-acme"), kind=PortKind.SERVER, zone=1, actor="system",
             macs=("02:00:00:00:00:01",), at=NOW)  # fmt: skip
    return edge


def test_a_cut_ends_once(house: Store) -> None:
    """The second finds it over, and the log has both the cut and its end."""
    with house.session() as session:
        row = _cut(session)
        end_isolation(session, row, actor="user:bob", why="repaired", at=NOW)
        with pytest.raises(ConflictError):
            end_isolation(session, row, actor="user:bob", why="again", at=NOW)
    with house.reading() as session:
        assert verify(session).is_whole


@pytest.mark.parametrize(
    "change", ["ended_at = NULL", "why = 'other'", "clause = '6.1'", "author = 'user:bob'"]
)
def test_what_was_cut_never_changes(house: Store, change: str) -> None:
    """By hand neither: the database refuses."""
    with house.session() as session:
        end_isolation(session, _cut(session), actor="user:bob", why="repaired", at=NOW)
    with pytest.raises(IntegrityError), house.session() as session:
        session.execute(text(f"UPDATE isolations SET {change}"))
    with pytest.raises(IntegrityError), house.session() as session:
        session.execute(text("DELETE FROM isolations"))


def test_one_event_of_an_edge_makes_one_cut(house: Store) -> None:
    """The same event dealt with twice is refused by the database."""
    with house.session() as session:
        _cut(session, cut="cut-00000001")
    with pytest.raises(IntegrityError), house.session() as session:
        _cut(session, cut="cut-00000001")
    with house.reading() as session:
        assert 1 == session.query(CaseRow).count()


def test_what_an_edge_cut_is_to_be_taken_back_until_it_was(house: Store) -> None:
    """Once it is over, and no longer once the edge said so."""
    with house.session() as session:
        row = _cut(session, cut="cut-00000001")
        edge = edge_named(session, "edge1")
        assert [] == to_take_back(session, edge)
        end_isolation(session, row, actor="user:bob", why="repaired", at=NOW)
        assert [row] == to_take_back(session, edge)
        note_taken_back(session, row, at=NOW)
        assert [] == to_take_back(session, edge)


def test_what_ends_when(house: Store) -> None:
    """At its time, not before; what waits for a person never by itself."""
    with house.session() as session:
        first, _ = _cut(session), _cut(session, ends_in_s=None)
        assert NOW + timedelta(seconds=600) == next_isolation_end(session)
        assert [] == isolations_ending(session, at=NOW + timedelta(seconds=599))
        assert [first] == isolations_ending(session, at=NOW + timedelta(seconds=600))


def test_the_breaker_counts_verdicts_that_it_did_not_hold(house: Store) -> None:
    """Not what a person cut, nor what it took back itself."""
    with house.session() as session:
        _cut(session, author="user:bob")
        held = _cut(session)
        end_isolation(session, held, actor=BREAKER, why="too many", at=NOW)
        assert set() == clients_cut_since(session, NOW)
        row = _cut(session)
        assert {row.client_id} == clients_cut_since(session, NOW)


def test_an_edge_hears_of_the_cuts_of_its_own_ports(house: Store) -> None:
    """And of none that is over."""
    with house.session() as session:
        row = _cut(session)
        ports = ports_of(session, edge_named(session, "edge1").id)
        assert ([row], []) == (isolations_touching(session, ports), isolations_touching(session, []))
        end_isolation(session, row, actor="user:bob", why="repaired", at=NOW)
        assert [] == isolations_touching(session, ports)
