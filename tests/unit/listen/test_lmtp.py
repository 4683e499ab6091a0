"""The mail door with real clients on loopback: nothing is "stored" before it is, nothing stops it."""

from __future__ import annotations

import smtplib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from fwguard.listen.lmtp import MAX_RECIPIENTS, Envelope, LmtpDoor

RAW = b"From: a@b.fr\r\nSubject: s\r\n\r\n.dot\r\n..two\r\nline\r\n"
LIMIT = 100_000


@contextmanager
def door(
    on_mail: Callable[[Envelope], str | None], *, max_connections: int = 4, answer_s: float = 5.0
) -> Iterator[LmtpDoor]:
    opened = LmtpDoor("127.0.0.1", 0, on_mail, LIMIT, max_connections=max_connections, answer_s=answer_s)
    opened.start()
    try:
        yield opened
    finally:
        opened.stop()


def client(opened: LmtpDoor) -> smtplib.LMTP:
    return smtplib.LMTP("127.0.0.1", opened.port, local_hostname="relay.example")


def lines(connection: socket.socket, count: int) -> list[bytes]:
    connection.settimeout(10)
    got = b""
    while got.count(b"\r\n") < count:
        piece = connection.recv(4096)
        if not piece:
            break
        got += piece
    return got.split(b"\r\n")[:-1]


def talk(opened: LmtpDoor, recipients: int, mail: bytes) -> list[bytes]:
    """Deliver one mail by hand; return the answers to its end."""
    with socket.create_connection(("127.0.0.1", opened.port)) as peer:
        lines(peer, 1)
        peer.sendall(b"LHLO x\r\n")
        while not lines(peer, 1)[-1].startswith(b"250 "):
            pass
        peer.sendall(b"MAIL FROM:<a@b.fr>\r\n")
        lines(peer, 1)
        for number in range(recipients):
            peer.sendall(b"RCPT TO:<r%d@host.example>\r\n" % number)
            lines(peer, 1)
        peer.sendall(b"DATA\r\n")
        lines(peer, 1)
        peer.sendall(mail + b".\r\n")
        answers = lines(peer, recipients)
        peer.sendall(b"QUIT\r\n")
        assert [b"221"] == [line[:3] for line in lines(peer, 1)]
        return answers


def test_a_mail_is_handed_over_as_it_came() -> None:
    """Envelope and bytes, the dots as they were written."""
    got: list[Envelope] = []
    with door(lambda mail: got.append(mail)) as opened, client(opened) as sender:
        assert {} == sender.sendmail("a@b.fr", ["desk@host.example"], RAW)
    wanted = Envelope(sender="a@b.fr", recipients=("desk@host.example",), raw=RAW, peer="127.0.0.1")
    assert [wanted] == got


def test_the_null_sender_is_empty() -> None:
    """A bounce says MAIL FROM:<>."""
    got: list[Envelope] = []
    with door(lambda mail: got.append(mail)) as opened, client(opened) as sender:
        sender.sendmail("", ["desk@host.example"], RAW)
    assert [""] == [mail.sender for mail in got]


def test_the_answer_waits_until_the_mail_is_stored() -> None:
    """250 comes after the callback returned, never before."""
    stored = threading.Event()
    release = threading.Event()

    def store(mail: Envelope) -> str:
        release.wait(5)
        stored.set()
        return "kept as M-1"

    with door(store) as opened, client(opened) as sender:
        threading.Timer(0.3, release.set).start()
        sender.ehlo_or_helo_if_needed()
        sender.mail("a@b.fr")
        sender.rcpt("desk@host.example")
        code, said = sender.data(RAW)
        assert (250, b"2.0.0 kept as M-1", True) == (code, said, stored.is_set())


def test_a_failure_to_store_is_temporary_and_the_door_stays_open() -> None:
    """451 keeps the mail with its sender; the next one is taken."""
    failures = [OSError("disk full")]

    def store(mail: Envelope) -> None:
        if failures:
            raise failures.pop()

    with door(store) as opened, client(opened) as sender:
        with pytest.raises(smtplib.SMTPDataError) as caught:
            sender.sendmail("a@b.fr", ["desk@host.example"], RAW)
        assert caught.value.smtp_code == 451
        assert b"disk" not in caught.value.smtp_error
        assert {} == sender.sendmail("a@b.fr", ["desk@host.example"], RAW)


def test_a_callback_that_hangs_is_answered_for_it() -> None:
    """The sender gets 451 in time and tries again later."""
    release = threading.Event()

    def hang(mail: Envelope) -> None:
        release.wait(10)

    with door(hang, answer_s=0.3) as opened:
        answers = talk(opened, 1, RAW)
        release.set()
    assert [b"451"] == [answer[:3] for answer in answers]


@pytest.mark.parametrize(
    "mail",
    [b"x" * 70 + b"\r\n", b"y" * (3 * LIMIT) + b"\r\n", b"\r\n" * LIMIT],
    ids=["fits", "one-line", "many-lines"],
)
def test_each_recipient_has_an_answer(mail: bytes) -> None:
    """LMTP: as many answers as recipients, also when the mail is too large (552)."""
    got: list[int] = []
    with door(lambda envelope: got.append(len(envelope.raw))) as opened:
        answers = talk(opened, 3, mail)
    assert [b"250" if len(mail) <= LIMIT else b"552"] * 3 == [answer[:3] for answer in answers]
    assert ([len(mail)] if len(mail) <= LIMIT else []) == got


