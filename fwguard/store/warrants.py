"""Warrants: the right to write one exact thing once, in the log before it is used (DESIGN.md 2)."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Index, String, Text, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from fwguard.errors import ConflictError, NotAllowedError
from fwguard.model.warrant import Ground, Warrant
from fwguard.store.audit import append, is_logged
from fwguard.store.base import Base, Sealed, Word


class WarrantRow(Sealed, Base):
    """One warrant; `used_at` is set once, `outcome` when the write ended."""

    __tablename__ = "warrants"
    __table_args__ = (Index("ix_warrants_subject_issued_at", "subject", "issued_at"),)
    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    ground: Mapped[Ground] = mapped_column(Word(Ground))
    clause: Mapped[str] = mapped_column(String(40))
    author: Mapped[str] = mapped_column(String(200))
    reason: Mapped[str] = mapped_column(Text)
    subject: Mapped[str] = mapped_column(String(200))
    before: Mapped[str] = mapped_column(String(64))
    after: Mapped[str] = mapped_column(String(64))
    issued_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    outcome: Mapped[str | None] = mapped_column(Text)
    ended_at: Mapped[datetime | None]

    def value(self) -> Warrant:
        """Return the model's value."""
        return Warrant(
            id=self.id, ground=self.ground, clause=self.clause, author=self.author, reason=self.reason,
            subject=self.subject, before=self.before, after=self.after, issued_at=self.issued_at,
        )  # fmt: skip


def issue_warrant(
    session: Session,
    *,
    ground: Ground,
    clause: str,
    author: str,
    reason: str,
    subject: str,
    before: str,
    after: str,
    at: datetime,
) -> Warrant:
    """Write a warrant and its log entry in one transaction; usable once that is committed."""
    row = WarrantRow(
        id=str(uuid.uuid4()), ground=ground, clause=clause, author=author, reason=reason, subject=subject,
        before=before, after=after, issued_at=at,
    )  # fmt: skip
    session.add(row)
    _log(session, row, "issue", actor=author, at=at, before=before, after=after, ground=ground.value)
    return row.value()


def use_warrant(session: Session, warrant: Warrant, *, at: datetime) -> None:
    """Take the one use of a warrant; commit before writing to the device.

    Raises NotAllowedError: unknown, not the one in the log, not committed, or used already.
    """
    row = session.get(WarrantRow, warrant.id, populate_existing=True)
    if row is None or not is_logged(session, row):
        raise NotAllowedError(f"warrant {warrant.id} is not in the log: commit it before its use")
    if row.value() != warrant:
        raise NotAllowedError(f"warrant {warrant.id} says other things than the one in the log")
    taken = session.execute(
        update(WarrantRow)
        .where(WarrantRow.id == warrant.id, WarrantRow.used_at.is_(None))
        .values(used_at=at)
        .returning(WarrantRow.id)
    )
    if taken.first() is None:
        raise NotAllowedError(f"warrant {warrant.id} was used at {row.used_at}: issue another")
    session.refresh(row)
    _log(session, row, "use", actor=row.author, at=at)


def end_warrant(session: Session, warrant_id: str, *, outcome: str, at: datetime) -> None:
    """Say once how the write under a used warrant ended ("confirmed", "rolled-back: …")."""
    row = session.scalar(select(WarrantRow).where(WarrantRow.id == warrant_id).with_for_update())
    if row is None or row.used_at is None or row.outcome is not None:
        raise ConflictError(f"warrant {warrant_id} is unused, ended or unknown: its outcome cannot be set")
    row.outcome, row.ended_at = outcome[:2000], at
    _log(session, row, "end", actor=row.author, at=at, outcome=row.outcome)


def unfinished_warrants(session: Session, subject: str | None = None) -> list[WarrantRow]:
    """Return warrants used whose outcome nobody wrote: a crash in the middle; oldest first."""
    query = select(WarrantRow).where(WarrantRow.used_at.is_not(None), WarrantRow.outcome.is_(None))
    if subject is not None:
        query = query.where(WarrantRow.subject == subject)
    return list(session.scalars(query.order_by(WarrantRow.issued_at)))


def _log(session: Session, row: WarrantRow, what: str, *, actor: str, at: datetime, **body: str) -> None:
    append(
        session, actor=actor, action=f"guard:warrant:{what}", clause=row.clause, subject=row.subject,
        at=at, record=row, body={"warrant": row.id, **body},
    )  # fmt: skip
