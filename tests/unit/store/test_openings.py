"""An opening has holders and ends with its last."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening, Redirection
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ANY_PORT, ICMP, TCP, parse_ports
from fwguard.model.ticket import Ask
from fwguard.store import Store
from fwguard.store.asks import ask_from_json, ask_to_json, change_from_json, change_to_json
from fwguard.store.inventory import firewall_named, server_named
from fwguard.store.openings import (
    OpeningRow,
    add_opening,
    hold_opening,
    holder_count,
    holds_ending,
    holds_of,
    live_opening,
    release_holder,
)  # fmt: skip
from fwguard.store.people import user_named
from fwguard.store.tickets import Channel, TicketKind, TicketRow, open_ticket, ticket_numbered

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _ask(days: int | None = None) -> Ask:
    ends_at = NOW + timedelta(days=days) if days else None
    return Ask(
        server="web-acme", protocol=TCP, source=AddressSet.parse("any"), ports=parse_ports("443"),
        ends_at=ends_at, reason="",
    )  # fmt: skip


def _ticket(session: Session, days: int | None = None) -> TicketRow:
    ticket, _ = open_ticket(
        session, kind=TicketKind.OPENING, firewall=firewall_named(session, "fw-acme"), channel=Channel.FORM,
        at=NOW, actor="user:ann", ask=_ask(days), server=server_named(session, "web-acme"),
        requester=user_named(session, "ann-acme"),
    )  # fmt: skip
    return ticket


def _add(session: Session, tag: str = "o1") -> OpeningRow:
    return add_opening(
        session, _ask(), Change(tag=tag), firewall=firewall_named(session, "fw-acme"),
        server=server_named(session, "web-acme"), at=NOW,
    )  # fmt: skip


def _live(session: Session, ask: Ask) -> OpeningRow | None:
    return live_opening(
        session, ask, firewall=firewall_named(session, "fw-acme"), server=server_named(session, "web-acme")
    )


def test_two_tickets_hold_one_opening(house: Store) -> None:
    """Whatever their ends and reasons; it is free with the last."""
    with house.session() as session:
        opening = _add(session)
        first, second = _ticket(session), _ticket(session, days=3)
        hold_opening(session, opening, first, at=NOW)
        hold_opening(session, opening, second, at=NOW)
        found = _live(session, _ask(days=9))
        assert found is not None
        assert (opening.id, 2) == (found.id, holder_count(session, opening))
        assert 1 == release_holder(session, opening, first, at=NOW)
        assert 1 == release_holder(session, opening, first, at=NOW)
        assert 0 == release_holder(session, opening, second, at=NOW)


def test_two_who_release_at_once_see_one_last(house: Store) -> None:
    """One of them is told 1, the other 0: the opening is closed once."""
    with house.session() as session:
        opening = _add(session)
        numbers = []
        for _ in range(2):
            ticket = _ticket(session)
            hold_opening(session, opening, ticket, at=NOW)
            numbers.append(ticket.number)
    barrier = Barrier(2)

    def release(number: str) -> int:
        barrier.wait()
        return house.transact(
            lambda session: release_holder(
                session, session.scalars(select(OpeningRow)).one(), ticket_numbered(session, number), at=NOW
            )
        )

    with ThreadPoolExecutor(2) as pool:
        assert [0, 1] == sorted(pool.map(release, numbers))


def test_of_one_kind_one_is_live(house: Store) -> None:
    """The database refuses a second; an ended one makes place."""
    with house.session() as session:
        _add(session).ended_at = NOW
    with house.session() as session:
        assert _live(session, _ask()) is None
        _add(session, "o2")
    with pytest.raises(IntegrityError), house.session() as session:
        _add(session, "o3")


def test_a_tag_is_used_once(house: Store) -> None:
    """Also by an opening that has ended: the tag finds its rules on the device."""
    with house.session() as session:
        _add(session).ended_at = NOW
    with pytest.raises(IntegrityError), house.session() as session:
        _add(session)


def test_holds_end_when_their_time_comes(house: Store) -> None:
    """And not before; those without end never do."""
    with house.session() as session:
        opening = _add(session)
        tickets = [_ticket(session, days) for days in (2, None, 1)]
        for ticket in tickets:
            hold_opening(session, opening, ticket, at=NOW)
        assert [] == holds_ending(session, at=NOW + timedelta(hours=23))
        ending = holds_ending(session, at=NOW + timedelta(days=2))
        assert [tickets[2].id, tickets[0].id] == [hold.ticket_id for hold in ending]
        release_holder(session, opening, tickets[2], at=NOW)
        assert [] == holds_of(session, tickets[2])
        assert [tickets[0].id] == [
            hold.ticket_id for hold in holds_ending(session, at=NOW + timedelta(days=2))
        ]


@pytest.mark.parametrize("protocol", [TCP, ICMP])
@pytest.mark.parametrize("ports", [ANY_PORT, parse_ports("0"), parse_ports("1-2,5,65535"), Intervals()])
def test_asks_and_changes_read_back(protocol: int, ports: Intervals) -> None:
    """What goes to JSON comes back equal."""
    if (protocol == ICMP) == bool(ports):
        return
    source = AddressSet.parse("192.0.2.0/24", "198.51.100.7-198.51.100.9", "2001:db8::/32")
    ask = Ask(server="s", protocol=protocol, source=source, ports=ports, ends_at=NOW, reason="é\n")
    change = Change(
        tag="T-1",
        openings=(
            Opening(protocol=protocol, source=source, target=AddressSet.parse("10.0.0.1"), ports=ports),
        ),
        redirections=(
            Redirection(protocol=6, public="192.0.2.1", public_port=80, inner="10.0.0.1", inner_port=81),
        ),
    )
    assert ask == ask_from_json(ask_to_json(ask))
    assert change == change_from_json(change_to_json(change))
