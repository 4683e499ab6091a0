"""The real controller and the real agent over real HTTPS: what is approved carries packets, and what is cut comes
back only by an order."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_peer import certificate
from edge_site import CLOSED_PORT, INTERNET, OPEN_PORT, PUBLIC, SERVER, Site
from edge_states import mac_of

from fwguard.config import Settings, make_secret_key
from fwguard.flows import edge_events, edge_state, releasing, suspension
from fwguard.flows.house import House, open_house
from fwguard.flows.sweeping import sweep
from fwguard.kernel.namespaces import inside
from fwguard.model.case import CaseState
from fwguard.model.edge import PortKind
from fwguard.model.inventory import Client, Contact, Firewall, Language, Platform, Server, Transport
from fwguard.model.snapshot import Snapshot
from fwguard.store.approved import approve_baseline, current_baseline
from fwguard.store.cases import CaseRow
from fwguard.store.edge_ports import add_port
from fwguard.store.edges import EdgeRow, add_edge, edge_named, issue_edge_token, revoke_edge
from fwguard.store.inventory import add_firewall, add_server, firewall_named, server_named
from fwguard.store.isolations import IsolationRow
from fwguard.store.mail import OutboxRow
from fwguard.store.people import UserRole, add_client, add_user, user_named
from fwguard.store.verify import verify
from fwguard.web.edge_serving import EdgeServer, create_edge_app, tls_of
from fwguard.work.embedded import EmbeddedWork

pytestmark = pytest.mark.integration
POLICY = """\
table inet filter {{
	chain input {{ type filter hook input priority filter; policy drop; }}
	chain forward {{
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		iifname "lan0" accept
		tcp dport {{ {ports} }} accept
	}}
}}
table inet nat {{
	chain prerouting {{
		type nat hook prerouting priority dstnat; policy accept;
		iifname "wan0" tcp dport {{ {ports} }} dnat ip to 10.20.0.11
		iifname "wan0" tcp dport {{ {ports} }} dnat ip6 to fd20::11
	}}
}}
"""


class Controller:
    """A house with its work and its doors, in the place of the peer that other tests speak with."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.ca_file, self.port = folder / "ca.pem", 0
        certificate(folder)
        settings = Settings(state_dir=folder, edges_waiting=4)
        make_secret_key(settings.secret_key_file)
        self.house = open_house(settings)
        self.house.store.upgrade()
        self.token = self._inventory(self.house)
        self._tls = tls_of(self.ca_file, folder / "key.pem")
        self._server: EdgeServer | None = None
        self._work: EmbeddedWork | None = None

    @property
    def url(self) -> str:
        """Return where the agent finds it."""
        return f"https://127.0.0.1:{self.port}"

    def listen(self, within: Callable[[Callable[[], socket.socket]], socket.socket]) -> None:
        """Open the doors where the edge is, on the same port as before, and begin to work."""
        house = self.house
        flows = {
            "edge": lambda name: edge_state.look(name, house),
            "edge-events": lambda name: edge_events.look(name, house),
            "isolations": lambda name: releasing.look_ends(name, house),
            "outbox": lambda name: None, "firewall": lambda name: None,
        }  # fmt: skip
        self._work = house.work = EmbeddedWork(flows, threads=2, sweep=lambda: sweep(house), sweep_s=0.2)
        made: list[EdgeServer] = []

        def bound() -> Any:
            made.append(EdgeServer(create_edge_app(house), house, "127.0.0.1", self.port, self._tls))

        within(bound)
        self._server = made[0]
        self.port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        self._work.start()

    def stop(self) -> None:
        """Be away."""
        server, work, self._server, self._work = self._server, self._work, None, None
        if server is not None and work is not None:
            server.shutdown()
            server.server_close()
            work.stop()

    @property
    def is_up(self) -> bool:
        """Tell whether it answers."""
        return self._server is not None

    def _inventory(self, house: House) -> str:
        with house.store.session() as session:
            at = house.clock()
            contact = Contact(mail="ann@acme.example", name="Ann", language=Language.FR)
            add_client(session, Client(name="acme", title="Acme", contacts=(contact,)))
            add_firewall(session, Firewall(name="fw-acme", client="acme", platform=Platform.LINUX, port=22,
                                           transport=Transport.SSH, address="172.30.1.1", username="root",
                                           public=tuple(PUBLIC.values())))  # fmt: skip
            add_server(
                session,
                Server(name="web1", client="acme", firewall="fw-acme", addresses=tuple(SERVER.values())),
            )
            add_user(session, username="olga", email="olga@x.example", name="Olga", role=UserRole.APPROVER,
                     password_hash=None, at=at)  # fmt: skip
            edge = add_edge(session, "edge1", uplinks=("uplink",), uplink_bps=10**9, actor="user:olga", at=at)
            firewall, server = firewall_named(session, "fw-acme"), server_named(session, "web1")
            ports: list[tuple[str, Any, PortKind, int, int, tuple[str, ...]]] = [
                ("out1", firewall, PortKind.FIREWALL_OUT, 1, 2001, ()),
                ("in1", firewall, PortKind.FIREWALL_IN, 2, 1001, ("10.20.0.1", "fd20::1")),
                ("srv1", server, PortKind.SERVER, 3, 1001, ()),
            ]
            for interface, machine, kind, mac, zone, addresses in ports:
                add_port(session, edge, interface, machine, kind=kind, macs=(mac_of(mac),), zone=zone,
                         actor="user:olga", addresses=addresses, device_interface="wan0", at=at)  # fmt: skip
            return issue_edge_token(session, edge, actor="user:olga", at=at, lasts=timedelta(hours=1))

    # ------------------------------------------------------------------ what people do

    def approve(self, *ports: int) -> None:
        """Make a state of the firewall the approved one."""
        with self.house.store.session() as session:
            firewall = firewall_named(session, "fw-acme")
            text = POLICY.format(ports=", ".join(map(str, ports)))
            approve_baseline(session, firewall, Snapshot({"nft": text}), before=current_baseline(session, firewall.id),
                             why="w", actor="user:olga", clause="7.1.1", at=self.house.clock())  # fmt: skip

    def edge(self) -> EdgeRow:
        """Return the edge."""
        with self.house.store.reading() as session:
            return edge_named(session, "edge1")

    def wait(self, true: Callable[[], Any], *, within_s: float = 20.0) -> Any:
        """Return what `true` returns once it is true."""
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if found := true():
                return found
            time.sleep(0.05)
        row = self.edge()
        raise AssertionError(
            f"not within {within_s} s; {row.epoch}.{row.generation}, {row.problem}, {row.report}"
        )

    def is_settled(self) -> bool:
        """Tell whether the edge enforces the newest state, and nothing moved since."""
        with self.house.store.reading() as session:
            if edge_state.edges_to_look_at(session, self.house):
                return False
            row = edge_named(session, "edge1")
            return row.generation > 0 and (row.applied_epoch, row.applied_generation) == (
                row.epoch,
                row.generation,
            )

    def mails(self) -> list[str]:
        """Return the events of the mails to the client."""
        with self.house.store.reading() as session:
            query = (
                select(OutboxRow.event)
                .where(OutboxRow.recipient == "ann@acme.example")
                .order_by(OutboxRow.id)
            )
            return list(session.scalars(query))


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Controller]]:
    """Build one site whose agent is enrolled with a real controller and enforces its first state."""
    folder = tmp_path_factory.mktemp("controller")
    with Site(folder) as made, made.web():
        controller = Controller(folder / "house")
        made.peer = controller
        controller.approve(OPEN_PORT)
        made.begin()
        made.start()
        try:
            controller.wait(controller.is_settled)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{made.log()}") from None
        yield made, controller


