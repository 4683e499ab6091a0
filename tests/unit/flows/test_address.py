"""Addresses: one holder at a time whoever asks at once, a history that a plain log agrees with, clear refusals."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, text
from sqlalchemy.exc import IntegrityError

from fwguard.errors import ConflictError, FwguardError, InputError, NotAllowedError
from fwguard.flows import address as flow
from fwguard.model.address import Family
from fwguard.model.inventory import Client, Firewall, Platform, Server, Transport
from fwguard.model.pool import Pool
from fwguard.store.addresses import Ending, HoldingRow, Manner
from fwguard.store.audit import AuditRow
from fwguard.store.inventory import add_firewall, add_server, firewall_named, server_named
from fwguard.store.people import add_client, user_named
from fwguard.store.verify import verify

RULES_COOLING = timedelta(seconds=2592000)
NUMBERS = count(1)


class Desk:
    """The shortest way to do what the staff does with addresses."""

    def __init__(self, scene: Any) -> None:
        self.scene, self.house, self.clock = scene, scene.house, scene.clock

    def do(self, act: Callable[..., Any], *given: Any, who: str = "olga", **named: Any) -> Any:
        """Do one thing in a transaction of its own; a holding comes back as its address and facts."""

        def work(session: Any) -> Any:
            return _plain(act(session, self.house, *given, user=user_named(session, who), **named))

        return self.house.store.transact(work)

    def pool(self, prefix: str, name: str = "", country: str = "", **more: Any) -> str:
        """Add a pool; return its name."""
        name = name or f"p{next(NUMBERS)}"
        self.do(flow.open_pool, Pool(name=name, prefix=prefix, country=country), why="test", **more)
        return name

    def server(self, name: str = "", client: str = "acme") -> str:
        """Add a server without an address; return its name."""
        name = name or f"s{next(NUMBERS)}"
        with self.house.store.session() as session:
            add_server(session, Server(name=name, client=client, firewall=f"fw-{client}", addresses=()))
        return name

    def allocate(self, server: str, **named: Any) -> list[str]:
        """Give addresses; return them."""
        return [row["address"] for row in self.do(flow.allocate, server, why="in service", **named)]

    def release(self, address: str) -> None:
        """Take one back."""
        self.do(flow.release, address, why="over")

    def who_had(self, address: str, at: datetime) -> str | None:
        """Return who had it."""
        with self.house.store.reading() as session:
            row = flow.who_had(session, address, at)
            return row.holder if row is not None else None

    def holders(self, server: str) -> list[str]:
        """Return what the inventory notes with a server."""
        with self.house.store.reading() as session:
            return [row.address for row in server_named(session, server).addresses]


def _plain(value: Any) -> Any:
    if isinstance(value, HoldingRow):
        return {
            "address": value.address, "holder": value.holder, "manner": value.manner, "ends_at": value.ends_at,
            "ended_at": value.ended_at, "ending": value.ending, "free_at": value.free_at,
        }  # fmt: skip
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


@pytest.fixture
def desk(scene: Any) -> Desk:
    """Give the desk of a house with a second client."""
    with scene.house.store.session() as session:
        add_client(session, Client(name="bold", title="Bold"))
        add_firewall(
            session,
            Firewall(
                name="fw-bold", client="bold", platform=Platform.LINUX, transport=Transport.SSH,
                address="172.30.1.2", port=22, username="root",
            ),
        )  # fmt: skip
    return Desk(scene)


def test_a_server_gets_one_address_of_each_version(desk: Desk) -> None:
    """And the same again when it is asked for again: a fixed address."""
    desk.pool("198.51.100.0/29"), desk.pool("2001:db8:1::/64")
    web = desk.server()
    first = desk.allocate(web)
    assert ["198.51.100.1", "2001:db8:1::1"] == first == desk.allocate(web) == desk.holders(web)
    assert ["198.51.100.2"] == desk.allocate(web, family=Family.V4, another=True)


def test_a_firewall_is_a_server_too(desk: Desk) -> None:
    """Its address stands among its public ones."""
    desk.pool("198.51.100.0/29")
    desk.allocate("fw-acme")
    with desk.house.store.reading() as session:
        assert "198.51.100.1" in [row.address for row in firewall_named(session, "fw-acme").public]


def test_what_is_given_back_cools_for_others_and_waits_for_its_own(desk: Desk) -> None:
    """The server that had it may have it at once; others after its cooling time, and last."""
    pool = desk.pool("198.51.100.0/30")
    first, second, third = desk.server(), desk.server(), desk.server()
    [one], [two] = desk.allocate(first), desk.allocate(second)
    desk.release(one)
    assert [] == desk.holders(first)
    with pytest.raises(InputError, match="exhausted: 1 held or reserved, 1 cooling"):
        desk.allocate(third)
    assert [one] == desk.allocate(first)
    desk.release(one)
    with pytest.raises(ConflictError, match="cools until"):
        desk.allocate(third, address=one)
    desk.clock.at += RULES_COOLING
    assert [one] == desk.allocate(third)
    with pytest.raises(ConflictError, match="held by server:"):
        desk.allocate(first, address=one)
    assert [two] == desk.allocate(second, pool=pool)


def test_the_database_refuses_what_cools(desk: Desk) -> None:
    """Whoever writes past our code: a second holder, one that comes too soon, a changed past."""
    desk.pool("198.51.100.0/30")
    first, second = desk.server(), desk.server()
    [one] = desk.allocate(first)
    insert = (
        "INSERT INTO address_holdings (pool_id, address, version, server_id, client_id, manner, why, since) "
        "SELECT pool_id, address, version, (SELECT id FROM servers WHERE name = :name), client_id, manner, why, "
        "{since} FROM address_holdings WHERE id = 1"
    )

    def refused(statement: str, **values: object) -> None:
        with pytest.raises(IntegrityError), desk.house.store.session() as session:
            session.execute(text(statement), values)

    refused(insert.format(since="since"), name=second)
    desk.release(one)
    refused(insert.format(since="ended_at"), name=second)
    refused("UPDATE address_holdings SET ended_at = NULL, free_at = NULL, ending = NULL")
    refused(
        "UPDATE address_holdings SET server_id = (SELECT id FROM servers WHERE name = :name)", name=second
    )
    refused("DELETE FROM address_holdings")
    refused(
        "INSERT INTO address_pools (name, version, prefix, first, last, country, created_at) "
        "SELECT 'other', version, '198.51.100.2/32', last, last, '', created_at FROM address_pools"
    )


def test_a_reservation_is_nobodys_until_it_is_given(desk: Desk) -> None:
    """Of one client: to a server of that client only; and without cooling, since nobody used it."""
    desk.pool("198.51.100.0/29")
    desk.do(flow.reserve, "198.51.100.1", why="gateway")
    desk.do(flow.reserve, "198.51.100.2", why="for acme", client="acme")
    web, other = desk.server(), desk.server(client="bold")
    assert ["198.51.100.3"] == desk.allocate(other)
    with pytest.raises(ConflictError, match="reserved: for acme"):
        desk.allocate(other, address="198.51.100.2")
    assert ["198.51.100.2"] == desk.allocate(web, address="198.51.100.2")
    with pytest.raises(ConflictError):
        desk.do(flow.reserve, "198.51.100.2", why="late")
    desk.release("198.51.100.1")
    assert ["198.51.100.1"] == desk.allocate(other, address="198.51.100.1")


def test_reserving_and_giving_back_shortens_no_cooling(desk: Desk) -> None:
    """What another server used last stays shut for others."""
    desk.pool("198.51.100.0/29")
    web, other = desk.server(), desk.server(client="bold")
    [one] = desk.allocate(web)
    desk.release(one)
    desk.do(flow.reserve, one, why="looked into")
    desk.release(one)
    with pytest.raises(ConflictError, match="cools"):
        desk.allocate(other, address=one)


def test_an_address_moves_between_servers_of_a_client(desk: Desk) -> None:
    """At one moment, with no time in which both or nobody has it."""
    desk.pool("198.51.100.0/29")
    web, new, other = desk.server(), desk.server(), desk.server(client="bold")
    [one] = desk.allocate(web)
    with pytest.raises(InputError, match="a server of the same client"):
        desk.do(flow.transfer, one, to=other, why="sold")
    old, moved = desk.do(flow.transfer, one, to=new, why="replaced")
    assert (Ending.TRANSFERRED, Manner.TRANSFERRED) == (old["ending"], moved["manner"])
    assert ([], [one]) == (desk.holders(web), desk.holders(new))
    at = old["ended_at"]
    assert f"server:{web}" == desk.who_had(one, at - timedelta(microseconds=1))
    assert f"server:{new}" == desk.who_had(one, at)
    with pytest.raises(ConflictError, match="already"):
        desk.do(flow.transfer, one, to=new, why="again")


def test_a_migration_gives_a_french_address_and_overlaps(desk: Desk) -> None:
    """Clause 7.9: both are the server's until the overlap is over."""
    desk.pool("203.0.113.0/29", country="BE"), desk.pool("2001:db8:2::/64", country="FR")
    web = desk.server()
    [one] = desk.allocate(web, family=Family.V4)
    with pytest.raises(InputError, match="no open French pool of IPv4"):
        desk.do(flow.migrate, one, why="complaints")
    desk.pool("198.51.100.0/29", country="FR")
    old, new = desk.do(flow.migrate, one, why="complaints")
    assert ("198.51.100.1", [one, "198.51.100.1"]) == (new["address"], desk.holders(web))
    assert timedelta(days=14) == timedelta(seconds=round((old["ends_at"] - desk.clock.at).total_seconds()))
    with pytest.raises(ConflictError, match="being replaced already"):
        desk.do(flow.migrate, one, why="again")
    with pytest.raises(ConflictError, match="moves no more"):
        desk.do(flow.transfer, one, to=desk.server(), why="again")


