"""Servers leave service and come back; their addresses go after the grace, and not before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from fwguard.errors import DeviceError, InputError, NotAllowedError, PartialReadingError
from fwguard.flows import address as addresses
from fwguard.flows import registration as register
from fwguard.flows import service_life as flow
from fwguard.model.controls import ServiceKind
from fwguard.model.inventory import Server
from fwguard.model.machine_state import MachineState, Sighting
from fwguard.model.pool import Pool
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.registration import Registration, RegistrationState
from fwguard.store.addresses import Ending, HoldingRow
from fwguard.store.inventory import add_server
from fwguard.store.machine_states import MachineStateRow
from fwguard.store.people import user_named
from fwguard.store.registrations import registration_numbered

RUNNING, STOPPED, ARCHIVED, DELETED = MachineState
GRACE = {STOPPED: timedelta(days=7), ARCHIVED: timedelta(days=1), DELETED: timedelta(days=1)}
MOMENT = timedelta(minutes=1)


class Service:
    """A pool, two servers with an address each, and a file that says which of them run."""

    def __init__(self, scene: Any, path: Path) -> None:
        self.scene, self.house, self.clock, self.path = scene, scene.house, scene.clock, path
        self.source = f"file:{path}"
        object.__setattr__(self.house.settings, "hypervisors", (self.source,))
        with self.house.store.session() as session:
            add_server(session, Server(name="web2", client="acme", firewall="fw-acme", addresses=()))
            user = user_named(session, "olga")
            addresses.open_pool(
                session, self.house, Pool(name="p4", prefix="198.51.100.0/29"), user=user, why="test"
            )
            addresses.open_pool(
                session, self.house, Pool(name="p6", prefix="2001:db8:1::/64"), user=user, why="test"
            )
            for name in ("web1", "web2"):
                addresses.allocate(session, self.house, name, user=user, why="in service")

    def say(self, **states: str) -> None:
        """Write the file."""
        lines = [f"  - {{name: {name}, state: {state}}}\n" for name, state in states.items()]
        self.path.write_text("servers:\n" + "".join(lines))

    def look(self, after: timedelta = timedelta()) -> float:
        """Let time pass, then look."""
        self.clock.at += after
        return flow.look("", self.house)

    def held(self, name: str) -> list[str]:
        """Return what a server holds."""
        with self.house.store.reading() as session:
            rows = session.scalars(
                select(HoldingRow).where(HoldingRow.ended_at.is_(None)).order_by(HoldingRow.id)
            )
            return [row.address for row in rows if row.holder == f"server:{name}"]

    def state(self, name: str) -> MachineState | None:
        """Return in what state a server is known."""
        with self.house.store.reading() as session:
            rows = {row.machine.name: row.state for row in session.scalars(select(MachineStateRow))}
            return rows.get(name)


@pytest.fixture
def service(scene: Any, tmp_path: Path) -> Service:
    """Give two servers in service."""
    made = Service(scene, tmp_path / "states.yaml")
    made.say(web1="running", web2="running")
    made.look()
    return made


@pytest.mark.parametrize("state", [STOPPED, ARCHIVED, DELETED])
def test_addresses_go_after_the_grace(service: Service, state: MachineState) -> None:
    """Of both versions, with the reason; the other server keeps its own."""
    service.say(web1=state.value, web2="running")
    service.look()
    service.look(GRACE[state] - MOMENT)
    assert ["198.51.100.1", "2001:db8:1::1"] == service.held("web1")
    service.look(MOMENT)
    assert ([], ["198.51.100.2", "2001:db8:1::2"]) == (service.held("web1"), service.held("web2"))
    with service.house.store.reading() as session:
        row = session.scalars(select(HoldingRow).where(HoldingRow.address == "198.51.100.1")).one()
        assert row.free_at is not None and row.ended_at is not None
        assert (Ending(state.value), timedelta(days=30)) == (row.ending, row.free_at - row.ended_at)


def test_who_comes_back_in_time_keeps_its_address(service: Service) -> None:
    """And a later stop begins to count anew."""
    service.say(web1="stopped", web2="running")
    service.look()
    service.say(web1="running", web2="running")
    service.look(GRACE[STOPPED] - MOMENT)
    service.look(2 * GRACE[STOPPED])
    service.say(web1="stopped", web2="running")
    service.look()
    service.look(GRACE[STOPPED] - MOMENT)
    assert 2 == len(service.held("web1"))


def test_stopped_then_archived_counts_from_the_stop(service: Service) -> None:
    """Whichever grace ends first."""
    service.say(web1="stopped", web2="running")
    service.look()
    service.say(web1="archived", web2="running")
    service.look(GRACE[STOPPED] - MOMENT)
    service.look(2 * MOMENT)
    assert [] == service.held("web1")


def test_what_a_source_names_no_more_is_deleted(service: Service) -> None:
    """A source that names nothing at all is not believed."""
    service.say(web2="running")
    service.look()
    assert DELETED is service.state("web1")
    service.path.write_text("servers: []\n")
    with pytest.raises(PartialReadingError, match="names no server, and had 1"):
        service.look()
    assert RUNNING is service.state("web2")


def test_a_source_that_fails_stops_nothing_else(service: Service) -> None:
    """What is due ends all the same; what it said last still stands; its error is raised."""
    service.say(web1="stopped", web2="running")
    service.look()
    service.path.write_text("servers:\n  - {name: web2, state: asleep}\n")
    with pytest.raises(InputError, match=r"states\.yaml:2: servers\[0\]\.state: 'asleep'"):
        service.look(GRACE[STOPPED])
    assert ([], RUNNING) == (service.held("web1"), service.state("web2"))
    service.path.unlink()
    with pytest.raises(InputError, match="No such file"):
        service.look()


def test_half_a_file_is_no_file(service: Service) -> None:
    """One that is being written ends in the middle of a line."""
    service.path.write_text("servers:\n  - {name: web2, state: running}")
    with pytest.raises(DeviceError, match="its last line has no end"):
        service.look()
    assert RUNNING is service.state("web1")


def test_a_server_runs_where_it_runs(service: Service, tmp_path: Path) -> None:
    """After a move the old place's "stopped" and its silence count for nothing."""
    other = tmp_path / "other.yaml"
    object.__setattr__(service.house.settings, "hypervisors", (service.source, f"file:{other}"))
    other.write_text("servers: [{name: web1, state: running}]\n")
    service.look()
    service.say(web1="stopped", web2="running")
    service.look()
    assert RUNNING is service.state("web1")
    service.say(web2="running")
    service.look()
    assert RUNNING is service.state("web1")
    other.write_text("servers: [{name: web1, state: stopped}]\n")
    service.look()
    assert STOPPED is service.state("web1")


