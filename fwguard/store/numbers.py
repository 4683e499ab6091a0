"""Public numbers such as T-2026-0001: no gap and no double, since a rollback gives the number back."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import String
from sqlalchemy.orm import Mapped, Session, mapped_column

from fwguard.store.base import Base
from fwguard.store.inserts import insert_into


class NumberRow(Base):
    """The last number given in a series ("T-2026")."""

    __tablename__ = "numbers"
    series: Mapped[str] = mapped_column(String(16), primary_key=True)
    last: Mapped[int]


def next_number(session: Session, letter: str, at: datetime) -> str:
    """Return the next number of a letter's year; others wait until this transaction ends."""
    series = f"{letter}-{at.astimezone(UTC).year}"
    last = session.execute(
        insert_into(session, NumberRow)
        .values(series=series, last=1)
        .on_conflict_do_update(index_elements=["series"], set_={"last": NumberRow.last + 1})
        .returning(NumberRow.last)
    ).scalar_one()
    return f"{series}-{last:04d}"


def next_ticket_number(session: Session, at: datetime) -> str:
    """Return the next ticket number, "T-2026-0001"."""
    return next_number(session, "T", at)


def next_case_number(session: Session, at: datetime) -> str:
    """Return the next case number, "C-2026-0001"."""
    return next_number(session, "C", at)