def test_what_the_inventory_names_is_taken_over(desk: Desk) -> None:
    """web1's address is held from the day there is a pool, and never given to another."""
    desk.pool("10.20.0.8/29")
    assert "server:web1" == desk.who_had("10.20.0.11", desk.clock.at)
    given = [desk.allocate(desk.server())[0] for _ in range(5)]
    assert ["10.20.0.9", "10.20.0.10", "10.20.0.12", "10.20.0.13", "10.20.0.14"] == given


def test_an_inventory_that_gives_one_address_to_two_is_refused(desk: Desk) -> None:
    """A pool's addresses belong to one each: who it is, is said, and no pool is made."""
    with desk.house.store.session() as session:
        add_server(session, Server(name="twin", client="bold", firewall="fw-bold", addresses=("10.20.0.11",)))
    with pytest.raises(
        InputError, match=r"10\.20\.0\.11 .* server:twin and server:web1|server:web1 and server:twin"
    ):
        desk.pool("10.20.0.0/24", name="inner")
    with pytest.raises(InputError, match="no pool 'inner'"):
        desk.allocate("web1", pool="inner")


@pytest.mark.parametrize(
    ("act", "words"),
    [
        (lambda desk: desk.pool("198.51.100.0/25"), r"overlaps pool main \(198\.51\.100\.0/24\)"),
        (lambda desk: desk.pool("203.0.113.0/24", name="main"), "exists already"),
        (lambda desk: desk.allocate("nobody"), "no server 'nobody'"),
        (lambda desk: desk.allocate("web1", address="203.0.113.7"), "lies in no pool.*pool add"),
        (lambda desk: desk.allocate("web1", address="198.51.100.0"), "the net itself"),
        (lambda desk: desk.allocate("web1", address="198.51.100.300"), "one IPv4 or IPv6 address"),
        (lambda desk: desk.allocate("web1", pool="main", family=Family.V6), "another family"),
        (lambda desk: desk.allocate("web1", address="198.51.100.7", family=Family.V6), "no IPv6 address"),
        (lambda desk: desk.allocate("web1", family=Family.V6), "no open pool of IPv6.*pool add"),
        (lambda desk: desk.release("198.51.100.7"), "nobody has 198.51.100.7"),
        (lambda desk: desk.release("192.0.2.7"), "lies in no pool"),
        (lambda desk: desk.do(flow.reserve, "198.51.100.7", why=" "), "no reason"),
        (lambda desk: desk.do(flow.transfer, "198.51.100.7", to="web1", why="x"), "nobody has"),
    ],
)
def test_bad_input_says_what_to_do(desk: Desk, act: Callable[[Desk], object], words: str) -> None:
    """And nothing is written."""
    desk.pool("198.51.100.0/24", name="main")
    before = _entries(desk)
    with pytest.raises(FwguardError, match=words):
        act(desk)
    assert before == _entries(desk)


