"""Firewalls: own ones, in tables; what the staff may order of them."""

from __future__ import annotations

from typing import Any

import pytest

from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.model.snapshot import Snapshot
from fwguard.store.approved import approve_baseline, current_baseline, record_reading
from fwguard.store.cases import case_numbered, move_case, open_case
from fwguard.store.inventory import WatchState, firewall_named
from fwguard.store.tickets import TicketKind, ticket_numbered

ALICE = contact_of("acme", "fr", 0)
CLAIRE, DAVID, OLIVIER, _ = staff()


@pytest.fixture
def held(approved: House) -> str:
    """Give the number of a case: fw-acme was changed, and is held."""
    with approved.store.session() as session:
        row = firewall_named(session, "fw-acme")
        row.state = WatchState.HELD
        case, _ = open_case(
            session, kind=CaseKind.DRIFT, clause="7.1.1", actor="system", at=approved.clock(), firewall=row,
            facts={"changed": "[nft]\n- ct state established accept\n+ accept", "held": "policy: hold", "parts": []},
            summary_fr="ouvre tout", summary_en="opens everything",
        )  # fmt: skip
        move_case(session, case, CaseEvent.HOLD, actor="system", at=approved.clock(), why="policy: hold")
        return case.number


def _state(house: House, number: str) -> CaseState:
    with house.store.reading() as session:
        return case_numbered(session, number).state


def test_a_client_lists_its_own(as_person: Any, approved: House) -> None:
    """Another client's firewall is on no page of it."""
    alice = as_person(ALICE)
    assert "globex" not in alice.get("/firewalls").get_data(as_text=True)
    assert 404 == alice.get("/firewalls/fw-globex").status_code


def test_rules_redirections_and_routes_are_tables(as_person: Any, approved: House) -> None:
    """The approved state in words, servers by name, chains of translations among the translations only."""
    page = as_person(ALICE).get("/firewalls/fw-acme").get_data(as_text=True)
    rules, nat = page.split("Règles de filtrage")[1].split("Redirections et traduction")[:2]
    assert "web-acme (10.20.0.10)" in rules and "tcp/443" in rules and "shop" in rules
    assert "tout le reste" in rules and "prerouting" not in rules
    assert "redirection (DNAT)" in nat and "192.0.2.10" in nat
    assert "0.0.0.0/0" in page and "100.64.1.1" in page


def test_the_native_text_is_shown_as_text(as_person: Any, approved: House) -> None:
    """What a client wrote into its firewall cannot run in anyone's browser."""
    with approved.store.session() as session:
        row = firewall_named(session, "fw-acme")
        snapshot = Snapshot({"nft": 'table inet x {\n\tcomment "<img src=x onerror=alert(1)>"\n}\n'})
        before = current_baseline(session, row.id)
        approve_baseline(
            session,
            row,
            snapshot,
            before=before,
            why="x",
            actor="system",
            clause="7.1.1",
            at=approved.clock(),
        )
    page = as_person(CLAIRE).get("/firewalls/fw-acme").get_data(as_text=True)
    assert "&lt;img src=x" in page and "<img src=x" not in page


def test_a_state_that_no_dialect_reads_is_shown_whole(as_person: Any, approved: House) -> None:
    """Unreadable text is said to be, and stands there in its own words."""
    with approved.store.session() as session:
        row = firewall_named(session, "fw-acme")
        before = current_baseline(session, row.id)
        snapshot = Snapshot({"nft": "table inet { nonsense ((("})
        approve_baseline(
            session,
            row,
            snapshot,
            before=before,
            why="x",
            actor="system",
            clause="7.1.1",
            at=approved.clock(),
        )
    answer = as_person(ALICE).get("/firewalls/fw-acme")
    assert 200 == answer.status_code and "nonsense (((" in answer.get_data(as_text=True)


def test_a_firewall_without_approved_state_says_so(as_person: Any, app: Any) -> None:
    """Before the first approval nothing is put back, and the page says it."""
    page = as_person(CLAIRE).get("/firewalls/fw-acme").get_data(as_text=True)
    assert "Aucun état de ce pare-feu n'est encore approuvé" in page
    assert "/baseline" not in page


def test_the_staff_orders_a_restore(as_person: Any, held: str, house: House) -> None:
    """The button of a held firewall makes the case restoring, and the firewall looked at."""
    answer = as_person(OLIVIER).post("/firewalls/fw-acme/restoration", page="/firewalls/fw-acme")
    assert (302, CaseState.RESTORING) == (answer.status_code, _state(house, held))
    assert ("firewall", "fw-acme") in house.work.pokes  # type: ignore[attr-defined]


def test_nothing_held_cannot_be_restored(as_person: Any, approved: House) -> None:
    """The same order twice, or without a cause, is answered with "it moved"."""
    assert 409 == as_person(OLIVIER).post("/firewalls/fw-acme/restoration", page="/firewalls").status_code


@pytest.mark.parametrize("order", ["restoration", "baseline"])
def test_a_client_orders_nothing(as_person: Any, held: str, house: House, order: str) -> None:
    """A client sees no such button, and a post of it is refused."""
    alice = as_person(ALICE)
    assert f"/{order}" not in alice.get("/firewalls/fw-acme").get_data(as_text=True)
    assert 403 == alice.post(f"/firewalls/fw-acme/{order}", page="/firewalls").status_code
    assert CaseState.HELD is _state(house, held)


def test_approving_as_it_stands_is_a_request_for_someone_else(as_person: Any, approved: House) -> None:
    """It makes a ticket whose requester cannot decide it."""
    with approved.store.session() as session:
        row = firewall_named(session, "fw-acme")
        record_reading(session, row.id, Snapshot({"nft": "table inet y {\n}\n"}), at=approved.clock())
    answer = as_person(CLAIRE).post("/firewalls/fw-acme/baseline", page="/firewalls/fw-acme")
    number = answer.location.rsplit("/", 1)[1]
    with approved.store.reading() as session:
        ticket = ticket_numbered(session, number)
        assert (TicketKind.BASELINE, CLAIRE.login) == (
            ticket.kind,
            ticket.requester and ticket.requester.username,
        )


def test_a_drift_is_explained_on_its_firewalls_page(as_person: Any, held: str) -> None:
    """In words, and as changed lines."""
    page = as_person(DAVID).get("/firewalls/fw-acme").get_data(as_text=True)
    assert "opens everything" in page and '<span class="added">+ accept' in page and held in page
