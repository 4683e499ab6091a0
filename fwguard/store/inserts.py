"""Inserting: what both databases do on a conflict, each in its own dialect, and rows that must be new."""

from __future__ import annotations

from typing import TypeVar

from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fwguard.errors import InputError
from fwguard.store.base import Base

R = TypeVar("R", bound=Base)


def insert_into(session: Session, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Return an INSERT that knows ON CONFLICT, for the session's database."""
    if session.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


def add_new(session: Session, row: R, what: str) -> R:
    """Store a row. Raises InputError naming `what` when a constraint says no; the session stays usable."""
    try:
        with session.begin_nested():
            session.add(row)
    except IntegrityError as error:
        raise InputError(f"{what} exists already or does not fit", expected="a new one") from error
    return row
