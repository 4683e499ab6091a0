"""Who held which address when: one holder at a time, nobody else while it cools, and no past that changes."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import CheckConstraint, ForeignKey, Index, String, Text, func, or_, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column, relationship

from fwguard.errors import ConflictError, InputError
from fwguard.model.address import parse_span
from fwguard.model.pool import Used
from fwguard.store.audit import append
from fwguard.store.base import Base, Sealed, Word
from fwguard.store.inventory import FirewallRow, PublicAddressRow, ServerAddressRow, ServerRow
from fwguard.store.people import ClientRow
from fwguard.store.pools import PoolRow

Machine = ServerRow | FirewallRow  # a client's firewall is one of its servers (SVP-PF)
_LIVE = text("ended_at IS NULL")


class Manner(StrEnum):
    """How a holding began."""

    ALLOCATED = "allocated"
    ADOPTED = "adopted"  # the inventory had it before there was a pool
    TRANSFERRED = "transferred"  # from another server of the client
    MIGRATED = "migrated"  # a new address in the place of one that complaints name (clause 7.9)
    RESERVED = "reserved"  # nobody's: kept from being given


class Ending(StrEnum):
    """Why a holding ended."""

    RELEASED = "released"
    STOPPED = "stopped"
    ARCHIVED = "archived"
    DELETED = "deleted"
    TRANSFERRED = "transferred"
    MIGRATED = "migrated"
    GIVEN = "given"  # a reservation became a server's


class HoldingRow(Sealed, Base):
    """One address with one holder from `since` until before `ended_at`. Of each address one is live at most.

    `ends_at`: when it will end by itself (a migration's overlap). `free_at`: from when on others may have it.
    Triggers refuse another holder before `free_at`, and any change of who, what and since when.
    """

    __tablename__ = "address_holdings"
    __table_args__ = (
        CheckConstraint("version IN (4, 6)", name="version"),
        CheckConstraint(
            "(CASE WHEN server_id IS NULL THEN 0 ELSE 1 END) + (CASE WHEN firewall_id IS NULL THEN 0 ELSE 1 END)"
            " = (CASE WHEN manner = 'reserved' THEN 0 ELSE 1 END)",
            name="one_holder",
        ),
        CheckConstraint("manner = 'reserved' OR client_id IS NOT NULL", name="holder_has_client"),
        CheckConstraint("(ended_at IS NULL) = (free_at IS NULL)", name="ended_cools"),
        CheckConstraint("(ended_at IS NULL) = (ending IS NULL)", name="ended_has_reason"),
        CheckConstraint("ended_at >= since", name="ends_after_start"),
        CheckConstraint("free_at >= ended_at", name="free_after_end"),
        Index(
            "uq_address_holdings_one_live", "address", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE
        ),
        Index("ix_address_holdings_address_since", "address", "since"),
        {"sqlite_autoincrement": True},
    )
    id: Mapped[int] = mapped_column(primary_key=True)
    pool_id: Mapped[int] = mapped_column(ForeignKey("address_pools.id"), index=True)
    address: Mapped[str] = mapped_column(String(64))
    version: Mapped[int]
    server_id: Mapped[int | None] = mapped_column(ForeignKey("servers.id"), index=True)
    firewall_id: Mapped[int | None] = mapped_column(ForeignKey("firewalls.id"), index=True)
    client_id: Mapped[int | None] = mapped_column(ForeignKey("clients.id"), index=True)
    manner: Mapped[Manner] = mapped_column(Word(Manner))
    why: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime]
    ends_at: Mapped[datetime | None] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    ending: Mapped[Ending | None] = mapped_column(Word(Ending))
    free_at: Mapped[datetime | None]
    pool: Mapped[PoolRow] = relationship()
    server: Mapped[ServerRow | None] = relationship()
    firewall: Mapped[FirewallRow | None] = relationship()
    client: Mapped[ClientRow | None] = relationship()

    @property
    def machine(self) -> Machine | None:
        """Return who holds it, None for a reservation."""
        return self.server or self.firewall

    @property
    def holder(self) -> str:
        """Return how the log names who holds it: "server:web1", "firewall:fw1", "" for a reservation."""
        return subject_of(self.machine) if self.machine is not None else ""


def subject_of(machine: Machine) -> str:
    """Return how the log names a server or firewall."""
    return f"{'server' if isinstance(machine, ServerRow) else 'firewall'}:{machine.name}"


def machine_named(session: Session, name: str) -> Machine:
    """Return the server, or the firewall, of that name; "server:NAME" and "firewall:NAME" say which.

    Raises InputError: none, or one of each.
    """
    kind, colon, rest = name.partition(":")
    wanted = rest if colon else name
    server = session.scalar(select(ServerRow).where(ServerRow.name == wanted))
    firewall = session.scalar(select(FirewallRow).where(FirewallRow.name == wanted))
    found: list[Machine] = [row for row in (server, firewall) if row is not None]
    if colon:
        found = [row for row in found if subject_of(row) == f"{kind}:{wanted}"]
    if not found:
        raise InputError(f"no server {name!r}", expected="the name of a server or firewall of the inventory")
    if len(found) > 1:
        raise InputError(
            f"{name} is a server and a firewall",
            expected=f"server:{name} or firewall:{name}, whichever is meant",
        )
    return found[0]


def subjects_by_name(session: Session) -> dict[str, str]:
    """Return how the log names each server and firewall, by a name that only one of them has."""
    found = {name: f"server:{name}" for name in session.scalars(select(ServerRow.name))}
    for name in session.scalars(select(FirewallRow.name)):
        if found.pop(name, None) is None:
            found[name] = f"firewall:{name}"
    return found


def begin_holding(
    session: Session,
    pool: PoolRow,
    address: str,
    machine: Machine | None,
    *,
    manner: Manner,
    actor: str,
    why: str,
    at: datetime,
    client: ClientRow | None = None,
) -> HoldingRow:
    """Give an address to a server or firewall, or to nobody (a reservation), and note it in the inventory.

    Raises ConflictError when another has it, or it cools: the database's word, whoever raced.
    """
    row = HoldingRow(
        pool=pool, address=address, version=pool.version, manner=manner, why=why, since=at,
        server=machine if isinstance(machine, ServerRow) else None,
        firewall=machine if isinstance(machine, FirewallRow) else None,
        client_id=machine.client_id if machine is not None else client.id if client is not None else None,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise ConflictError(
            f"{address} is held or cools: `fwguard address list {address}` shows who"
        ) from error
    if machine is not None:
        _note_in_inventory(session, machine, pool.version, address)
    append(
        session, actor=actor, action=f"address:holding:{manner}", clause="4", subject=f"address:{address}", at=at,
        record=row, body={"holder": row.holder, "pool": pool.name, "why": why},
    )  # fmt: skip
    return row


def end_holding(
    session: Session,
    row: HoldingRow,
    ending: Ending,
    *,
    actor: str,
    why: str,
    at: datetime,
    free_at: datetime,
) -> None:
    """Take an address from its holder. Raises ConflictError when the holding has ended already."""
    query = select(HoldingRow).where(HoldingRow.id == row.id).with_for_update(of=HoldingRow)
    session.scalars(query.execution_options(populate_existing=True)).one()
    if row.ended_at is not None:
        raise ConflictError(f"{row.address} was given back already, on {row.ended_at:%Y-%m-%d %H:%M} UTC")
    row.ended_at, row.ending, row.free_at = at, ending, free_at
    if row.machine is not None:
        _strike_from_inventory(session, row.machine, row.address)
    append(
        session, actor=actor, action=f"address:holding:end-{ending}", clause="4", at=at, record=row,
        subject=f"address:{row.address}", body={"holder": row.holder, "why": why, "free_at": str(free_at)},
    )  # fmt: skip


def end_later(
    session: Session, row: HoldingRow, ends_at: datetime, *, actor: str, why: str, at: datetime
) -> None:
    """Let a holding end by itself (the overlap of a migration)."""
    row.ends_at = ends_at
    append(
        session, actor=actor, action="address:holding:end-later", clause="4", at=at, record=row,
        subject=f"address:{row.address}", body={"holder": row.holder, "why": why, "ends_at": str(ends_at)},
    )  # fmt: skip


def live_holding(session: Session, address: str) -> HoldingRow | None:
    """Return the holding of an address now, a reservation too."""
    return session.scalar(
        select(HoldingRow).where(HoldingRow.address == address, HoldingRow.ended_at.is_(None))
    )


def holder_at(session: Session, address: str, at: datetime) -> HoldingRow | None:
    """Return the holding of an address at a time: begun by then, and not ended yet."""
    return session.scalar(
        select(HoldingRow).where(
            HoldingRow.address == address, HoldingRow.since <= at,
            or_(HoldingRow.ended_at.is_(None), HoldingRow.ended_at > at),
        )
    )  # fmt: skip


def history_of(session: Session, address: str) -> list[HoldingRow]:
    """Return every holding of an address, the latest first."""
    query = select(HoldingRow).where(HoldingRow.address == address)
    return list(session.scalars(query.order_by(HoldingRow.since.desc(), HoldingRow.id.desc())))


def holdings_of(session: Session, machine: Machine) -> list[HoldingRow]:
    """Return what a server or firewall holds now, by age."""
    column = HoldingRow.server_id if isinstance(machine, ServerRow) else HoldingRow.firewall_id
    query = select(HoldingRow).where(column == machine.id, HoldingRow.ended_at.is_(None))
    return list(session.scalars(query.order_by(HoldingRow.id)))


def last_held(session: Session, machine: Machine, pool: PoolRow) -> HoldingRow | None:
    """Return the holding of a pool that a server or firewall lost last."""
    column = HoldingRow.server_id if isinstance(machine, ServerRow) else HoldingRow.firewall_id
    query = select(HoldingRow).where(
        column == machine.id, HoldingRow.pool_id == pool.id, HoldingRow.ended_at.is_not(None)
    )
    return session.scalar(query.order_by(HoldingRow.ended_at.desc(), HoldingRow.id.desc()).limit(1))


def holdings_ending(session: Session, *, at: datetime) -> list[HoldingRow]:
    """Return the live holdings whose own end has come."""
    query = select(HoldingRow).where(HoldingRow.ended_at.is_(None), HoldingRow.ends_at <= at)
    return list(session.scalars(query.order_by(HoldingRow.ends_at)))


def used_in(session: Session, pool: PoolRow) -> list[Used]:
    """Return every address of a pool that someone has or had; what only the inventory names counts as held."""
    free_at: dict[str, datetime | None] = {}
    rows = session.execute(
        select(
            HoldingRow.address, func.count(HoldingRow.id) - func.count(HoldingRow.ended_at),
            func.max(HoldingRow.free_at),
        )
        .where(HoldingRow.pool_id == pool.id)
        .group_by(HoldingRow.address)
    )  # fmt: skip
    for address, live, freed in rows:
        free_at[address] = None if live else freed
    for _, address in _of_inventory(session, pool):
        free_at[address] = None
    return [Used(parse_span(address)[1], at) for address, at in free_at.items()]


def unadopted(session: Session, pool: PoolRow) -> dict[str, list[Machine]]:
    """Return what the inventory names in a pool and no live holding knows: address, and who has it."""
    query = select(HoldingRow.address).where(HoldingRow.pool_id == pool.id, HoldingRow.ended_at.is_(None))
    known = set(session.scalars(query))
    found: dict[str, list[Machine]] = {}
    for _, address in _of_inventory(session, pool):
        if address not in known and address not in found:
            found[address] = [
                *session.scalars(
                    select(ServerRow).join(ServerAddressRow).where(ServerAddressRow.address == address)
                ),
                *session.scalars(
                    select(FirewallRow).join(PublicAddressRow).where(PublicAddressRow.address == address)
                ),
            ]
    return found


def _of_inventory(session: Session, pool: PoolRow) -> list[tuple[int, str]]:
    """Return number and text of the single addresses of a pool that servers and firewalls are noted with."""
    first, last = pool.value().span
    found = []
    for column, version in (
        (ServerAddressRow.address, ServerAddressRow.version),
        (PublicAddressRow.address, PublicAddressRow.version),
    ):
        for address in session.scalars(select(column).where(version == pool.version)):
            _, low, high = parse_span(address)
            if low == high and first <= low <= last:
                found.append((low, address))
    return found


def _note_in_inventory(session: Session, machine: Machine, version: int, address: str) -> None:
    if isinstance(machine, ServerRow):
        if all(row.address != address for row in machine.addresses):
            machine.addresses.append(ServerAddressRow(version=version, address=address))
    elif all(row.address != address for row in machine.public):
        machine.public.append(PublicAddressRow(version=version, address=address))
    session.flush()


def _strike_from_inventory(session: Session, machine: Machine, address: str) -> None:
    if isinstance(machine, ServerRow):
        machine.addresses = [row for row in machine.addresses if row.address != address]
    else:
        machine.public = [row for row in machine.public if row.address != address]
    session.flush()