def test_clients_give_and_take_nothing(desk: Desk) -> None:
    """Not even their own."""
    desk.pool("198.51.100.0/24", name="main")
    for act, words, named in (
        (flow.allocate, ("web1",), {}), (flow.release, ("198.51.100.1",), {}),
        (flow.reserve, ("198.51.100.1",), {}), (flow.transfer, ("198.51.100.1",), {"to": "web1"}),
        (flow.migrate, ("198.51.100.1",), {}), (flow.shut_pool, ("main",), {}),
        (flow.open_pool, (Pool(name="x", prefix="203.0.113.0/24"),), {}),
    ):  # fmt: skip
        with pytest.raises(NotAllowedError):
            desk.do(act, *words, who="ann", why="mine", **named)


def test_a_closed_pool_gives_nothing_new(desk: Desk) -> None:
    """What is held stays."""
    desk.pool("198.51.100.0/24", name="main")
    [one] = desk.allocate("web1")
    desk.do(flow.shut_pool, "main", why="goes back")
    with pytest.raises(InputError, match="no open pool"):
        desk.allocate(desk.server())
    with pytest.raises(InputError, match="gives no address since"):
        desk.allocate(desk.server(), pool="main")
    assert "server:web1" == desk.who_had(one, desk.clock.at)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("2026-03-04T05:06:07", "has no zone .expected 2026-03-04T05:06:07Z"),
        ("2026-03-04", "has no zone"),
        ("yesterday", "ISO 8601"),
        ("2030-01-01T00:00:00Z", "in the future"),
        ("0001-01-01T00:00:00+14:00", "between the years"),
    ],
)
def test_a_time_has_its_zone_and_is_past(given: str, words: str) -> None:
    """Who had an address an hour before is someone else."""
    with pytest.raises(InputError, match=words):
        flow.past_moment(given, datetime(2026, 3, 5, tzinfo=UTC))
    at = flow.past_moment("2026-03-04T05:06:07+01:00", datetime(2026, 3, 5, tzinfo=UTC))
    assert datetime(2026, 3, 4, 4, 6, 7, tzinfo=UTC) == at


