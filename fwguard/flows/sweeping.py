"""The sweep: what the tables say is due, whoever forgot to say so. A restart begins with one."""

from __future__ import annotations

from sqlalchemy import select

from fwguard.flows.edge_state import edges_to_look_at
from fwguard.flows.guard import watched
from fwguard.flows.house import House
from fwguard.model.ticket import TicketState
from fwguard.store.edge_events import EdgeEventRow
from fwguard.store.edges import EdgeRow
from fwguard.store.inventory import FirewallRow
from fwguard.store.isolations import isolations_ending
from fwguard.store.mail import MailInRow, MailState, OutboxRow
from fwguard.store.tickets import TicketRow


def sweep(house: House) -> None:
    """Poke every look that is due: firewalls, tickets to analyse, mails in and out, edges and what they told of."""
    now = house.clock()
    with house.store.reading() as session:
        to_analyse = session.scalars(
            select(TicketRow.number).where(
                (TicketRow.state == TicketState.REQUESTED)
                | ((TicketRow.state == TicketState.REVIEW) & (TicketRow.binding == ""))
            )
        ).all()
        to_act_on = session.scalars(
            select(FirewallRow.name)
            .join(TicketRow, TicketRow.firewall_id == FirewallRow.id)
            .where(
                TicketRow.state.in_((TicketState.APPROVED, TicketState.DEPLOYING, TicketState.CLOSING))
                | ((TicketRow.state == TicketState.OPEN) & (TicketRow.ends_at <= now))
            )
            .distinct()
        ).all()
        mails = session.scalars(select(MailInRow.id).where(MailInRow.state == MailState.NEW)).all()
        post = session.scalar(
            select(OutboxRow.id)
            .where(OutboxRow.sent_at.is_(None), OutboxRow.given_up_at.is_(None), OutboxRow.next_try_at <= now)
            .limit(1)
        )
        edges = edges_to_look_at(session, house)
        told = session.scalars(
            select(EdgeRow.name)
            .join(EdgeEventRow, EdgeEventRow.edge_id == EdgeRow.id)
            .where(EdgeEventRow.handled_at.is_(None))
            .distinct()
        ).all()
        ends = bool(isolations_ending(session, at=now))
    for number in to_analyse:
        house.work.poke("ticket", number)
    for name in {*to_act_on, *watched(house)}:
        house.work.poke("firewall", name)
    for mail_id in mails:
        house.work.poke("mail", str(mail_id))
    for name in edges:
        house.work.poke("edge", name)
    for name in told:
        house.work.poke("edge-events", name)
    if ends:
        house.work.poke("isolations", "")
    if post is not None:
        house.work.poke("outbox", "")
