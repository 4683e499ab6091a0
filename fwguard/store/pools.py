"""Pools of addresses: no two of them share an address, by trigger (clause 4)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import CheckConstraint, String, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, Session, mapped_column

from fwguard.errors import ConflictError, InputError
from fwguard.model.address import Family, show_address
from fwguard.model.pool import Pool
from fwguard.store.audit import append
from fwguard.store.base import Base

POOLS_LOCK = 0x667767706F6F6C  # "fwgpool", for pg_advisory_xact_lock


class PoolRow(Base):
    """A prefix to give addresses from. `first` and `last` are its ends in 32 hex digits, so that text sorts."""

    __tablename__ = "address_pools"
    __table_args__ = (CheckConstraint("version IN (4, 6)", name="version"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(40), unique=True)
    version: Mapped[int]
    prefix: Mapped[str] = mapped_column(String(64), unique=True)
    first: Mapped[str] = mapped_column(String(32))
    last: Mapped[str] = mapped_column(String(32))
    country: Mapped[str] = mapped_column(String(2))  # where it is announced: clause 7.9 asks for FR
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]  # gives no new address since then

    def value(self) -> Pool:
        """Return the model's value."""
        return Pool(name=self.name, prefix=self.prefix, country=self.country)


def add_pool(session: Session, pool: Pool, *, actor: str, why: str, at: datetime) -> PoolRow:
    """Store a pool. Raises InputError when its name is taken or another pool has an address of it."""
    if session.get_bind().dialect.name == "postgresql":
        # Two who add at once do not see each other's rows: one after the other.
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": POOLS_LOCK})
    for row in pools(session):
        if row.name == pool.name:
            raise InputError(f"pool {pool.name} exists already", expected="another name")
        if row.value().overlaps(pool):
            raise InputError(
                f"{pool.prefix} overlaps pool {row.name} ({row.prefix})",
                expected="prefixes that share no address",
            )
    first, last = (f"{number:032x}" for number in pool.span)
    row = PoolRow(
        name=pool.name, version=pool.version, prefix=pool.prefix, first=first, last=last, country=pool.country,
        created_at=at,
    )  # fmt: skip
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise ConflictError(f"someone else just added a pool like {pool.name}: list the pools") from error
    append(
        session, actor=actor, action="address:pool:add", clause="4", subject=f"pool:{pool.name}", at=at,
        body={"prefix": pool.prefix, "country": pool.country, "why": why},
    )  # fmt: skip
    return row


def close_pool(session: Session, row: PoolRow, *, actor: str, why: str, at: datetime) -> None:
    """Give no new address of a pool; what is held stays held. Raises ConflictError when it is closed already."""
    if row.closed_at is not None:
        raise ConflictError(f"pool {row.name} is closed since {row.closed_at:%Y-%m-%d}")
    row.closed_at = at
    append(
        session, actor=actor, action="address:pool:close", clause="4", subject=f"pool:{row.name}", at=at,
        body={"prefix": row.prefix, "why": why},
    )  # fmt: skip


def pools(session: Session, family: Family = Family.BOTH, *, only_open: bool = False) -> list[PoolRow]:
    """Return the pools of a family by name."""
    rows = session.scalars(select(PoolRow).order_by(PoolRow.name))
    return [row for row in rows if row.value().family & family and not (only_open and row.closed_at)]


def pool_named(session: Session, name: str) -> PoolRow:
    """Return a pool. Raises InputError when there is none of that name."""
    row = session.scalar(select(PoolRow).where(PoolRow.name == name))
    if row is None:
        raise InputError(f"no pool {name!r}", expected="a name shown by `fwguard address pool list`")
    return row


def pool_of(session: Session, version: int, number: int) -> PoolRow:
    """Return the pool that an address lies in. Raises InputError when it lies in none."""
    digits = f"{number:032x}"
    row = session.scalar(
        select(PoolRow).where(PoolRow.version == version, PoolRow.first <= digits, PoolRow.last >= digits)
    )
    if row is None:
        raise InputError(
            f"{show_address(version, number)} lies in no pool",
            expected="an address of a pool; `fwguard address pool list` shows them, `pool add` adds one",
        )
    return row


def lock_pool(session: Session, row: PoolRow) -> None:
    """Let nobody else give from this pool until commit. (SQLite has one writer anyway.)

    Raises InputError when the pool is closed.
    """
    query = select(PoolRow).where(PoolRow.id == row.id).with_for_update()
    session.scalars(query.execution_options(populate_existing=True)).one()
    if row.closed_at is not None:
        raise InputError(
            f"pool {row.name} gives no address since {row.closed_at:%Y-%m-%d}", expected="an open pool"
        )
