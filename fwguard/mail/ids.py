"""Our Message-IDs: stable, and nobody else can make one."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fwguard.errors import InputError
from fwguard.mail.events import Event

TAG_BYTES: Final = 16
_WORD: Final = re.compile(r"[A-Za-z0-9-]{1,40}")
_OURS: Final = re.compile(
    r"<([A-Za-z0-9-]{1,40})\.([a-z-]{1,40})\.(\d{1,9})\.([0-9a-f]{32})@([A-Za-z0-9.-]{1,100})>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OurMail:
    """Which mail of ours a Message-ID names: `subject` is the number of its ticket or case, `serial` tells
    apart mails of one event about it to one recipient."""

    subject: str
    event: Event
    serial: int
    recipient: str


def message_id(
    key: bytes, *, domain: str, subject: str, recipient: str, event: Event, serial: int = 0
) -> str:
    """Return `<subject.event.serial.tag@domain>`, the same for the same values: a repeated sending is known.

    The tag is 128 bits of HMAC-SHA256 over all of them (RFC 2104). Raises InputError for a subject or a
    domain that does not fit an id.
    """
    made = f"<{subject}.{event}.{serial}.{_tag(key, subject, recipient, event, serial)}@{domain}>"
    if not _WORD.fullmatch(subject) or not _OURS.fullmatch(made):
        raise InputError(
            f"message id {made[:120]!r}", expected="a number such as T-2026-0001 and a host name"
        )
    return made


def claimed_subject(text: str) -> str:
    """Return which ticket or case an id of our form speaks of, to look up its participants; "" for others.

    Anyone can write this: nothing follows from it until `recognise` agrees.
    """
    match = _OURS.fullmatch(text)
    return match[1] if match else ""


def recognise(text: str, *, key: bytes, domain: str, recipients: Iterable[str]) -> OurMail | None:
    """Return which mail to one of `recipients` an id names, or None if we never made it for them.

    `recipients` are the addresses of the participants, of which the sender of an answer must be one.
    """
    match = _OURS.fullmatch(text)
    if not match or match[5].lower() != domain.lower() or match[2] not in {event.value for event in Event}:
        return None
    subject, event, serial = match[1], Event(match[2]), int(match[3])
    for recipient in recipients:
        if hmac.compare_digest(_tag(key, subject, recipient, event, serial), match[4]):
            return OurMail(subject=subject, event=event, serial=serial, recipient=recipient)
    return None


def _tag(key: bytes, subject: str, recipient: str, event: Event, serial: int) -> str:
    if len(key) < TAG_BYTES:
        raise InputError(f"a mail key of {len(key)} bytes", expected=f"at least {TAG_BYTES} random bytes")
    parts = [part.encode() for part in (subject, recipient.lower(), event, str(serial))]
    text = b"".join(b"%d:%b" % (len(part), part) for part in parts)
    return hmac.new(key, text, hashlib.sha256).digest()[:TAG_BYTES].hex()
