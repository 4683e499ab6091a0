"""Asking by form: own servers only, nothing lost on an error, one ticket however often it is sent."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select

from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.store.tickets import Channel, TicketRow, ticket_numbered

ALICE, GRACE, CLAIRE = contact_of("acme", "fr", 0), contact_of("globex", "en", 0), staff()[0]
GOOD = {
    "server": "web-acme", "protocol": "tcp", "ports": "8443", "who": "these", "addresses": "198.51.100.0/24",
    "until": "", "reason": "<b>recette</b>", "key": "a",
}  # fmt: skip


def _count(house: House) -> int:
    with house.store.reading() as session:
        return session.scalars(select(func.count(TicketRow.id))).one()


def test_the_form_offers_own_servers_only(as_person: Any) -> None:
    """A client finds its servers and no other's."""
    page = as_person(ALICE).get("/requests/new").get_data(as_text=True)
    assert 'value="web-acme"' in page and 'value="web-globex"' not in page


def test_a_request_becomes_a_ticket_that_is_looked_at(as_person: Any, house: House) -> None:
    """The ticket is stored for the person, and its analysis asked for."""
    answer = as_person(ALICE).post("/requests/new", GOOD, page="/requests/new")
    number = answer.location.rsplit("/", 1)[1]
    with house.store.reading() as session:
        ticket = ticket_numbered(session, number)
        assert (ALICE.login, Channel.FORM) == (ticket.requester and ticket.requester.username, ticket.channel)
    assert ("ticket", number) in house.work.pokes  # type: ignore[attr-defined]


def test_a_double_click_makes_one_ticket(as_person: Any, house: House) -> None:
    """The same form of the same page gives the same ticket."""
    alice = as_person(ALICE)
    first, second = (alice.post("/requests/new", GOOD, page="/requests/new").location for _ in range(2))
    assert (first, 1) == (second, _count(house))


def test_going_back_and_changing_a_field_makes_another(as_person: Any, house: House) -> None:
    """What was changed is not taken for what was sent before."""
    alice = as_person(ALICE)
    for ports in ("8443", "9443"):
        alice.post("/requests/new", {**GOOD, "ports": ports}, page="/requests/new")
    assert 2 == _count(house)


def test_an_error_keeps_what_was_typed(as_person: Any, house: House) -> None:
    """The page comes back with every field as it was, the problem beside it, in French, and no ticket."""
    answer = as_person(ALICE).post("/requests/new", {**GOOD, "ports": "70000"}, page="/requests/new")
    page = answer.get_data(as_text=True)
    assert (422, 0) == (answer.status_code, _count(house))
    assert "Le port 70000 n&#39;existe pas" in page and 'aria-describedby="ports-problem"' in page
    assert 'value="70000"' in page and "198.51.100.0/24</textarea>" in page
    assert "&lt;b&gt;recette&lt;/b&gt;</textarea>" in page
    assert '<option value="web-acme" selected>' in page


def test_problems_come_in_english_too(as_person: Any) -> None:
    """An English reader gets English."""
    sent = {**GOOD, "server": "web-globex", "ports": "443-80"}
    page = as_person(GRACE).post("/requests/new", sent, page="/requests/new").get_data(as_text=True)
    assert "443-80 runs backwards: write 80-443." in page


def test_a_server_of_another_client_is_no_server(as_person: Any, house: House) -> None:
    """Naming another client's server is answered as naming none at all."""
    alice = as_person(ALICE)
    pages = [
        alice.post("/requests/new", {**GOOD, "server": name}, page="/requests/new").get_data(as_text=True)
        for name in ("web-globex", "no-such-server")
    ]
    assert 0 == _count(house)
    assert all("Choisissez l&#39;un de vos serveurs." in page for page in pages)
    assert "web-globex" not in pages[0]


def test_the_staff_may_ask_for_any_client(as_person: Any, house: House) -> None:
    """Someone at the desk asks on a client's behalf, and is the requester."""
    answer = as_person(CLAIRE).post("/requests/new", {**GOOD, "server": "web-globex"}, page="/requests/new")
    with house.store.reading() as session:
        ticket = ticket_numbered(session, answer.location.rsplit("/", 1)[1])
        assert ("globex", CLAIRE.login) == (
            ticket.client.name,
            ticket.requester and ticket.requester.username,
        )


def test_opening_the_form_changes_nothing(as_person: Any, house: House) -> None:
    """A link with everything in it, as a mail might hold, only shows the form."""
    as_person(ALICE).get("/requests/new", query_string=GOOD)
    assert 0 == _count(house)
