"""An event, a language and values to one mail, ready for the outbox."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from pathlib import Path
from typing import Any, Final

from fwguard.errors import InputError
from fwguard.mail.events import COMMON, VALUES, Event, Kind
from fwguard.mail.parse import ADDRESS, MESSAGE_ID
from fwguard.mail.templates import fill
from fwguard.mail.visible import one_line, printable
from fwguard.model.inventory import Language

MAX_LINE_CHARS: Final = 1000
MAX_TEXT_CHARS: Final = 20_000
MAX_LINES: Final = 200
MAX_SUBJECT_CHARS: Final = 150
MAX_REFERENCES: Final = 20


class _Policy(EmailPolicy):
    """SMTP's line ends, and ids that are folded between each other only: the standard policy writes a
    long one as an encoded word, which no reader takes for an id (RFC 2047 §5 forbids it)."""

    _IDS = frozenset(("message-id", "in-reply-to", "references"))

    def fold(self, name: str, value: str) -> str:
        if name.lower() in self._IDS:
            return f"{name}: " + f"{self.linesep} ".join(str(value).split()) + self.linesep
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in self._IDS:
            return self.fold(name, value).encode("ascii")
        return super().fold_binary(name, value)


POLICY: Final = _Policy(linesep="\r\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Heading:
    """Who writes to whom, when, and in which thread. `message_id` comes from `fwguard.mail.ids`.

    `in_reply_to` and `references` may be a stranger's: what is no plain id is left out.
    """

    sender: str
    sender_name: str
    recipient: str
    recipient_name: str
    message_id: str
    date: datetime
    in_reply_to: str = ""
    references: tuple[str, ...] = ()


def render(
    event: Event, language: Language, values: Mapping[str, Any], heading: Heading, *, folder: Path
) -> EmailMessage:
    """Return the mail, multipart/alternative, text and HTML; equal arguments give equal bytes.

    `values` are those of `events.VALUES[event]` and `events.COMMON`, all of them and no others; `folder`
    is `approvals/mail`. Values of one line cannot break lines, HTML is escaped, and all are bounded,
    since clients write many of them. Raises InputError for values, addresses or templates that do not
    fit. Source: RFC 5322, RFC 2046 §5.1.4, RFC 3834 §5 (Auto-Submitted), RFC 3282 (Content-Language).
    """
    shown = _checked(event, values)
    text = fill(folder, event, language, "body.txt", shown)
    html = fill(folder, event, language, "body.html", shown)
    subject = one_line(fill(folder, event, language, "subject.txt", shown), MAX_SUBJECT_CHARS)
    if not MESSAGE_ID.fullmatch(heading.message_id):
        raise InputError(f"message id {heading.message_id!r}", expected="one made by fwguard.mail.ids")
    mail = EmailMessage(policy=POLICY)
    mail["From"] = _mailbox(heading.sender_name, heading.sender)
    mail["To"] = _mailbox(heading.recipient_name, heading.recipient)
    mail["Subject"] = subject
    mail["Date"] = heading.date
    mail["Message-ID"] = heading.message_id
    references = _references(heading)
    if MESSAGE_ID.fullmatch(heading.in_reply_to):
        mail["In-Reply-To"] = heading.in_reply_to
    if references:
        mail["References"] = " ".join(references)
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(text, cte="quoted-printable")
    mail.add_alternative(html, subtype="html", cte="quoted-printable")
    mail["Content-Language"] = language.value  # set_content takes earlier Content- headers away
    # "=_" cannot stand in quoted-printable text (RFC 2045 §6.7), so no body can end a part early.
    mail.set_boundary("=_" + re.sub(r"[^0-9A-Za-z]", "", heading.message_id)[:60])
    return mail


def _checked(event: Event, values: Mapping[str, Any]) -> dict[str, Any]:
    kinds = {**COMMON, **VALUES[event]}
    missing, unknown = sorted(kinds.keys() - values.keys()), sorted(values.keys() - kinds.keys())
    if missing or unknown:
        raise InputError(
            f"mail {event}: missing {missing}, unknown {unknown}", expected=", ".join(sorted(kinds))
        )
    return {name: _value(event, name, kind, values[name]) for name, kind in kinds.items()}


def _value(event: Event, name: str, kind: Kind, value: object) -> object:
    """Return a value cleaned and cut to its bound. Raises InputError if it is not of its kind."""
    if kind is Kind.LINE and isinstance(value, str):
        return one_line(value, MAX_LINE_CHARS)
    if kind is Kind.TEXT and isinstance(value, str):
        return _cut(printable(value[: MAX_TEXT_CHARS + 1]))
    if kind is Kind.LINES and isinstance(value, Sequence) and not isinstance(value, str):
        lines = [one_line(str(line), MAX_LINE_CHARS) for line in value[:MAX_LINES]]
        return [*lines, "…"] if len(value) > MAX_LINES else lines
    if kind in (Kind.MOMENT, Kind.END) and isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if kind is Kind.END and value is None:
        return None
    if kind is Kind.DAY and isinstance(value, date) and not isinstance(value, datetime):
        return value
    if kind is Kind.BYTES and isinstance(value, int) and value >= 0:
        return value
    raise InputError(f"mail {event}: {name} is {value!r:.80}", expected=kind.value)


def _cut(text: str) -> str:
    lines = text[:MAX_TEXT_CHARS].strip("\n").split("\n")
    whole = len(text) <= MAX_TEXT_CHARS and len(lines) <= MAX_LINES
    return "\n".join(lines[:MAX_LINES] + ([] if whole else ["…"]))


def _mailbox(name: str, address: str) -> Address:
    if not ADDRESS.fullmatch(address):
        raise InputError(f"mail address {address!r:.80}", expected="name@host")
    return Address(display_name=one_line(name, 100), addr_spec=address)


def _references(heading: Heading) -> list[str]:
    """Return the thread (RFC 5322 §3.6.4): its first mail and its last ones."""
    ids = [text for text in heading.references if MESSAGE_ID.fullmatch(text)]
    if MESSAGE_ID.fullmatch(heading.in_reply_to) and heading.in_reply_to not in ids:
        ids.append(heading.in_reply_to)
    return ids if len(ids) <= MAX_REFERENCES else [ids[0], *ids[1 - MAX_REFERENCES :]]
