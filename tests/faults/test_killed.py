"""The controller is killed at any moment, and started again: it goes on, and does nothing twice that matters."""

from __future__ import annotations

import random
import time

import pytest
from guarded import CONTACT, OPERATOR, Guarded, until

from fwguard.model.case import CaseEvent, CaseState
from fwguard.model.ticket import TicketEvent, TicketState

pytestmark = [pytest.mark.faults, pytest.mark.xdist_group("faults")]
SERVER = {"fw-acme": "acme-web", "fw-globex": "globex-web", "fw-initech": "initech-web"}
PORT = 8080
# How long a restore, a deployment or an end takes here, in seconds: a kill falls anywhere in it.
LONGEST_S = 0.6


@pytest.fixture
def moments(request: pytest.FixtureRequest) -> random.Random:
    """Return the moments of a test, the same ones in every run."""
    return random.Random(request.node.name)


def die(guarded: Guarded, moments: random.Random) -> None:
    """Kill the controller somewhere in what it does now, and start it again."""
    time.sleep(moments.uniform(0, LONGEST_S))
    guarded.room.kill()
    guarded.room.start()


def gets_in(guarded: Guarded, firewall: str) -> list[bool]:
    planned = guarded.lab.firewall(firewall)
    return [guarded.lab.connect("internet", it[0], PORT) for it in (planned.public4, planned.public6)]


def count(guarded: Guarded, number: str, event: TicketEvent) -> int:
    return [move.event for move in guarded.ticket(number).moves].count(event)


@pytest.mark.parametrize("name", list(SERVER))
def test_a_restore_that_was_killed_is_finished(guarded: Guarded, name: str, moments: random.Random) -> None:
    """Twice on each firewall: the approved state is back, in one case for each change, told once."""
    for way in ("add-rule", "flush"):
        before = len(guarded.cases(name))
        guarded.lab.tamper(name, way)
        die(guarded, moments)
        until(
            lambda before=before: [it.state for it in guarded.cases(name)[before:]] == [CaseState.CLOSED],
            f"{name} restored after {way}",
            within_s=60,
        )
        case = guarded.cases(name)[-1]
        assert case.moves[-1].event in (CaseEvent.RESTORED, CaseEvent.GONE)
        assert () == guarded.differs(name)
        mails = until(lambda case=case: guarded.mails(CONTACT[name], case.number), "the mail")
        assert 1 == len({mail["Message-ID"] for mail in mails})


@pytest.mark.parametrize("name", list(SERVER))
def test_a_deployment_and_an_end_that_were_killed_are_finished(
    guarded: Guarded, name: str, moments: random.Random
) -> None:
    """It is open once, over both IP versions, until it ends once; none of it is taken for the client's doing."""
    cases = len(guarded.cases(name))
    number = guarded.ask(SERVER[name], f"tcp/{PORT}", actor=CONTACT[name])
    guarded.approve(number)
    die(guarded, moments)
    guarded.wait(number, TicketState.OPEN, within_s=60)
    assert [True, True] == gets_in(guarded, name)
    assert 1 == count(guarded, number, TicketEvent.DEPLOYED)
    guarded.room.command("request", "withdraw", number, actor=OPERATOR)
    die(guarded, moments)
    until(lambda: guarded.ticket(number).is_ended, f"{number} over", within_s=60)
    assert [False, False] == gets_in(guarded, name)
    assert cases == len(guarded.cases(name))


def test_mail_and_log_are_whole_after_all_kills(guarded: Guarded, moments: random.Random) -> None:
    """Also after a kill while mail leaves: all of it arrives, under the ids that it was given; nothing of the
    log is missing or altered."""
    before = len(guarded.cases("fw-globex"))
    guarded.lab.tamper("fw-globex", "add-rule")
    die(guarded, moments)
    until(
        lambda: [it.state for it in guarded.cases("fw-globex")[before:]] == [CaseState.CLOSED],
        "restored",
        within_s=60,
    )
    until(lambda: all(row.sent_at for row in guarded.outbox()), "all mail sent")
    for row in guarded.outbox():
        ids = [mail["Message-ID"] for mail in guarded.lab.mail(row.recipient)]
        assert row.message_id in ids
    (report,) = guarded.room.rows("audit", "verify", actor=OPERATOR)
    assert [] == report["findings"]
