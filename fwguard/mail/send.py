"""One raw mail to the operator's relay over SMTP, and what became of it."""

from __future__ import annotations

import re
import smtplib
import socket
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from threading import Timer
from typing import Final

from fwguard.errors import InputError
from fwguard.mail.parse import ADDRESS
from fwguard.mail.visible import one_line

MAX_SAID_CHARS: Final = 300


class Outcome(StrEnum):
    """What to do with the mail now."""

    ACCEPTED = "accepted"
    TEMPORARY = "temporary"  # try again later, with the same Message-ID
    PERMANENT = "permanent"  # the relay will never take this mail: tell a person


@dataclass(frozen=True, slots=True, kw_only=True)
class Relay:
    """Where mail leaves. `helo` is our own host name; `deadline_s` bounds the whole sending, not each step."""

    host: str
    port: int
    helo: str
    deadline_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How a sending ended. `code` is the relay's reply (RFC 5321 §4.2), 0 where there was none; `said` its
    words or ours, in one line."""

    outcome: Outcome
    code: int
    said: str


class _Client(smtplib.SMTP):
    """Closes its socket at the deadline, however slowly the other side drips its answers."""

    def cut(self) -> None:
        """End the conversation from another thread; whoever waits in it gets an error."""
        sock = self.sock
        if sock is not None:
            with suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)


def send(raw: bytes, *, envelope_sender: str, recipient: str, relay: Relay) -> Delivery:
    """Hand one mail to the relay; never raises for what the relay or the network does.

    `envelope_sender` may be empty (the null sender, for mail that must not bounce, RFC 3834 §3.3).
    Permanent is only what the relay says about this mail with a 5xx reply to MAIL, RCPT or DATA: a
    relay that is off, busy, refuses us as a whole, or falls silent, even after the last dot, is
    temporary. Raises InputError for addresses that are none. Source: RFC 5321 §4.2.1, §4.5.4.
    """
    for address in (recipient, *((envelope_sender,) if envelope_sender else ())):
        if not ADDRESS.fullmatch(address):
            raise InputError(f"mail address {address!r:.80}", expected="name@host")
    client = _Client(local_hostname=relay.helo, timeout=relay.deadline_s)
    deadline = Timer(relay.deadline_s, client.cut)
    deadline.daemon = True
    deadline.start()
    try:
        code, said = client.connect(relay.host, relay.port)
        if code != 220:
            return _temporary(code, said)
        client.ehlo_or_helo_if_needed()
        code, said = client.mail(envelope_sender)
        if code != 250:
            return _refusal(code, said)
        code, said = client.rcpt(recipient)
        if code not in (250, 251):
            return _refusal(code, said)
        code, said = client.data(_with_crlf(raw))
        if code != 250:
            return _refusal(code, said)
        return Delivery(outcome=Outcome.ACCEPTED, code=code, said=_line(said))
    except smtplib.SMTPDataError as error:  # the DATA command itself was refused
        return _refusal(error.smtp_code, error.smtp_error)
    except smtplib.SMTPResponseException as error:
        return _temporary(error.smtp_code, error.smtp_error)
    except (OSError, smtplib.SMTPException, ValueError) as error:
        late = not deadline.is_alive()
        return _temporary(
            0, f"no answer within {relay.deadline_s:g} s" if late else f"{type(error).__name__}: {error}"
        )
    finally:
        deadline.cancel()
        with suppress(OSError, smtplib.SMTPException):
            if client.sock is not None:
                client.sock.settimeout(1.0)  # a courtesy: the mail's fate is known already
                client.quit()
        client.close()


def _refusal(code: int, said: bytes | str) -> Delivery:
    if 500 <= code <= 599 and code != 503:  # 503, bad sequence, speaks of the session, not of the mail
        return Delivery(outcome=Outcome.PERMANENT, code=code, said=_line(said))
    return _temporary(code, said)


def _temporary(code: int, said: bytes | str) -> Delivery:
    return Delivery(outcome=Outcome.TEMPORARY, code=max(code, 0), said=_line(said))


def _line(said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return one_line(text, MAX_SAID_CHARS)


def _with_crlf(raw: bytes) -> bytes:
    """Return the mail with CRLF line ends only: a bare LF or CR may end the mail early for another server."""
    return re.sub(rb"\r\n|\r|\n", b"\r\n", raw)
