"""Requests: how a ticket begins, and how the one who asked takes it back (clauses 4, 7.1.1)."""

from __future__ import annotations

from sqlalchemy.orm import Session

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.flows.house import House
from fwguard.model.ticket import Ask, TicketEvent, TicketState
from fwguard.store.approved import last_reading
from fwguard.store.inventory import ServerRow, firewall_named, server_named
from fwguard.store.people import ContactRow, UserRole, UserRow
from fwguard.store.tickets import Channel, TicketKind, TicketRow, move, open_ticket, ticket_numbered


def ask_opening(
    session: Session,
    house: House,
    ask: Ask,
    *,
    channel: Channel,
    user: UserRow | None = None,
    contact: ContactRow | None = None,
    mail_id: int | None = None,
    idempotency_key: str | None = None,
) -> TicketRow:
    """Store a request for an opening, to be analysed at once; the same key gives the same ticket.

    Raises InputError: no such server *of this client* (another's is not named), or an end in the past.
    """
    server = _own_server(session, ask.server, user, contact)
    now = house.clock()
    if ask.ends_at is not None and ask.ends_at <= now:
        raise InputError(f"the end {ask.ends_at:%Y-%m-%d %H:%M} UTC is past", expected="a later day")
    ticket, new = open_ticket(
        session, kind=TicketKind.OPENING, firewall=server.firewall, server=server, channel=channel, at=now,
        actor=actor_of(user, contact), ask=ask, requester=user, contact=contact or (user.contact if user else None),
        mail_id=mail_id, idempotency_key=idempotency_key,
    )  # fmt: skip
    if new:
        house.work.poke("ticket", ticket.number, after_s=0.05)  # after this transaction, as a rule
    return ticket


def ask_baseline(session: Session, house: House, firewall: str, *, user: UserRow) -> TicketRow:
    """Ask that a firewall be approved as it was last read; decided by someone else, like any request.

    Raises InputError when it was never read, NotAllowedError unless the staff asks.
    """
    if user.role is UserRole.CLIENT:
        raise NotAllowedError("the approved state of a firewall is the operator's to ask for")
    row = firewall_named(session, firewall)
    reading = last_reading(session, row.id)
    if reading is None:
        raise InputError(f"{firewall} was never read", expected="`fwguard firewall read` first")
    ticket, _ = open_ticket(
        session, kind=TicketKind.BASELINE, firewall=row, channel=Channel.COMMAND, at=house.clock(),
        actor=user.actor, requester=user, idempotency_key=f"baseline:{row.id}:{reading.id}",
    )  # fmt: skip
    house.work.poke("ticket", ticket.number, after_s=0.05)
    return ticket


def withdraw(session: Session, house: House, number: str, *, user: UserRow) -> TicketState:
    """Take a request back, or end what it opened before its time; return where it stands then.

    Raises NotAllowedError for another client's ticket, ConflictError when it is over already.
    """
    ticket = visible_ticket(session, number, user)
    if ticket.is_ended:
        raise ConflictError(f"ticket {number} is {ticket.state} already")
    state = move(session, ticket, TicketEvent.WITHDRAWN, actor=user.actor, at=house.clock(), why="withdrawn")
    house.work.poke("firewall", ticket.firewall.name, after_s=0.05)
    return state


def visible_ticket(session: Session, number: str, user: UserRow) -> TicketRow:
    """Return a ticket that this person may see. Another client's does not exist for it: InputError."""
    ticket = ticket_numbered(session, number)
    if user.role is UserRole.CLIENT and ticket.client_id != user.client_id:
        raise InputError(f"no ticket {number!r}", expected="a number such as T-2026-0001")
    return ticket


def actor_of(user: UserRow | None, contact: ContactRow | None) -> str:
    """Return how the log names who asks."""
    if user is not None:
        return user.actor
    if contact is not None:
        return f"mail:{contact.mail}"
    raise NotAllowedError("nobody asks")


def _own_server(session: Session, name: str, user: UserRow | None, contact: ContactRow | None) -> ServerRow:
    """Return the server if whoever asks may ask for it; else say only that there is none."""
    server = server_named(session, name)
    clients = {who.client_id for who in (user, contact) if who is not None and who.client_id is not None}
    if clients and server.client_id not in clients:
        raise InputError(f"no server {name!r}", expected="the name of a server of yours")
    return server
