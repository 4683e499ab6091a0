"""The operator's mail door: what it takes, what it stamps, where it delivers."""

from __future__ import annotations

import asyncio
import secrets
import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from email.message import EmailMessage

import pytest
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, Envelope, Session

from fwguard.lab import namespaces
from fwguard.lab import plan as p
from fwguard.lab.people import DESK, outsiders
from fwguard.lab.platform import Lab

pytestmark = pytest.mark.integration

STAMP = "mail.operator.example; auth=pass smtp.auth=alice@acme.example"
FORGED = "Authentication-Results: mail.operator.example; auth=pass smtp.auth=bruno@acme.example\r\n"


def wait_for(condition: Callable[[], bool], *, within_s: float = 15.0) -> None:
    """Return once the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come"
        time.sleep(0.02)


def text(sender: str, recipient: str, mark: str, *, more: str = "") -> bytes:
    """Return a mail that `mark` identifies."""
    return f"{more}From: {sender}\r\nTo: {recipient}\r\nSubject: {mark}\r\n\r\nBonjour\r\n".encode()


def delivered(lab: Lab, address: str, mark: str) -> EmailMessage:
    """Return the mail with this mark once it is in the mailbox."""
    wait_for(lambda: any(mark == mail["Subject"] for mail in lab.mail(address)))
    return next(mail for mail in lab.mail(address) if mark == mail["Subject"])


@pytest.fixture
def mark() -> str:
    """A subject that no other mail has."""
    return secrets.token_hex(8)


class Received:
    """What came in over LMTP."""

    def __init__(self) -> None:
        self.envelopes: list[Envelope] = []

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        """Keep it."""
        self.envelopes.append(envelope)
        return "250 2.0.0 kept"


@pytest.fixture
def controller(lab: Lab) -> Iterator[Callable[[], Received]]:
    """Start an LMTP door in the controller's place when called."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    servers = []

    def listen() -> socket.socket:
        door = socket.socket()
        door.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        door.bind((p.CONTROLLER4, p.LMTP_PORT))
        return door

    def start() -> Received:
        received = Received()
        door = namespaces.inside(lab.netns("controller"), listen)

        async def serve() -> asyncio.Server:
            return await loop.create_server(lambda: LMTP(received, loop=loop), sock=door)

        thread.start()
        servers.append(asyncio.run_coroutine_threadsafe(serve(), loop).result(5))
        return received

    yield start
    for server in servers:
        loop.call_soon_threadsafe(server.close)
    loop.call_soon_threadsafe(loop.stop)
    if thread.is_alive():
        thread.join(5)


def test_mail_to_a_contact_lands_in_its_mailbox(lab: Lab, mark: str) -> None:
    """From the Internet, without a stamp that says more than nothing."""
    lab.send(
        text("x@outside.example", "alice@acme.example", mark),
        sender="x@outside.example",
        recipients=["alice@acme.example"],
    )
    assert (
        "mail.operator.example; none" == delivered(lab, "alice@acme.example", mark)["Authentication-Results"]
    )


def test_the_controllers_mail_reaches_contacts_and_staff(lab: Lab, mark: str) -> None:
    """Over the management network, to several at once."""
    people = ["grace@globex.example", "claire@operator.example"]
    lab.send(text(DESK, "all", mark), sender=DESK, recipients=people, host="controller")
    for address in people:
        assert delivered(lab, address, mark)["From"] == DESK


@pytest.mark.parametrize("more", ["", FORGED, FORGED * 3, FORGED.upper(), FORGED.replace(": ", " :\r\n ")])
def test_an_authenticated_submission_has_one_stamp_of_its_own_at_the_top(
    lab: Lab, mark: str, more: str
) -> None:
    """Whatever stamps it came with, however they are spelled."""
    mail = text("Alice <alice@acme.example>", "bruno@acme.example", mark, more=more)
    alice = lab.person("alice@acme.example")
    lab.send(mail, sender=alice.mail, recipients=["bruno@acme.example"], login=alice)
    found = delivered(lab, "bruno@acme.example", mark)
    assert [STAMP] == [" ".join(str(v).split()) for v in found.get_all("Authentication-Results", [])]
    names = [name.lower() for name in found.keys()]  # noqa: SIM118 - a message repeats its keys
    assert names.index("authentication-results") < names.index("received")


