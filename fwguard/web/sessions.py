"""A session of the store for a page: one a request, and a client's sees only its own rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from flask import Flask, g
from flask_security import current_user
from sqlalchemy.orm import Session

from fwguard.errors import NotAllowedError
from fwguard.store.people import UserRole, UserRow
from fwguard.store.visibility import limit_to_client
from fwguard.web.shield import house_now


def install_sessions(app: Flask) -> None:
    """End every request's session with the request, after its page was rendered."""
    app.teardown_request(_close)


def reading() -> Session:
    """Return the session that this page reads with, one consistent moment; a client's sees its own rows.

    The limit lies in the session, not in the page (DESIGN.md 4.13).
    """
    if "fwguard_reading" not in g:
        g.fwguard_reading = manager = house_now().store.reading()
        g.fwguard_session = manager.__enter__()
        if current_user.role is UserRole.CLIENT:
            limit_to_client(g.fwguard_session, current_user.client_id)
    session: Session = g.fwguard_session
    return session


@contextmanager
def writing() -> Iterator[tuple[Session, UserRow]]:
    """Write: give a session and the person here, as they stand now; commit at the end.

    Flows say what the person may do. Raises NotAllowedError when the account ended meanwhile.
    """
    end_reading()  # its moment is over: what the page shows next must show what was written
    with house_now().store.session() as session:
        user = session.get(UserRow, current_user.id)
        if user is None or not user.active:
            raise NotAllowedError("this account has ended")
        yield session, user


def end_reading() -> None:
    """Close the page's session; the next `reading` sees the moment then."""
    manager = g.pop("fwguard_reading", None)
    g.pop("fwguard_session", None)
    if manager is not None:
        manager.__exit__(None, None, None)


def _close(_error: BaseException | None) -> None:
    end_reading()
