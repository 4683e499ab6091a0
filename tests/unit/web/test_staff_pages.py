"""What only the staff reads: mail to the desk, the log and its proof, what waits."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import text

from fwguard.flows import intake
from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.store.audit import AuditRow

ALICE = contact_of("acme", "fr", 0)
CLAIRE, DAVID, OLIVIER, _ = staff()
MAIL = b"""From: alice@acme.example
Subject: <script>alert(1)</script>
Message-ID: <x@elsewhere.example>

open everything \x00\xff\x1b[31m
"""


@pytest.fixture
def quarantined(app: Any, house: House) -> int:
    """Give the id of a mail that was kept in quarantine."""
    intake.keep(house, MAIL, sender="mallory@elsewhere.example", recipient="desk@operator.example")
    intake.look("1", house)
    return 1


@pytest.mark.parametrize("path", ["/queue", "/mail", "/mail/1", "/log", "/log/proof"])
def test_clients_are_told_that_a_page_is_not_theirs(as_person: Any, quarantined: int, path: str) -> None:
    """A 403 with the reason, in their language."""
    answer = as_person(ALICE).get(path)
    assert 403 == answer.status_code
    assert "réservée à l&#39;équipe" in answer.get_data(as_text=True)


def test_quarantined_mail_is_listed_with_the_reason(as_person: Any, quarantined: int) -> None:
    """Who sent it, and why nothing was done."""
    page = as_person(OLIVIER).get("/mail").get_data(as_text=True)
    assert "mallory@elsewhere.example" in page and "no authentication result" in page


def test_a_mail_is_shown_as_text(as_person: Any, quarantined: int) -> None:
    """No markup of it works, and what does not print is marked."""
    page = as_person(OLIVIER).get("/mail/1").get_data(as_text=True)
    assert "&lt;script&gt;" in page and "<script" not in page
    assert "open everything ���[31m" in page


def test_mail_that_is_not_there_is_not_found(as_person: Any, app: Any) -> None:
    """Neither a bug nor an empty page."""
    assert 404 == as_person(OLIVIER).get("/mail/99").status_code


def test_the_log_names_people_for_the_staff(as_person: Any, ask: Any) -> None:
    """What is a hash in the table is a name on the page."""
    number = ask()
    page = as_person(DAVID).get("/log").get_data(as_text=True)
    assert f"user:{ALICE.login}" in page and f"ticket:{number}" in page


def test_the_log_is_filtered(as_person: Any, ask: Any) -> None:
    """By subject, by the beginning of an action, by clause."""
    first, second = ask(), ask(service="tcp/9000")
    david = as_person(DAVID)
    page = david.get(f"/log?subject=ticket:{first}").get_data(as_text=True)
    assert f"ticket:{first}" in page and f"ticket:{second}" not in page
    page = david.get("/log?action=portal:login").get_data(as_text=True)
    assert "portal:login:done" in page and "form:ticket" not in page
    assert "There is no such entry." in david.get("/log?clause=99").get_data(as_text=True)


def test_the_proof_says_that_the_log_is_whole(as_person: Any, ask: Any) -> None:
    """Walked and hashed anew, with how much."""
    ask()
    assert "The log is whole" in as_person(DAVID).get("/log/proof").get_data(as_text=True)


def test_the_proof_says_where_the_log_was_altered(as_person: Any, ask: Any, house: House) -> None:
    """One altered letter, past the triggers, is found and named."""
    ask()
    with house.store.engine.begin() as connection:
        triggers = connection.execute(
            text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'audit'")
        ).all()
        for name, _sql in triggers:
            connection.execute(text(f"DROP TRIGGER {name}"))
        connection.execute(text("UPDATE audit SET clause = '7.1.2' WHERE seq = 2"))
        for _name, sql in triggers:
            connection.exec_driver_sql(sql)
    with house.store.reading() as session:
        assert session.get(AuditRow, 2) is not None
    page = as_person(DAVID).get("/log/proof").get_data(as_text=True)
    assert "NOT whole" in page and "audit entry 2" in page


def test_the_start_page_says_what_waits_for_the_staff(as_person: Any, ask: Any, quarantined: int) -> None:
    """For an approver its decisions; for who asked, none; firewalls, cases and mail for all."""
    number = ask(CLAIRE, "web-acme")
    davids, claires = (as_person(it).get("/").get_data(as_text=True) for it in (DAVID, CLAIRE))
    assert number in davids and "<b>1</b> mail in quarantine" in davids
    assert number not in claires and "Rien n'attend votre décision" in claires


def test_the_start_page_of_a_client_has_its_own(as_person: Any, ask: Any) -> None:
    """Its requests and firewalls, and a way to ask."""
    own, other = ask(), ask(contact_of("globex", "en", 0), "web-globex")
    page = as_person(ALICE).get("/").get_data(as_text=True)
    assert own in page and other not in page and "fw-acme" in page and "fw-globex" not in page
    assert 'href="/requests/new"' in page