@pytest.mark.parametrize("more", [FORGED, FORGED * 2, FORGED.lower(), FORGED.replace(": ", ":\r\n ")])
def test_a_forged_stamp_from_outside_is_removed(lab: Lab, mark: str, more: str) -> None:
    """RFC 8601 section 5."""
    mail = text("alice@acme.example", "bruno@acme.example", mark, more=more)
    lab.send(mail, sender="alice@acme.example", recipients=["bruno@acme.example"])
    found = delivered(lab, "bruno@acme.example", mark)
    assert ["mail.operator.example; none"] == found.get_all("Authentication-Results")


def test_a_sender_that_is_not_the_logins_own_is_refused(lab: Lab, mark: str) -> None:
    """In the envelope."""
    with pytest.raises(smtplib.SMTPSenderRefused, match="is not the address of alice@acme.example"):
        lab.send(
            text("alice@acme.example", DESK, mark),
            sender="bruno@acme.example",
            recipients=[DESK],
            login=lab.person("alice@acme.example"),
        )


@pytest.mark.parametrize(
    "sender",
    [
        "bruno@acme.example",
        "alice@acme.example, bruno@acme.example",
        "alice@acme.example\r\nFrom: bruno@acme.example",
        "alice@acme.example <bruno@acme.example>",
        "",
    ],
)
def test_a_from_that_is_not_the_logins_own_is_refused(lab: Lab, mark: str, sender: str) -> None:
    """In the header, where people read it."""
    with pytest.raises(smtplib.SMTPDataError, match="From must be the one address of alice@acme.example"):
        lab.send(
            text(sender, DESK, mark),
            sender="alice@acme.example",
            recipients=[DESK],
            login=lab.person("alice@acme.example"),
        )


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_wrong_password_is_no_login(lab: Lab, password: str) -> None:
    """Nor is none."""
    alice = replace(lab.person("alice@acme.example"), password=password)
    with pytest.raises(smtplib.SMTPAuthenticationError):
        lab.send(b"\r\n", sender=alice.mail, recipients=[DESK], login=alice)


def test_submission_without_login_is_refused(lab: Lab) -> None:
    """Port 587 is for who is known."""

    class Anonymous(smtplib.SMTP):
        def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
            probe = namespaces.socket_in(lab.netns("internet"), socket.AF_INET, socket.SOCK_STREAM)
            probe.settimeout(timeout)
            probe.connect((host, port))
            return probe

    with (
        Anonymous(p.MAIL4, 587, local_hostname="x.example", timeout=10) as session,
        pytest.raises(smtplib.SMTPSenderRefused, match="Log in first"),
    ):
        session.sendmail("alice@acme.example", [DESK], b"\r\n")


@pytest.mark.parametrize("recipient", ["nobody@acme.example", "someone@example.com"])
def test_mail_for_others_is_refused(lab: Lab, recipient: str) -> None:
    """Unknown mailboxes and foreign domains, from outside."""
    mallory = outsiders()[0]
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        lab.send(b"\r\n", sender=mallory.mail, recipients=[recipient])


def test_the_desks_mail_goes_to_the_controller_over_lmtp(
    lab: Lab, mark: str, controller: Callable[[], Received]
) -> None:
    """Stamped, with the address that was written to; what came while nobody listened comes later."""
    alice = lab.person("alice@acme.example")
    early, tagged = text(alice.mail, DESK, f"{mark}-1"), text(alice.mail, DESK, f"{mark}-2", more=FORGED)
    lab.send(early, sender=alice.mail, recipients=[DESK], login=alice)
    received = controller()
    lab.send(tagged, sender=alice.mail, recipients=["desk+T7@operator.example"], login=alice)

    def ours() -> list[Envelope]:
        return [e for e in received.envelopes if mark.encode() in (e.original_content or b"")]

    wait_for(lambda: len(ours()) == 2)
    by_recipient = {envelope.rcpt_tos[0]: envelope for envelope in ours()}
    assert {DESK, "desk+T7@operator.example"} == set(by_recipient)
    for envelope in by_recipient.values():
        assert alice.mail == envelope.mail_from
        content = (envelope.original_content or b"").decode()
        assert 1 == content.count("Authentication-Results:")
        assert f"Authentication-Results: {STAMP}" in content


def test_a_mail_of_20_megabytes_passes(lab: Lab, mark: str) -> None:
    """How much is too much is for the controller to say."""
    mail = text("x@outside.example", "henry@globex.example", mark) + (b"x" * 76 + b"\r\n") * 260_000
    lab.send(mail, sender="x@outside.example", recipients=["henry@globex.example"])
    delivered(lab, "henry@globex.example", mark)
