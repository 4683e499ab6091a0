"""The case of a cut as client and staff see it, and the page of the edge that made it."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from fwguard.flows import edge_events, edge_state
from fwguard.flows.house import House
from fwguard.lab.people import contact_of, staff
from fwguard.model.edge import PortKind
from fwguard.model.edge_wire import EdgeEvent, EventKind
from fwguard.store.audit import AuditRow
from fwguard.store.cases import CaseRow
from fwguard.store.edge_ports import add_port
from fwguard.store.edges import add_edge, enrol_edge, issue_edge_token
from fwguard.store.inventory import server_named

ALICE, GRACE, CLAIRE = contact_of("acme", "fr", 0), contact_of("globex", "en", 0), staff()[0]
PCAP = b"\xd4\xc3\xb2\xa1 packets"
IRC = {"detector": "irc", "server": "10.20.0.10", "peer": "198.51.100.9", "port": 6667, "protocol": "tcp",
       "clause": "7.5", "reason": {"key": "irc", "facts": [["said", "NICK <b>x</b>"], ["replied", "001"]]}}  # fmt: skip


@pytest.fixture
def case(app: Any, house: House) -> str:
    """Give the number of a case: web-acme was cut for IRC by an edge."""
    with house.store.session() as session:
        at = house.clock()
        edge = add_edge(session, "edge1", uplinks=("up0",), uplink_bps=10**9, actor="system", at=at)
        token = issue_edge_token(session, edge, actor="system", at=at, lasts=timedelta(hours=1))
        enrol_edge(session, "edge1", token, bytes(32), at=at)
        port = add_port(session, edge, "s0", server_named(session, "web-acme"), kind=PortKind.SERVER, zone=1,
                        macs=("02:00:00:00:00:01",), actor="system", at=at).id  # fmt: skip
    edge_state.look("edge1", house)
    facts = {
        "detection": IRC,
        "action": "server",
        "rung": "server",
        "evidence": base64.b64encode(PCAP).decode(),
    }
    at_us = int(house.clock().timestamp() * 1e6)
    events = [
        EdgeEvent(id="verdict-0001", kind=EventKind.VERDICT, at_us=at_us, port=port, facts=facts),
        EdgeEvent(
            id="repaired-001", kind=EventKind.REPAIRED, at_us=at_us, facts={"what": ["a rule <i>more</i>"]}
        ),
    ]
    for number in (1, 2):
        counted = {"clause": "7.4", "packets": 20 * number + 1}
        events.append(
            EdgeEvent(
                id=f"refusal-000{number}", kind=EventKind.REFUSAL, at_us=at_us, port=port, facts=counted
            )
        )
    edge_events.receive(house, "edge1", events)
    edge_events.look("edge1", house)
    with house.store.reading() as session:
        return session.scalars(select(CaseRow.number)).one()


def text(browser: Any, path: str) -> str:
    """Return a page."""
    page: str = browser.get(path).get_data(as_text=True)
    return page


def test_the_client_sees_what_was_cut_why_and_what_to_do(as_person: Any, case: str) -> None:
    """In its language; what an attacker wrote is text; no button of the staff."""
    page = text(as_person(ALICE), f"/cases/{case}")
    for words in ("Ce qui est coupé", "logiciel soumis à déclaration", "Que faire", "Contrôler à nouveau", "Contester",
                  "NICK &lt;b&gt;x"):  # fmt: skip
        assert words in page, words
    assert "/release" not in page and "<b>x</b>" not in page


def test_the_staff_releases_with_a_reason(as_person: Any, case: str) -> None:
    """Without one nothing happens; with one the case is closed and the client told."""
    claire = as_person(CLAIRE)
    claire.post(f"/cases/{case}/release", {"why": " "}, page=f"/cases/{case}")
    assert "/release" in text(claire, f"/cases/{case}")
    claire.post(f"/cases/{case}/release", {"why": "repaired"}, page=f"/cases/{case}")
    page = text(claire, f"/cases/{case}")
    assert "/release" not in page and "repaired" in page


def test_a_client_releases_nothing(as_person: Any, case: str) -> None:
    """Whatever it posts."""
    alice = as_person(ALICE)
    assert 403 == alice.post(f"/cases/{case}/release", {"why": "please"}, page=f"/cases/{case}").status_code


def test_a_check_releases_after_a_quiet_minute(as_person: Any, case: str, clock: Any) -> None:
    """At once it says not yet."""
    alice = as_person(ALICE)
    clock.pass_s(-30)  # what logging in took
    alice.post(f"/cases/{case}/check", page=f"/cases/{case}")
    assert "Pas encore" in text(alice, f"/cases/{case}")
    clock.pass_s(90)
    alice.post(f"/cases/{case}/check", page=f"/cases/{case}")
    assert "Plus rien" in text(alice, f"/cases/{case}")


def test_a_contest_is_kept_with_the_case(as_person: Any, case: str) -> None:
    """In the client's own words, which are text on every page."""
    alice = as_person(ALICE)
    alice.post(f"/cases/{case}/contest", {"words": "un <i>essai</i> autorisé"}, page=f"/cases/{case}")
    assert "un &lt;i&gt;essai" in text(as_person(CLAIRE), f"/cases/{case}")


def test_the_packets_are_a_file_and_its_reading_is_in_the_log(
    as_person: Any, case: str, house: House
) -> None:
    """For the client they are of, and the staff."""
    answer = as_person(ALICE).get(f"/cases/{case}/evidence/1")
    assert (PCAP, "application/vnd.tcpdump.pcap") == (answer.get_data(), answer.mimetype)
    with house.store.reading() as session:
        assert 1 == len(
            session.scalars(select(AuditRow).where(AuditRow.action == "incident:evidence:read")).all()
        )


@pytest.mark.parametrize("what", ["check", "contest", "evidence/1"])
def test_another_clients_case_does_not_exist(as_person: Any, case: str, what: str) -> None:
    """Neither to read nor to write."""
    grace = as_person(GRACE)
    path = f"/cases/{case}/{what}"
    answer = grace.get(path) if "/" in what else grace.post(path, {"words": "w"}, page="/cases")
    assert 404 == answer.status_code


def test_the_staff_sees_the_edge(as_person: Any, case: str) -> None:
    """When it was seen, what it enforces, what it cut and repaired; what it says is text."""
    claire = as_person(CLAIRE)
    assert "edge1" in text(claire, "/edges")
    page = text(claire, "/edges/edge1")
    assert "Paquets refusés" in page and '<td data-head="Paquets">62</td>' in page
    assert case in page and "web-acme" in page and "a rule &lt;i&gt;more" in page and "1.1" in page


@pytest.mark.parametrize("path", ["/edges", "/edges/edge1"])
def test_clients_see_no_edge(as_person: Any, case: str, path: str) -> None:
    """These pages are the operator's."""
    assert 403 == as_person(ALICE).get(path).status_code
