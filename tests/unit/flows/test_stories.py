"""The stories on both databases, with a firewall that is a fake: every move, and a kill at every step."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from fwguard.errors import CommitRefusedError, ConflictError, DeviceError, InputError, NotAllowedError
from fwguard.flows import guard
from fwguard.flows.asking import ask_baseline, withdraw
from fwguard.flows.deciding import approve, refuse
from fwguard.model.case import CaseState
from fwguard.model.inventory import OnDrift
from fwguard.model.ticket import TicketState
from fwguard.store.approved import current_baseline
from fwguard.store.audit import AuditRow
from fwguard.store.inventory import FirewallRow, WatchState, firewall_named
from fwguard.store.people import user_named
from fwguard.store.tickets import ticket_numbered
from fwguard.store.verify import verify

HOLE = ("tcp dport 80 accept", "tcp dport { 80, 3306 } accept")


def baseline_text(scene: Any) -> str:
    """Return the approved nft text."""
    with scene.house.store.reading() as session:
        row = current_baseline(session, firewall_named(session, "fw-acme").id)
        assert row is not None
        return str(row.snapshot.get("nft"))


def whole(scene: Any) -> bool:
    """Tell whether the log proves itself."""
    with scene.house.store.reading() as session:
        return bool(verify(session).is_whole)


def test_a_baseline_takes_two_people(scene: Any) -> None:
    """Who asks for it cannot approve it; once another does, the firewall is watched."""
    scene.look()
    with scene.house.store.session() as session:
        number = ask_baseline(session, scene.house, "fw-acme", user=user_named(session, "bob")).number
    with pytest.raises(NotAllowedError):
        scene.decide(number, "bob")
    scene.decide(number, "eve")
    scene.look()
    with scene.house.store.reading() as session:
        assert firewall_named(session, "fw-acme").state is WatchState.WATCHED
    assert scene.state(number) is TicketState.CLOSED


def test_a_baseline_that_moved_before_it_was_approved_is_asked_again(scene: Any) -> None:
    """An approval of one state never approves another."""
    scene.look()
    with scene.house.store.session() as session:
        number = ask_baseline(session, scene.house, "fw-acme", user=user_named(session, "olga")).number
    scene.decide(number, "bob")
    scene.tampered(*HOLE)
    scene.look()
    assert scene.state(number) is TicketState.REVIEW


def test_drift_is_undone_told_and_logged(scene: Any) -> None:
    """One case, closed; the approved text is back; the client knows what it opened."""
    scene.approve_baseline()
    approved = scene.firewall.now
    scene.tampered(*HOLE)
    scene.look()
    (case,) = scene.cases()
    assert (case.state, case.clause, case.restore_count) == (CaseState.CLOSED, "7.1.1", 1)
    assert "opens tcp/3306 of 10.20.0.11 (web1)" in case.summary_en
    assert "ouvre tcp/3306 de 10.20.0.11 (web1)" in case.summary_fr
    assert approved == scene.firewall.now
    assert scene.mails() == ["drift-restored"]
    assert whole(scene)


def test_drift_that_nobody_can_read_is_undone_too(scene: Any) -> None:
    """A client cannot switch the guard off with a line that we do not understand."""
    scene.approve_baseline()
    approved = scene.firewall.now
    scene.tampered("tcp dport 80 accept", "tcp dport 80 frobnicate }{ accept")
    scene.look()
    assert approved == scene.firewall.now
    assert [CaseState.CLOSED] == [case.state for case in scene.cases()]


def test_a_second_change_during_the_restore_is_undone_as_well(scene: Any) -> None:
    """The write for the first finds another state, writes nothing, and looks again."""
    scene.approve_baseline()
    approved = scene.firewall.now
    scene.tampered(*HOLE)

    def again(name: str, _count: int) -> None:
        if name == "before apply":
            scene.firewall.on_call = lambda name, count: None
            scene.tampered("policy drop", "policy accept")

    scene.firewall.on_call = again
    scene.look()
    assert approved == scene.firewall.now
    assert all(case.state is CaseState.CLOSED for case in scene.cases())


def test_the_cap_ends_a_revert_war(scene: Any) -> None:
    """After the cap the firewall is held and a person is called; their order restores it."""
    scene.approve_baseline()
    approved = scene.firewall.now
    for _ in range(scene.house.settings.restore_cap + 1):
        scene.tampered(*HOLE)
        scene.look()
    assert approved != scene.firewall.now
    assert scene.cases()[-1].state is CaseState.HELD
    assert "staff-call" in scene.mails("bob@host.example")
    guard.order_restore(scene.house, "fw-acme", actor="user:bob")
    scene.look()
    assert approved == scene.firewall.now


def test_a_held_drift_that_is_approved_after_all_becomes_the_baseline(scene: Any) -> None:
    """By two people, like any baseline."""
    scene.approve_baseline()
    with scene.house.store.session() as session:
        firewall_named(session, "fw-acme").on_drift = OnDrift.HOLD
    scene.tampered(*HOLE)
    scene.look()
    assert scene.cases()[-1].state is CaseState.HELD
    scene.approve_baseline()
    assert scene.cases()[-1].state is CaseState.CLOSED
    assert "3306" in baseline_text(scene)


def test_an_opening_is_analysed_approved_deployed_and_becomes_the_baseline(scene: Any) -> None:
    """Running and boot text alike; the asker is told at each turn."""
    scene.approve_baseline()
    number = scene.opened("443")
    assert scene.state(number) is TicketState.OPEN
    for part in ("nft", "boot/nftables.conf"):
        text = scene.firewall.now.get(part)
        assert "tcp dport 443 accept" in text
        assert "dport 443 dnat to 10.20.0.11" in text
    assert scene.firewall.now.get("nft") == baseline_text(scene)
    assert scene.mails() == ["request-received", "request-approved", "opening-open"]
    assert whole(scene)


def test_nobody_approves_what_they_asked_for_or_what_has_moved(scene: Any) -> None:
    """The client cannot, and an old digest does not count."""
    scene.approve_baseline()
    number = scene.ask()
    with scene.house.store.session() as session, pytest.raises(NotAllowedError):
        ticket = ticket_numbered(session, number)
        approve(
            session, scene.house, ticket, user_named(session, "ann"), digest=ticket.binding, source="portal"
        )
    with scene.house.store.session() as session, pytest.raises(ConflictError):
        ticket = ticket_numbered(session, number)
        approve(session, scene.house, ticket, user_named(session, "bob"), digest="0" * 64, source="portal")


def test_a_refusal_needs_a_reason_and_ends_the_ticket(scene: Any) -> None:
    """The client is told why."""
    scene.approve_baseline()
    number = scene.ask()
    with scene.house.store.session() as session:
        ticket, bob = ticket_numbered(session, number), user_named(session, "bob")
        with pytest.raises(NotAllowedError):
            refuse(session, scene.house, ticket, bob, digest=ticket.binding, source="portal", comment=" ")
        refuse(
            session, scene.house, ticket, bob, digest=ticket.binding, source="portal", comment="use the VPN"
        )
    assert (scene.state(number), scene.mails()[-1]) == (TicketState.REFUSED, "request-refused")


def test_what_cannot_be_planned_is_refused_with_its_reason(scene: Any) -> None:
    """A source that shares no IP version with the server."""
    scene.approve_baseline()
    number = scene.ask(source="2001:db8::/32")
    assert (scene.state(number), scene.mails()[-1]) == (TicketState.REFUSED, "request-refused")


def test_another_clients_server_does_not_exist(scene: Any) -> None:
    """Nor does a server that nobody has: the same words."""
    scene.approve_baseline()
    with pytest.raises(InputError, match="no server"):
        scene.ask(server="web9")


def test_an_approval_follows_the_baseline_that_another_approval_moved(scene: Any) -> None:
    """Two tickets approved at once are both deployed."""
    scene.approve_baseline()
    first, second = scene.ask("443"), scene.ask("8443")
    scene.decide(first, *scene.enough(first))
    scene.decide(second, *scene.enough(second))
    scene.look(10)
    assert [TicketState.OPEN, TicketState.OPEN] == [scene.state(first), scene.state(second)]


def test_an_approval_does_not_follow_a_baseline_that_a_person_moved(scene: Any) -> None:
    """A state approved as it stands makes older approvals void: asked again."""
    scene.approve_baseline()
    number = scene.ask("443")
    with scene.house.store.session() as session:
        firewall_named(session, "fw-acme").on_drift = OnDrift.HOLD
    scene.tampered(*HOLE)
    scene.look()
    with scene.house.store.session() as session:
        baseline = ask_baseline(session, scene.house, "fw-acme", user=user_named(session, "olga")).number
    scene.decide(number, *scene.enough(number))
    scene.decide(baseline, "bob")
    scene.look(10)
    assert scene.state(number) is TicketState.REVIEW


def test_an_opening_ends_on_its_day_and_takes_its_connections_along(scene: Any) -> None:
    """The text is as before, the connections to the public and the inner address are ended, ann is told."""
    scene.approve_baseline()
    before = scene.firewall.now
    number = scene.opened("443", ends_in=timedelta(days=30))
    scene.clock.at += timedelta(days=31)
    scene.look()
    assert scene.state(number) is TicketState.CLOSED
    assert before.get("nft") == scene.firewall.now.get("nft")
    assert {("192.0.2.10", 443), ("10.20.0.11", 443)} <= {
        (flow.address, flow.port) for flow in scene.firewall.ended
    }
    assert scene.mails()[-1] == "opening-closed"


def test_two_tickets_hold_one_opening_until_the_last_lets_go(scene: Any) -> None:
    """The second deploys nothing; the first's end closes nothing."""
    scene.approve_baseline()
    first = scene.opened("443", ends_in=timedelta(days=10))
    opened = scene.firewall.now
    second = scene.opened("443", ends_in=timedelta(days=20))
    assert (scene.state(second), opened) == (TicketState.OPEN, scene.firewall.now)
    scene.clock.at += timedelta(days=11)
    scene.look()
    assert (scene.state(first), opened) == (TicketState.CLOSED, scene.firewall.now)
    scene.clock.at += timedelta(days=10)
    scene.look()
    assert (scene.state(second), "443" in scene.firewall.now.get("nft")) == (TicketState.CLOSED, False)


