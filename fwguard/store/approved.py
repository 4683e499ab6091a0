"""What was approved for each firewall, and what was read that differed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, Index, String, Text, delete, select, text
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import ConflictError
from fwguard.model.snapshot import Snapshot
from fwguard.store.audit import append
from fwguard.store.base import Base, Sealed
from fwguard.store.inventory import FirewallRow, WatchState


class BaselineRow(Sealed, Base):
    """An approved state of one firewall: native text, running and boot. One is current."""

    __tablename__ = "baselines"
    __table_args__ = (
        Index(
            "uq_baselines_one_current", "firewall_id", unique=True,
            sqlite_where=text("current"), postgresql_where=text("current"),
        ),
        {"sqlite_autoincrement": True},
    )  # fmt: skip
    id: Mapped[int] = mapped_column(primary_key=True)
    firewall_id: Mapped[int] = mapped_column(ForeignKey("firewalls.id"), index=True)
    snapshot_json: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    previous_id: Mapped[int | None] = mapped_column(ForeignKey("baselines.id"))
    warrant_id: Mapped[str | None] = mapped_column(ForeignKey("warrants.id"))
    ticket_id: Mapped[int | None] = mapped_column(ForeignKey("tickets.id"))
    why: Mapped[str] = mapped_column(Text)
    approved_by: Mapped[str] = mapped_column(String(200))
    approved_at: Mapped[datetime]
    current: Mapped[bool]
    firewall: Mapped[FirewallRow] = relationship()

    @property
    def snapshot(self) -> Snapshot:
        """Return the approved native text."""
        return Snapshot.from_json(self.snapshot_json)


class ReadingRow(Base):
    """A state that was read and differed from the one read before."""

    __tablename__ = "readings"
    __table_args__ = (Index("ix_readings_firewall_at", "firewall_id", "at"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    firewall_id: Mapped[int] = mapped_column(ForeignKey("firewalls.id"))
    snapshot_json: Mapped[str] = mapped_column(Text)
    digest: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime]

    @property
    def snapshot(self) -> Snapshot:
        """Return the native text that was read."""
        return Snapshot.from_json(self.snapshot_json)


def current_baseline(session: Session, firewall_id: int) -> BaselineRow | None:
    """Return the approved state that holds now, or None for a new firewall."""
    return session.scalar(
        select(BaselineRow).where(BaselineRow.firewall_id == firewall_id, BaselineRow.current)
    )


def approve_baseline(
    session: Session,
    firewall: FirewallRow,
    snapshot: Snapshot,
    *,
    before: BaselineRow | None,
    why: str,
    actor: str,
    clause: str,
    at: datetime,
    warrant_id: str | None = None,
    ticket_id: int | None = None,
) -> BaselineRow:
    """Make `snapshot` the approved state in place of `before`, and log both.

    Raises ConflictError when another baseline than `before` is current.
    """
    session.scalars(select(FirewallRow.id).where(FirewallRow.id == firewall.id).with_for_update()).one()
    query = select(BaselineRow).where(BaselineRow.firewall_id == firewall.id, BaselineRow.current)
    current = session.scalar(query.execution_options(populate_existing=True))
    if (current.id if current else None) != (before.id if before else None):
        raise ConflictError(f"the approved state of {firewall.name} has moved: read it again")
    if current is not None:
        current.current = False
        append(
            session, actor=actor, action="guard:baseline:supersede", clause=clause, at=at,
            subject=f"firewall:{firewall.name}", body={"digest": current.digest}, record=current,
        )  # fmt: skip
    row = BaselineRow(
        firewall_id=firewall.id,
        snapshot_json=snapshot.to_json(),
        digest=snapshot.digest,
        previous_id=current.id if current else None,
        warrant_id=warrant_id,
        ticket_id=ticket_id,
        why=why,
        approved_by=actor,
        approved_at=at,
        current=True,
    )
    session.add(row)
    if firewall.state is WatchState.NEW:
        firewall.state = WatchState.WATCHED
    append(
        session, actor=actor, action="guard:baseline:approve", clause=clause, at=at,
        subject=f"firewall:{firewall.name}", record=row,
        body={"digest": row.digest, "previous": current.digest if current else "", "ticket": ticket_id or 0},
    )  # fmt: skip
    return row


def record_reading(
    session: Session, firewall_id: int, snapshot: Snapshot, *, at: datetime
) -> ReadingRow | None:
    """Store what was read if it differs from the last stored reading; return the new row or None."""
    last = session.scalar(
        select(ReadingRow.digest)
        .where(ReadingRow.firewall_id == firewall_id)
        .order_by(ReadingRow.at.desc(), ReadingRow.id.desc())
        .limit(1)
    )
    if last == snapshot.digest:
        return None
    row = ReadingRow(firewall_id=firewall_id, snapshot_json=snapshot.to_json(), digest=snapshot.digest, at=at)
    session.add(row)
    session.flush()
    return row


def last_reading(session: Session, firewall_id: int) -> ReadingRow | None:
    """Return the last stored reading."""
    query = select(ReadingRow).where(ReadingRow.firewall_id == firewall_id)
    return session.scalar(query.order_by(ReadingRow.at.desc(), ReadingRow.id.desc()).limit(1))


def prune_readings(session: Session, firewall_id: int, *, keep: int) -> int:
    """Forget all but the newest `keep` readings of a firewall (a client could fill our disk with drift)."""
    newest = (
        select(ReadingRow.id)
        .where(ReadingRow.firewall_id == firewall_id)
        .order_by(ReadingRow.at.desc(), ReadingRow.id.desc())
        .limit(keep)
    )
    old = delete(ReadingRow).where(ReadingRow.firewall_id == firewall_id, ReadingRow.id.not_in(newest))
    return len(session.execute(old.returning(ReadingRow.id)).all())
