"""Ends: an opening closes with its last holder, and the connections through it end too (clause 7.1.1)."""

from __future__ import annotations

from typing import Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fwguard.devices.protocol import Endpoint, Flow
from fwguard.dialects.table import PLATFORMS
from fwguard.errors import DeviceError, PreimageMovedError
from fwguard.flows.drift import differing_parts, policy_of
from fwguard.flows.house import Hand, House
from fwguard.flows.notices import tell_asker, tell_staff_of_ticket
from fwguard.flows.planning import redirected, removal
from fwguard.flows.writing import confirm_found, settle, take_back_half, warrant_for, write
from fwguard.model.address import parse_span
from fwguard.model.change import Change
from fwguard.model.inventory import Firewall
from fwguard.model.policy import Policy
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import TicketEvent, TicketState
from fwguard.model.warrant import Ground, Warrant
from fwguard.store.approved import BaselineRow, approve_baseline, current_baseline
from fwguard.store.inventory import FirewallRow
from fwguard.store.openings import HolderRow, OpeningRow, holder_count, holds_of, release_holder
from fwguard.store.tickets import TicketRow, move
from fwguard.store.warrants import unfinished_warrants

RETRY_S: Final = 2.0
TRIES_BEFORE_CALL: Final = 3


def end_due(
    house: House, hand: Hand, firewall: FirewallRow, endpoint: Endpoint, reading: Snapshot
) -> float | None:
    """End the first opening of this firewall that is over; return when to look again, None if none is."""
    with house.store.session() as session:
        _note_ends(session, house, firewall.id)
        closing = _closing(session, firewall.id)
        if closing is None:
            return None
        ticket, opening = closing
        baseline = current_baseline(session, firewall.id)
        if opening is None or baseline is None or _stays(session, opening):
            _released(session, house, ticket, opening)
            return 0.0
        change = removal(opening.change)
        policy = policy_of(firewall.platform, baseline.snapshot)
        flows = connections_of(change, endpoint.firewall, policy)
        after = PLATFORMS[firewall.platform].write(change, baseline.snapshot).after
        warrant = warrant_for(
            session, house, endpoint, ground=Ground.END, clause=ticket.clause, author="system",
            reason=f"{ticket.number}: the end of {ticket.ask.words} has come", before=reading, after=after,
        )  # fmt: skip
    try:
        seen = write(house, hand, endpoint, warrant, reading, after, end=flows)
    except DeviceError as error:
        _failed(house, ticket.id, error)
        return 0.0 if isinstance(error, PreimageMovedError) else RETRY_S
    with house.store.session() as session:
        hand.renew(session)
        _ended(session, house, ticket.id, opening.id, baseline.id, warrant, seen)
    return 0.0


def finish_interrupted_end(
    house: House,
    hand: Hand,
    firewall: FirewallRow,
    endpoint: Endpoint,
    baseline: BaselineRow,
    reading: Snapshot,
) -> bool:
    """The same as for deployments: an end that a kill interrupted, and that the firewall holds already."""
    with house.store.reading() as session:
        ticket, opening = _closing(session, firewall.id) or (None, None)
        warrants = [row.value() for row in unfinished_warrants(session, f"firewall:{firewall.name}")]
    if ticket is None or opening is None:
        return False
    after = PLATFORMS[firewall.platform].write(removal(opening.change), baseline.snapshot).after
    ours = [warrant for warrant in warrants if warrant.after == after.digest]
    if not ours:
        return False
    if differing_parts(firewall.platform, after, reading):
        return take_back_half(
            house, hand, endpoint, ours[-1], before=baseline.snapshot, after=after, reading=reading
        )
    if not confirm_found(house, endpoint, ours[-1], after):
        return True  # look again
    with house.store.session() as session:
        hand.renew(session)
        _ended(session, house, ticket.id, opening.id, baseline.id, ours[-1], reading)
    return True


def next_end_s(house: House, firewall: FirewallRow) -> float | None:
    """Return in how many seconds the next opening of a firewall is over."""
    with house.store.reading() as session:
        ends_at = session.scalar(
            select(func.min(HolderRow.ends_at))
            .join(OpeningRow, HolderRow.opening_id == OpeningRow.id)
            .where(OpeningRow.firewall_id == firewall.id, HolderRow.released_at.is_(None))
        )
    return max(0.0, (ends_at - house.clock()).total_seconds()) if ends_at is not None else None