def test_what_was_open_before_anyone_asked_stays_open_after(scene: Any) -> None:
    """Port 80 is part of the approved state: a ticket about it writes nothing, and takes nothing away."""
    scene.approve_baseline()
    before = scene.firewall.now
    number = scene.opened("80", ends_in=timedelta(days=10))
    assert (scene.state(number), scene.firewall.now) == (TicketState.OPEN, before)
    scene.clock.at += timedelta(days=11)
    scene.look()
    assert (scene.state(number), scene.firewall.now) == (TicketState.CLOSED, before)


def test_withdrawing_an_open_ticket_closes_it(scene: Any) -> None:
    """Before its end."""
    scene.approve_baseline()
    before = scene.firewall.now
    number = scene.opened("443")
    with scene.house.store.session() as session:
        withdraw(session, scene.house, number, user=user_named(session, "ann"))
    scene.look()
    assert (scene.state(number), before.get("nft")) == (TicketState.CLOSED, scene.firewall.now.get("nft"))


def test_a_device_that_refuses_three_times_fails_the_ticket(scene: Any) -> None:
    """The state is as before, the asker and the staff are told."""
    scene.approve_baseline()
    before = scene.firewall.now
    number = scene.ask("443")
    scene.decide(number, *scene.enough(number))

    def refuse_it(name: str, _count: int) -> None:
        if name == "before apply":
            raise CommitRefusedError("no space left on device")

    scene.firewall.on_call = refuse_it
    for _ in range(4):
        guard.look("fw-acme", scene.house)
    assert (scene.state(number), before) == (TicketState.FAILED, scene.firewall.now)
    assert scene.mails()[-1] == "opening-failed"
    assert "staff-call" in scene.mails("bob@host.example")


