"""The constraints alone: whoever races for one address or one pool past every lock of ours, one wins."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

import pytest
from sqlalchemy import func, select

from fwguard.errors import ConflictError, InputError
from fwguard.model.pool import Pool
from fwguard.store import Store
from fwguard.store.addresses import (
    Ending,
    HoldingRow,
    Manner,
    begin_holding,
    end_holding,
    holder_at,
    machine_named,
)
from fwguard.store.inventory import server_named
from fwguard.store.pools import PoolRow, add_pool, pool_named, pools

NOW = datetime(2026, 3, 4, 5, 6, 7, 8, tzinfo=UTC)


@pytest.fixture
def pooled(house: Store) -> Store:
    """Give a store with a pool of each version."""
    with house.session() as session:
        for name, prefix in (("p4", "198.51.100.0/29"), ("p6", "2001:db8:1::/64")):
            add_pool(session, Pool(name=name, prefix=prefix), actor="system", why="w", at=NOW)
    return house


@pytest.mark.parametrize(("pool", "address"), [("p4", "198.51.100.1"), ("p6", "2001:db8:1::1")])
def test_of_six_who_take_one_address_one_has_it(pooled: Store, pool: str, address: str) -> None:
    """No lock is taken here: the partial unique index decides, and the others are told."""
    barrier = Barrier(6)
    names = ["web-acme", "web-bold", "fw-acme", "fw-bold", "web-acme", "web-bold"]

    def take(name: str) -> str:
        barrier.wait(timeout=30)
        try:
            pooled.transact(
                lambda session: begin_holding(
                    session, pool_named(session, pool), address, machine_named(session, name),
                    manner=Manner.ALLOCATED, actor="system", why="w", at=NOW,
                )
            )  # fmt: skip
            return "has it"
        except ConflictError:
            return "is told"

    with ThreadPoolExecutor(6) as threads:
        assert ["has it", *["is told"] * 5] == sorted(threads.map(take, names))
    with pooled.reading() as session:
        assert 1 == session.scalar(select(func.count(HoldingRow.id)).where(HoldingRow.ended_at.is_(None)))


def test_of_two_who_add_overlapping_pools_one_does(house: Store) -> None:
    """The other waits, and then sees what it overlaps."""
    barrier = Barrier(4)

    def add(place: int) -> str:
        barrier.wait(timeout=30)
        pool = Pool(name=f"p{place}", prefix=f"198.51.100.0/{24 + place}")
        try:
            house.transact(lambda session: add_pool(session, pool, actor="system", why="w", at=NOW))
            return "added"
        except (InputError, ConflictError):
            return "refused"

    with ThreadPoolExecutor(4) as threads:
        assert ["added", *["refused"] * 3] == sorted(threads.map(add, range(4)))
    with house.reading() as session:
        assert 1 == session.scalar(select(func.count(PoolRow.id)))
        assert 1 == len(pools(session))


def test_a_rolled_back_holding_leaves_nothing(pooled: Store) -> None:
    """Neither in the inventory nor in the log nor in the past."""
    with pytest.raises(RuntimeError), pooled.session() as session:
        web = machine_named(session, "web-acme")
        pool = pool_named(session, "p4")
        begin_holding(
            session, pool, "198.51.100.1", web, manner=Manner.ALLOCATED, actor="system", why="w", at=NOW
        )
        raise RuntimeError
    with pooled.reading() as session:
        assert holder_at(session, "198.51.100.1", NOW) is None
        addresses = [row.address for row in server_named(session, "web-acme").addresses]
        assert ["10.1.0.2", "2001:db8:1::2"] == addresses


def test_a_holding_of_no_time_was_nobodys(pooled: Store) -> None:
    """Begun and ended at one moment: nobody had it then, and the next may begin at that moment."""
    with pooled.session() as session:
        pool = pool_named(session, "p4")
        first, second = machine_named(session, "web-acme"), machine_named(session, "web-bold")
        row = begin_holding(
            session, pool, "198.51.100.1", first, manner=Manner.ALLOCATED, actor="system", why="w", at=NOW
        )
        end_holding(session, row, Ending.RELEASED, actor="system", why="w", at=NOW, free_at=NOW)
        assert holder_at(session, "198.51.100.1", NOW) is None
        begin_holding(
            session, pool, "198.51.100.1", second, manner=Manner.ALLOCATED, actor="system", why="w", at=NOW
        )
        found = holder_at(session, "198.51.100.1", NOW)
        assert found is not None
        assert "server:web-bold" == found.holder
        with pytest.raises(ConflictError, match="given back already"):
            end_holding(session, row, Ending.RELEASED, actor="system", why="w", at=NOW, free_at=NOW)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("nobody", "no server 'nobody'"),
        ("both", "server:both or firewall:both"),
        ("host:both", "no server 'host:both'"),
    ],
)
def test_a_name_means_one_machine(pooled: Store, name: str, words: str) -> None:
    """A server and a firewall of one name are told apart by what they are."""
    with pooled.session() as session:
        machine_named(session, "web-acme").name = "both"
        machine_named(session, "fw-acme").name = "both"
        session.flush()
        with pytest.raises(InputError, match=words):
            machine_named(session, name)
        assert "servers" == machine_named(session, "server:both").__tablename__
        assert "firewalls" == machine_named(session, "firewall:both").__tablename__
