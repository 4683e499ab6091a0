"""One hand on a device at a time: leases with a fencing token that only grows."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import BigInteger, ForeignKey, String, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from fwguard.errors import ConflictError
from fwguard.store.base import Base
from fwguard.store.inserts import insert_into


class DeviceLockRow(Base):
    """Who may work on a firewall until when. A freed lock keeps its row, so that tokens never repeat."""

    __tablename__ = "device_locks"
    firewall_id: Mapped[int] = mapped_column(ForeignKey("firewalls.id"), primary_key=True)
    holder: Mapped[str] = mapped_column(String(200))
    lease_until: Mapped[datetime]
    token: Mapped[int] = mapped_column(BigInteger)


def last_token(session: Session, firewall_id: int, *, at: datetime) -> int | None:
    """Return the token of the last holder (0: nobody yet), or None while the lock is held.

    Whoever takes the lock later, and gets the next token, knows that nobody held it in between.
    """
    row = session.scalar(select(DeviceLockRow).where(DeviceLockRow.firewall_id == firewall_id))
    if row is None:
        return 0
    return row.token if row.lease_until <= at else None


def take_lock(session: Session, firewall_id: int, *, holder: str, at: datetime, lease_s: float) -> int | None:
    """Take the lock if it is free or its lease ran out; return the fencing token, None when held.

    Not re-entrant: the same holder asking again waits like any other.
    """
    until = at + timedelta(seconds=lease_s)
    return session.execute(
        insert_into(session, DeviceLockRow)
        .values(firewall_id=firewall_id, holder=holder, lease_until=until, token=1)
        .on_conflict_do_update(
            index_elements=["firewall_id"],
            set_={"holder": holder, "lease_until": until, "token": DeviceLockRow.token + 1},
            where=DeviceLockRow.lease_until <= at,
        )
        .returning(DeviceLockRow.token)
    ).scalar_one_or_none()


def renew_lock(session: Session, firewall_id: int, token: int, *, at: datetime, lease_s: float) -> bool:
    """Prolong a lease that still holds; False when it ran out or went to another."""
    done = session.execute(
        update(DeviceLockRow)
        .where(
            DeviceLockRow.firewall_id == firewall_id,
            DeviceLockRow.token == token,
            DeviceLockRow.lease_until > at,
        )
        .values(lease_until=at + timedelta(seconds=lease_s))
        .returning(DeviceLockRow.token)
    )
    return done.first() is not None


def release_lock(session: Session, firewall_id: int, token: int, *, at: datetime) -> bool:
    """Free the lock; False when it is no longer ours (then nothing happens)."""
    done = session.execute(
        update(DeviceLockRow)
        .where(DeviceLockRow.firewall_id == firewall_id, DeviceLockRow.token == token)
        .values(lease_until=at, holder="")
        .returning(DeviceLockRow.token)
    )
    return done.first() is not None


def require_lock(session: Session, firewall_id: int, token: int, *, at: datetime) -> None:
    """Raise ConflictError unless this token still holds the lock; locks the row until commit, so that
    what is written in the same transaction is fenced."""
    row = session.scalar(
        select(DeviceLockRow)
        .where(DeviceLockRow.firewall_id == firewall_id)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    if row is None or row.token != token or row.lease_until <= at:
        raise ConflictError(f"the lock on firewall {firewall_id} went to another: start again")


def live_holders(session: Session, *, at: datetime) -> set[str]:
    """Return who holds any lock now."""
    held = select(DeviceLockRow.holder).where(DeviceLockRow.lease_until > at)
    return set(session.scalars(held))


def free_locks_of(session: Session, holder: str, *, at: datetime) -> int:
    """Free every lock of a holder that is known to be dead; return how many. Its tokens are void all the same."""
    held = select(DeviceLockRow).where(DeviceLockRow.holder == holder, DeviceLockRow.lease_until > at)
    rows = session.scalars(held.with_for_update()).all()
    for row in rows:
        row.lease_until, row.holder = at, ""
    return len(rows)
