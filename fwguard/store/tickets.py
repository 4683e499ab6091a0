"""Tickets: what a client asked for, who may not decide about it, who decided, and every move it made."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.approvals.lifecycle import TICKET_ENDS
from fwguard.approvals.lifecycle import move_ticket as next_state
from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.model.ticket import Ask, TicketEvent, TicketState
from fwguard.store.asks import ask_from_json, ask_to_json
from fwguard.store.audit import append
from fwguard.store.base import Base, JsonText, Sealed, Word
from fwguard.store.inventory import FirewallRow, ServerRow
from fwguard.store.numbers import next_ticket_number
from fwguard.store.people import MAY_APPROVE, ClientRow, ContactRow, UserRow


class TicketKind(StrEnum):
    """What is asked: to open something, or to approve a firewall as it stands."""

    OPENING = "opening"
    BASELINE = "baseline"


class Channel(StrEnum):
    """How a ticket came."""

    FORM = "form"
    MAIL = "mail"
    COMMAND = "command"


class Decision(StrEnum):
    """What an approver said."""

    APPROVE = "approve"
    REFUSE = "refuse"


class TicketRow(Base):
    """One request. `round` grows whenever what is to be approved moves: older decisions are void then."""

    __tablename__ = "tickets"
    __table_args__ = (
        CheckConstraint("(kind = 'opening') = (server_id IS NOT NULL)", name="opening_has_server"),
        CheckConstraint("requester_id IS NOT NULL OR contact_id IS NOT NULL", name="someone_asks"),
        Index("ix_tickets_state_ends_at", "state", "ends_at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[str] = mapped_column(String(20), unique=True)
    kind: Mapped[TicketKind] = mapped_column(Word(TicketKind))
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    contact_id: Mapped[int | None] = mapped_column(ForeignKey("contacts.id"))
    requester_id: Mapped[int | None] = mapped_column(ForeignKey("users.id"))
    firewall_id: Mapped[int] = mapped_column(ForeignKey("firewalls.id"), index=True)
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"))
    clause: Mapped[str] = mapped_column(String(40), default="7.1.1")
    ask_json: Mapped[dict[str, Any]] = mapped_column(JsonText)
    state: Mapped[TicketState] = mapped_column(Word(TicketState), default=TicketState.REQUESTED)
    channel: Mapped[Channel] = mapped_column(Word(Channel))
    mail_id: Mapped[int | None] = mapped_column(ForeignKey("mail_in.id"))
    analysis: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    binding: Mapped[str] = mapped_column(String(64), default="")  # digest of all that is approved
    before_digest: Mapped[str] = mapped_column(String(64), default="")
    after_digest: Mapped[str] = mapped_column(String(64), default="")
    rules_digest: Mapped[str] = mapped_column(String(64), default="")
    round: Mapped[int] = mapped_column(default=1)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    ends_at: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(default=0)
    last_error: Mapped[str] = mapped_column(Text, default="")
    idempotency_key: Mapped[str | None] = mapped_column(String(128), unique=True)
    revision: Mapped[int] = mapped_column(default=0)
    client: Mapped[ClientRow] = relationship()
    contact: Mapped[ContactRow | None] = relationship()
    requester: Mapped[UserRow | None] = relationship()
    firewall: Mapped[FirewallRow] = relationship()
    server: Mapped[ServerRow | None] = relationship()
    moves: Mapped[list[TicketMoveRow]] = relationship(back_populates="ticket", order_by="TicketMoveRow.id")
    approvals: Mapped[list[ApprovalRow]] = relationship(back_populates="ticket", order_by="ApprovalRow.id")
    __mapper_args__ = {"version_id_col": revision}  # noqa: RUF012  # SQLAlchemy reads it

    @property
    def ask(self) -> Ask:
        """Return what is asked. Raises InputError for a ticket that asks for no opening."""
        return ask_from_json(self.ask_json)

    @property
    def is_ended(self) -> bool:
        """Tell whether no move is left."""
        return self.state in TICKET_ENDS


class TicketEditorRow(Base):
    """Someone who changed what a ticket asks, and so may never approve it."""

    __tablename__ = "ticket_editors"
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"), primary_key=True)
    at: Mapped[datetime]


class TicketMoveRow(Base):
    """One move of a ticket from a state to the next."""

    __tablename__ = "ticket_moves"
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    at: Mapped[datetime]
    event: Mapped[TicketEvent] = mapped_column(Word(TicketEvent))
    before: Mapped[TicketState] = mapped_column(Word(TicketState))
    after: Mapped[TicketState] = mapped_column(Word(TicketState))
    actor: Mapped[str] = mapped_column(String(200))
    why: Mapped[str] = mapped_column(Text)
    ticket: Mapped[TicketRow] = relationship(back_populates="moves")


class ApprovalRow(Sealed, Base):
    """One decision of one person about one round of a ticket. A trigger refuses requester and editors."""

    __tablename__ = "approvals"
    __table_args__ = (UniqueConstraint("ticket_id", "user_id", "round"), {"sqlite_autoincrement": True})
    id: Mapped[int] = mapped_column(primary_key=True)
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    round: Mapped[int]
    decision: Mapped[Decision] = mapped_column(Word(Decision))
    digest: Mapped[str] = mapped_column(String(64))
    comment: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime]
    ticket: Mapped[TicketRow] = relationship(back_populates="approvals")
    user: Mapped[UserRow] = relationship()


def open_ticket(
    session: Session,
    *,
    kind: TicketKind,
    firewall: FirewallRow,
    channel: Channel,
    at: datetime,
    actor: str,
    ask: Ask | None = None,
    server: ServerRow | None = None,
    requester: UserRow | None = None,
    contact: ContactRow | None = None,
    mail_id: int | None = None,
    clause: str = "7.1.1",
    idempotency_key: str | None = None,
) -> tuple[TicketRow, bool]:
    """Store a request under the next number; return it and whether it is new.

    The same idempotency key gives the ticket that it made before. Raises NotAllowedError when server,
    firewall and requester are not of one client (staff may ask for any).
    """
    if idempotency_key is not None:
        known = session.scalar(select(TicketRow).where(TicketRow.idempotency_key == idempotency_key))
        if known is not None:
            return known, False
    askers = {who.client_id for who in (requester, contact) if who is not None and who.client_id is not None}
    if askers - {firewall.client_id} or (server is not None and server.firewall_id != firewall.id):
        raise NotAllowedError(f"{server.name if server else firewall.name} is not this client's")
    row = TicketRow(
        number=next_ticket_number(session, at), kind=kind, client_id=firewall.client_id,
        contact=contact, requester=requester, firewall=firewall, server=server, clause=clause,
        ask_json=ask_to_json(ask) if ask else {}, channel=channel, mail_id=mail_id, created_at=at,
        updated_at=at, ends_at=ask.ends_at if ask else None, idempotency_key=idempotency_key,
        state=TicketState.REQUESTED, round=1,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError:
        known = session.scalar(select(TicketRow).where(TicketRow.idempotency_key == idempotency_key))
        if idempotency_key is None or known is None:
            raise
        # The number taken for nothing must go back: the caller's transaction is rolled back and asks again.
        raise ConflictError(f"ticket {known.number} was made by the same request meanwhile") from None
    append(
        session, actor=actor, action=f"{channel}:ticket:request", clause=clause, at=at,
        subject=f"ticket:{row.number}", body={"kind": kind, "firewall": firewall.name, "ask": _facts(row)},
    )  # fmt: skip
    return row, True


def ticket_numbered(session: Session, number: str) -> TicketRow:
    """Return a ticket. Raises InputError when there is none of that number."""
    row = session.scalar(select(TicketRow).where(TicketRow.number == number))
    if row is None:
        raise InputError(f"no ticket {number!r}", expected="a number such as T-2026-0001")
    return row


def move(
    session: Session, ticket: TicketRow, event: TicketEvent, *, actor: str, at: datetime, why: str = ""
) -> TicketState:
    """Make one move of the life cycle, remember and log it. Raises ConflictError: no such move from here.

    Going back to review starts a new round: decisions made before count no longer.
    """
    before, after = ticket.state, next_state(ticket.state, event)
    if after is TicketState.REVIEW and before not in (TicketState.REQUESTED, TicketState.REVIEW):
        ticket.round += 1
    ticket.state, ticket.updated_at = after, at
    session.add(
        TicketMoveRow(
            ticket_id=ticket.id, at=at, event=event, before=before, after=after, actor=actor, why=why
        )
    )
    session.flush()
    append(
        session, actor=actor, action=f"change:ticket:{event}", clause=ticket.clause, at=at,
        subject=f"ticket:{ticket.number}", body={"from": before, "to": after, "why": why},
    )  # fmt: skip
    return after


def set_analysis(
    ticket: TicketRow,
    *,
    analysis: dict[str, Any],
    binding: str,
    before_digest: str,
    after_digest: str,
    rules_digest: str,
    at: datetime,
) -> None:
    """Store what the analysis found and what approvals bind; another binding starts a new round."""
    if ticket.binding and ticket.binding != binding:
        ticket.round += 1
    ticket.analysis, ticket.binding, ticket.updated_at = analysis, binding, at
    ticket.before_digest, ticket.after_digest, ticket.rules_digest = before_digest, after_digest, rules_digest


def edit_ask(session: Session, ticket: TicketRow, ask: Ask, *, editor: UserRow, at: datetime) -> None:
    """Change what a ticket asks while it is not approved; the editor can never approve it.

    Raises ConflictError when it is past review, NotAllowedError when the editor decided about it.
    """
    if ticket.state not in (TicketState.REQUESTED, TicketState.REVIEW):
        raise ConflictError(f"ticket {ticket.number} is {ticket.state}: ask anew")
    if session.get(TicketEditorRow, (ticket.id, editor.id)) is None:
        try:
            with session.begin_nested():
                session.add(TicketEditorRow(ticket_id=ticket.id, user_id=editor.id, at=at))
        except IntegrityError as error:
            raise NotAllowedError(f"{editor.username} has decided about {ticket.number}") from error
    ticket.ask_json, ticket.ends_at, ticket.updated_at = ask_to_json(ask), ask.ends_at, at
    ticket.binding = ""
    ticket.round += 1
    session.flush()
    append(
        session, actor=editor.actor, action="portal:ticket:edit", clause=ticket.clause, at=at,
        subject=f"ticket:{ticket.number}", body={"ask": _facts(ticket)},
    )  # fmt: skip


def decide(
    session: Session,
    ticket: TicketRow,
    user: UserRow,
    decision: Decision,
    *,
    digest: str,
    at: datetime,
    source: str = "portal",
    comment: str = "",
) -> int:
    """Store one person's decision and log it; return how many approvals this round now has.

    `digest` is the binding that the person saw. The caller moves the ticket when the quorum is met.

    Raises ConflictError: the ticket moved, is not in review, or this person decided already.
    Raises NotAllowedError: no approver, or requester or editor of the ticket (a trigger's word).
    """
    if user.role not in MAY_APPROVE or not user.active:
        raise NotAllowedError(f"{user.username} is no approver")
    query = select(TicketRow).where(TicketRow.id == ticket.id).with_for_update()
    session.scalars(query.execution_options(populate_existing=True)).one()
    if ticket.state is not TicketState.REVIEW or not digest or ticket.binding != digest:
        raise ConflictError(f"ticket {ticket.number} has moved since it was shown: look at it again")
    row = ApprovalRow(
        ticket_id=ticket.id, user_id=user.id, round=ticket.round, decision=decision, digest=digest,
        comment=comment[:2000], at=at,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        if "approver" in str(error.orig):
            raise NotAllowedError(f"{user.username} asked for or edited {ticket.number}") from error
        raise ConflictError(f"{user.username} has decided about {ticket.number} already") from error
    append(
        session, actor=user.actor, action=f"{source}:ticket:{decision}", clause=ticket.clause, at=at,
        subject=f"ticket:{ticket.number}", record=row, body={"binding": digest, "round": ticket.round},
    )  # fmt: skip
    return approval_count(session, ticket)


def approve(
    session: Session, ticket: TicketRow, user: UserRow, *, digest: str, at: datetime,
    source: str = "portal", comment: str = "",
) -> int:  # fmt: skip
    """Approve what `digest` binds; see `decide`."""
    return decide(
        session, ticket, user, Decision.APPROVE, digest=digest, at=at, source=source, comment=comment
    )


def refuse(
    session: Session, ticket: TicketRow, user: UserRow, *, digest: str, at: datetime,
    source: str = "portal", comment: str = "",
) -> int:  # fmt: skip
    """Refuse what `digest` binds; see `decide`."""
    return decide(
        session, ticket, user, Decision.REFUSE, digest=digest, at=at, source=source, comment=comment
    )


def approval_count(session: Session, ticket: TicketRow) -> int:
    """Return how many people approved exactly what the ticket binds now."""
    return session.scalars(
        select(func.count(ApprovalRow.id)).where(
            ApprovalRow.ticket_id == ticket.id,
            ApprovalRow.round == ticket.round,
            ApprovalRow.digest == ticket.binding,
            ApprovalRow.decision == Decision.APPROVE,
        )
    ).one()


def _facts(ticket: TicketRow) -> dict[str, Any]:
    """Return the ask without its free text, which may hold anyone's personal data."""
    return {key: value for key, value in ticket.ask_json.items() if key != "reason"}
