"""The register of clause 7.5: what was asked, who decided (never who asked), until when it holds."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.model.controls import ServiceKind
from fwguard.model.intervals import Intervals
from fwguard.model.ports import parse_ports
from fwguard.model.registration import (
    Registration,
    RegistrationEvent,
    RegistrationState,
    next_state,
)
from fwguard.store.asks import ports_text
from fwguard.store.audit import append
from fwguard.store.base import Base, Sealed, Word
from fwguard.store.inventory import ServerRow
from fwguard.store.numbers import next_number
from fwguard.store.people import MAY_APPROVE, ClientRow, UserRow


class RegistrationRow(Sealed, Base):
    """One registration. It holds while it is granted and its end has not come."""

    __tablename__ = "registrations"
    __table_args__ = (
        CheckConstraint("decider_id <> requester_id", name="other_hand"),
        CheckConstraint("(decider_id IS NULL) = (decided_at IS NULL)", name="decided_by_someone"),
        CheckConstraint(
            "state NOT IN ('granted', 'refused') OR decider_id IS NOT NULL", name="granted_is_decided"
        ),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="ended_has_time"),
        CheckConstraint("ends_at > requested_at", name="ends_after_request"),
        Index("ix_registrations_state_ends_at", "state", "ends_at"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id"), index=True)
    software: Mapped[ServiceKind] = mapped_column(Word(ServiceKind))
    protocol: Mapped[int]
    ports: Mapped[str] = mapped_column(Text)
    reason: Mapped[str] = mapped_column(Text)
    requester_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    requested_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    state: Mapped[RegistrationState] = mapped_column(Word(RegistrationState))
    decider_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    decision_why: Mapped[str] = mapped_column(Text, default="")
    ended_at: Mapped[datetime | None]
    ended_why: Mapped[str] = mapped_column(Text, default="")
    idempotency_key: Mapped[str | None] = mapped_column(String(128), unique=True)
    client: Mapped[ClientRow] = relationship()
    server: Mapped[ServerRow] = relationship()
    requester: Mapped[UserRow] = relationship(foreign_keys=[requester_id])
    decider: Mapped[UserRow | None] = relationship(foreign_keys=[decider_id])

    @property
    def port_set(self) -> Intervals:
        """Return the ports as a set; empty for all known ones."""
        return parse_ports(self.ports) if self.ports else Intervals()

    def holds_at(self, at: datetime) -> bool:
        """Tell whether the software may be used at a time."""
        return self.state is RegistrationState.GRANTED and at < self.ends_at


def add_registration(
    session: Session,
    asked: Registration,
    server: ServerRow,
    requester: UserRow,
    *,
    source: str,
    at: datetime,
    idempotency_key: str | None = None,
) -> RegistrationRow:
    """Store a request under the next number, "R-2026-0001"; the same key gives the one that it made before.

    Raises ConflictError when the same key arrives twice at one moment: ask again.
    """
    if idempotency_key is not None:
        known = session.scalar(
            select(RegistrationRow).where(RegistrationRow.idempotency_key == idempotency_key)
        )
        if known is not None:
            return known
    row = RegistrationRow(
        number=next_number(session, "R", at), client_id=server.client_id, server=server, software=asked.software,
        protocol=asked.protocol, ports=ports_text(asked.ports), reason=asked.reason, requester_id=requester.id,
        requested_at=at, ends_at=asked.ends_at, state=RegistrationState.REQUESTED, decision_why="", ended_why="",
        idempotency_key=idempotency_key,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise ConflictError("this registration was asked by the same form meanwhile") from error
    _log(session, row, "request", actor=requester.actor, source=source, at=at, software=row.software,
         protocol=row.protocol, ports=row.ports, ends_at=str(row.ends_at))  # fmt: skip
    return row


def decide_registration(
    session: Session, row: RegistrationRow, user: UserRow, *, grant: bool, why: str, source: str, at: datetime
) -> None:
    """Say yes or no, with a reason. Raises NotAllowedError: no approver, or the one who asked; ConflictError:
    decided or over already."""
    if user.role not in MAY_APPROVE or not user.active:
        raise NotAllowedError(f"{user.username} is no approver")
    _lock(session, row)
    event = RegistrationEvent.GRANT if grant else RegistrationEvent.REFUSE
    after = next_state(row.state, event)
    try:
        with session.begin_nested():
            row.state, row.decider_id, row.decided_at, row.decision_why = after, user.id, at, why[:2000]
            session.flush()
    except IntegrityError as error:
        session.refresh(row)
        raise NotAllowedError(f"{user.username} asked for {row.number}: someone else decides") from error
    _log(session, row, event, actor=user.actor, source=source, at=at, why=why)


def end_registration(
    session: Session,
    row: RegistrationRow,
    event: RegistrationEvent,
    *,
    actor: str,
    why: str,
    source: str,
    at: datetime,
) -> None:
    """Withdraw a request, or end a registration. Raises ConflictError when it is over already."""
    _lock(session, row)
    row.state = next_state(row.state, event)
    row.ended_why = why[:2000]
    if row.state is RegistrationState.ENDED:
        row.ended_at = at
    _log(session, row, event, actor=actor, source=source, at=at, why=why)


def registration_numbered(session: Session, number: str) -> RegistrationRow:
    """Return a registration. Raises InputError when there is none of that number."""
    row = session.scalar(select(RegistrationRow).where(RegistrationRow.number == number))
    if row is None:
        raise InputError(f"no registration {number!r}", expected="a number such as R-2026-0001")
    return row


def registrations_holding(session: Session, *, at: datetime) -> list[RegistrationRow]:
    """Return what may be used at a time: what an edge lets pass, in the order of the register."""
    query = select(RegistrationRow).where(
        RegistrationRow.state == RegistrationState.GRANTED, RegistrationRow.ends_at > at
    )
    return list(session.scalars(query.order_by(RegistrationRow.id)))


def registrations_ending(session: Session, *, at: datetime) -> list[RegistrationRow]:
    """Return requests and registrations whose end has come."""
    query = select(RegistrationRow).where(
        RegistrationRow.state.in_((RegistrationState.REQUESTED, RegistrationState.GRANTED)),
        RegistrationRow.ends_at <= at,
    )
    return list(session.scalars(query.order_by(RegistrationRow.ends_at, RegistrationRow.id)))


def _lock(session: Session, row: RegistrationRow) -> None:
    query = select(RegistrationRow).where(RegistrationRow.id == row.id).with_for_update(of=RegistrationRow)
    session.scalars(query.execution_options(populate_existing=True)).one()


def _log(
    session: Session,
    row: RegistrationRow,
    what: str,
    *,
    actor: str,
    source: str,
    at: datetime,
    **body: object,
) -> None:
    append(
        session, actor=actor, action=f"{source}:registration:{what}", clause="7.5", at=at, record=row,
        subject=f"registration:{row.number}", body={"server": row.server.name, **body},
    )  # fmt: skip
