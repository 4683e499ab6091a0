"""Clause 7.1.1: an opening is asked for, analysed, decided by others, deployed, verified, and ends."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from guarded import APPROVER, CONTACT, FIREWALLS, OPERATOR, SECOND, Guarded, text_of, until

from fwguard.lab import traffic
from fwguard.lab.control_room import CommandFailed
from fwguard.model.ticket import TicketEvent, TicketState

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("platform")]
PORT = 8080  # every web server serves it, no firewall opens it
PORTS = (22, 25, 80, 2222, 5432, PORT)
Door = tuple[str, int]


def web_of(firewall: str) -> str:
    return firewall.replace("fw-", "") + "-web"


def doors(guarded: Guarded, firewall: str) -> set[Door]:
    """Return every public address and port of a firewall that a host of the Internet can connect to."""
    planned = guarded.lab.firewall(firewall)
    every = [(address, port) for address in (*planned.public4, *planned.public6) for port in PORTS]
    with ThreadPoolExecutor(len(every)) as threads:
        found = threads.map(lambda it: guarded.lab.connect("internet", *it, timeout_s=0.4), every)
        return {door for door, is_open in zip(every, found, strict=True) if is_open}


def expected_doors(guarded: Guarded, firewall: str) -> set[Door]:
    planned = guarded.lab.firewall(firewall)
    return {(planned.public4[0], PORT), (planned.public6[0], PORT)}


def hold(guarded: Guarded, door: Door) -> socket.socket:
    """Return a connection from the Internet that the server has answered."""
    connection = traffic.connect(guarded.lab.netns("internet"), *door, timeout_s=2)
    assert connection is not None, door
    connection.sendall(b"first\n")
    assert b"first\n" == connection.recv(100)
    return connection


def has_ended(connection: socket.socket) -> bool:
    """Tell whether nothing comes through a connection that was established."""
    with connection:
        connection.settimeout(0.4)
        try:
            connection.sendall(b"second\n")
            return connection.recv(100) == b""
        except OSError:
            return True


@pytest.fixture
def asked(guarded: Guarded) -> Iterator[list[str]]:
    """Tickets to end after the test, whatever became of it."""
    numbers: list[str] = []
    yield numbers
    guarded.close(*numbers)


@pytest.mark.parametrize("firewall", FIREWALLS)
def test_what_was_approved_gets_in_and_nothing_else(
    guarded: Guarded, asked: list[str], firewall: str
) -> None:
    """Over IPv4 and IPv6; taken back, it is shut again, also for connections that were open."""
    before = doors(guarded, firewall)
    number = guarded.ask(web_of(firewall), f"tcp/{PORT}", actor=CONTACT[firewall])
    asked.append(number)
    analysis = guarded.ticket(number).analysis
    assert analysis is not None
    assert "none" == analysis["already"]
    assert any(f"tcp/{PORT}" in line and "10.20.0.11" in line for line in analysis["words"]["en"])
    assert all(box["witness"] for box in analysis["opens"])
    assert analysis["risk"]["why"]["fr"]
    assert before == doors(guarded, firewall)
    guarded.approve(number)
    guarded.wait(number, TicketState.OPEN)
    assert expected_doors(guarded, firewall) == doors(guarded, firewall) ^ before
    assert () == guarded.differs(firewall)
    held = [hold(guarded, door) for door in sorted(expected_doors(guarded, firewall))]
    guarded.room.command("request", "withdraw", number, actor=CONTACT[firewall])
    guarded.wait(number, TicketState.CLOSED)
    assert before == doors(guarded, firewall)
    assert [True, True] == [has_ended(connection) for connection in held]
    assert () == guarded.differs(firewall)


def test_what_has_an_end_date_ends_by_itself(guarded: Guarded, asked: list[str]) -> None:
    """It is removed on every firewall, connections through it end too, and each contact is told once."""
    before = {name: doors(guarded, name) for name in FIREWALLS}

    def opened(name: str) -> str:
        return guarded.open(web_of(name), f"tcp/{PORT}", actor=CONTACT[name], until_="45s")

    with ThreadPoolExecutor(len(FIREWALLS)) as threads:  # all before the first of them ends
        tickets = dict(zip(FIREWALLS, threads.map(opened, FIREWALLS), strict=True))
    asked += tickets.values()
    held = [hold(guarded, door) for name in FIREWALLS for door in expected_doors(guarded, name)]
    for name, number in tickets.items():
        ticket = guarded.wait(number, TicketState.CLOSED, within_s=60)
        assert [TicketEvent.END_CAME, TicketEvent.REMOVED] == [move.event for move in ticket.moves][-2:]
        assert ticket.ends_at is not None
        assert ticket.moves[-2].at >= ticket.ends_at
        assert before[name] == doors(guarded, name)
        assert () == guarded.differs(name)
    assert {True} == {has_ended(connection) for connection in held}
    for name, number in tickets.items():
        closed = "closed" if name == "fw-globex" else "refermée"
        until(lambda n=name, t=number, c=closed: len(guarded.mails(CONTACT[n], t, c)) == 1, f"mail {number}")


def test_two_tickets_for_one_opening_are_two_holders(guarded: Guarded, asked: list[str]) -> None:
    """The second writes nothing; the opening closes with the last, and each is told what became of it."""
    first = guarded.open("acme-web", f"tcp/{PORT}", actor="alice@acme.example")
    baseline = guarded.baseline("fw-acme")
    second = guarded.open("acme-web", f"tcp/{PORT}", actor="bruno@acme.example")
    asked += [first, second]
    assert baseline == guarded.baseline("fw-acme")
    guarded.close(first)
    assert expected_doors(guarded, "fw-acme") <= doors(guarded, "fw-acme")
    assert baseline == guarded.baseline("fw-acme")
    guarded.close(second)
    assert not expected_doors(guarded, "fw-acme") & doors(guarded, "fw-acme")
    assert baseline != guarded.baseline("fw-acme")
    until(
        lambda: guarded.mails("bruno@acme.example", second, "déjà"), "bruno is told that it is open already"
    )
    until(lambda: guarded.mails("alice@acme.example", first, "refermée"), "alice is told")


def test_a_request_by_mail_opens_like_any_other(guarded: Guarded, asked: list[str]) -> None:
    """Submitted with a login at the operator's door, acknowledged in its thread, approved, open."""
    grace = guarded.lab.person("grace@globex.example")
    message_id = "<asks-by-mail@globex.example>"
    guarded.post(
        f"Please open tcp/{PORT} from 198.51.100.0/24 to globex-web until 2030-01-31 for the new shop.\n",
        sender=grace.mail, login=grace, message_id=message_id, subject="Opening",
    )  # fmt: skip
    number = until(lambda: [it for it in guarded.tickets() if it.mail_id is not None], "a ticket")[-1].number
    asked.append(number)
    guarded.reviewed(number)
    (acknowledged,) = until(lambda: guarded.mails(grace.mail, number, "received"), "the acknowledgement")
    assert "the new shop" in text_of(acknowledged)
    guarded.approve(number)
    guarded.wait(number, TicketState.OPEN)
    public = guarded.lab.firewall("fw-globex").public4[0]
    assert guarded.lab.connect("internet", public, PORT)
    until(lambda: guarded.mails(grace.mail, number, "in place"), "told that it is open")


