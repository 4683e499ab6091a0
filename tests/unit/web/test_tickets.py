"""Tickets: who sees them, what their page says, and how someone decides about exactly what was shown."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from fwguard.flows import reviewing
from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.model.ticket import TicketState
from fwguard.store.people import user_named
from fwguard.store.tickets import edit_ask, ticket_numbered

ALICE, GRACE = contact_of("acme", "fr", 0), contact_of("globex", "en", 0)
CLAIRE, DAVID, OLIVIER, RITA = staff()
RISKY = {"service": "tcp/22", "source": "any", "days": None}


def _state(house: House, number: str) -> TicketState:
    with house.store.reading() as session:
        return ticket_numbered(session, number).state


def _binding(house: House, number: str) -> str:
    with house.store.reading() as session:
        return ticket_numbered(session, number).binding


def _decide(browser: Any, house: House, number: str, decision: str, **more: str) -> Any:
    sent = {"digest": _binding(house, number), "decision": decision, **more}
    return browser.post(f"/tickets/{number}/decision", sent, page=f"/tickets/{number}")


def test_a_client_lists_its_own(as_person: Any, ask: Any) -> None:
    """Nothing of another client's request reaches the page."""
    ask(ALICE, "web-acme")
    ask(GRACE, "web-globex")
    page = as_person(ALICE).get("/tickets").get_data(as_text=True)
    assert "web-acme" in page and "globex" not in page


def test_another_clients_ticket_does_not_exist(as_person: Any, ask: Any) -> None:
    """Its page is the same as that of a number that was never given."""
    number = ask(GRACE, "web-globex")
    alice = as_person(ALICE)
    answers = [alice.get(f"/tickets/{it}") for it in (number, "T-2026-9999")]
    assert [404, 404] == [answer.status_code for answer in answers]
    texts = [answer.get_data(as_text=True).replace(number, "T-2026-9999") for answer in answers]
    assert texts[0].split("<main")[1].split("</main>")[0] == texts[1].split("<main")[1].split("</main>")[0]


def test_a_ticket_says_what_it_opens(as_person: Any, ask: Any) -> None:
    """Words, boxes with an example, the change in the device's own language, the risk with reasons."""
    page = as_person(ALICE).get(f"/tickets/{ask()}").get_data(as_text=True)
    assert "ouvre tcp/8443" in page and "web-acme (10.20.0.10)" in page
    assert 'class="badge risk-' in page
    assert '<span class="added">+' in page and "fwguard:" in page
    assert "10.20.0.10:8443" in page


def test_a_client_sees_no_names_of_the_staff(as_person: Any, ask: Any, house: House) -> None:
    """Who of the operator decided is "the operator" for the client, and a name for the staff."""
    number = ask()
    _decide(as_person(CLAIRE), house, number, "approve")
    assert CLAIRE.name not in as_person(ALICE).get(f"/tickets/{number}").get_data(as_text=True)
    assert CLAIRE.name in as_person(DAVID).get(f"/tickets/{number}").get_data(as_text=True)


def test_the_queue_has_what_waits_the_oldest_first(as_person: Any, ask: Any, clock: Any) -> None:
    """Every ticket in review, by age, with its risk."""
    old = ask()
    clock.pass_s(7200)
    new = ask(GRACE, "web-globex", **RISKY)
    page = as_person(DAVID).get("/queue").get_data(as_text=True)
    assert page.index(old) < page.index(new)
    assert "2 hours" in page and "risk-high" in page


def test_an_approver_approves_what_was_shown(as_person: Any, ask: Any, house: House) -> None:
    """With a fresh second factor the shown digest is approved, and the firewall looked at."""
    number = ask()
    answer = _decide(as_person(CLAIRE), house, number, "approve")
    assert (302, TicketState.APPROVED) == (answer.status_code, _state(house, number))
    assert ("firewall", "fw-acme") in house.work.pokes  # type: ignore[attr-defined]


def test_the_digest_that_is_approved_stands_on_the_page(as_person: Any, ask: Any, house: House) -> None:
    """What the form sends is what the person reads."""
    number = ask()
    page = as_person(CLAIRE).get(f"/tickets/{number}").get_data(as_text=True)
    assert 2 == page.count(_binding(house, number))


