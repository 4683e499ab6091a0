"""Tickets: numbers, who may not approve, rounds, and the moves."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.model.address import AddressSet
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.ticket import Ask, TicketEvent, TicketState
from fwguard.store import Store
from fwguard.store.inventory import firewall_named, server_named
from fwguard.store.people import ContactRow, user_named
from fwguard.store.tickets import (
    ApprovalRow,
    Channel,
    Decision,
    TicketEditorRow,
    TicketKind,
    TicketRow,
    approval_count,
    approve,
    edit_ask,
    move,
    open_ticket,
    refuse,
    set_analysis,
    ticket_numbered,
)  # fmt: skip

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)
BINDING = "b" * 64


def _ask(ports: str = "443") -> Ask:
    return Ask(
        server="web-acme", protocol=TCP, source=AddressSet.parse("198.51.100.0/24", "2001:db8:9::/48"),
        ports=parse_ports(ports), ends_at=None, reason="shop",
    )  # fmt: skip


def _open(session: Session, requester: str | None = "ann-acme", key: str | None = None) -> TicketRow:
    contact = session.scalars(select(ContactRow).where(ContactRow.mail == "ann@acme.example")).one()
    ticket, _ = open_ticket(
        session, kind=TicketKind.OPENING, firewall=firewall_named(session, "fw-acme"),
        channel=Channel.FORM, at=NOW, actor="user:x", ask=_ask(), server=server_named(session, "web-acme"),
        requester=user_named(session, requester) if requester else None,
        contact=None if requester else contact, idempotency_key=key,
    )  # fmt: skip
    return ticket


def _bind(ticket: TicketRow, binding: str = BINDING) -> None:
    set_analysis(
        ticket, analysis={"risk": "low"}, binding=binding, before_digest="1" * 64, after_digest="2" * 64,
        rules_digest="3" * 64, at=NOW,
    )  # fmt: skip


@pytest.fixture
def number(house: Store) -> str:
    """Give the number of a ticket of acme's Ann that is in review."""
    with house.session() as session:
        ticket = _open(session)
        _bind(ticket)
        move(session, ticket, TicketEvent.ANALYSED, actor="system", at=NOW)
    return ticket.number


def _approve(house: Store, number: str, login: str, digest: str = BINDING) -> int:
    with house.session() as session:
        return approve(
            session, ticket_numbered(session, number), user_named(session, login), digest=digest, at=NOW
        )


def test_numbers_have_no_gap_and_no_double(house: Store) -> None:
    """Eight writers, each fourth transaction rolled back: 1 to n, once each."""

    def fail(session: Session) -> None:
        _open(session)
        raise RuntimeError

    def write(_: int) -> list[str]:
        made = []
        for turn in range(8):
            if turn % 4 == 3:
                with pytest.raises(RuntimeError):
                    house.transact(fail)
            else:
                made.append(house.transact(lambda session: _open(session).number))
        return made

    with ThreadPoolExecutor(8) as pool:
        numbers = [number for batch in pool.map(write, range(8)) for number in batch]
    assert [f"T-2026-{n:04d}" for n in range(1, 49)] == sorted(numbers)


def test_each_year_counts_anew(house: Store) -> None:
    """The year is the one of the request, in UTC."""
    with house.session() as session:
        assert "T-2026-0001" == _open(session).number
        other, _ = open_ticket(
            session, kind=TicketKind.BASELINE, firewall=firewall_named(session, "fw-acme"),
            channel=Channel.COMMAND, at=datetime(2027, 1, 1, tzinfo=UTC), actor="user:olga",
            requester=user_named(session, "olga"),
        )  # fmt: skip
        assert "T-2027-0001" == other.number


def test_the_same_key_gives_the_same_ticket(house: Store) -> None:
    """A form sent twice, or a mail read twice, is one ticket."""
    with house.session() as session:
        first = _open(session, key="k").number
    with house.session() as session:
        assert first == _open(session, key="k").number
        assert 1 == len(session.scalars(select(TicketRow)).all())


