"""What is cut or suspended: how much, why, under which clause and case, what stays open, until when."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, UniqueConstraint, func, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import ConflictError
from fwguard.model.controls import Passage, Reason
from fwguard.model.edge_grants import Scope
from fwguard.model.ports import TCP
from fwguard.store.addresses import Machine
from fwguard.store.audit import append
from fwguard.store.base import Base, Sealed, Word
from fwguard.store.cases import CaseRow
from fwguard.store.edge_ports import ArchitectureRow, EdgePortRow
from fwguard.store.edges import EdgeRow
from fwguard.store.inventory import FirewallRow, ServerRow
from fwguard.store.people import ClientRow

BREAKER: Final = "system:breaker"  # who ended a cut that was one client too many


class IsolationRow(Sealed, Base):
    """One cut. It holds until `ended_at`; `ends_at` None: until a person ends it. What is cut never changes.

    `cut_id` is the event of the edge that had cut it on the spot at port `cut_port`: such a cut goes only by a
    release that names it, and is gone at `taken_back_at`. Of one event there is one at most.
    """

    __tablename__ = "isolations"
    __table_args__ = (
        CheckConstraint(
            "(CASE WHEN server_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN firewall_id IS NULL THEN 0 ELSE 1 END)"
            " + (CASE WHEN architecture_id IS NULL THEN 0 ELSE 1 END) = 1",
            name="one_subject",
        ),
        CheckConstraint("(scope = 'architecture') = (architecture_id IS NOT NULL)", name="scope_fits"),
        CheckConstraint("(edge_id IS NULL) = (cut_id IS NULL)", name="cut_of_edge"),
        CheckConstraint("ended_at IS NOT NULL OR taken_back_at IS NULL", name="ended_first"),
        UniqueConstraint("edge_id", "cut_id"),
        Index("ix_isolations_ended_at_ends_at", "ended_at", "ends_at"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    case_id: Mapped[int] = mapped_column(ForeignKey("cases.id"), index=True)
    client_id: Mapped[int] = mapped_column(ForeignKey("clients.id"), index=True)
    scope: Mapped[Scope] = mapped_column(Word(Scope))
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), index=True)
    firewall_id: Mapped[int | None] = mapped_column(ForeignKey("firewalls.id"), index=True)
    architecture_id: Mapped[int | None] = mapped_column(ForeignKey("architectures.id"), index=True)
    protocol: Mapped[int] = mapped_column(default=TCP)
    first_port: Mapped[int] = mapped_column(default=0)
    last_port: Mapped[int] = mapped_column(default=65535)
    reason: Mapped[Reason] = mapped_column(Word(Reason))
    clause: Mapped[str] = mapped_column(String(40))
    stays_open: Mapped[str] = mapped_column(String(200), default="")  # words of Passage, a space between
    author: Mapped[str] = mapped_column(String(200))
    why: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(index=True)
    ends_at: Mapped[datetime | None]
    edge_id: Mapped[int | None] = mapped_column(ForeignKey("edges.id"))
    cut_id: Mapped[str | None] = mapped_column(String(80))
    cut_port: Mapped[int] = mapped_column(default=0)
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str] = mapped_column(String(200), default="")
    ended_why: Mapped[str] = mapped_column(Text, default="")
    taken_back_at: Mapped[datetime | None]
    case: Mapped[CaseRow] = relationship()
    client: Mapped[ClientRow] = relationship()
    server: Mapped[ServerRow | None] = relationship()
    firewall: Mapped[FirewallRow | None] = relationship()
    architecture: Mapped[ArchitectureRow | None] = relationship()
    edge: Mapped[EdgeRow | None] = relationship()

    @property
    def passages(self) -> tuple[Passage, ...]:
        """Return what stays open."""
        return tuple(Passage(word) for word in self.stays_open.split())

    @property
    def is_flow(self) -> bool:
        """Tell whether only one connection was cut, on the spot: nothing that could be ordered (port 0)."""
        return self.scope is Scope.SERVICE and self.last_port == 0

    @property
    def on(self) -> str:
        """Return how the log names what is cut."""
        if self.architecture is not None:
            return f"architecture:{self.architecture.name}"
        return f"server:{self.server.name}" if self.server is not None else f"firewall:{_name(self.firewall)}"


def add_isolation(
    session: Session,
    case: CaseRow,
    subject: Machine | ArchitectureRow,
    *,
    scope: Scope,
    reason: Reason,
    clause: str,
    stays_open: tuple[Passage, ...],
    author: str,
    why: str,
    at: datetime,
    ends_at: datetime | None,
    protocol: int = TCP,
    ports: tuple[int, int] = (0, 65535),
    cut: tuple[EdgeRow, str, int] | None = None,
) -> IsolationRow:
    """Store and log a cut; `cut` is the edge, the event and the port of one made on the spot."""
    edge, cut_id, cut_port = cut or (None, None, 0)
    row = IsolationRow(
        case=case, client_id=subject.client_id, scope=scope, reason=reason, clause=clause,
        server=subject if isinstance(subject, ServerRow) else None,
        firewall=subject if isinstance(subject, FirewallRow) else None,
        architecture=subject if isinstance(subject, ArchitectureRow) else None,
        protocol=protocol, first_port=ports[0], last_port=ports[1], author=author, why=why[:2000], since=at,
        stays_open=" ".join(stays_open), ends_at=ends_at, edge=edge, cut_id=cut_id, cut_port=cut_port,
        ended_by="", ended_why="",
    )  # fmt: skip
    session.add(row)
    session.flush()
    _log(session, row, "isolate", actor=author, at=at, scope=scope, reason=reason, why=row.why,
         stays_open=row.stays_open, ends_at=str(ends_at or ""), cut=cut_id or "")  # fmt: skip
    return row


def end_isolation(session: Session, row: IsolationRow, *, actor: str, why: str, at: datetime) -> None:
    """End a cut. Raises ConflictError when it is over already."""
    if row.ended_at is not None:
        raise ConflictError(f"the cut of {row.on} is over since {row.ended_at:%Y-%m-%d %H:%M} UTC")
    row.ended_at, row.ended_by, row.ended_why = at, actor, why[:2000]
    session.flush()
    _log(session, row, "release", actor=actor, at=at, why=row.ended_why)


def note_taken_back(session: Session, row: IsolationRow, *, at: datetime) -> None:
    """Note that the edge took its cut back, as it was told to."""
    assert row.edge is not None  # noqa: S101  # the constraint `cut_of_edge`
    row.taken_back_at = at
    session.flush()
    _log(session, row, "taken-back", actor=row.edge.subject, at=at, cut=row.cut_id or "")


def live_isolations(session: Session) -> list[IsolationRow]:
    """Return every cut that holds, oldest first."""
    return list(
        session.scalars(select(IsolationRow).where(IsolationRow.ended_at.is_(None)).order_by(IsolationRow.id))
    )


def live_isolations_of_case(session: Session, case: CaseRow) -> list[IsolationRow]:
    """Return the cuts of a case that hold, oldest first, locked until this session ends."""
    query = select(IsolationRow).where(IsolationRow.case_id == case.id, IsolationRow.ended_at.is_(None))
    return list(session.scalars(query.order_by(IsolationRow.id).with_for_update(of=IsolationRow)))


def isolations_of_case(session: Session, case: CaseRow) -> list[IsolationRow]:
    """Return every cut of a case, oldest first."""
    query = select(IsolationRow).where(IsolationRow.case_id == case.id)
    return list(session.scalars(query.order_by(IsolationRow.id)))


def to_take_back(session: Session, edge: EdgeRow) -> list[IsolationRow]:
    """Return the cuts that the edge made on the spot, that are over, and that it has not taken back yet."""
    query = select(IsolationRow).where(
        IsolationRow.edge_id == edge.id,
        IsolationRow.ended_at.is_not(None),
        IsolationRow.taken_back_at.is_(None),
    )
    return list(session.scalars(query.order_by(IsolationRow.id)))


def isolation_of_cut(session: Session, edge: EdgeRow, cut_id: str) -> IsolationRow | None:
    """Return what became of a cut made on the spot."""
    query = select(IsolationRow).where(IsolationRow.edge_id == edge.id, IsolationRow.cut_id == cut_id)
    return session.scalar(query)


def isolations_ending(session: Session, *, at: datetime) -> list[IsolationRow]:
    """Return the cuts whose end has come."""
    query = select(IsolationRow).where(IsolationRow.ended_at.is_(None), IsolationRow.ends_at <= at)
    return list(session.scalars(query.order_by(IsolationRow.ends_at, IsolationRow.id)))


def next_isolation_end(session: Session) -> datetime | None:
    """Return when the next cut ends by itself."""
    return session.scalar(select(func.min(IsolationRow.ends_at)).where(IsolationRow.ended_at.is_(None)))


def clients_cut_since(session: Session, since: datetime) -> set[int]:
    """Return which clients were cut by verdicts since then: whom the circuit breaker counts, and did not hold."""
    query = select(IsolationRow.client_id).where(
        IsolationRow.since >= since, IsolationRow.author.startswith("edge:"), IsolationRow.ended_by != BREAKER
    )
    return set(session.scalars(query.distinct()))


def cuts_of_machine(
    session: Session, machine: Machine, clause: str, *, since: datetime
) -> list[IsolationRow]:
    """Return the cuts by verdicts of a server under a clause since then, oldest first."""
    column = IsolationRow.server_id if isinstance(machine, ServerRow) else IsolationRow.firewall_id
    query = select(IsolationRow).where(
        column == machine.id, IsolationRow.clause == clause, IsolationRow.since >= since,
        IsolationRow.author.startswith("edge:"), IsolationRow.ended_by != BREAKER,
    )  # fmt: skip
    return list(session.scalars(query.order_by(IsolationRow.id)))


def isolations_touching(session: Session, ports: list[EdgePortRow]) -> list[IsolationRow]:
    """Return the cuts that hold of the machines and architectures behind some ports, oldest first."""
    servers = {port.server_id for port in ports} - {None}
    firewalls = {port.firewall_id for port in ports} - {None}
    architectures = {port.architecture_id for port in ports}
    query = select(IsolationRow).where(
        IsolationRow.ended_at.is_(None),
        or_(
            IsolationRow.server_id.in_(servers),
            IsolationRow.firewall_id.in_(firewalls),
            IsolationRow.architecture_id.in_(architectures),
        ),
    )
    return list(session.scalars(query.order_by(IsolationRow.id)))


def _name(firewall: FirewallRow | None) -> str:
    return firewall.name if firewall is not None else ""


def _log(session: Session, row: IsolationRow, what: str, *, actor: str, at: datetime, **body: object) -> None:
    append(
        session, actor=actor, action=f"incident:cut:{what}", clause=row.clause, subject=row.on, at=at, record=row,
        body={"case": row.case.number, **body},
    )  # fmt: skip
