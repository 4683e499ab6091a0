"""Edges prove who they are once, are believed until revoked, and never hear an older number."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from fwguard.errors import ConflictError, InputError, NotAllowedError
from fwguard.model.edge_wire import EdgeEvent, EventKind
from fwguard.store import Store
from fwguard.store.edge_events import EdgeEventRow, end_event, next_event, store_event
from fwguard.store.edges import (
    EdgeRow,
    add_edge,
    edge_named,
    enrol_edge,
    issue_edge_token,
    raise_epoch,
    revoke_edge,
    take_nonce,
)

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)
KEY = bytes(range(32))
HOUR = timedelta(hours=1)


@pytest.fixture
def token(store: Store) -> str:
    """Give the token of a new edge."""
    with store.session() as session:
        edge = add_edge(session, "edge1", uplinks=("up0",), uplink_bps=10**9, actor="system", at=NOW)
        return issue_edge_token(session, edge, actor="system", at=NOW, lasts=HOUR)


def _enrol(store: Store, token: str, *, at: datetime = NOW, key: bytes = KEY) -> EdgeRow:
    with store.session() as session:
        return enrol_edge(session, "edge1", token, key, at=at)


def test_a_token_enrols_once(store: Store, token: str) -> None:
    """The first use pins the key; the second is refused, whoever comes with it."""
    assert _enrol(store, token).is_trusted
    with pytest.raises(NotAllowedError):
        _enrol(store, token, key=bytes(32))
    with store.reading() as session:
        assert "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" == edge_named(session, "edge1").public_key


def test_a_token_ends(store: Store, token: str) -> None:
    """After its hour it enrols nobody."""
    with pytest.raises(NotAllowedError):
        _enrol(store, token, at=NOW + HOUR)


def test_a_newer_token_takes_the_place_of_the_older(store: Store, token: str) -> None:
    """Only the one shown last holds."""
    with store.session() as session:
        newer = issue_edge_token(session, edge_named(session, "edge1"), actor="system", at=NOW, lasts=HOUR)
    with pytest.raises(NotAllowedError):
        _enrol(store, token)
    assert _enrol(store, newer).is_trusted


def test_enrolling_again_begins_an_epoch(store: Store, token: str) -> None:
    """A node that was replaced may know nothing of the numbers before; they rise all the same."""
    before = _enrol(store, token).epoch
    with store.session() as session:
        edge = edge_named(session, "edge1")
        revoke_edge(session, edge, actor="system", why="stolen", at=NOW)
        assert not edge.is_trusted
        again = issue_edge_token(session, edge, actor="system", at=NOW, lasts=HOUR)
    after = _enrol(store, again)
    assert (before + 1, 0, True) == (after.epoch, after.generation, after.is_trusted)


def test_revoked_twice_is_told(store: Store, token: str) -> None:
    """The second one learns that it was done."""
    _enrol(store, token)
    with store.session() as session:
        revoke_edge(session, edge_named(session, "edge1"), actor="system", why="w", at=NOW)
    with pytest.raises(ConflictError), store.session() as session:
        revoke_edge(session, edge_named(session, "edge1"), actor="system", why="w", at=NOW)


@pytest.mark.parametrize(("epoch", "generation"), [(1, 4), (0, 9)])
def test_numbers_never_fall(store: Store, token: str, epoch: int, generation: int) -> None:
    """Whoever writes the table by hand is refused too."""
    with store.session() as session:
        session.execute(text("UPDATE edges SET generation = 5"))
    with pytest.raises(IntegrityError), store.session() as session:
        session.execute(text(f"UPDATE edges SET epoch = {epoch}, generation = {generation}"))


def test_an_epoch_above_what_the_edge_has_seen(store: Store, token: str) -> None:
    """After a restored database the numbers go on above the lost ones."""
    with store.session() as session:
        raise_epoch(session, edge_named(session, "edge1"), above=7, actor="system", why="w", at=NOW)
        assert 8 == edge_named(session, "edge1").epoch


def test_a_nonce_counts_once_until_it_cannot_be_replayed(store: Store, token: str) -> None:
    """The same one is refused while a request could still be fresh, and forgotten then."""
    ends = NOW + timedelta(minutes=10)
    taken = []
    for at in (NOW, NOW, ends + HOUR):
        with store.session() as session:
            edge = edge_named(session, "edge1")
            taken.append(take_nonce(session, edge, "n" * 16, at=at, expires_at=ends))
    assert [True, False, True] == taken


def test_an_event_is_stored_once(store: Store, token: str) -> None:
    """The same id again changes nothing, also with other facts; evidence stands apart from the facts."""
    event = EdgeEvent(id="event-0001", kind=EventKind.ALARM, at_us=1_700_000_000_000_000,
                      facts={"what": "full", "evidence": "AAAA"})  # fmt: skip
    other = EdgeEvent(id="event-0001", kind=EventKind.ALARM, at_us=1, facts={"what": "other"})
    with store.session() as session:
        edge = edge_named(session, "edge1")
        assert store_event(session, edge, event, b"abc", at=NOW)
        assert not store_event(session, edge, other, None, at=NOW)
    with store.reading() as session:
        (row,) = session.scalars(select(EdgeEventRow))
        assert ({"what": "full"}, b"abc", 2023) == (row.facts, row.evidence, row.at.year)


def test_a_time_to_come_is_now(store: Store, token: str) -> None:
    """An edge's clock cannot date an event after its arrival, nor break the reading of it."""
    with store.session() as session:
        edge = edge_named(session, "edge1")
        for number, at_us in enumerate((1 << 62, int(NOW.timestamp() * 1e6) + 10**9)):
            event = EdgeEvent(id=f"event-{number:04}", kind=EventKind.ALARM, at_us=at_us)
            store_event(session, edge, event, None, at=NOW)
    with store.reading() as session:
        assert [NOW, NOW] == [row.at for row in session.scalars(select(EdgeEventRow))]


def test_events_are_dealt_with_in_order(store: Store, token: str) -> None:
    """The oldest first; what is done is not given again, and its evidence has gone elsewhere."""
    for name in ("event-0001", "event-0002"):
        with store.session() as session:
            store_event(session, edge_named(session, "edge1"),
                        EdgeEvent(id=name, kind=EventKind.ALARM, at_us=1), b"x", at=NOW)  # fmt: skip
    seen = []
    for _ in range(2):
        with store.session() as session:
            row = next_event(session, edge_named(session, "edge1"))
            assert row is not None
            seen.append(row.event_id)
            end_event(row, outcome="done", at=NOW)
    with store.session() as session:
        assert next_event(session, edge_named(session, "edge1")) is None
        assert {None} == set(session.scalars(select(EdgeEventRow.evidence)))
    assert ["event-0001", "event-0002"] == seen


def test_what_an_edge_told_never_changes(store: Store, token: str) -> None:
    """The database refuses other facts for an event."""
    with store.session() as session:
        store_event(session, edge_named(session, "edge1"),
                    EdgeEvent(id="event-0001", kind=EventKind.ALARM, at_us=1), None, at=NOW)  # fmt: skip
    with pytest.raises(IntegrityError), store.session() as session:
        session.execute(text("UPDATE edge_events SET facts = '{}', kind = 'cut'"))


@pytest.mark.parametrize("uplinks", [(), ("a", "a"), ("no interface of Linux",)])
def test_uplinks_are_interfaces(store: Store, uplinks: tuple[str, ...]) -> None:
    """None, a double one, and what the kernel would not take are refused."""
    with pytest.raises(InputError), store.session() as session:
        add_edge(session, "edge1", uplinks=uplinks, uplink_bps=10**9, actor="system", at=NOW)