def test_a_risky_ticket_needs_two(as_person: Any, ask: Any, house: House) -> None:
    """The first approval counts and is said to; the second decides; one person gives one."""
    number = ask(**RISKY)
    claire = as_person(CLAIRE)
    page = claire.get(_decide(claire, house, number, "approve").location).get_data(as_text=True)
    assert "1 sur 2" in page and TicketState.REVIEW is _state(house, number)
    assert "Vous avez déjà décidé" in page
    assert 409 == _decide(claire, house, number, "approve").status_code
    _decide(as_person(DAVID), house, number, "approve")
    assert TicketState.APPROVED is _state(house, number)


def test_what_moved_is_not_approved(as_person: Any, ask: Any, house: House) -> None:
    """A digest of before is refused with a page that says to look again."""
    number = ask()
    claire = as_person(CLAIRE)
    old = _binding(house, number)
    with house.store.session() as session:
        ticket = ticket_numbered(session, number)
        edit_ask(session, ticket, ticket.ask, editor=user_named(session, OLIVIER.login), at=house.clock())
    answer = claire.post(
        f"/tickets/{number}/decision", {"digest": old, "decision": "approve"}, page=f"/tickets/{number}"
    )
    assert (409, TicketState.REVIEW) == (answer.status_code, _state(house, number))
    assert "Regarder à nouveau" in answer.get_data(as_text=True)


def test_a_stale_second_factor_is_asked_for_again(as_person: Any, ask: Any, house: House, clock: Any) -> None:
    """Twenty minutes after logging in, deciding takes a code: none and a wrong one change nothing."""
    number, claire = ask(), as_person(CLAIRE)
    clock.pass_s(1200)
    assert 'name="code"' in claire.get(f"/tickets/{number}").get_data(as_text=True)
    for code in ({}, {"code": "000000"}):
        answer = _decide(claire, house, number, "approve", comment="fine", **code)
        assert (422, TicketState.REVIEW) == (answer.status_code, _state(house, number))
        assert ">fine</textarea>" in answer.get_data(as_text=True)
    _decide(claire, house, number, "approve", code=claire.code(CLAIRE))
    assert TicketState.APPROVED is _state(house, number)


def test_a_code_is_spent_even_when_the_decision_fails(
    as_person: Any, ask: Any, house: House, clock: Any
) -> None:
    """The code shown for a decision that was refused opens nothing again."""
    number, claire = ask(), as_person(CLAIRE)
    clock.pass_s(1200)
    code = claire.code(CLAIRE)
    sent = {"digest": "0" * 64, "decision": "approve", "code": code}
    assert 409 == claire.post(f"/tickets/{number}/decision", sent, page=f"/tickets/{number}").status_code
    other = type(claire)(claire.client.application, clock)
    other.post("/login", {"login": CLAIRE.login, "password": CLAIRE.password})
    assert 422 == other.post("/login/code", {"code": code}, page="/login/code").status_code


def test_refusing_needs_a_reason_that_the_client_reads(as_person: Any, ask: Any, house: House) -> None:
    """Without a reason nothing happens; with one the client finds it, and how to contest."""
    number, claire = ask(), as_person(CLAIRE)
    assert 422 == _decide(claire, house, number, "refuse").status_code
    _decide(claire, house, number, "refuse", comment="Utilisez le VPN.")
    page = as_person(ALICE).get(f"/tickets/{number}").get_data(as_text=True)
    assert TicketState.REFUSED is _state(house, number)
    assert "Utilisez le VPN." in page and "8 jours ouvrés" in page


def test_who_asked_cannot_decide_and_is_told_why(as_person: Any, ask: Any, house: House) -> None:
    """No form for the requester, and a post of it is refused with the reason."""
    number, claire = ask(CLAIRE, "web-acme"), as_person(CLAIRE)
    page = claire.get(f"/tickets/{number}").get_data(as_text=True)
    assert "Vous l&#39;avez demandé" in page and 'value="approve"' not in page
    assert (403, TicketState.REVIEW) == (
        _decide(claire, house, number, "approve").status_code,
        _state(house, number),
    )


