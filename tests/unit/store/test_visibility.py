"""A client's session reads that client's rows and nothing else, however it asks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import exists, func, literal_column, select, text
from sqlalchemy.orm import Session, aliased, joinedload

from fwguard.errors import NotAllowedError
from fwguard.model.address import AddressSet
from fwguard.model.case import CaseEvent, CaseKind
from fwguard.model.change import Change
from fwguard.model.controls import Reason, ServiceKind
from fwguard.model.edge import PortKind
from fwguard.model.edge_grants import Scope
from fwguard.model.inventory import Language
from fwguard.model.machine_state import MachineState
from fwguard.model.pool import Pool
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.registration import Registration
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import Ask, TicketEvent
from fwguard.store import Store
from fwguard.store.addresses import Manner, begin_holding
from fwguard.store.approved import approve_baseline, record_reading
from fwguard.store.base import Base
from fwguard.store.cases import add_evidence, move_case, open_case
from fwguard.store.edge_ports import add_port
from fwguard.store.edges import add_edge
from fwguard.store.inventory import FirewallRow, firewall_named, server_named
from fwguard.store.isolations import add_isolation
from fwguard.store.machine_states import set_state
from fwguard.store.mail import MailInRow, MailState, keep_mail, queue_mail, settle_mail
from fwguard.store.openings import add_opening, hold_opening
from fwguard.store.people import ClientRow, UserRow, client_named, user_named
from fwguard.store.pools import add_pool
from fwguard.store.registrations import add_registration
from fwguard.store.tables import METADATA
from fwguard.store.tickets import Channel, TicketKind, TicketRow, approve, move, open_ticket, set_analysis
from fwguard.store.visibility import VISIBLE, limit_to_client

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


def _live(session: Session, client: str) -> None:
    """Give a client one row at least in every table that clients may read."""
    firewall, server = firewall_named(session, f"fw-{client}"), server_named(session, f"web-{client}")
    client_id = client_named(session, client).id
    approve_baseline(
        session, firewall, Snapshot({"nft": client}), before=None, why="", actor="system", clause="7", at=NOW
    )
    record_reading(session, firewall.id, Snapshot({"nft": client}), at=NOW)
    ask = Ask(
        server=server.name, protocol=TCP, source=AddressSet.parse("any"), ports=parse_ports("443"),
        ends_at=None, reason="",
    )  # fmt: skip
    ticket, _ = open_ticket(
        session, kind=TicketKind.OPENING, firewall=firewall, channel=Channel.FORM, at=NOW, actor="system",
        ask=ask, server=server, requester=user_named(session, f"ann-{client}"),
    )  # fmt: skip
    set_analysis(
        ticket, analysis={}, binding="b" * 64, before_digest="", after_digest="", rules_digest="", at=NOW
    )
    move(session, ticket, TicketEvent.ANALYSED, actor="system", at=NOW)
    approve(session, ticket, user_named(session, "bob"), digest="b" * 64, at=NOW)
    opening = add_opening(session, ask, Change(tag=ticket.number), firewall=firewall, server=server, at=NOW)
    hold_opening(session, opening, ticket, at=NOW)
    case, _ = open_case(
        session, kind=CaseKind.DRIFT, clause="7", actor="system", at=NOW, facts={}, summary_fr="",
        summary_en="", firewall=firewall,
    )  # fmt: skip
    add_evidence(session, case, kind="k", content=b"c", actor="system", at=NOW)
    move_case(session, case, CaseEvent.HOLD, actor="system", at=NOW)
    mail, _ = keep_mail(
        session, client.encode(), envelope_sender="", envelope_recipient="", message_id=client, at=NOW
    )
    settle_mail(mail, MailState.DONE, why="", client_id=client_id)
    queue_mail(
        session,
        b"",
        message_id=client,
        recipient="",
        language=Language.FR,
        event="e",
        at=NOW,
        client_id=client_id,
    )
    pool = add_pool(
        session, Pool(name=client, prefix=f"198.51.100.{client_id * 8}/29"), actor="system", why="w", at=NOW
    )
    row = begin_holding(
        session, pool, f"198.51.100.{client_id * 8 + 1}", firewall, manner=Manner.ALLOCATED, actor="system",
        why="w", at=NOW,
    )  # fmt: skip
    assert row.client_id == client_id
    set_state(
        session, server, MachineState.RUNNING, since=NOW, source="file:x", actor="system", why="w", at=NOW
    )
    set_state(
        session, firewall, MachineState.RUNNING, since=NOW, source="file:x", actor="system", why="w", at=NOW
    )
    asked = Registration(
        server=server.name, software=ServiceKind.IRC, protocol=TCP, ports=parse_ports("6697"),
        ends_at=NOW + timedelta(days=9), reason="chat",
    )  # fmt: skip
    add_registration(session, asked, server, user_named(session, f"ann-{client}"), source="portal", at=NOW)
    edge = add_edge(session, f"edge-{client}", uplinks=("up0",), uplink_bps=10**9, actor="system", at=NOW)
    port = add_port(
        session, edge, "s0", server, kind=PortKind.SERVER, macs=("02:00:00:00:00:01",), zone=1, actor="system",
        at=NOW,
    )  # fmt: skip
    add_isolation(
        session, case, server, scope=Scope.PORT, reason=Reason.CHECK, clause="7.10", stays_open=(),
        author="system", why="w", at=NOW, ends_at=None, cut=(edge, "cut-00000001", port.id),
    )  # fmt: skip


@pytest.fixture
def lived(house: Store) -> Store:
    """Give a store in which both clients have rows everywhere."""
    with house.session() as session:
        _live(session, "acme")
        _live(session, "bold")
    return house


@pytest.fixture
def acme(lived: Store) -> Iterator[Session]:
    """Give a session limited to the client acme."""
    with lived.reading() as session:
        client_id = client_named(session, "acme").id
    with lived.reading() as session:
        yield limit_to_client(session, client_id)


def _name(table: type[Base]) -> str:
    return table.__name__


ALL: list[type[Base]] = [mapper.class_ for mapper in Base.registry.mappers]
TABLES = sorted(ALL, key=_name)
READABLE = [table for table in TABLES if table in VISIBLE]
HIDDEN = [table for table in TABLES if table not in VISIBLE]


@pytest.mark.parametrize("table", READABLE, ids=lambda t: t.__name__)
def test_of_each_table_half_is_seen(lived: Store, acme: Session, table: type[Base]) -> None:
    """Both clients have the same number of rows, so that a client sees exactly its half (and every role)."""
    query = select(func.count()).select_from(table)
    with lived.reading() as session:
        staff = 5 if table is UserRow else 0
        everything = session.scalars(query).one() - staff
        ours = select(METADATA.tables[table.__tablename__])
        assert everything + staff == len(session.execute(ours).all())
    seen = len(acme.scalars(select(table)).unique().all())
    assert seen == acme.scalars(query).one()
    assert seen > 0
    assert (everything if table.__tablename__ == "roles" else everything / 2) == seen


@pytest.mark.parametrize("table", HIDDEN, ids=_name)
def test_other_tables_cannot_be_read(acme: Session, table: type[Base]) -> None:
    """The log, warrants, tokens, locks, jobs, names behind hashes."""
    with pytest.raises(NotAllowedError):
        acme.scalars(select(table)).all()


def _bold(lived: Store, table: type[Any], **by: str) -> int:
    with lived.reading() as session:
        return int(session.scalars(select(table).filter_by(**by)).one().id)


QUERIES: dict[str, Callable[[Session, int], Any]] = {
    "by key": lambda session, other: session.get(FirewallRow, other),
    "by name": lambda session, other: session.scalar(
        select(FirewallRow).where(FirewallRow.name == "fw-bold")
    ),
    "one column": lambda session, other: session.scalar(
        select(FirewallRow.name).where(FirewallRow.id == other)
    ),
    "an alias": lambda session, other: session.scalar(
        select(it := aliased(FirewallRow)).where(it.id == other)
    ),
    "a join": lambda session, other: session.scalar(
        select(ClientRow).join(FirewallRow, FirewallRow.id == other)
    ),
    "a subquery": lambda session, other: session.scalar(
        select(ClientRow).where(exists(select(FirewallRow.id).where(FirewallRow.id == other)))
    ),
    "a union": lambda session, other: session.scalar(
        select(FirewallRow.name)
        .where(FirewallRow.id == other)
        .union(select(FirewallRow.name).where(FirewallRow.id == other))
    ),
}


@pytest.mark.parametrize("how", QUERIES)
def test_however_it_asks(lived: Store, acme: Session, how: str) -> None:
    """Another client's firewall is not there, or the question is refused."""
    other = _bold(lived, FirewallRow, name="fw-bold")
    try:
        assert QUERIES[how](acme, other) is None
    except NotAllowedError:
        assert how == "a union"