def test_what_is_approved_carries_packets_and_nothing_else(site: tuple[Site, Controller]) -> None:
    """By the firewall's approved state, v4 and v6, whatever the firewall itself lets through."""
    made, controller = site
    for version in (4, 6):
        assert made.connects(version, OPEN_PORT)
        assert not made.connects(version, CLOSED_PORT)
    controller.approve(OPEN_PORT, CLOSED_PORT)
    controller.wait(controller.is_settled)
    for version in (4, 6):
        assert made.connects(version, CLOSED_PORT)
    controller.approve(OPEN_PORT)
    controller.wait(controller.is_settled)
    for version in (4, 6):
        assert not made.connects(version, CLOSED_PORT)


def test_a_person_cuts_and_gives_back(site: tuple[Site, Controller]) -> None:
    """The order is in the kernel within a second or so; the client is told of both."""
    made, controller = site
    begun = time.monotonic()
    with controller.house.store.session() as session:
        user = user_named(session, "olga")
        number = suspension.isolate(
            session, controller.house, "web1", clause="6.1", why="danger", user=user
        ).number
    controller.wait(lambda: not made.connects(4, OPEN_PORT, within_s=0.2))
    assert time.monotonic() - begun < 5
    with controller.house.store.session() as session:
        suspension.resume(session, controller.house, number, why="over", user=user_named(session, "olga"))
    controller.wait(lambda: made.connects(4, OPEN_PORT) and made.connects(6, OPEN_PORT))
    assert ["isolation-notice", "release-notice"] == controller.mails()


def test_a_scan_becomes_a_case_and_comes_back_by_a_release(site: tuple[Site, Controller]) -> None:
    """Cut by the kernel, told of once although the controller was away, released by a person, tried again."""
    made, controller = site
    controller.stop()

    def scan() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
            for number in range(20000, 20600):
                one.sendto(b"x", (INTERNET[4], number))

    inside(made.server, scan)
    assert not made.connects(4, OPEN_PORT)
    controller.listen(lambda work: inside(made.edge, work))

    def case() -> CaseRow | None:
        with controller.house.store.reading() as session:
            query = select(CaseRow).where(CaseRow.clause == "7.1", CaseRow.state == CaseState.ISOLATED)
            return session.scalar(query)

    number = controller.wait(case).number
    controller.wait(controller.is_settled)
    assert not made.connects(4, OPEN_PORT)
    assert "isolation-notice" == controller.mails()[-1]
    with controller.house.store.session() as session:
        suspension.resume(
            session, controller.house, number, why="it was us", user=user_named(session, "olga")
        )

    def taken_back() -> bool:
        with controller.house.store.reading() as session:
            cut = session.scalars(select(IsolationRow).order_by(IsolationRow.id.desc())).first()
            return cut is not None and cut.taken_back_at is not None

    controller.wait(taken_back)
    controller.wait(lambda: made.connects(4, OPEN_PORT))
    with controller.house.store.reading() as session:
        assert 1 == len(session.scalars(select(CaseRow).where(CaseRow.clause == "7.1")).all())
        assert verify(session).is_whole


def test_a_revoked_edge_goes_on_enforcing_and_hears_nothing(site: tuple[Site, Controller]) -> None:
    """Its last good state stands: closed, not open."""
    made, controller = site
    with controller.house.store.session() as session:
        revoke_edge(
            session, edge_named(session, "edge1"), actor="user:olga", why="w", at=controller.house.clock()
        )
    generation = controller.edge().applied_generation
    controller.approve(OPEN_PORT, CLOSED_PORT)
    time.sleep(2)
    assert made.connects(4, OPEN_PORT) and not made.connects(4, CLOSED_PORT)
    assert generation == controller.edge().applied_generation