def test_a_write_that_reads_back_otherwise_is_rolled_back(scene: Any) -> None:
    """Verified by a new session, never taken for granted."""
    scene.approve_baseline()
    before = scene.firewall.now
    number = scene.ask("443")
    scene.decide(number, *scene.enough(number))

    def bend(name: str, _count: int) -> None:
        if name == "after apply":
            scene.tampered("tcp dport 443 accept", "tcp dport 444 accept")

    scene.firewall.on_call = bend
    guard.look("fw-acme", scene.house)
    assert (scene.state(number), before) == (TicketState.APPROVED, scene.firewall.now)


def test_a_firewall_that_cannot_be_read_backs_off_and_calls_a_person(scene: Any) -> None:
    """Doubling waits, one case after five tries, closed when it is back; nothing is restored meanwhile."""
    scene.approve_baseline()

    def off(_name: str, _count: int) -> None:
        raise DeviceError("no route to host")

    scene.firewall.on_call = off
    waits = [guard.look("fw-acme", scene.house) for _ in range(6)]
    assert [1.0, 2.0, 4.0, 8.0, 16.0, 30.0] == waits
    assert ["unreachable"] == [case.kind.value for case in scene.cases()]
    assert "staff-call" in scene.mails("bob@host.example")
    scene.firewall.on_call = lambda name, count: None
    scene.look()
    assert [CaseState.CLOSED] == [case.state for case in scene.cases()]
    with scene.house.store.reading() as session:
        row = session.query(FirewallRow).one()
        assert (row.state, row.last_error) == (WatchState.WATCHED, "")


def test_a_deployment_is_reconciled_with_what_was_asked(scene: Any) -> None:
    """The log says whether it was exactly that."""
    scene.approve_baseline()
    number = scene.ask("443")
    scene.decide(number, *scene.enough(number))
    scene.look(10)
    with scene.house.store.reading() as session:
        said = [entry.body for entry in session.scalars(select(AuditRow))]
    assert any("verified by a new session: exact" in text for text in said)