def test_nobody_decides_alone_or_on_their_own_request(guarded: Guarded, asked: list[str]) -> None:
    """Neither the requester, nor a client, nor the desk, nor one person twice where two are needed."""
    number = guarded.ask("acme-db", "tcp/3306", actor=APPROVER)
    asked.append(number)
    ticket = guarded.ticket(number)
    assert ticket.analysis is not None
    assert ticket.analysis["risk"]["class"] in ("high", "critical")
    for actor in (APPROVER, "alice@acme.example", OPERATOR):
        with pytest.raises(CommandFailed) as refused:
            guarded.room.command("request", "approve", number, actor=actor)
        assert 4 == refused.value.exit_code, actor
    guarded.room.command("request", "approve", number, actor=SECOND)
    assert TicketState.REVIEW is guarded.ticket(number).state
    with pytest.raises(CommandFailed):
        guarded.room.command("request", "approve", number, actor=SECOND)
    assert TicketState.REVIEW is guarded.ticket(number).state


def test_a_refusal_is_told_with_its_reason(guarded: Guarded) -> None:
    """And the ticket is over: it opens nothing and cannot be approved."""
    number = guarded.ask("acme-web", f"tcp/{PORT}", actor="alice@acme.example")
    guarded.room.command("request", "refuse", number, "--reason", "passez par le VPN", actor=APPROVER)
    assert TicketState.REFUSED is guarded.ticket(number).state
    until(
        lambda: [
            it for it in guarded.mails("alice@acme.example", number) if "passez par le VPN" in text_of(it)
        ],
        "the refusal",
    )
    with pytest.raises(CommandFailed):
        guarded.room.command("request", "approve", number, actor=APPROVER)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"--server": "globex-web"}, "no server"),
        ({"--server": "nowhere"}, "no server"),
        ({"--port": "tcp/70000"}, "70000"),
        ({"--port": "tcp/"}, "port"),
        ({"--until": "2020-01-01"}, "past"),
        ({"--until": "2030-02-31"}, "2030-02-31"),
        ({"--from": "10.0.0.0/33"}, "10.0.0.0/33"),
    ],
    ids=lambda value: "" if isinstance(value, str) else " ".join(value.values()),
)
def test_what_cannot_be_asked_is_refused_with_the_reason(
    guarded: Guarded, changed: dict[str, str], said: str
) -> None:
    """Another's server does not exist for a client; nothing becomes a ticket."""
    before = len(guarded.tickets())
    fields = {"--server": "acme-web", "--port": f"tcp/{PORT}", "--until": "30d", "--reason": "test"} | changed
    with pytest.raises(CommandFailed, match=said) as refused:
        guarded.room.command(
            "request", "new", *(part for pair in fields.items() for part in pair), actor="alice@acme.example"
        )
    assert 2 == refused.value.exit_code
    assert before == len(guarded.tickets())


def test_an_approval_does_not_outlive_the_end_that_it_names(guarded: Guarded, asked: list[str]) -> None:
    """What could not be deployed before its end is never opened, and the asker is told."""
    guarded.lab.tamper("fw-acme", "off")
    try:
        number = guarded.ask("acme-web", f"tcp/{PORT}", actor="alice@acme.example", until_="8s")
        asked.append(number)
        guarded.approve(number)
        ends_at = guarded.ticket(number).ends_at
        assert ends_at is not None
        until(lambda: datetime.now(UTC) > ends_at, "the end")
    finally:
        guarded.lab.tamper("fw-acme", "on")
    ticket = guarded.wait(number, TicketState.FAILED)
    assert not [move for move in ticket.moves if move.event is TicketEvent.DEPLOYMENT_STARTED]
    until(lambda: guarded.mails("alice@acme.example", number, "n'a pas pu"), "told that it failed")