def test_the_same_key_at_the_same_moment_gives_one_ticket(house: Store) -> None:
    """Those who lose the race get ConflictError or the ticket; the numbers keep no gap."""
    barrier = Barrier(4)

    def write(_: int) -> str:
        barrier.wait()
        try:
            return house.transact(lambda session: _open(session, key="k").number)
        except ConflictError:
            return house.transact(lambda session: _open(session, key="k").number)

    with ThreadPoolExecutor(4) as pool:
        assert {"T-2026-0001"} == set(pool.map(write, range(4)))
    with house.session() as session:
        assert "T-2026-0002" == _open(session).number


def test_an_ask_reads_back_as_it_was(house: Store) -> None:
    """Both families, ports and end survive the database."""
    with house.session() as session:
        number = _open(session).number
    with house.reading() as session:
        assert _ask() == ticket_numbered(session, number).ask


def test_another_clients_server_is_refused(house: Store) -> None:
    """Ann of bold asks for acme's server."""
    with house.session() as session, pytest.raises(NotAllowedError):
        _open(session, requester="ann-bold")


def test_an_unknown_number_is_said_to_be_so(house: Store) -> None:
    """With what a number looks like."""
    with house.reading() as session, pytest.raises(InputError, match="T-2026-0001"):
        ticket_numbered(session, "T-1")


def test_two_approvers_at_once_see_each_other(house: Store, number: str) -> None:
    """Of two who approve at the same moment, one counts 1 and the other 2: the quorum is met once."""
    barrier = Barrier(2)

    def go(login: str) -> int:
        barrier.wait()
        return house.transact(
            lambda session: approve(
                session, ticket_numbered(session, number), user_named(session, login), digest=BINDING, at=NOW
            )
        )

    with ThreadPoolExecutor(2) as pool:
        assert [1, 2] == sorted(pool.map(go, ["bob", "eve"]))


def test_one_person_counts_once(house: Store, number: str) -> None:
    """A second yes, or a no after it, is refused."""
    assert 1 == _approve(house, number, "bob")
    with pytest.raises(ConflictError):
        _approve(house, number, "bob")
    with house.session() as session, pytest.raises(ConflictError):
        refuse(session, ticket_numbered(session, number), user_named(session, "bob"), digest=BINDING, at=NOW)


def test_an_operator_is_no_approver(house: Store, number: str) -> None:
    """Nor is a client's user."""
    for login in ("olga", "ann-bold"):
        with pytest.raises(NotAllowedError):
            _approve(house, number, login)


def test_what_was_seen_must_be_what_is(house: Store, number: str) -> None:
    """An approval of an older binding is a conflict."""
    with pytest.raises(ConflictError):
        _approve(house, number, "bob", digest="c" * 64)


def _request_as_root(house: Store) -> str:
    with house.session() as session:
        ticket = _open(session, requester="root")
        _bind(ticket)
        move(session, ticket, TicketEvent.ANALYSED, actor="system", at=NOW)
    return ticket.number


def test_the_requester_cannot_approve(house: Store) -> None:
    """Not even an admin."""
    with pytest.raises(NotAllowedError, match="asked for or edited"):
        _approve(house, _request_as_root(house), "root")


def test_an_editor_cannot_approve(house: Store, number: str) -> None:
    """Nor someone who changed a port of it."""
    with house.session() as session:
        ticket = ticket_numbered(session, number)
        edit_ask(session, ticket, _ask("444"), editor=user_named(session, "eve"), at=NOW)
        _bind(ticket, "d" * 64)
    with pytest.raises(NotAllowedError, match="asked for or edited"):
        _approve(house, number, "eve", "d" * 64)
    assert 1 == _approve(house, number, "bob", "d" * 64)


def test_who_decided_cannot_edit(house: Store, number: str) -> None:
    """Approve first and change afterwards is closed too."""
    _approve(house, number, "bob")
    with house.session() as session, pytest.raises(NotAllowedError):
        edit_ask(
            session, ticket_numbered(session, number), _ask("445"), editor=user_named(session, "bob"), at=NOW
        )


def _insert(login: str) -> Callable[[Session, TicketRow], None]:
    def insert(session: Session, ticket: TicketRow) -> None:
        session.add(
            ApprovalRow(
                ticket_id=ticket.id, user_id=user_named(session, login).id, round=1,
                decision=Decision.APPROVE, digest=BINDING, comment="", at=NOW,
            )
        )  # fmt: skip

    return insert


