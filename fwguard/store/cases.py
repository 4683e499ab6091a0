"""Cases: what was seen, every move, and the evidence."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.approvals.lifecycle import CASE_ENDS
from fwguard.approvals.lifecycle import move_case as next_state
from fwguard.errors import InputError
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.store.audit import append
from fwguard.store.base import Base, JsonText, Sealed, Word
from fwguard.store.inventory import FirewallRow, ServerRow
from fwguard.store.numbers import next_case_number
from fwguard.store.people import ClientRow

_ONE_OPEN = text("state <> 'closed' AND kind <> 'violation'")


class CaseRow(Base):
    """One case. Of drift, host key and reach, a firewall has one open case of each at most."""

    __tablename__ = "cases"
    __table_args__ = (
        Index(
            "uq_cases_one_open", "firewall_id", "kind", unique=True,
            sqlite_where=_ONE_OPEN, postgresql_where=_ONE_OPEN,
        ),
        Index("ix_cases_state_opened_at", "state", "opened_at"),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[CaseKind] = mapped_column(Word(CaseKind))
    state: Mapped[CaseState] = mapped_column(Word(CaseState), default=CaseState.OPEN)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    firewall_id: Mapped[int | None] = mapped_column(ForeignKey("firewalls.id"), index=True)
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), index=True)
    clause: Mapped[str] = mapped_column(String(40))
    opened_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
    summary_fr: Mapped[str] = mapped_column(Text, default="")
    summary_en: Mapped[str] = mapped_column(Text, default="")
    facts: Mapped[dict[str, Any]] = mapped_column(JsonText)
    evidence_digest: Mapped[str] = mapped_column(String(64), default="")
    restore_count: Mapped[int] = mapped_column(default=0)
    revision: Mapped[int] = mapped_column(default=0)
    client: Mapped[ClientRow] = relationship()
    firewall: Mapped[FirewallRow | None] = relationship()
    server: Mapped[ServerRow | None] = relationship()
    moves: Mapped[list[CaseMoveRow]] = relationship(back_populates="case", order_by="CaseMoveRow.id")
    evidence: Mapped[list[EvidenceRow]] = relationship(back_populates="case", order_by="EvidenceRow.id")
    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012  # SQLAlchemy reads it

    @property
    def is_ended(self) -> bool:
        """Tell whether no move is left."""
        return self.state in CASE_ENDS


class CaseMoveRow(Base):
    """One move of a case from a state to the next."""

    __tablename__ = "case_moves"
    __table_args__ = (Index("ix_case_moves_event_at", "event", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    at: Mapped[datetime]
    event: Mapped[CaseEvent] = mapped_column(Word(CaseEvent))
    before: Mapped[CaseState] = mapped_column(Word(CaseState))
    after: Mapped[CaseState] = mapped_column(Word(CaseState))
    actor: Mapped[str] = mapped_column(String(200))
    why: Mapped[str] = mapped_column(Text)
    case: Mapped[CaseRow] = relationship(back_populates="moves")


class EvidenceRow(Sealed, Base):
    """What a case rests on, as bytes: a snapshot, a difference, packets."""

    __tablename__ = "evidence"
    __table_args__ = ({"sqlite_autoincrement": True},)
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]
    case: Mapped[CaseRow] = relationship(back_populates="evidence")


def open_case(
    session: Session,
    *,
    kind: CaseKind,
    clause: str,
    actor: str,
    at: datetime,
    facts: dict[str, Any],
    summary_fr: str,
    summary_en: str,
    firewall: FirewallRow | None = None,
    server: ServerRow | None = None,
) -> tuple[CaseRow, bool]:
    """Open a case, or return the one that is open already for the same firewall and kind (False)."""
    subject = firewall or server
    if subject is None:
        raise InputError("a case needs a firewall or a server")
    if firewall is not None and kind is not CaseKind.VIOLATION:
        # Two who see the same drift at once meet on this lock, not on the unique index.
        session.scalars(select(FirewallRow.id).where(FirewallRow.id == firewall.id).with_for_update()).one()
        known = open_case_of(session, firewall.id, kind)
        if known is not None:
            return known, False
    row = CaseRow(
        number=next_case_number(session, at), kind=kind, state=CaseState.OPEN, client_id=subject.client_id,
        firewall=firewall, server=server, clause=clause, opened_at=at, updated_at=at, facts=facts,
        summary_fr=summary_fr, summary_en=summary_en, restore_count=0,
    )  # fmt: skip
    session.add(row)
    session.flush()
    append(
        session, actor=actor, action="guard:case:open", clause=clause, at=at, subject=f"case:{row.number}",
        body={"kind": kind, "on": _on(row), "facts": facts},
    )  # fmt: skip
    return row, True


def open_case_of(session: Session, firewall_id: int, kind: CaseKind) -> CaseRow | None:
    """Return the open case of a firewall and kind."""
    return session.scalar(
        select(CaseRow).where(
            CaseRow.firewall_id == firewall_id, CaseRow.kind == kind, CaseRow.state != CaseState.CLOSED
        )
    )


def open_violation(session: Session, machine: ServerRow | FirewallRow, clause: str) -> CaseRow | None:
    """Return the open case of a server or firewall under a clause."""
    column = CaseRow.server_id if isinstance(machine, ServerRow) else CaseRow.firewall_id
    query = select(CaseRow).where(
        column == machine.id, CaseRow.clause == clause, CaseRow.kind == CaseKind.VIOLATION,
        CaseRow.state != CaseState.CLOSED,
    )  # fmt: skip
    return session.scalar(query.order_by(CaseRow.id.desc()).limit(1))


def quiet_violations(session: Session, *, since: datetime) -> list[CaseRow]:
    """Return the violations that were only warned of, and of which nothing was heard since then."""
    query = select(CaseRow).where(
        CaseRow.kind == CaseKind.VIOLATION, CaseRow.state == CaseState.OPEN, CaseRow.updated_at < since
    )
    return list(session.scalars(query.order_by(CaseRow.id)))


def case_numbered(session: Session, number: str) -> CaseRow:
    """Return a case. Raises InputError when there is none of that number."""
    row = session.scalar(select(CaseRow).where(CaseRow.number == number))
    if row is None:
        raise InputError(f"no case {number!r}", expected="a number such as C-2026-0001")
    return row


def move_case(
    session: Session, case: CaseRow, event: CaseEvent, *, actor: str, at: datetime, why: str = ""
) -> CaseState:
    """Make one move of the life cycle, remember and log it. Raises ConflictError: no such move from here."""
    before, after = case.state, next_state(case.state, event)
    case.state, case.updated_at = after, at
    if event is CaseEvent.RESTORE_STARTED:
        case.restore_count += 1
    if after in CASE_ENDS:
        case.closed_at = at
    session.add(
        CaseMoveRow(case_id=case.id, at=at, event=event, before=before, after=after, actor=actor, why=why)
    )
    session.flush()
    append(
        session, actor=actor, action=f"guard:case:{event}", clause=case.clause, at=at,
        subject=f"case:{case.number}", body={"from": before, "to": after, "why": why, "on": _on(case)},
    )  # fmt: skip
    return after


def add_evidence(
    session: Session, case: CaseRow, *, kind: str, content: bytes, actor: str, at: datetime
) -> EvidenceRow:
    """Keep evidence of a case; its digest goes into the log."""
    row = EvidenceRow(
        case_id=case.id, kind=kind, content=content, sha256=hashlib.sha256(content).hexdigest(), at=at
    )
    session.add(row)
    case.evidence_digest, case.updated_at = row.sha256, at
    append(
        session, actor=actor, action="guard:evidence:keep", clause=case.clause, at=at,
        subject=f"case:{case.number}", record=row, body={"kind": kind, "sha256": row.sha256},
    )  # fmt: skip
    return row


def purge_evidence(session: Session, evidence: EvidenceRow, *, actor: str, at: datetime) -> None:
    """Delete evidence whose time is over (retention); the log keeps its digest and says so."""
    append(
        session, actor=actor, action="retention:evidence:purge", clause="retention", at=at,
        subject=f"case:{evidence.case.number}", record=evidence, body={"sha256": evidence.sha256},
    )  # fmt: skip
    session.delete(evidence)
    session.flush()


def restores_since(session: Session, firewall_id: int, since: datetime) -> int:
    """Return how often a restore of this firewall was started since then (the cap of DESIGN.md 4.7)."""
    return session.scalars(
        select(func.count(CaseMoveRow.id))
        .join(CaseRow, CaseMoveRow.case_id == CaseRow.id)
        .where(
            CaseRow.firewall_id == firewall_id,
            CaseMoveRow.event == CaseEvent.RESTORE_STARTED,
            CaseMoveRow.at >= since,
        )
    ).one()


def _on(case: CaseRow) -> str:
    if case.firewall is not None:
        return f"firewall:{case.firewall.name}"
    return f"server:{case.server.name}" if case.server is not None else ""