@pytest.mark.parametrize("prefix", ["198.51.100.0/27", "2001:db8:9::/123"])
def test_many_who_ask_at_once_get_each_their_own(desk: Desk, prefix: str) -> None:
    """Of a pool of 30 addresses 40 threads get 30: none twice, none lost; the others are told why."""
    desk.pool(prefix)
    if ":" in prefix:
        desk.do(flow.reserve, "2001:db8:9::1f", why="thirty are enough")
    servers = [desk.server() for _ in range(40)]
    barrier = Barrier(8)

    def one(place: int) -> str:
        if place < 8:
            barrier.wait(timeout=30)
        try:
            return desk.allocate(servers[place])[0]
        except InputError as error:
            return str(error)

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(one, range(40)))
    given = [answer for answer in answers if "exhausted" not in answer]
    assert (30, 30) == (len(given), len(set(given)))
    assert all("30 held" in answer or "31 held" in answer for answer in answers if answer not in given)
    with desk.house.store.reading() as session:
        live = select(func.count(HoldingRow.id)).where(
            HoldingRow.ended_at.is_(None), HoldingRow.server_id.is_not(None)
        )
        assert 30 == session.scalar(live)
        assert verify(session).is_whole


def test_many_who_give_back_one_address_do_it_once(desk: Desk) -> None:
    """One ends the holding, the others are told so."""
    desk.pool("198.51.100.0/27")
    [one] = desk.allocate("web1")

    def release(_: int) -> str:
        try:
            desk.release(one)
            return "done"
        except (InputError, ConflictError) as error:
            return "nobody" if "nobody has" in str(error) or "already" in str(error) else str(error)

    with ThreadPoolExecutor(6) as pool:
        assert ["done", *["nobody"] * 5] == sorted(pool.map(release, range(6)))


