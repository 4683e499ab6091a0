"""In what state each server and firewall is, since when, and who says so (clause 4)."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sqlalchemy import CheckConstraint, ForeignKey, String, or_, select
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.model.machine_state import MachineState
from fwguard.store.addresses import HoldingRow, Machine, subject_of
from fwguard.store.audit import append
from fwguard.store.base import Base, Word
from fwguard.store.inventory import FirewallRow, ServerRow


class MachineStateRow(Base):
    """The state of one server or firewall. `off_since`: since when it does not run, None while it does."""

    __tablename__ = "machine_states"
    __table_args__ = (
        CheckConstraint("(server_id IS NULL) <> (firewall_id IS NULL)", name="one_machine"),
        CheckConstraint("(state = 'running') = (off_since IS NULL)", name="off_or_running"),
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), unique=True)
    firewall_id: Mapped[int | None] = mapped_column(ForeignKey("firewalls.id"), unique=True)
    state: Mapped[MachineState] = mapped_column(Word(MachineState), index=True)
    since: Mapped[datetime]
    off_since: Mapped[datetime | None]
    source: Mapped[str] = mapped_column(String(200))  # "libvirt:URI", "file:PATH", "user:LOGIN"
    server: Mapped[ServerRow | None] = relationship()
    firewall: Mapped[FirewallRow | None] = relationship()

    @property
    def machine(self) -> Machine:
        """Return whose state it is."""
        found = self.server or self.firewall
        assert found is not None  # noqa: S101  # the constraint `one_machine`
        return found


def state_of(session: Session, machine: Machine) -> MachineStateRow | None:
    """Return the state of a server or firewall, None when nobody ever said."""
    column = MachineStateRow.server_id if isinstance(machine, ServerRow) else MachineStateRow.firewall_id
    return session.scalar(select(MachineStateRow).where(column == machine.id))


def set_state(
    session: Session,
    machine: Machine,
    state: MachineState,
    *,
    since: datetime,
    source: str,
    actor: str,
    why: str,
    at: datetime,
) -> bool:
    """Remember and log a state; return whether it is another than before (else nothing is written)."""
    row = state_of(session, machine)
    if row is not None and row.state is state:
        if row.source != source:
            row.source = source
        return False
    off_since = None if state is MachineState.RUNNING else (row.off_since if row else None) or since
    before = row.state.value if row is not None else ""
    if row is None:
        row = MachineStateRow(
            server=machine if isinstance(machine, ServerRow) else None,
            firewall=machine if isinstance(machine, FirewallRow) else None,
        )
        session.add(row)
    row.state, row.since, row.off_since, row.source = state, since, off_since, source
    session.flush()
    append(
        session, actor=actor, action=f"address:server:{state}", clause="4", subject=subject_of(machine), at=at,
        body={"from": before, "since": str(since), "source": source, "why": why},
    )  # fmt: skip
    return True


def states_off_with_addresses(session: Session) -> list[MachineStateRow]:
    """Return the states of what does not run and still holds an address."""
    query = (
        select(MachineStateRow)
        .join(
            HoldingRow,
            or_(
                HoldingRow.server_id == MachineStateRow.server_id,
                HoldingRow.firewall_id == MachineStateRow.firewall_id,
            ),
        )
        .where(MachineStateRow.state != MachineState.RUNNING, HoldingRow.ended_at.is_(None))
        .distinct()
    )
    return list(session.scalars(query.order_by(MachineStateRow.id)))


class Known(NamedTuple):
    """What is known of one server: its state, since when, and who says so."""

    state: MachineState
    since: datetime
    off_since: datetime | None
    source: str


def states_by_subject(session: Session) -> dict[str, Known]:
    """Return every state by how the log names its server ("server:web1"). Cost: one query, however many."""
    rows = session.execute(
        select(
            ServerRow.name, FirewallRow.name, MachineStateRow.state, MachineStateRow.since,
            MachineStateRow.off_since, MachineStateRow.source,
        )
        .select_from(MachineStateRow)
        .outerjoin(ServerRow, MachineStateRow.server_id == ServerRow.id)
        .outerjoin(FirewallRow, MachineStateRow.firewall_id == FirewallRow.id)
    )  # fmt: skip
    return {
        f"server:{server}" if server is not None else f"firewall:{firewall}": Known(
            state, since, off_since, source
        )
        for server, firewall, state, since, off_since, source in rows
    }
