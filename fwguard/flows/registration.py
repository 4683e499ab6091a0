"""The register of clause 7.5: a client asks, someone who did not ask decides, and it ends."""

from __future__ import annotations

from sqlalchemy.orm import Session

from fwguard.errors import InputError
from fwguard.flows.house import House
from fwguard.model.registration import Registration, RegistrationEvent, RegistrationState
from fwguard.store.inventory import server_named
from fwguard.store.people import UserRole, UserRow
from fwguard.store.registrations import (
    RegistrationRow,
    add_registration,
    decide_registration,
    end_registration,
    registration_numbered,
)


def ask_registration(
    session: Session,
    house: House,
    asked: Registration,
    *,
    user: UserRow,
    source: str,
    idempotency_key: str | None = None,
) -> RegistrationRow:
    """Store a request, to be decided by a person; the same key gives the one that it made before.

    Raises InputError: no such server of this client (another's is not named), an end past or too far away.
    """
    now = house.clock()
    server = server_named(session, asked.server)
    if user.role is UserRole.CLIENT and server.client_id != user.client_id:
        raise InputError(f"no server {asked.server!r}", expected="the name of a server of yours")
    asked.must_end_after(now)
    return add_registration(
        session, asked, server, user, source=source, at=now, idempotency_key=idempotency_key
    )


def decide(
    session: Session, house: House, number: str, *, grant: bool, why: str, user: UserRow, source: str
) -> RegistrationRow:
    """Say yes or no; a no has a reason. Raises NotAllowedError: no approver, or the one who asked;
    InputError: it would have ended already, or a no without a reason."""
    row = visible_registration(session, number, user)
    if not grant and not why.strip():
        raise InputError("a refusal without a reason", expected="what the client is to be told")
    if grant and row.ends_at <= house.clock():
        raise InputError(f"{number} ended on {row.ends_at:%Y-%m-%d %H:%M} UTC", expected="a new request")
    decide_registration(session, row, user, grant=grant, why=why.strip(), source=source, at=house.clock())
    return row


def end(
    session: Session, house: House, number: str, *, why: str, user: UserRow, source: str
) -> RegistrationRow:
    """End a registration before its day, or take a request back; its client may, and the staff.

    Raises InputError without a reason, ConflictError when it is over already.
    """
    row = visible_registration(session, number, user)
    if not why.strip():
        raise InputError("no reason", expected="why it ends: it stands in the log")
    withdrawn = row.state is RegistrationState.REQUESTED
    event = RegistrationEvent.WITHDRAW if withdrawn else RegistrationEvent.END
    end_registration(session, row, event, actor=user.actor, why=why.strip(), source=source, at=house.clock())
    return row


def visible_registration(session: Session, number: str, user: UserRow) -> RegistrationRow:
    """Return a registration that this person may see. Another client's does not exist for it: InputError."""
    row = registration_numbered(session, number)
    if user.role is UserRole.CLIENT and row.client_id != user.client_id:
        raise InputError(f"no registration {number!r}", expected="a number such as R-2026-0001")
    return row
