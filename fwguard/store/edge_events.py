"""What edges told of, each event once however often it was sent, until a flow has dealt with it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.model.edge_wire import EdgeEvent, EventKind
from fwguard.store.base import Base, JsonText, Word
from fwguard.store.edges import EdgeRow
from fwguard.store.inserts import insert_into

EVIDENCE: Final = "evidence"
MOST_COUNTED: Final = 5000
MOST_SHOWN: Final = 20


class EdgeEventRow(Base):
    """One event. `evidence` leaves for the case's own once it is dealt with; `outcome` says what was done."""

    __tablename__ = "edge_events"
    __table_args__ = (
        UniqueConstraint("edge_id", "event_id"),
        Index("ix_edge_events_edge_id_handled_at", "edge_id", "handled_at"),
        Index("ix_edge_events_kind_at", "kind", "at"),
        Index("ix_edge_events_port_at", "port", "at"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    edge_id: Mapped[int] = mapped_column(ForeignKey("edges.id"))
    event_id: Mapped[str] = mapped_column(String(80))
    kind: Mapped[EventKind] = mapped_column(Word(EventKind))
    at: Mapped[datetime]
    port: Mapped[int]
    facts: Mapped[dict[str, Any]] = mapped_column(JsonText)
    evidence: Mapped[bytes | None] = mapped_column(LargeBinary)
    received_at: Mapped[datetime]
    handled_at: Mapped[datetime | None]
    case_id: Mapped[int | None] = mapped_column(ForeignKey("cases.id"), index=True)
    outcome: Mapped[str] = mapped_column(Text, default="")
    edge: Mapped[EdgeRow] = relationship()


def store_event(
    session: Session, edge: EdgeRow, event: EdgeEvent, evidence: bytes | None, *, at: datetime
) -> bool:
    """Store an event; False when it was stored before. Its time is never later than ours."""
    made = session.execute(
        insert_into(session, EdgeEventRow)
        .values(
            edge_id=edge.id, event_id=event.id, kind=event.kind, at=min(time_of(event), at), port=event.port,
            facts={name: value for name, value in event.facts.items() if name != EVIDENCE}, evidence=evidence,
            received_at=at, outcome="",
        )
        .on_conflict_do_nothing(index_elements=["edge_id", "event_id"])
        .returning(EdgeEventRow.id)
    )  # fmt: skip
    return made.first() is not None


def time_of(event: EdgeEvent) -> datetime:
    """Return when an event happened; a number that is no time is the year 9999, hence now once it is stored."""
    try:
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=event.at_us)
    except OverflowError:
        return datetime(9999, 1, 1, tzinfo=UTC)


def next_event(session: Session, edge: EdgeRow) -> EdgeEventRow | None:
    """Return the oldest event of an edge that nobody dealt with, locked until this session ends."""
    return session.scalar(
        select(EdgeEventRow)
        .where(EdgeEventRow.edge_id == edge.id, EdgeEventRow.handled_at.is_(None))
        .order_by(EdgeEventRow.id)
        .limit(1)
        .with_for_update(of=EdgeEventRow)
    )


def end_event(row: EdgeEventRow, *, outcome: str, at: datetime, case_id: int | None = None) -> None:
    """Note that an event was dealt with, and how."""
    row.handled_at, row.outcome, row.evidence = at, outcome[:2000], None
    if case_id is not None:
        row.case_id = case_id


def recent_events(
    session: Session, edge: EdgeRow, kinds: tuple[EventKind, ...], *, limit: int
) -> list[EdgeEventRow]:
    """Return the newest events of some kinds, the newest first."""
    query = select(EdgeEventRow).where(EdgeEventRow.edge_id == edge.id, EdgeEventRow.kind.in_(kinds))
    return list(session.scalars(query.order_by(EdgeEventRow.id.desc()).limit(limit)))


def seen_at_ports_since(
    session: Session, ports: list[int], kinds: tuple[EventKind, ...], *, since: datetime
) -> bool:
    """Tell whether an edge told of anything of these kinds at these ports since then."""
    query = select(EdgeEventRow.id).where(
        EdgeEventRow.port.in_(ports), EdgeEventRow.at >= since, EdgeEventRow.kind.in_(kinds)
    )
    return session.scalar(query.limit(1)) is not None


def refused_packets(session: Session, edge: EdgeRow, *, since: datetime) -> list[tuple[str, int, int]]:
    """Return (clause, port, packets) that an edge refused since then, the most first; of the newest 5000 counts."""
    query = select(EdgeEventRow.port, EdgeEventRow.facts).where(
        EdgeEventRow.edge_id == edge.id, EdgeEventRow.kind == EventKind.REFUSAL, EdgeEventRow.at >= since
    )
    total: Counter[tuple[str, int]] = Counter()
    for port, facts in session.execute(query.order_by(EdgeEventRow.id.desc()).limit(MOST_COUNTED)):
        packets = facts.get("packets")
        if type(packets) is int and packets > 0:
            total[str(facts.get("clause", ""))[:40], port] += packets
    return [(clause, port, packets) for (clause, port), packets in total.most_common(MOST_SHOWN)]
