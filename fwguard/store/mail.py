"""Mail in, kept raw before anyone parses it; mail out, written with what it speaks of and sent afterwards."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column

from fwguard.model.inventory import Language
from fwguard.store.base import Base, Word
from fwguard.store.inserts import insert_into


class MailState(StrEnum):
    """What became of a mail that came in."""

    NEW = "new"
    DONE = "done"
    QUARANTINED = "quarantined"
    REFUSED = "refused"


class MailInRow(Base):
    """One mail as it came. The same id with the same content is the same mail; with another it is not."""

    __tablename__ = "mail_in"
    __table_args__ = (
        UniqueConstraint("message_id", "content_sha256"),
        Index("ix_mail_in_state_received_at", "state", "received_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    envelope_sender: Mapped[str] = mapped_column(String(320))
    envelope_recipient: Mapped[str] = mapped_column(String(320))
    message_id: Mapped[str] = mapped_column(String(998))  # RFC 5322 2.1.1; empty where there is none
    content_sha256: Mapped[str] = mapped_column(String(64))
    state: Mapped[MailState] = mapped_column(Word(MailState), default=MailState.NEW)
    why: Mapped[str] = mapped_column(Text, default="")
    ticket_id: Mapped[int | None] = mapped_column(index=True)  # no key: tickets already point here
    client_id: Mapped[int | None] = mapped_column(ForeignKey("clients.id"), index=True)


class OutboxRow(Base):
    """One mail to send. Sent at least once, always with the same Message-ID."""

    __tablename__ = "outbox"
    __table_args__ = (Index("ix_outbox_sent_at_next_try_at", "sent_at", "next_try_at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    message_id: Mapped[str] = mapped_column(String(250), unique=True)
    recipient: Mapped[str] = mapped_column(String(320), index=True)
    language: Mapped[Language] = mapped_column(Word(Language))
    event: Mapped[str] = mapped_column(String(64))
    raw: Mapped[bytes] = mapped_column(LargeBinary)
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), index=True)
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"), index=True)
    client_id: Mapped[int | None] = mapped_column(ForeignKey("clients.id"), index=True)
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    given_up_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    next_try_at: Mapped[datetime]
    last_error: Mapped[str] = mapped_column(Text, default="")


def keep_mail(
    session: Session,
    raw: bytes,
    *,
    envelope_sender: str,
    envelope_recipient: str,
    message_id: str,
    at: datetime,
    content_sha256: str = "",
) -> tuple[MailInRow, bool]:
    """Store a mail as it came; return it and whether it is new.

    `content_sha256` leaves out what differs between two deliveries of one mail (trace headers, RFC 5321
    4.4); without it the raw bytes are hashed.
    """
    content_sha256 = content_sha256 or hashlib.sha256(raw).hexdigest()
    message_id = message_id[:998]
    made = session.execute(
        insert_into(session, MailInRow)
        .values(
            raw=raw,
            received_at=at,
            envelope_sender=envelope_sender[:320],
            envelope_recipient=envelope_recipient[:320],
            message_id=message_id,
            content_sha256=content_sha256,
        )
        .on_conflict_do_nothing(index_elements=["message_id", "content_sha256"])
        .returning(MailInRow.id)
    ).scalar_one_or_none()
    row = session.scalars(
        select(MailInRow).where(
            MailInRow.message_id == message_id, MailInRow.content_sha256 == content_sha256
        )
    ).one()
    return row, made is not None


def new_mails(session: Session, *, limit: int) -> list[MailInRow]:
    """Return mails nobody dealt with yet, oldest first. Needs a writing session: they are
    locked until it commits, and others get other ones."""
    return list(
        session.scalars(
            select(MailInRow)
            .where(MailInRow.state == MailState.NEW)
            .order_by(MailInRow.received_at, MailInRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
        )
    )


def settle_mail(
    mail: MailInRow, state: MailState, *, why: str, ticket_id: int | None = None, client_id: int | None = None
) -> None:
    """Say what became of a mail, and why."""
    mail.state, mail.why, mail.ticket_id, mail.client_id = state, why[:2000], ticket_id, client_id


def queue_mail(
    session: Session,
    raw: bytes,
    *,
    message_id: str,
    recipient: str,
    language: Language,
    event: str,
    at: datetime,
    client_id: int | None = None,
    ticket_id: int | None = None,
    case_id: int | None = None,
) -> bool:
    """Write a mail to the outbox, to leave after commit; False when this Message-ID stands there already."""
    made = session.execute(
        insert_into(session, OutboxRow)
        .values(
            raw=raw,
            message_id=message_id,
            recipient=recipient,
            language=language,
            event=event,
            client_id=client_id,
            ticket_id=ticket_id,
            case_id=case_id,
            created_at=at,
            next_try_at=at,
        )
        .on_conflict_do_nothing(index_elements=["message_id"])
        .returning(OutboxRow.id)
    ).scalar_one_or_none()
    return made is not None


def claim_outbox(session: Session, *, at: datetime, limit: int, lease_s: float) -> list[OutboxRow]:
    """Take mails that are due, oldest first; unless marked within `lease_s` seconds they are due again."""
    rows = list(
        session.scalars(
            select(OutboxRow)
            .where(OutboxRow.sent_at.is_(None), OutboxRow.given_up_at.is_(None), OutboxRow.next_try_at <= at)
            .order_by(OutboxRow.next_try_at, OutboxRow.id)
            .limit(limit)
            .with_for_update(skip_locked=True)
            .execution_options(populate_existing=True)
        )
    )
    for row in rows:
        row.next_try_at = at + timedelta(seconds=lease_s)
        row.attempts += 1
    session.flush()
    return rows


def mark_sent(session: Session, outbox_id: int, *, at: datetime) -> None:
    """Remember that a mail was handed over."""
    row = session.get_one(OutboxRow, outbox_id)
    row.sent_at, row.last_error = at, ""


def mark_failed(
    session: Session, outbox_id: int, *, error: str, next_try_at: datetime | None, at: datetime
) -> None:
    """Remember why a mail was not taken, and when to try again; `next_try_at` None gives up."""
    row = session.get_one(OutboxRow, outbox_id)
    row.last_error = error[:2000]
    if next_try_at is None:
        row.given_up_at = at
    else:
        row.next_try_at = next_try_at
