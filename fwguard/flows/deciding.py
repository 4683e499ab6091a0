"""Decisions: who says yes or no to a ticket, and what follows when enough people have."""

from __future__ import annotations

from sqlalchemy.orm import Session

from fwguard.errors import NotAllowedError
from fwguard.flows.house import House
from fwguard.flows.notices import tell_asker
from fwguard.model.ticket import TicketEvent, TicketState
from fwguard.store.people import UserRow
from fwguard.store.tickets import TicketRow, move
from fwguard.store.tickets import approve as store_approval
from fwguard.store.tickets import refuse as store_refusal


def quorum(house: House, ticket: TicketRow) -> int:
    """Return how many different people must approve a ticket, by its risk class."""
    risk = (ticket.analysis or {}).get("risk", {})
    return house.rulebook.policy.needs(risk.get("class", "critical"))


def approve(
    session: Session,
    house: House,
    ticket: TicketRow,
    user: UserRow,
    *,
    digest: str,
    source: str,
    comment: str = "",
) -> TicketState:
    """Say yes to exactly what `digest` binds; with the last yes that is needed the change is deployed.

    Raises NotAllowedError: no approver, requester or editor. Raises ConflictError: it moved, or said already.
    """
    given = store_approval(
        session, ticket, user, digest=digest, at=house.clock(), source=source, comment=comment
    )
    if given >= quorum(house, ticket):
        move(session, ticket, TicketEvent.APPROVED, actor=user.actor, at=house.clock(), why=comment)
        tell_asker(session, house, ticket, "request-approved")
        house.work.poke("firewall", ticket.firewall.name, after_s=0.05)
    return ticket.state


def refuse(
    session: Session,
    house: House,
    ticket: TicketRow,
    user: UserRow,
    *,
    digest: str,
    source: str,
    comment: str,
) -> TicketState:
    """Say no, with a reason that the asker is told; one no ends the ticket. Raises as `approve`."""
    if not comment.strip():
        raise NotAllowedError("a refusal needs a reason: the client is told")
    store_refusal(session, ticket, user, digest=digest, at=house.clock(), source=source, comment=comment)
    move(session, ticket, TicketEvent.REFUSED, actor=user.actor, at=house.clock(), why=comment)
    tell_asker(session, house, ticket, "request-refused", why=comment)
    return ticket.state
