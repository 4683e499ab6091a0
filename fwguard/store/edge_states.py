"""What was sent to each edge: every state by its digest and number, the newest one with its bytes."""

from __future__ import annotations

import hashlib
import zlib
from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String, Text, UniqueConstraint, delete, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import ConflictError
from fwguard.store.audit import append
from fwguard.store.base import Base, Sealed
from fwguard.store.edges import EdgeRow


class EdgeStateRow(Sealed, Base):
    """One state: `digest` of its canonical bytes, `content_digest` of the same with epoch and generation 0."""

    __tablename__ = "edge_states"
    __table_args__ = (
        UniqueConstraint("edge_id", "epoch", "generation"),
        UniqueConstraint("edge_id", "digest"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    edge_id: Mapped[int] = mapped_column(ForeignKey("edges.id"))
    epoch: Mapped[int] = mapped_column(BigInteger)
    generation: Mapped[int] = mapped_column(BigInteger)
    digest: Mapped[str] = mapped_column(String(64))
    content_digest: Mapped[str] = mapped_column(String(64))
    signature: Mapped[str] = mapped_column(Text)  # base64
    warrant_id: Mapped[str] = mapped_column(ForeignKey("warrants.id"))
    made_at: Mapped[datetime]
    edge: Mapped[EdgeRow] = relationship()


class EdgeStateBodyRow(Base):
    """The bytes of an edge's newest state, compressed; `verify` of the log proves them by the state's digest."""

    __tablename__ = "edge_state_bodies"
    state_id: Mapped[int] = mapped_column(ForeignKey("edge_states.id"), primary_key=True)
    edge_id: Mapped[int] = mapped_column(ForeignKey("edges.id"), unique=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


def newest_state(session: Session, edge: EdgeRow) -> EdgeStateRow | None:
    """Return the newest state of the edge's epoch, None before the first."""
    return session.scalar(
        select(EdgeStateRow).where(
            EdgeStateRow.edge_id == edge.id,
            EdgeStateRow.epoch == edge.epoch,
            EdgeStateRow.generation == edge.generation,
        )
    )


def state_bytes_of(session: Session, state: EdgeStateRow) -> bytes:
    """Return the canonical bytes of a state. Raises ConflictError: a newer one took its place."""
    row = session.scalar(select(EdgeStateBodyRow).where(EdgeStateBodyRow.state_id == state.id))
    body = zlib.decompress(row.body) if row is not None else b""
    if hashlib.sha256(body).hexdigest() != state.digest:
        raise ConflictError(f"state {state.epoch}.{state.generation} is no longer the newest: ask again")
    return body


def keep_state(
    session: Session,
    edge: EdgeRow,
    body: bytes,
    *,
    content_digest: str,
    signature: str,
    warrant_id: str,
    clause: str,
    at: datetime,
) -> EdgeStateRow:
    """Store a state as the edge's newest; the edge bears its number already. Its bytes replace the last one's."""
    row = EdgeStateRow(
        edge_id=edge.id, epoch=edge.epoch, generation=edge.generation, digest=hashlib.sha256(body).hexdigest(),
        content_digest=content_digest, signature=signature, warrant_id=warrant_id, made_at=at,
    )  # fmt: skip
    session.add(row)
    session.flush()
    session.execute(delete(EdgeStateBodyRow).where(EdgeStateBodyRow.edge_id == edge.id))
    session.add(EdgeStateBodyRow(state_id=row.id, edge_id=edge.id, body=zlib.compress(body, 1)))
    append(
        session, actor="system", action="edge:state:make", clause=clause, subject=edge.subject, at=at, record=row,
        body={"epoch": row.epoch, "generation": row.generation, "digest": row.digest, "bytes": len(body)},
    )  # fmt: skip
    return row
