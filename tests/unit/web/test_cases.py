"""Cases: what was seen, under which clause, and how to contest it; one's own only."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.model.case import CaseEvent, CaseKind
from fwguard.store.cases import add_evidence, move_case, open_case
from fwguard.store.inventory import firewall_named
from fwguard.web.contest import contest_until

ALICE, GRACE, DAVID = contact_of("acme", "fr", 0), contact_of("globex", "en", 0), staff()[1]


@pytest.fixture
def case(app: Any, house: House) -> str:
    """Give the number of a case of acme that was restored."""
    with house.store.session() as session:
        made, _ = open_case(
            session, kind=CaseKind.DRIFT, clause="7.1.1", actor="system", at=house.clock(),
            firewall=firewall_named(session, "fw-acme"), facts={"changed": "[nft]\n+ <b>tcp dport 23 accept</b>"},
            summary_fr="ouvre tcp/23 de web-acme à tout le monde", summary_en="opens tcp/23 of web-acme to anyone",
        )  # fmt: skip
        add_evidence(session, made, kind="reading", content=b"x" * 123, actor="system", at=house.clock())
        move_case(session, made, CaseEvent.RESTORE_STARTED, actor="system", at=house.clock())
        move_case(session, made, CaseEvent.RESTORED, actor="system", at=house.clock())
        return made.number


def test_a_case_says_what_was_seen_and_done(as_person: Any, case: str) -> None:
    """Words, clause, difference, evidence and moves, in the reader's language, device text as text."""
    page = as_person(ALICE).get(f"/cases/{case}").get_data(as_text=True)
    assert "ouvre tcp/23 de web-acme" in page and "Le client ne modifie ni règle" in page
    assert "&lt;b&gt;tcp dport 23 accept" in page and '<td data-head="Octets">123</td>' in page
    assert "vérifié par une nouvelle lecture" in page and "8 jours ouvrés" in page


def test_the_staff_reads_it_in_its_own_language(as_person: Any, case: str) -> None:
    """English for an English reader."""
    page = as_person(DAVID).get(f"/cases/{case}").get_data(as_text=True)
    assert "opens tcp/23 of web-acme to anyone" in page and "The client changes no rule" in page


def test_another_clients_case_does_not_exist(as_person: Any, case: str) -> None:
    """Neither on its page nor in the list."""
    grace = as_person(GRACE)
    assert 404 == grace.get(f"/cases/{case}").status_code
    assert case not in grace.get("/cases").get_data(as_text=True)


def test_closed_cases_can_be_left_out(as_person: Any, case: str) -> None:
    """The list of open ones has no closed one."""
    alice = as_person(ALICE)
    assert case in alice.get("/cases").get_data(as_text=True)
    assert case not in alice.get("/cases?state=open").get_data(as_text=True)


def test_eight_french_working_days_to_contest() -> None:
    """From Thursday 30 April 2026: past two weekends, 1, 8 and 14 May (clause 6.1)."""
    until = contest_until(datetime(2026, 4, 30, 12, tzinfo=UTC))
    assert datetime(2026, 5, 15, 21, 59, tzinfo=UTC) == until