def test_who_edited_cannot_decide(as_person: Any, ask: Any, house: House) -> None:
    """An approver that changed what is asked is told so."""
    number = ask()
    with house.store.session() as session:
        ticket = ticket_numbered(session, number)
        edit_ask(session, ticket, ticket.ask, editor=user_named(session, DAVID.login), at=house.clock())
    reviewing.look(number, house)
    david = as_person(DAVID)
    assert "You changed what this asks for" in david.get(f"/tickets/{number}").get_data(as_text=True)
    assert 403 == _decide(david, house, number, "approve").status_code


@pytest.mark.parametrize("person", [ALICE, GRACE, OLIVIER], ids=lambda it: str(it.login))
def test_only_approvers_decide(as_person: Any, ask: Any, house: House, person: Any) -> None:
    """Neither the client, nor another client, nor the desk."""
    number = ask()
    answer = as_person(person).post(
        f"/tickets/{number}/decision", {"digest": _binding(house, number), "decision": "approve"}, page="/"
    )
    assert (403, TicketState.REVIEW) == (answer.status_code, _state(house, number))


def test_looking_decides_nothing(as_person: Any, ask: Any, house: House) -> None:
    """A scanner that follows every link of a mail changes nothing: decisions are no links."""
    number, claire = ask(), as_person(CLAIRE)
    for path in ("", "/decision", "/withdrawal"):
        claire.get(f"/tickets/{number}{path}", query_string={"decision": "approve"})
    assert TicketState.REVIEW is _state(house, number)


def test_a_client_withdraws_its_request(as_person: Any, ask: Any, house: House) -> None:
    """Whoever asked takes it back while nothing is over."""
    number, alice = ask(), as_person(ALICE)
    alice.post(f"/tickets/{number}/withdrawal", page=f"/tickets/{number}")
    assert TicketState.WITHDRAWN is _state(house, number)
    assert "/withdrawal" not in alice.get(f"/tickets/{number}").get_data(as_text=True)
    assert 409 == alice.post(f"/tickets/{number}/withdrawal", page="/tickets").status_code


def test_another_clients_request_cannot_be_withdrawn(as_person: Any, ask: Any, house: House) -> None:
    """It does not exist for them."""
    number = ask()
    answer = as_person(GRACE).post(f"/tickets/{number}/withdrawal", page="/tickets")
    assert (404, TicketState.REVIEW) == (answer.status_code, _state(house, number))


def test_what_a_client_typed_is_text(as_person: Any, ask: Any) -> None:
    """Markup in a reason is shown, not run."""
    number = ask(reason='<script>alert("x")</script>')
    page = as_person(CLAIRE).get(f"/tickets/{number}").get_data(as_text=True)
    assert "&lt;script&gt;" in page and "<script" not in page


def test_old_tickets_are_on_further_pages(as_person: Any, ask: Any, approved: House, clock: Any) -> None:
    """Fifty a page; "older" leads to the rest, and none is lost between."""
    numbers = [ask(service=f"tcp/{8000 + i}") for i in range(52)]
    claire = as_person(CLAIRE)
    page = claire.get("/tickets").get_data(as_text=True)
    older = page.split('class="pages"')[1].split('href="')[1].split('"')[0].replace("&amp;", "&")
    rest = claire.get(older).get_data(as_text=True)
    assert [True] * 52 == [(number in page) != (number in rest) for number in numbers]


def test_tickets_are_found_by_state(as_person: Any, ask: Any, house: House) -> None:
    """The filter shows one state only; nonsense shows all."""
    waiting, gone = ask(), ask(service="tcp/9000")
    claire = as_person(CLAIRE)
    _decide(claire, house, gone, "refuse", comment="no")
    page = claire.get("/tickets?state=refused").get_data(as_text=True)
    assert gone in page and waiting not in page
    assert waiting in claire.get("/tickets?state=nonsense&before=x").get_data(as_text=True)


def test_a_ticket_without_analysis_says_so(as_person: Any, approved: House) -> None:
    """Between asking and its analysis the page says that it is under way."""
    alice = as_person(ALICE)
    sent = {"server": "web-acme", "protocol": "tcp", "ports": "1", "who": "anyone", "reason": "r", "key": "k",
            "until": str((approved.clock() + timedelta(days=2)).date())}  # fmt: skip
    page = alice.get(alice.post("/requests/new", sent, page="/requests/new").location).get_data(as_text=True)
    assert "L'analyse est en cours" in page