def test_a_size_that_is_announced_too_large_is_refused_at_once() -> None:
    """RFC 1870: no need to send what will not be taken."""
    with door(lambda mail: None) as opened, client(opened) as sender:
        sender.ehlo_or_helo_if_needed()
        assert sender.mail("a@b.fr", [f"SIZE={LIMIT + 1}"])[0] == 552


def test_long_lines_are_taken() -> None:
    """Mails with lines above 998 bytes exist; they are stored as they are."""
    mail = b"z" * 90_000 + b"\r\n"
    got: list[bytes] = []
    with door(lambda envelope: got.append(envelope.raw)) as opened:
        talk(opened, 1, mail)
    assert [mail] == got


def test_recipients_are_bounded() -> None:
    """One mail cannot make answers without end."""
    with door(lambda mail: None) as opened, client(opened) as sender:
        sender.ehlo_or_helo_if_needed()
        sender.mail("a@b.fr")
        codes = [sender.rcpt(f"r{number}@host.example")[0] for number in range(MAX_RECIPIENTS + 1)]
    assert [250] * MAX_RECIPIENTS + [452] == codes


def test_connections_are_bounded_and_become_free_again() -> None:
    """One too many is told to come back, and may."""
    with door(lambda mail: None, max_connections=2) as opened:
        first = socket.create_connection(("127.0.0.1", opened.port))
        second = socket.create_connection(("127.0.0.1", opened.port))
        assert [b"220", b"220"] == [lines(peer, 1)[0][:3] for peer in (first, second)]
        with socket.create_connection(("127.0.0.1", opened.port)) as third:
            assert lines(third, 1)[0][:3] == b"421"
        first.close()
        deadline = time.monotonic() + 5
        code = b"421"
        while code == b"421" and time.monotonic() < deadline:
            with socket.create_connection(("127.0.0.1", opened.port)) as fourth:
                code = lines(fourth, 1)[0][:3]
        second.close()
    assert code == b"220"


def test_a_line_end_that_is_none_does_not_end_the_mail() -> None:
    """A dot between bare line feeds is part of the mail: nothing is smuggled behind it."""
    mail = b"a\n.\nMAIL FROM:<eve@evil.example>\r\n.b\r\n"
    got: list[bytes] = []
    with door(lambda envelope: got.append(envelope.raw)) as opened:
        talk(opened, 1, mail)
    assert [b"a\n.\nMAIL FROM:<eve@evil.example>\r\nb\r\n"] == got


def test_a_client_that_leaves_amid_data_stores_nothing() -> None:
    """Half a mail is no mail."""
    got: list[Envelope] = []
    with door(lambda mail: got.append(mail)) as opened:
        with socket.create_connection(("127.0.0.1", opened.port)) as peer:
            peer.sendall(b"LHLO x\r\nMAIL FROM:<a@b.fr>\r\nRCPT TO:<c@d.fr>\r\nDATA\r\nhalf a mail\r\n")
            lines(peer, 3)
        with client(opened) as sender:
            sender.sendmail("a@b.fr", ["desk@host.example"], RAW)
    assert [RAW] == [mail.raw for mail in got]


def test_stopping_answers_what_is_being_stored() -> None:
    """A mail that is in hand at the end is stored and answered; then the port is closed."""
    entered = threading.Event()

    def slow(mail: Envelope) -> None:
        entered.set()
        time.sleep(0.5)

    opened = LmtpDoor("127.0.0.1", 0, slow, LIMIT)
    opened.start()
    port = opened.port
    answers: list[bytes] = []
    with client(opened) as sender:
        sender.ehlo_or_helo_if_needed()
        sender.mail("a@b.fr")
        sender.rcpt("desk@host.example")
        thread = threading.Thread(target=lambda: answers.append(b"%d" % sender.data(RAW)[0]))
        thread.start()
        assert entered.wait(5)
        opened.stop()
        thread.join(5)
    assert [b"250"] == answers
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


@pytest.mark.parametrize(("family", "host"), [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")])
def test_a_socket_that_is_bound_already_serves(family: socket.AddressFamily, host: str) -> None:
    """For whoever binds in another namespace; both IP versions."""
    bound = socket.create_server((host, 0), family=family)
    got: list[Envelope] = []
    opened = LmtpDoor("", 0, lambda mail: got.append(mail), LIMIT, sock=bound)
    opened.start()
    try:
        with smtplib.LMTP(host, opened.port, local_hostname="x") as sender:
            sender.sendmail("a@b.fr", ["desk@host.example"], RAW)
    finally:
        opened.stop()
    assert [host] == [mail.peer for mail in got]


def test_a_port_in_use_is_an_error_at_start() -> None:
    """Whoever starts the door learns that it cannot."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError):
        LmtpDoor("127.0.0.1", taken.getsockname()[1], lambda mail: None, LIMIT).start()
