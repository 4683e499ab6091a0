"""Edges: the operator's own nodes that enforce, how each proved who it is, and what it last said."""

from __future__ import annotations

import base64
import hashlib
import secrets
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text, delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.model.edge_fields import check_interface, check_name
from fwguard.store.audit import append
from fwguard.store.base import Base, JsonText
from fwguard.store.inserts import add_new, insert_into

TOKEN_PREFIX: Final = "fwe_"  # noqa: S105  # makes leaked tokens findable; the secret follows
KEY_BYTES: Final = 32  # Ed25519 (RFC 8032)
_SEEN_EVERY: Final = timedelta(seconds=5)


class EdgeRow(Base):
    """One edge. (epoch, generation) is that of its newest state and never falls (a trigger says so).

    `looked_seq` is the end of the log when its state was last worked out, `looked_rules` the digest of the
    rules then: while neither moved, its state has not. `problem` says why no newer state could be made.
    """

    __tablename__ = "edges"
    __table_args__ = (
        CheckConstraint("epoch >= 0 AND generation >= 0", name="not_negative"),
        CheckConstraint("(public_key = '') = (enrolled_at IS NULL)", name="enrolled_has_key"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    uplinks: Mapped[str] = mapped_column(Text)  # interfaces, a space between
    uplink_bps: Mapped[int] = mapped_column(BigInteger)
    epoch: Mapped[int] = mapped_column(BigInteger, default=1)
    generation: Mapped[int] = mapped_column(BigInteger, default=0)
    public_key: Mapped[str] = mapped_column(String(44), default="")  # base64 of the raw key
    added_at: Mapped[datetime]
    enrolled_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    seen_at: Mapped[datetime | None]
    report: Mapped[dict[str, Any] | None] = mapped_column(JsonText)
    reported_at: Mapped[datetime | None]
    applied_epoch: Mapped[int] = mapped_column(BigInteger, default=0)
    applied_generation: Mapped[int] = mapped_column(BigInteger, default=0)
    applied_at: Mapped[datetime | None]
    looked_seq: Mapped[int] = mapped_column(BigInteger, default=-1)
    looked_rules: Mapped[str] = mapped_column(String(64), default="")
    problem: Mapped[str] = mapped_column(Text, default="")

    @property
    def subject(self) -> str:
        """Return how the log names it."""
        return f"edge:{self.name}"

    @property
    def uplink_names(self) -> tuple[str, ...]:
        """Return the interfaces that lead outside."""
        return tuple(self.uplinks.split())

    @property
    def is_trusted(self) -> bool:
        """Tell whether it may ask for anything."""
        return bool(self.public_key) and self.revoked_at is None


class EdgeTokenRow(Base):
    """A token by which an edge enrols, once; only its SHA-256 is kept."""

    __tablename__ = "edge_tokens"
    id: Mapped[int] = mapped_column(primary_key=True)
    edge_id: Mapped[int] = mapped_column(ForeignKey("edges.id"), index=True)
    sha256: Mapped[str] = mapped_column(String(64), unique=True)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    edge: Mapped[EdgeRow] = relationship()


class EdgeNonceRow(Base):
    """A nonce that an edge has used: its request, sent again by anyone, is refused while it could be fresh."""

    __tablename__ = "edge_nonces"
    __table_args__ = (Index("ix_edge_nonces_expires_at", "expires_at"),)
    edge_id: Mapped[int] = mapped_column(ForeignKey("edges.id"), primary_key=True)
    nonce: Mapped[str] = mapped_column(String(64), primary_key=True)
    expires_at: Mapped[datetime]


def add_edge(
    session: Session, name: str, *, uplinks: tuple[str, ...], uplink_bps: int, actor: str, at: datetime
) -> EdgeRow:
    """Store an edge that has not enrolled yet. Raises InputError: name taken, no uplink, a rate out of bounds."""
    check_name("edge", name)
    if not 1 <= len(set(uplinks)) == len(uplinks) <= 16:
        raise InputError(f"{len(uplinks)} uplinks", expected="1 to 16 interfaces, each once")
    for uplink in uplinks:
        check_interface("uplink", uplink)
    if not 1000 <= uplink_bps <= 10**13:
        raise InputError(f"{uplink_bps}", where="uplink_bps", expected="1000 to 10**13 bit/s")
    row = EdgeRow(
        name=name, uplinks=" ".join(uplinks), uplink_bps=uplink_bps, epoch=1, generation=0, public_key="",
        added_at=at, looked_seq=-1, looked_rules="", problem="",
    )  # fmt: skip
    add_new(session, row, f"edge {name}")
    _log(session, row, "add", actor=actor, at=at, uplinks=list(uplinks), uplink_bps=uplink_bps)
    return row


def edge_named(session: Session, name: str) -> EdgeRow:
    """Return an edge. Raises InputError when there is none of that name."""
    row = session.scalar(select(EdgeRow).where(EdgeRow.name == name))
    if row is None:
        raise InputError(f"no edge {name!r}", expected="a name shown by `fwguard edge list`")
    return row


def locked_edge(session: Session, name: str) -> EdgeRow:
    """Return an edge as it is now; nobody else changes it until this session ends."""
    query = select(EdgeRow).where(EdgeRow.name == name).with_for_update()
    row = session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise InputError(f"no edge {name!r}", expected="a name shown by `fwguard edge list`")
    return row


def issue_edge_token(session: Session, edge: EdgeRow, *, actor: str, at: datetime, lasts: timedelta) -> str:
    """Return a token by which the edge enrols once; earlier ones hold no more. It is shown now and not kept."""
    session.execute(
        delete(EdgeTokenRow).where(EdgeTokenRow.edge_id == edge.id, EdgeTokenRow.used_at.is_(None))
    )
    text = TOKEN_PREFIX + secrets.token_urlsafe(32)
    session.add(EdgeTokenRow(edge_id=edge.id, sha256=_sha256(text), created_at=at, expires_at=at + lasts))
    _log(session, edge, "token", actor=actor, at=at, expires_at=str(at + lasts))
    return text


def enrol_edge(session: Session, name: str, token: str, public_key: bytes, *, at: datetime) -> EdgeRow:
    """Spend a token and pin the edge's key; a key that it had before holds no more.

    Its epoch rises: what a lost node was told says nothing about the new one. Raises NotAllowedError for a
    token that does not hold, InputError for a key of another length.
    """
    if len(public_key) != KEY_BYTES:
        raise InputError(
            f"{len(public_key)} bytes", where="public_key", expected=f"{KEY_BYTES}: a raw Ed25519 key"
        )
    spent = session.execute(
        update(EdgeTokenRow)
        .where(
            EdgeTokenRow.sha256 == _sha256(token),
            EdgeTokenRow.used_at.is_(None),
            EdgeTokenRow.expires_at > at,
            EdgeTokenRow.edge_id.in_(select(EdgeRow.id).where(EdgeRow.name == name)),
        )
        .values(used_at=at)
        .returning(EdgeTokenRow.id)
    )
    if spent.first() is None:
        raise NotAllowedError(
            "this token is unknown, used or expired: `fwguard edge token NAME` gives another"
        )
    row = locked_edge(session, name)
    if row.enrolled_at is not None:
        row.epoch, row.generation = row.epoch + 1, 0
    row.public_key = base64.b64encode(public_key).decode()
    row.enrolled_at, row.revoked_at, row.looked_seq = at, None, -1
    row.applied_epoch = row.applied_generation = 0
    session.flush()
    _log(session, row, "enrol", actor=row.subject, at=at, key_sha256=hashlib.sha256(public_key).hexdigest())
    return row


def revoke_edge(session: Session, edge: EdgeRow, *, actor: str, why: str, at: datetime) -> None:
    """Believe nothing that is signed with the edge's key from now on; its tokens hold no more either.

    Raises ConflictError when that is so already.
    """
    if edge.revoked_at is not None:
        raise ConflictError(f"edge {edge.name} is revoked since {edge.revoked_at:%Y-%m-%d %H:%M} UTC")
    edge.revoked_at = at
    session.execute(
        delete(EdgeTokenRow).where(EdgeTokenRow.edge_id == edge.id, EdgeTokenRow.used_at.is_(None))
    )
    session.flush()
    _log(session, edge, "revoke", actor=actor, at=at, why=why)


def raise_epoch(session: Session, edge: EdgeRow, *, above: int, actor: str, why: str, at: datetime) -> None:
    """Begin an epoch above one that the edge has seen: after a restored database it would refuse what we send."""
    edge.epoch, edge.generation, edge.looked_seq = max(edge.epoch, above) + 1, 0, -1
    session.flush()
    _log(session, edge, "epoch", actor=actor, at=at, epoch=edge.epoch, why=why)


def take_nonce(session: Session, edge: EdgeRow, nonce: str, *, at: datetime, expires_at: datetime) -> bool:
    """Use a nonce up; False when the edge used it before. What can be replayed no more is forgotten."""
    session.execute(delete(EdgeNonceRow).where(EdgeNonceRow.expires_at < at))
    made = session.execute(
        insert_into(session, EdgeNonceRow)
        .values(edge_id=edge.id, nonce=nonce, expires_at=expires_at)
        .on_conflict_do_nothing()
        .returning(EdgeNonceRow.nonce)
    )
    return made.first() is not None


def note_seen(edge: EdgeRow, *, at: datetime) -> None:
    """Remember that the edge was heard of, to the second or so."""
    if edge.seen_at is None or at - edge.seen_at >= _SEEN_EVERY:
        edge.seen_at = at


def note_report(edge: EdgeRow, report: dict[str, Any], *, at: datetime) -> None:
    """Keep what an edge reports of itself; the newest one is all that is kept."""
    edge.report, edge.reported_at = report, at


def _log(session: Session, edge: EdgeRow, what: str, *, actor: str, at: datetime, **body: Any) -> None:
    append(
        session,
        actor=actor,
        action=f"edge:node:{what}",
        clause="7.10",
        subject=edge.subject,
        at=at,
        body=body,
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
