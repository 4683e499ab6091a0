"""Who did what, as the reader may know it: a client reads its own people's names, and "the operator"."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlalchemy.orm import Session

from fwguard.store.people import ContactRow, UserRow
from fwguard.store.tickets import TicketRow
from fwguard.web.texts import gettext


def names_of_actors(session: Session) -> Callable[[str], str]:
    """Return a function from an actor of the store ("user:LOGIN", "system") to how a page names it.

    Whom the session cannot see has no name here.
    """
    known: dict[str, str] = {}

    def name(actor: str) -> str:
        if actor not in known:
            known[actor] = _name(session, actor)
        return known[actor]

    return name


def _name(session: Session, actor: str) -> str:
    kind, _, who = actor.partition(":")
    if kind == "user":
        user = session.scalar(select(UserRow).where(UserRow.username == who))
        return user.name if user is not None else gettext("the operator")
    if kind == "mail":
        contact = session.scalar(select(ContactRow).where(ContactRow.mail == who.lower()).limit(1))
        return contact.name if contact is not None else who
    return "fwguard" if actor == "system" else actor


def asker_of(ticket: TicketRow) -> str:
    """Return who asked for a ticket."""
    if ticket.requester is not None:
        return ticket.requester.name
    if ticket.contact is not None:
        return ticket.contact.name
    return gettext("the operator")