def test_relationships_are_filtered(lived: Store, acme: Session) -> None:
    """Staff who approved a ticket have no name on it; what is the client's own is there."""
    ticket = acme.scalars(select(TicketRow).options(joinedload(TicketRow.approvals))).unique().one()
    assert [None] == [approval.user for approval in ticket.approvals]
    assert "fw-acme" == ticket.firewall.name
    assert ticket.server is not None
    assert ticket.requester is not None
    assert ("web-acme", "ann-acme") == (ticket.server.name, ticket.requester.username)


@pytest.mark.parametrize(
    "query",
    [
        text("SELECT * FROM tokens"),
        select(METADATA.tables["tickets"]),
        select(METADATA.tables["users"].c.password),
        select(TicketRow.id, METADATA.tables["users"].c.password),
        select(TicketRow.id).where(exists(select(METADATA.tables["users"].c.id))),
        select(TicketRow.id, literal_column("(SELECT password FROM users)")),
    ],
    ids=["text", "table", "column of a table", "table beside rows", "table within", "literal"],
)
def test_what_cannot_be_filtered_is_refused(acme: Session, query: Any) -> None:
    """Text and queries of bare tables."""
    with pytest.raises(NotAllowedError):
        acme.execute(query)


def test_it_writes_nothing(lived: Store) -> None:
    """Not even its own rows, in a session that could."""
    with lived.session() as session:
        limit_to_client(session, 1)
        row = session.scalars(select(MailInRow)).one()
        row.why = "mine"
        with pytest.raises(NotAllowedError):
            session.flush()
        session.rollback()
        session.expunge_all()
        with pytest.raises(NotAllowedError):
            session.execute(MailInRow.__table__.delete())  # type: ignore[attr-defined]


def test_a_used_session_cannot_be_limited(lived: Store) -> None:
    """It holds rows that were read without the limit."""
    with lived.reading() as session:
        row = client_named(session, "bold")
        with pytest.raises(NotAllowedError):
            limit_to_client(session, row.id)
