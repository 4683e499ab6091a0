"""The agent and the real doors of the controller: enrolled, pulled, told, dealt with, revoked."""

from __future__ import annotations

import json
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from sqlalchemy import select
from werkzeug.serving import make_server

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_peer import certificate

from fwguard.config import Settings, make_secret_key
from fwguard.edge.agent import Agent, Running, enrol
from fwguard.edge.settings import EdgeSettings
from fwguard.errors import AuthenticationError
from fwguard.flows import edge_events, edge_state
from fwguard.flows.enrolment import enrol as enrol_people
from fwguard.flows.house import House, open_house
from fwguard.kernel.links import make_namespace, remove_namespace
from fwguard.kernel.namespaces import inside
from fwguard.model.detection import Detection, Detector, Reason
from fwguard.model.edge import PortKind
from fwguard.rules.detectors import read_detectors
from fwguard.store.edge_events import EdgeEventRow
from fwguard.store.edge_ports import add_port
from fwguard.store.edges import add_edge, edge_named, issue_edge_token, revoke_edge
from fwguard.store.inventory import server_named
from fwguard.web.app import create_app
from fwguard.web.credentials import credentials

pytestmark = pytest.mark.integration
ROOT = Path(__file__).resolve().parents[3]


class Noted:
    """Work that the test does itself, when it looks."""

    def poke(self, kind: str, subject: str, *, after_s: float = 0.0) -> None:
        """Note nothing."""


class Controller:
    """A house with its portal behind TLS, in a namespace of its own with the edge."""

    def __init__(self, folder: Path, netns: str) -> None:
        self.netns, self.folder = netns, folder
        state = folder / "controller"
        state.mkdir()
        settings = Settings(
            state_dir=state, rules_dir=ROOT / "rules", approvals_dir=ROOT / "approvals", web_dir=ROOT / "web"
        )
        make_secret_key(settings.secret_key_file)
        self.house: House = open_house(settings, work=Noted(), name="test")
        self.house.store.upgrade()
        app = create_app(self.house)
        (state / "key").write_text("no key: nothing is reached here\n")
        firewall = {
            "name": "fw-acme",
            "client": "acme",
            "platform": "linux",
            "transport": "ssh",
            "port": 22,
            "address": "172.30.1.1",
            "username": "root",
            "public": ["192.0.2.10", "2001:db8::10"],
            "host_key": "ssh-ed25519 AAAA",
            "private_key": "key",
        }
        server = {
            "name": "web1",
            "client": "acme",
            "firewall": "fw-acme",
            "addresses": ["10.20.0.10", "fd20::10"],
        }
        inventory = yaml.safe_dump({
            "clients": [{"name": "acme", "title": "Acme", "contacts": []}], "firewalls": [firewall],
            "servers": [server], "people": [],
        })  # fmt: skip
        with app.app_context():
            enrol_people(self.house, inventory, str(state / "inventory.yaml"), credentials(app))
        tls = certificate(folder)
        door = inside(netns, lambda: socket.create_server(("127.0.0.1", 0)))
        self.url = f"https://127.0.0.1:{door.getsockname()[1]}"
        self.server = make_server("127.0.0.1", 0, app, threaded=True, ssl_context=tls, fd=door.detach())
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()

    def plug(self) -> str:
        """Add the edge and plug the server in; return the token."""
        with self.house.store.session() as session:
            now = datetime.now(UTC)
            edge = add_edge(session, "edge1", uplinks=("up0",), uplink_bps=10**9, actor="system", at=now)
            add_port(
                session, edge, "s0", server_named(session, "web1"), kind=PortKind.SERVER,
                macs=("02:00:00:00:00:01",), zone=1001, actor="system", at=now,
            )  # fmt: skip
            return issue_edge_token(session, edge, actor="system", at=now, lasts=timedelta(hours=1))

    def deal(self) -> dict[str, str]:
        """Deal with what came; return what became of each event, by kind."""
        edge_events.look("edge1", self.house)
        with self.house.store.reading() as session:
            rows = session.scalars(select(EdgeEventRow).order_by(EdgeEventRow.id)).all()
            return {str(row.kind): str(row.outcome) for row in rows}

    def wait(self, true: Callable[[], Any]) -> Any:
        """Return what becomes true within 15 s."""
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline:
            if found := true():
                return found
            time.sleep(0.05)
        raise AssertionError(f"not within 15 s: {self.deal()}")

    def stop(self) -> None:
        """End the doors."""
        self.server.shutdown()
        self.server.server_close()
        self.house.store.dispose()


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[Controller]:
    """Make a namespace and a controller in it."""
    netns = f"ec{secrets.token_hex(3)}"
    make_namespace(netns)
    try:
        subprocess.run(["ip", "-n", netns, "link", "set", "lo", "up"], check=True, timeout=10)
        made = Controller(tmp_path, netns)
        yield made
        made.stop()
    finally:
        remove_namespace(netns)