def test_names_that_are_no_servers_are_left_out(service: Service) -> None:
    """A hypervisor has machines of the operator's own."""
    service.say(web1="running", web2="running", backup="running")
    service.look()
    assert service.state("backup") is None


def test_someone_of_the_staff_says_it(service: Service) -> None:
    """With a reason and a time that is past; a source's "stopped" does not change what a person called archived."""
    then = service.clock.at - timedelta(hours=30)

    def declare(who: str, one: Sighting, why: str = "left") -> bool:
        return bool(
            service.house.store.transact(
                lambda session: flow.declare(
                    session, service.house, one, user=user_named(session, who), why=why
                )
            )
        )

    with pytest.raises(NotAllowedError):
        declare("ann", Sighting(name="web1", state=ARCHIVED))
    with pytest.raises(InputError, match="no reason"):
        declare("olga", Sighting(name="web1", state=ARCHIVED), why="")
    with pytest.raises(InputError, match="in the future"):
        declare("olga", Sighting(name="web1", state=ARCHIVED, since=datetime(2030, 1, 1, tzinfo=UTC)))
    with pytest.raises(InputError, match="no server 'nobody'"):
        declare("olga", Sighting(name="nobody", state=ARCHIVED))
    assert declare("olga", Sighting(name="web1", state=ARCHIVED, since=then))
    assert not declare("olga", Sighting(name="web1", state=ARCHIVED))
    service.say(web1="stopped", web2="running")
    service.look()
    assert (ARCHIVED, []) == (service.state("web1"), service.held("web1"))
    service.say(web1="running", web2="running")
    service.look()
    assert RUNNING is service.state("web1")


def test_a_file_may_say_since_when(service: Service) -> None:
    """So a source that was away loses nobody a day; the future and a time without zone are refused."""
    since = service.clock.at - GRACE[STOPPED]
    service.path.write_text(
        f"servers:\n  - {{name: web1, state: stopped, since: '{since.isoformat()}'}}\n"
        "  - {name: web2, state: running}\n"
    )
    service.look()
    assert [] == service.held("web1")
    for wrong, words in (("2026-03-04T05:06:07", "no time zone"), ("2036-03-04T05:06:07Z", "in the future")):
        service.path.write_text(f"servers: [{{name: web2, state: stopped, since: '{wrong}'}}]\n")
        with pytest.raises(InputError, match=words):
            service.look()
    assert RUNNING is service.state("web2")


def test_an_overlap_ends_by_itself(service: Service) -> None:
    """The old address goes, the new one stays (clause 7.9)."""
    with service.house.store.session() as session:
        user = user_named(session, "olga")
        pool = Pool(name="fr", prefix="203.0.113.0/29", country="FR")
        addresses.open_pool(session, service.house, pool, user=user, why="test")
        addresses.migrate(session, service.house, "198.51.100.1", user=user, why="complaints")
    service.look(timedelta(days=14) - MOMENT)
    assert ["198.51.100.1", "2001:db8:1::1", "203.0.113.1"] == service.held("web1")
    service.look(MOMENT)
    assert ["2001:db8:1::1", "203.0.113.1"] == service.held("web1")


def test_what_the_inventory_gains_is_taken_over(service: Service) -> None:
    """A server enrolled with an address of a pool holds it from the next look on."""
    with service.house.store.session() as session:
        add_server(
            session, Server(name="web3", client="acme", firewall="fw-acme", addresses=("198.51.100.5",))
        )
    service.look()
    assert ["198.51.100.5"] == service.held("web3")


def test_registrations_end_on_their_day(service: Service) -> None:
    """Granted or still waiting."""
    asked = Registration(
        server="web1", software=ServiceKind.IRC, protocol=TCP, ports=parse_ports("6697"),
        ends_at=service.clock.at + timedelta(days=3), reason="chat",
    )  # fmt: skip
    with service.house.store.session() as session:
        row = register.ask_registration(
            session, service.house, asked, user=user_named(session, "ann"), source="portal"
        )
        register.decide(
            session,
            service.house,
            row.number,
            grant=True,
            why="",
            user=user_named(session, "bob"),
            source="portal",
        )
    service.look(timedelta(days=3) + MOMENT)
    with service.house.store.reading() as session:
        assert RegistrationState.ENDED is registration_numbered(session, row.number).state


def test_a_quiet_look_writes_nothing(service: Service) -> None:
    """Neither the log nor a lock: it looks, and comes again."""
    file = service.house.store.engine
    with file.connect() as connection:
        before = connection.exec_driver_sql("SELECT count(*), max(seq) FROM audit").one()
    assert 30.0 == service.look() == service.look()
    with file.connect() as connection:
        assert before == connection.exec_driver_sql("SELECT count(*), max(seq) FROM audit").one()