class PlainLog:
    """The truth without a database: lists of (address, holder, from, until)."""

    def __init__(self) -> None:
        self.rows: list[list[Any]] = []

    def begin(self, address: str, holder: str, at: datetime) -> None:
        """Someone has it from now on."""
        self.rows.append([address, holder, at, None])

    def end(self, address: str, at: datetime) -> None:
        """And no more."""
        next(row for row in self.rows if row[0] == address and row[3] is None)[3] = at

    def who_had(self, address: str, at: datetime) -> str | None:
        """Return who had it."""
        found = [
            row[1]
            for row in self.rows
            if row[0] == address and row[2] <= at and not (row[3] and row[3] <= at)
        ]
        assert len(found) <= 1
        return found[0] if found else None


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["allocate", "release", "transfer", "reserve", "another", "wait", "cool"]),
        st.integers(0, 5), st.integers(0, 2),
    ),
    min_size=5, max_size=25,
)  # fmt: skip


@settings(
    max_examples=12, deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip
@given(steps=STEPS, six=st.booleans(), seconds=st.lists(st.floats(0, 1), min_size=8, max_size=8))
def test_who_had_an_address_is_what_a_plain_log_says(
    desk: Desk, steps: list[tuple[str, int, int]], six: bool, seconds: list[float]
) -> None:
    """After any sequence, at any time, at the moments of change themselves too; and nothing is held twice."""
    number = next(NUMBERS)
    prefix = f"2001:db8:{number:x}::/125" if six else f"10.99.{number % 250}.{number // 250 * 8}/29"
    pool, plain, log = desk.pool(prefix), [desk.server() for _ in range(3)], PlainLog()
    base = prefix.split("/")[0]
    addresses = [f"{base}{place}" if six else f"{base.rsplit('.', 1)[0]}.{int(base.rsplit('.', 1)[1]) + place}"
                 for place in range(1, 7)]  # fmt: skip
    start = desk.clock.at

    def since(address: str) -> datetime:
        with desk.house.store.reading() as session:
            rows = session.scalars(select(HoldingRow).where(HoldingRow.address == address))
            return max(row.ended_at or row.since for row in rows)

    for what, place, who in steps:
        address, server = addresses[place], plain[who]
        try:
            match what:
                case "allocate" | "another":
                    before = {row[0] for row in log.rows if row[3] is None}
                    [got] = desk.allocate(server, pool=pool, another=what == "another")
                    if got not in before:
                        log.begin(got, f"server:{server}", since(got))
                case "release":
                    desk.release(address)
                    log.end(address, since(address))
                case "transfer":
                    desk.do(flow.transfer, address, to=server, why="moved")
                    log.end(address, since(address))
                    log.begin(address, f"server:{server}", since(address))
                case "reserve":
                    desk.do(flow.reserve, address, why="kept")
                    log.begin(address, "", since(address))
                case "wait":
                    desk.clock.at += timedelta(hours=place)
                case _:
                    desk.clock.at += RULES_COOLING
        except (InputError, ConflictError):
            pass
    moments = [at for row in log.rows for at in row[2:] if at is not None]
    moments += [at - timedelta(microseconds=1) for at in moments]
    moments += [start + (desk.clock.at - start) * share for share in seconds]
    for address in addresses:
        assert [log.who_had(address, at) for at in moments] == [desk.who_had(address, at) for at in moments]
    with desk.house.store.reading() as session:
        assert verify(session).is_whole


def test_every_write_stands_in_the_log_with_its_reason(desk: Desk) -> None:
    """Under clause 4, by whoever did it."""
    desk.pool("198.51.100.0/24", name="main", country="FR")
    web, new = desk.server(), desk.server()
    [one] = desk.allocate(web)
    desk.do(flow.transfer, one, to=new, why="replaced")
    desk.do(flow.migrate, one, why="complaints")
    desk.do(flow.reserve, "198.51.100.9", why="gateway")
    desk.release("198.51.100.9")
    with desk.house.store.reading() as session:
        rows = session.scalars(
            select(AuditRow).where(AuditRow.action.startswith("address:")).order_by(AuditRow.seq)
        )
        found = [(row.action, row.clause, row.actor != "system", '"why":"' in row.body) for row in rows]
    assert [
        "address:pool:add", "address:holding:allocated", "address:holding:end-transferred",
        "address:holding:transferred", "address:holding:migrated", "address:holding:end-later",
        "address:holding:reserved", "address:holding:end-released",
    ] == [action for action, *_ in found]  # fmt: skip
    assert {("4", True, True)} == {tuple(rest) for _, *rest in found}


def _entries(desk: Desk) -> int:
    with desk.house.store.reading() as session:
        return session.scalar(select(func.count(AuditRow.seq))) or 0