@pytest.fixture
def settings(controller: Controller, tmp_path: Path) -> EdgeSettings:
    """Give the settings of the edge."""
    return EdgeSettings(
        name="edge1", controller=controller.url, ca_file=tmp_path / "ca.pem", state_dir=tmp_path / "edge",
        metrics=None, answer_s=5, suricata=f"file:{tmp_path / 'eve.json'}",
    )  # fmt: skip


def test_from_token_to_case(controller: Controller, settings: EdgeSettings) -> None:
    """Enrolled once, the state in force and told, a verdict stored with its evidence, a revoked key refused."""
    token = controller.plug()
    inside(controller.netns, lambda: enrol(settings, token))
    with pytest.raises(AuthenticationError):
        inside(controller.netns, lambda: enrol(settings, token))
    edge_state.look("edge1", controller.house)
    thresholds = read_detectors(ROOT / "rules")
    running = inside(controller.netns, lambda: Running(Agent(settings), thresholds))
    try:
        controller.wait(lambda: controller.deal().get("applied"))
        with controller.house.store.reading() as session:
            edge = edge_named(session, "edge1")
            assert (edge.epoch, edge.generation) == (edge.applied_epoch, edge.applied_generation)
        detection = Detection(
            detector=Detector.IRC, server="10.20.0.10", peer="198.51.100.9", port=34567, protocol="tcp",
            reason=Reason("irc", (("said", "NICK bot"), ("replied", "001 bot"))), clause="7.5", first_packet=1,
            packets=(1, 2), first_s=time.time(), last_s=time.time(), server_port=40000, peer_port=34567,
            ingress="s0",
        )  # fmt: skip
        running.answering.on_detection(detection, lambda _: b"evidence")
        outcome = controller.wait(lambda: controller.deal().get("verdict"))
        assert "set aside" not in outcome
        alert = {
            "timestamp": datetime.now(UTC).isoformat(), "event_type": "alert", "in_iface": "s0", "proto": "TCP",
            "src_ip": "10.20.0.10", "src_port": 40000, "dest_ip": "198.51.100.9", "dest_port": 80,
            "alert": {"signature_id": 2024364, "signature": "ET SCAN"},
        }  # fmt: skip
        (settings.state_dir.parent / "eve.json").write_text(json.dumps(alert) + "\n")
        sensing = running.sensing
        assert sensing is not None
        controller.wait(lambda: sensing.spoken == 1)
        with controller.house.store.session() as session:
            revoke_edge(
                session, edge_named(session, "edge1"), actor="system", why="test", at=datetime.now(UTC)
            )
        state = running.agent.enforcer.state
        assert state is not None and ("s0",) == tuple(port.interface for port in state.ports)
        assert not inside(controller.netns, running.agent.enforcer.differences)
    finally:
        inside(controller.netns, running.stop)
