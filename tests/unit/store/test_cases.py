"""Cases: one open drift a firewall, every move kept, restores counted."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fwguard.errors import ConflictError, InputError
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.store import Store
from fwguard.store.cases import (
    CaseRow,
    add_evidence,
    case_numbered,
    move_case,
    open_case,
    open_case_of,
    restores_since,
)  # fmt: skip
from fwguard.store.inventory import firewall_named, server_named

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _open(session: Session, kind: CaseKind = CaseKind.DRIFT, firewall: str = "fw-acme") -> tuple[str, bool]:
    case, is_new = open_case(
        session, kind=kind, clause="7.1.1", actor="system", at=NOW, facts={"opens": ["tcp/3306"]},
        summary_fr="ouvre", summary_en="opens", firewall=firewall_named(session, firewall),
    )  # fmt: skip
    return case.number, is_new


def test_eight_who_see_the_same_drift_open_one_case(house: Store) -> None:
    """The others are given the one that is open."""
    with ThreadPoolExecutor(8) as pool:
        opened = list(pool.map(lambda _: house.transact(_open), range(8)))
    assert {"C-2026-0001"} == {number for number, _ in opened}
    assert 1 == sum(is_new for _, is_new in opened)


def test_other_kinds_and_firewalls_have_their_own(house: Store) -> None:
    """And after the end, a new one is opened."""
    with house.session() as session:
        assert ("C-2026-0001", True) == _open(session)
        assert ("C-2026-0002", True) == _open(session, CaseKind.UNREACHABLE)
        assert ("C-2026-0003", True) == _open(session, firewall="fw-bold")
        case = case_numbered(session, "C-2026-0001")
        assert CaseState.CLOSED == move_case(session, case, CaseEvent.GONE, actor="system", at=NOW)
        assert (NOW, True) == (case.closed_at, case.is_ended)
        assert ("C-2026-0004", True) == _open(session)


def test_the_database_refuses_a_second_open_drift(house: Store) -> None:
    """Without our function as well."""
    with house.session() as session:
        _open(session)
        firewall = firewall_named(session, "fw-acme")
    second = CaseRow(
        number="C-1", kind=CaseKind.DRIFT, state=CaseState.HELD, client_id=firewall.client_id,
        firewall_id=firewall.id, clause="7", opened_at=NOW, updated_at=NOW, facts={},
    )  # fmt: skip
    with pytest.raises(IntegrityError), house.session() as session:
        session.add(second)


def test_a_server_may_have_many_violations(house: Store) -> None:
    """Each is its own case."""
    with house.session() as session:
        for _ in range(2):
            open_case(
                session, kind=CaseKind.VIOLATION, clause="7.4", actor="edge:e1", at=NOW, facts={},
                summary_fr="", summary_en="", server=server_named(session, "web-acme"),
            )  # fmt: skip
        assert 2 == len(session.scalars(select(CaseRow)).all())


def test_a_case_is_about_something(house: Store) -> None:
    """A firewall or a server."""
    with house.session() as session, pytest.raises(InputError):
        open_case(
            session, kind=CaseKind.DRIFT, clause="", actor="", at=NOW, facts={}, summary_fr="", summary_en=""
        )


def test_restores_are_counted_in_their_window(house: Store) -> None:
    """For the cap, over all cases of the firewall."""
    with house.session() as session:
        _open(session)
        firewall = firewall_named(session, "fw-acme")
        for minute in range(3):
            case = open_case_of(session, firewall.id, CaseKind.DRIFT)
            assert case is not None
            at = NOW + timedelta(minutes=minute)
            move_case(session, case, CaseEvent.RESTORE_STARTED, actor="system", at=at)
            move_case(session, case, CaseEvent.RESTORED, actor="system", at=at)
            _open(session)
        assert 3 == restores_since(session, firewall.id, NOW)
        assert 1 == restores_since(session, firewall.id, NOW + timedelta(minutes=2))
        assert 0 == restores_since(session, firewall_named(session, "fw-bold").id, NOW)


def test_moves_and_evidence_stand_with_the_case(house: Store) -> None:
    """In order, and what the life cycle does not know is a conflict."""
    with house.session() as session:
        number, _ = _open(session)
        case = case_numbered(session, number)
        add_evidence(session, case, kind="diff", content=b"+ rule", actor="system", at=NOW)
        move_case(session, case, CaseEvent.HOLD, actor="system", at=NOW, why="cap")
        with pytest.raises(ConflictError):
            move_case(session, case, CaseEvent.RESTORE_FAILED, actor="system", at=NOW)
    with house.reading() as session:
        case = case_numbered(session, number)
        assert [("open", "held", "cap")] == [(it.before, it.after, it.why) for it in case.moves]
        assert [(b"+ rule", case.evidence_digest)] == [(it.content, it.sha256) for it in case.evidence]
