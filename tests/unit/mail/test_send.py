"""Sending to a real SMTP server: what it takes, what it refuses for now, what it refuses for good."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest
from aiosmtpd.controller import Controller

from fwguard.errors import InputError
from fwguard.mail.send import Outcome, Relay, send

RAW = b"From: a@b.fr\r\nSubject: s\r\n\r\n.dot\r\nline\r\n"
SENDER, RECIPIENT = "desk@host.example", "anais@client.example"


class Taking:
    """Keeps what it gets; answers what it was told to at each command."""

    def __init__(self) -> None:
        self.got: list[tuple[str, list[str], bytes, str]] = []
        self.answers: dict[str, str] = {}

    async def handle_MAIL(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        envelope.mail_from = address
        return self.answers.get("MAIL", "250 OK")

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:  # noqa: N802
        envelope.rcpt_tos.append(address)
        return self.answers.get("RCPT", "250 OK")

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:  # noqa: N802
        self.got.append((envelope.mail_from, envelope.rcpt_tos, envelope.content, session.host_name))
        return self.answers.get("DATA", "250 2.0.0 queued")


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as probe:
        return int(probe.getsockname()[1])


@pytest.fixture
def taking() -> Iterator[tuple[Taking, Relay]]:
    handler = Taking()
    controller = Controller(handler, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield handler, Relay(host="127.0.0.1", port=controller.port, helo="desk.host.example", deadline_s=5)
    controller.stop()


def sent(relay: Relay, raw: bytes = RAW, sender: str = SENDER) -> tuple[Outcome, int]:
    delivery = send(raw, envelope_sender=sender, recipient=RECIPIENT, relay=relay)
    return delivery.outcome, delivery.code


def test_a_mail_arrives_as_it_is(taking: tuple[Taking, Relay]) -> None:
    """Envelope, bytes and our own name, dots and all."""
    handler, relay = taking
    assert (Outcome.ACCEPTED, 250) == sent(relay)
    assert [(SENDER, [RECIPIENT], RAW, "desk.host.example")] == handler.got


def test_the_null_sender_can_be_sent(taking: tuple[Taking, Relay]) -> None:
    """Mail that must not bounce leaves with MAIL FROM:<>."""
    handler, relay = taking
    assert (Outcome.ACCEPTED, 250) == sent(relay, sender="")
    assert handler.got[0][0] == "<>"


def test_bare_line_ends_are_made_whole(taking: tuple[Taking, Relay]) -> None:
    """No byte of ours can end the mail early on a laxer server."""
    handler, relay = taking
    sent(relay, b"a\n.\nb\r.\rc\r\n")
    assert handler.got[0][2] == b"a\r\n.\r\nb\r\n.\r\nc\r\n"


@pytest.mark.parametrize("command", ["MAIL", "RCPT", "DATA"])
@pytest.mark.parametrize(
    ("answer", "wanted"),
    [
        ("550 5.1.1 no such user", (Outcome.PERMANENT, 550)),
        ("552 5.3.4 too big", (Outcome.PERMANENT, 552)),
        ("451 4.7.1 greylisted", (Outcome.TEMPORARY, 451)),
        ("421 4.3.2 going down", (Outcome.TEMPORARY, 421)),
    ],
)
def test_refusals_of_a_mail(
    taking: tuple[Taking, Relay], command: str, answer: str, wanted: tuple[Outcome, int]
) -> None:
    """5xx is for good, 4xx for now, whichever command it answers."""
    handler, relay = taking
    handler.answers[command] = answer
    assert wanted == sent(relay)


def test_nobody_there_is_temporary() -> None:
    """A relay that is off is tried again."""
    assert (Outcome.TEMPORARY, 0) == sent(Relay(host="127.0.0.1", port=free_port(), helo="h", deadline_s=2))


def scripted(answer: Callable[[socket.socket], None]) -> int:
    """Serve one connection on loopback with `answer`; for peers that no real server imitates."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        with server, server.accept()[0] as peer:
            try:
                answer(peer)
            except OSError:
                return

    threading.Thread(target=serve, daemon=True).start()
    return int(server.getsockname()[1])


def drip(peer: socket.socket) -> None:
    for _ in range(200):
        peer.sendall(b"220-x\r\n")
        time.sleep(0.05)


def refuse_all(peer: socket.socket) -> None:
    peer.sendall(b"554 no service for you\r\n")
    peer.recv(100)


def vanish_after_the_dot(peer: socket.socket) -> None:
    peer.sendall(b"220 hi\r\n")
    for reply in (b"250 hi\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n"):
        peer.recv(4096)
        peer.sendall(reply)
    while not peer.recv(65536).endswith(b"\r\n.\r\n"):
        pass


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        (lambda peer: None, 0),
        (refuse_all, 554),
        (vanish_after_the_dot, 0),
        (lambda peer: peer.sendall(b"\0" * 9), 0),
    ],
    ids=["closes", "refuses-us", "vanishes", "babbles"],
)
def test_a_broken_relay_is_temporary(answer: Callable[[socket.socket], None], code: int) -> None:
    """What says nothing about this mail does not end it."""
    relay = Relay(host="127.0.0.1", port=scripted(answer), helo="h", deadline_s=2)
    outcome, got = sent(relay)
    assert outcome is Outcome.TEMPORARY
    assert code == got or answer.__name__ == "<lambda>"


def test_the_deadline_bounds_the_whole_sending() -> None:
    """A relay that drips its answer does not hold us."""
    relay = Relay(host="127.0.0.1", port=scripted(drip), helo="h", deadline_s=0.5)
    started = time.monotonic()
    delivery = send(RAW, envelope_sender=SENDER, recipient=RECIPIENT, relay=relay)
    assert (Outcome.TEMPORARY, "no answer within 0.5 s") == (delivery.outcome, delivery.said)
    assert time.monotonic() - started < 5


@pytest.mark.parametrize("address", ["a@b.fr> BODY=x", "a@b.fr\r\nRCPT TO:<x@y.z>", "nobody", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    """No address reaches the conversation unchecked."""
    with pytest.raises(InputError):
        send(RAW, envelope_sender=SENDER, recipient=address, relay=Relay(host="127.0.0.1", port=1, helo="h"))