def connections_of(change: Change, firewall: Firewall, policy: Policy) -> tuple[Flow, ...]:
    """Return the connections that an opening let in: to the server, and to every public address that
    `policy` (or the change itself) redirects to it."""
    flows: dict[Flow, None] = {}
    for opening in change.openings:
        for inner in opening.target.texts():
            sources = (
                ("",)
                if opening.source.texts() == ("any",)
                else opening.source.of_family(opening.families).texts()
            )
            ports: list[int | None] = [port for low, high in opening.ports for port in range(low, high + 1)]
            ports = ports or [None]
            for port in ports:
                addresses = [inner, *_public_ways(change, firewall, policy, opening.protocol, inner, port)]
                for address in addresses:
                    for source in sources:
                        whole = source in ("0.0.0.0/0", "::/0")
                        flow = Flow(
                            protocol=opening.protocol,
                            address=address,
                            port=port,
                            source="" if whole else source,
                        )
                        flows[flow] = None
    return tuple(flows)


def _public_ways(
    change: Change, firewall: Firewall, policy: Policy, protocol: int, inner: str, port: int | None
) -> list[str]:
    if port is None:
        return []
    ways = {step.public for step in change.redirections if (step.inner, step.inner_port) == (inner, port)}
    for address in firewall.public:
        if parse_span(address)[0] == parse_span(inner)[0]:
            taken = redirected(policy.nat, protocol, address, port)
            if taken is not None and inner in taken.address and port in taken.ports:
                ways.add(address)
    return sorted(ways)


def _note_ends(session: Session, house: House, firewall_id: int) -> None:
    """Every ticket of the firewall whose end has come is closing from now on."""
    now = house.clock()
    over = select(TicketRow).where(
        TicketRow.firewall_id == firewall_id, TicketRow.state == TicketState.OPEN, TicketRow.ends_at <= now
    )
    for ticket in session.scalars(over.order_by(TicketRow.ends_at)):
        move(session, ticket, TicketEvent.END_CAME, actor="system", at=now)


def _closing(session: Session, firewall_id: int) -> tuple[TicketRow, OpeningRow | None] | None:
    ticket = session.scalar(
        select(TicketRow)
        .where(TicketRow.firewall_id == firewall_id, TicketRow.state == TicketState.CLOSING)
        .order_by(TicketRow.updated_at, TicketRow.id)
    )
    if ticket is None:
        return None
    holds = holds_of(session, ticket)
    return ticket, holds[0].opening if holds else None


def _stays(session: Session, opening: OpeningRow) -> bool:
    """Tell whether another ticket holds it, or it was open before anyone asked."""
    return opening.deployed_at is None or holder_count(session, opening) > 1


def _released(session: Session, house: House, ticket: TicketRow, opening: OpeningRow | None) -> None:
    """This ticket is over, and the opening stays for its other holders (or was never ours to close)."""
    now = house.clock()
    left = release_holder(session, opening, ticket, at=now) if opening is not None else 0
    if opening is not None and not left:
        opening.ended_at = now
    why = f"held open by {left} other" if left else "open in the approved state itself"
    move(session, ticket, TicketEvent.REMOVED, actor="system", at=now, why=why)
    tell_asker(session, house, ticket, "opening-closed", stays_open=True)


def _ended(
    session: Session,
    house: House,
    ticket_id: int,
    opening_id: int,
    baseline_id: int,
    warrant: Warrant,
    seen: Snapshot,
) -> None:
    """One transaction: the write is settled, what was read back is the baseline, opening and ticket closed."""
    now = house.clock()
    ticket, opening = session.get_one(TicketRow, ticket_id), session.get_one(OpeningRow, opening_id)
    settle(session, house, warrant)
    approve_baseline(
        session, ticket.firewall, seen, before=session.get_one(BaselineRow, baseline_id),
        why=f"{ticket.number}: the end of {ticket.ask.words}", actor="system", clause=ticket.clause, at=now,
        warrant_id=warrant.id, ticket_id=ticket.id,
    )  # fmt: skip
    release_holder(session, opening, ticket, at=now)
    opening.ended_at = now
    ticket.attempts, ticket.last_error = 0, ""
    move(session, ticket, TicketEvent.REMOVED, actor="system", at=now, why="verified by a new session")
    tell_asker(session, house, ticket, "opening-closed", stays_open=False)


def _failed(house: House, ticket_id: int, error: DeviceError) -> None:
    """The opening is still open: tried again until it is closed; a person is called after some tries."""
    with house.store.session() as session:
        ticket = session.get_one(TicketRow, ticket_id)
        ticket.last_error = str(error)[:2000]
        if isinstance(error, PreimageMovedError):
            return
        ticket.attempts += 1
        if ticket.attempts == TRIES_BEFORE_CALL:
            tell_staff_of_ticket(session, house, ticket, why=f"{ticket.number} cannot be closed: {error}")
