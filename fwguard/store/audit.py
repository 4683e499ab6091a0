"""The log: append-only, hash-chained, and the last thing that a transaction writes.

Entries wait in the session until it commits; then, after everything else was flushed, the chain is
locked, and they are numbered and written. So the lock is held for an instant, and since whoever holds
it waits for nothing else, no deadlock can come of it. (Eight writers forked a chain guarded by
`SELECT … FOR UPDATE` on its tail; what held is BEGIN IMMEDIATE on SQLite, an advisory lock and
UNIQUE(previous) on PostgreSQL.)
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Index, String, Text, event, insert, select, text
from sqlalchemy.orm import Mapped, Session, SessionTransaction, mapped_column

from fwguard.store.base import Base, Sealed, json_text, time_text, with_lengths
from fwguard.store.pseudonyms import hide, hide_all

GENESIS: Final = "0" * 64
CHAIN_LOCK: Final = 0x66776775617264  # "fwguard", for pg_advisory_xact_lock
_WAITING: Final = "fwguard_audit_waiting"


class AuditRow(Base):
    """One thing that was done: who, what (`source:subject:action`), under which clause, to what.

    `record` names the sealed row that the entry vouches for, `record_sha256` its content then; both
    are empty for entries about no row. UPDATE, DELETE and TRUNCATE are blocked by triggers.
    """

    __tablename__ = "audit"
    __table_args__ = (
        Index("ix_audit_record_seq", "record", "seq"),
        Index("ix_audit_subject_seq", "subject", "seq"),
    )
    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(index=True)
    actor: Mapped[str] = mapped_column(String(200), index=True)
    action: Mapped[str] = mapped_column(String(100), index=True)
    clause: Mapped[str] = mapped_column(String(40))
    subject: Mapped[str] = mapped_column(String(200))
    record: Mapped[str] = mapped_column(String(200))
    record_sha256: Mapped[str] = mapped_column(String(64))
    body: Mapped[str] = mapped_column(Text)  # canonical JSON, as text so that its bytes are the hashed ones
    previous: Mapped[str] = mapped_column(String(64), unique=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one entry says, before it has its place in the chain."""

    at: datetime
    actor: str
    action: str
    clause: str
    subject: str
    record: str
    record_sha256: str
    body: str

    def digest(self, seq: int, previous: str) -> str:
        """Return the SHA-256 over all fields with their lengths, and the digest of the entry before."""
        fields = (
            str(seq), time_text(self.at), self.actor, self.action, self.clause, self.subject,
            self.record, self.record_sha256, self.body, previous,
        )  # fmt: skip
        return hashlib.sha256(with_lengths(*(field.encode() for field in fields))).hexdigest()


class StoreSession(Session):
    """A session that writes its audit entries last."""


def append(
    session: Session,
    *,
    actor: str,
    action: str,
    clause: str,
    subject: str,
    at: datetime,
    body: Mapping[str, Any] | None = None,
    record: Sealed | None = None,
) -> None:
    """Log an action when this session commits; a rollback takes it back, a savepoint's too.

    `actor` is "system", "edge:NAME", "user:LOGIN" or "mail:ADDRESS"; `subject` "firewall:NAME",
    "ticket:T-…". What follows "user:" and "mail:", and every mail address in `body`, is stored as a
    salted hash. `record`: the row that this entry vouches for, flushed and with its final content.
    """
    if action.count(":") != 2 or not all(action.split(":")):
        raise ValueError(f"action {action!r} is not source:subject:action")
    if not isinstance(session, StoreSession):
        raise TypeError("the log needs a session made by Store")
    if record is not None:
        session.flush()
    entry = Entry(
        at=at,
        actor=hide(session, actor, at=at),
        action=action,
        clause=clause,
        subject=hide(session, subject, at=at),
        record=record.record if record is not None else "",
        record_sha256=record.content_sha256 if record is not None else "",
        body=json_text(hide_all(session, dict(body or {}), at=at)),
    )
    inside = session.get_nested_transaction() or session.get_transaction()
    session.info.setdefault(_WAITING, []).append((inside, entry))


def is_logged(session: Session, record: Sealed) -> bool:
    """Tell whether the log on disk (not what waits in this session) has an entry for the row."""
    return session.scalar(select(AuditRow.seq).where(AuditRow.record == record.record).limit(1)) is not None


def tail(session: Session) -> tuple[int, str]:
    """Return number and digest of the last entry; (0, GENESIS) when there is none."""
    row = session.execute(
        select(AuditRow.seq, AuditRow.digest).order_by(AuditRow.seq.desc()).limit(1)
    ).first()
    return (row.seq, row.digest) if row else (0, GENESIS)


def entries(
    session: Session,
    *,
    limit: int,
    subject: str = "",
    action: str = "",
    clause: str = "",
    before_seq: int | None = None,
) -> list[AuditRow]:
    """Return entries, the newest first; `action` may end early ("portal:ticket" finds all of it)."""
    query = select(AuditRow).order_by(AuditRow.seq.desc()).limit(limit)
    if subject:
        query = query.where(AuditRow.subject == subject)
    if action:
        query = query.where(AuditRow.action.startswith(action, autoescape=True))
    if clause:
        query = query.where(AuditRow.clause == clause)
    if before_seq is not None:
        query = query.where(AuditRow.seq < before_seq)
    return list(session.scalars(query))


@event.listens_for(StoreSession, "before_commit")
def _write_waiting(session: Session) -> None:
    waiting = session.info.get(_WAITING)
    if not waiting or session.in_nested_transaction():
        return
    session.flush()
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": CHAIN_LOCK})
    seq, previous = tail(session)
    rows = []
    for _, entry in waiting:
        seq += 1
        digest = entry.digest(seq, previous)
        rows.append(
            {name: getattr(entry, name) for name in Entry.__slots__}
            | {"seq": seq, "previous": previous, "digest": digest}
        )
        previous = digest
    session.execute(insert(AuditRow), rows)
    session.info[_WAITING] = []


@event.listens_for(StoreSession, "after_soft_rollback")
def _forget_rolled_back(session: Session, rolled_back: SessionTransaction) -> None:
    def survives(transaction: SessionTransaction | None) -> bool:
        while transaction is not None:
            if transaction is rolled_back:
                return False
            transaction = transaction.parent
        return True

    session.info[_WAITING] = [item for item in session.info.get(_WAITING, []) if survives(item[0])]