@pytest.mark.parametrize("requester", ["ann-acme", None], ids=["user", "contact"])
def test_the_database_itself_refuses_the_requester(house: Store, requester: str | None) -> None:
    """Without our functions: as the user who asked, or behind the contact who asked by mail."""
    with house.session() as session:
        _open(session, requester=requester)
    with pytest.raises(IntegrityError, match="approver"), house.session() as session:
        _insert("ann-acme")(session, ticket_numbered(session, "T-2026-0001"))


def test_the_database_refuses_who_asked_by_mail(house: Store) -> None:
    """A contact and an approver with one address are one person."""
    with house.session() as session:
        _open(session, requester=None)
        session.execute(update(ContactRow).values(mail="bob@host.example").where(ContactRow.id == 1))
    with pytest.raises(IntegrityError, match="approver"), house.session() as session:
        _insert("bob")(session, ticket_numbered(session, "T-2026-0001"))


@pytest.mark.parametrize(
    "bypass",
    [
        lambda session, ticket: session.execute(
            update(TicketRow).values(requester_id=user_named(session, "eve").id)
        ),
        lambda session, ticket: session.execute(update(ApprovalRow).values(decision=Decision.REFUSE)),
        lambda session, ticket: session.execute(delete(ApprovalRow)),
        lambda session, ticket: session.add(
            TicketEditorRow(ticket_id=ticket.id, user_id=user_named(session, "bob").id, at=NOW)
        ),
    ],
    ids=["another requester", "another decision", "no decision", "approver edits"],
)
def test_the_ways_around_are_closed(
    house: Store, number: str, bypass: Callable[[Session, TicketRow], None]
) -> None:
    """By triggers, on both databases."""
    _approve(house, number, "bob")
    with pytest.raises(IntegrityError), house.session() as session:
        bypass(session, ticket_numbered(session, number))


def test_a_moved_binding_voids_approvals(house: Store, number: str) -> None:
    """And the same people can be asked again, even when it moves back to where it was."""
    assert 1 == _approve(house, number, "bob")
    with house.session() as session:
        ticket = ticket_numbered(session, number)
        _bind(ticket, "c" * 64)
        assert 0 == approval_count(session, ticket)
    with house.session() as session:
        ticket = ticket_numbered(session, number)
        _bind(ticket, BINDING)
        assert 0 == approval_count(session, ticket)
    assert 1 == _approve(house, number, "bob")


def test_back_to_review_is_a_new_round(house: Store, number: str) -> None:
    """A baseline that moved after approval asks everyone again."""
    _approve(house, number, "bob")
    with house.session() as session:
        ticket = ticket_numbered(session, number)
        move(session, ticket, TicketEvent.APPROVED, actor="user:bob", at=NOW)
        assert TicketState.REVIEW == move(session, ticket, TicketEvent.BASELINE_MOVED, actor="system", at=NOW)
        assert 0 == approval_count(session, ticket)
    assert 1 == _approve(house, number, "bob")


def test_moves_are_remembered(house: Store, number: str) -> None:
    """With who and why."""
    with house.session() as session:
        move(
            session, ticket_numbered(session, number), TicketEvent.REFUSED, actor="user:bob", at=NOW, why="no"
        )
    with house.reading() as session:
        moves = ticket_numbered(session, number).moves
        assert [("requested", "review", ""), ("review", "refused", "no")] == [
            (it.before, it.after, it.why) for it in moves
        ]


def test_a_move_that_is_none_is_a_conflict(house: Store, number: str) -> None:
    """The life cycle decides, not the caller."""
    with house.session() as session, pytest.raises(ConflictError):
        move(session, ticket_numbered(session, number), TicketEvent.DEPLOYED, actor="system", at=NOW)


def test_the_second_of_two_movers_is_told(house: Store, number: str) -> None:
    """A ticket read before another moved it cannot be moved from what was read."""
    with house.reading() as session:
        stale = ticket_numbered(session, number)
    with house.session() as session:
        move(session, ticket_numbered(session, number), TicketEvent.WITHDRAWN, actor="user:ann", at=NOW)
    with pytest.raises(ConflictError), house.session() as session:
        move(session, session.merge(stale, load=False), TicketEvent.REFUSED, actor="user:bob", at=NOW)
