"""The tables together: one ticket from the request to the end of its opening."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from fwguard.model.address import AddressSet
from fwguard.model.change import Change, Opening
from fwguard.model.inventory import Client, Contact, Firewall, Platform, Server, Transport
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import Ask, TicketEvent, TicketState
from fwguard.model.warrant import Ground
from fwguard.store import Store
from fwguard.store.approved import approve_baseline, current_baseline
from fwguard.store.inventory import add_firewall, add_server, firewall_named, server_named
from fwguard.store.openings import add_opening, hold_opening, live_opening, release_holder
from fwguard.store.people import UserRole, add_client, add_user, user_named
from fwguard.store.tickets import (
    Channel,
    TicketKind,
    approve,
    move,
    open_ticket,
    set_analysis,
    ticket_numbered,
)
from fwguard.store.warrants import end_warrant, issue_warrant, use_warrant

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def test_a_ticket_from_request_to_release(store: Store) -> None:
    """What the flows do, each step in its own session."""
    before = Snapshot({"nft": "table inet f {}"})
    after = Snapshot({"nft": "table inet f { chain c {} }"})
    ask = Ask(
        server="web1", protocol=TCP, source=AddressSet.parse("any"), ports=parse_ports("443"),
        ends_at=NOW + timedelta(days=30), reason="shop",
    )  # fmt: skip
    with store.session() as session:
        client = add_client(
            session,
            Client(name="acme", title="Acme", contacts=(Contact(mail="Ann@acme.example", name="Ann"),)),
        )
        firewall = add_firewall(
            session,
            Firewall(
                name="fw1", client="acme", platform=Platform.LINUX, transport=Transport.SSH,
                address="10.0.0.1", port=22, username="fwguard", public=("192.0.2.1", "2001:db8::1"),
            ),
        )  # fmt: skip
        add_server(
            session, Server(name="web1", client="acme", firewall="fw1", addresses=("10.1.0.2", "2001:db8::2"))
        )
        add_user(
            session, username="ann", email="ann@acme.example", name="Ann", role=UserRole.CLIENT,
            password_hash=None, at=NOW, client=client, contact=client.contacts[0],
        )  # fmt: skip
        add_user(
            session, username="bob", email="bob@host.example", name="Bob", role=UserRole.APPROVER,
            password_hash=None, at=NOW,
        )  # fmt: skip
        approve_baseline(
            session, firewall, before, before=None, why="first", actor="user:bob", clause="7.1.1", at=NOW
        )
    with store.session() as session:
        ticket, is_new = open_ticket(
            session, kind=TicketKind.OPENING, firewall=firewall_named(session, "fw1"), channel=Channel.FORM,
            at=NOW, actor="user:ann", ask=ask, server=server_named(session, "web1"),
            requester=user_named(session, "ann"), idempotency_key="k",
        )  # fmt: skip
        assert is_new
        set_analysis(
            ticket, analysis={"risk": "low"}, binding="b" * 64, before_digest=before.digest,
            after_digest=after.digest, rules_digest="r" * 64, at=NOW,
        )  # fmt: skip
        move(session, ticket, TicketEvent.ANALYSED, actor="system", at=NOW)
    with store.session() as session:
        ticket = ticket_numbered(session, "T-2026-0001")
        assert ask == ticket.ask
        assert 1 == approve(session, ticket, user_named(session, "bob"), digest="b" * 64, at=NOW)
        assert TicketState.APPROVED == move(session, ticket, TicketEvent.APPROVED, actor="user:bob", at=NOW)
    with store.session() as session:
        warrant = issue_warrant(
            session, ground=Ground.APPROVED_CHANGE, clause="7.1.1", author="user:bob", reason="T-2026-0001",
            subject="firewall:fw1", before=before.digest, after=after.digest, at=NOW,
        )  # fmt: skip
    with store.session() as session:
        use_warrant(session, warrant, at=NOW)
    with store.session() as session:
        end_warrant(session, warrant.id, outcome="confirmed", at=NOW)
        ticket, firewall = ticket_numbered(session, "T-2026-0001"), firewall_named(session, "fw1")
        change = Change(
            tag="T-2026-0001",
            openings=(
                Opening(
                    protocol=TCP, source=ask.source, target=AddressSet.parse("10.1.0.2"), ports=ask.ports
                ),
            ),
        )
        opening = add_opening(
            session, ask, change, firewall=firewall, server=server_named(session, "web1"), at=NOW
        )
        hold_opening(session, opening, ticket, at=NOW)
        approve_baseline(
            session, firewall, after, before=current_baseline(session, firewall.id), why=ticket.number,
            actor="system", clause="7.1.1", at=NOW, warrant_id=warrant.id, ticket_id=ticket.id,
        )  # fmt: skip
    with store.session() as session:
        found = live_opening(
            session, ask, firewall=firewall_named(session, "fw1"), server=server_named(session, "web1")
        )
        assert found is not None
        assert change == found.change
        assert 0 == release_holder(session, found, ticket_numbered(session, "T-2026-0001"), at=NOW)
