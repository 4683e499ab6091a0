"""What is open because someone asked, and who holds it open: it closes with its last holder."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, func, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.model.change import Change
from fwguard.model.ticket import Ask
from fwguard.store.asks import change_from_json, change_to_json, ports_text
from fwguard.store.base import Base, JsonText
from fwguard.store.inventory import FirewallRow, ServerRow
from fwguard.store.tickets import TicketRow

_LIVE = text("ended_at IS NULL")


class OpeningRow(Base):
    """One opening on one firewall. Of the same protocol, ports, source and server, one is live at most."""

    __tablename__ = "openings"
    __table_args__ = (
        Index(
            "uq_openings_one_live", "firewall_id", "server_id", "protocol", "ports", "source_sha256",
            unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE,
        ),
    )  # fmt: skip
    id: Mapped[int] = mapped_column(primary_key=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    firewall_id: Mapped[int] = mapped_column(ForeignKey("firewalls.id"))
    server_id: Mapped[int] = mapped_column(ForeignKey("servers.id"))
    protocol: Mapped[int]
    ports: Mapped[str] = mapped_column(Text)
    source: Mapped[str] = mapped_column(Text)
    source_sha256: Mapped[str] = mapped_column(String(64))  # sources may be longer than an index takes
    tag: Mapped[str] = mapped_column(String(24), unique=True)
    change_json: Mapped[dict[str, Any]] = mapped_column(JsonText)
    created_at: Mapped[datetime]
    deployed_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]
    firewall: Mapped[FirewallRow] = relationship()
    server: Mapped[ServerRow] = relationship()
    holders: Mapped[list[HolderRow]] = relationship(back_populates="opening", order_by="HolderRow.id")

    @property
    def change(self) -> Change:
        """Return the change that opened it."""
        return change_from_json(self.change_json)


class HolderRow(Base):
    """A ticket that needs an opening, until its end."""

    __tablename__ = "holders"
    __table_args__ = (UniqueConstraint("opening_id", "ticket_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    opening_id: Mapped[int] = mapped_column(ForeignKey("openings.id"))
    ticket_id: Mapped[int] = mapped_column(ForeignKey("tickets.id"), index=True)
    since: Mapped[datetime]
    ends_at: Mapped[datetime | None] = mapped_column(index=True)
    released_at: Mapped[datetime | None]
    opening: Mapped[OpeningRow] = relationship(back_populates="holders")
    ticket: Mapped[TicketRow] = relationship()


def live_opening(
    session: Session, ask: Ask, *, firewall: FirewallRow, server: ServerRow
) -> OpeningRow | None:
    """Return the live opening of exactly this ask, if there is one."""
    return session.scalar(
        select(OpeningRow).where(
            OpeningRow.firewall_id == firewall.id,
            OpeningRow.server_id == server.id,
            OpeningRow.protocol == ask.protocol,
            OpeningRow.ports == ports_text(ask.ports),
            OpeningRow.source_sha256 == _source_sha256(ask),
            OpeningRow.ended_at.is_(None),
        )
    )


def add_opening(
    session: Session, ask: Ask, change: Change, *, firewall: FirewallRow, server: ServerRow, at: datetime
) -> OpeningRow:
    """Store a new opening, not deployed yet."""
    row = OpeningRow(
        client_id=firewall.client_id, firewall=firewall, server=server, protocol=ask.protocol,
        ports=ports_text(ask.ports), source=str(ask.source), source_sha256=_source_sha256(ask),
        tag=change.tag, change_json=change_to_json(change), created_at=at,
    )  # fmt: skip
    session.add(row)
    session.flush()
    return row


def hold_opening(session: Session, opening: OpeningRow, ticket: TicketRow, *, at: datetime) -> HolderRow:
    """Make a ticket a holder until the ticket's end; the same ticket again changes its end only."""
    _lock(session, opening)
    query = select(HolderRow).where(HolderRow.opening_id == opening.id, HolderRow.ticket_id == ticket.id)
    row = session.scalar(query)
    if row is None:
        row = HolderRow(opening_id=opening.id, ticket_id=ticket.id, since=at)
        session.add(row)
    row.ends_at, row.released_at = ticket.ends_at, None
    session.flush()
    return row


def release_holder(session: Session, opening: OpeningRow, ticket: TicketRow, *, at: datetime) -> int:
    """End one ticket's hold; return how many holders are left. At 0 the caller closes the opening."""
    _lock(session, opening)
    query = select(HolderRow).where(
        HolderRow.opening_id == opening.id, HolderRow.ticket_id == ticket.id, HolderRow.released_at.is_(None)
    )
    row = session.scalar(query)
    if row is not None:
        row.released_at = at
        session.flush()
    return holder_count(session, opening)


def holder_count(session: Session, opening: OpeningRow) -> int:
    """Return how many tickets hold an opening."""
    return session.scalars(
        select(func.count(HolderRow.id)).where(
            HolderRow.opening_id == opening.id, HolderRow.released_at.is_(None)
        )
    ).one()


def holds_ending(session: Session, *, at: datetime) -> list[HolderRow]:
    """Return the holds whose end has come, the earliest first."""
    return list(
        session.scalars(
            select(HolderRow)
            .where(HolderRow.released_at.is_(None), HolderRow.ends_at <= at)
            .order_by(HolderRow.ends_at)
        )
    )


def holds_of(session: Session, ticket: TicketRow) -> list[HolderRow]:
    """Return the holds of a ticket that are not released."""
    query = select(HolderRow).where(HolderRow.ticket_id == ticket.id, HolderRow.released_at.is_(None))
    return list(session.scalars(query.order_by(HolderRow.id)))


def _source_sha256(ask: Ask) -> str:
    return hashlib.sha256(str(ask.source).encode()).hexdigest()


def _lock(session: Session, opening: OpeningRow) -> None:
    session.scalars(select(OpeningRow.id).where(OpeningRow.id == opening.id).with_for_update()).one()
