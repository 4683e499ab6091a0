"""The doors for edges: signed, fresh, once, bounded; and a state for its own edge only."""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from flask import Flask
from sqlalchemy import select, text

from fwguard.flows import edge_state
from fwguard.flows.house import House
from fwguard.model.edge import PortKind
from fwguard.model.edge_json import parse_state
from fwguard.model.edge_wire import SCHEME, request_bytes, state_bytes
from fwguard.store.edge_events import EdgeEventRow
from fwguard.store.edge_ports import add_port
from fwguard.store.edges import add_edge, edge_named, issue_edge_token, revoke_edge
from fwguard.store.inventory import server_named

EVENT = {"id": "event-0001", "kind": "alarm", "at_us": 1, "port": 0, "facts": {"what": "full"}}


class Edge:
    """An edge as it asks: with its key, over the portal's own doors."""

    def __init__(self, app: Flask, house: House, name: str) -> None:
        self.client, self.house, self.name = app.test_client(), house, name
        self.key = Ed25519PrivateKey.generate()
        with house.store.session() as session:
            edge = add_edge(
                session, name, uplinks=("up0",), uplink_bps=10**9, actor="system", at=house.clock()
            )
            self.token = issue_edge_token(
                session, edge, actor="system", at=house.clock(), lasts=timedelta(hours=1)
            )

    @property
    def public_key(self) -> str:
        """Return its key as it is sent."""
        return base64.b64encode(self.key.public_key().public_bytes_raw()).decode()

    def enrol(self) -> Any:
        """Come with the token."""
        body = {"edge": self.name, "token": self.token, "public_key": self.public_key}
        return self.client.post("/edge/v1/enrol", json=body)

    def header(
        self, method: str, target: str, body: bytes, *, off_s: float = 0, other: dict[str, Any] | None = None
    ) -> dict[str, str]:
        """Return the signature of a request; `other` are values that are signed instead of the true ones."""
        time_s = int(self.house.clock().timestamp() + off_s)
        nonce = secrets.token_hex(16)
        signed = {"edge": self.name, "method": method, "target": target, "body": body} | (other or {})
        signature = self.key.sign(request_bytes(**signed, time_s=time_s, nonce=nonce))
        return {
            "Authorization": f"{SCHEME} {self.name} {time_s} {nonce} {base64.b64encode(signature).decode()}"
        }

    def get(self, target: str = "/edge/v1/state?epoch=0&generation=0&wait_s=0", **how: Any) -> Any:
        """Ask."""
        return self.client.get(target, headers=self.header("GET", target, b"", **how))

    def post(self, target: str, value: Any, **how: Any) -> Any:
        """Tell."""
        body = json.dumps(value).encode()
        return self.client.post(
            target,
            data=body,
            headers=self.header("POST", target, body, **how),
            content_type="application/json",
        )


@pytest.fixture
def edge(app: Flask, house: House) -> Edge:
    """Give an edge that enrolled, with a server plugged in."""
    made = Edge(app, house, "edge1")
    assert 200 == made.enrol().status_code
    with house.store.session() as session:
        add_port(
            session, edge_named(session, "edge1"), "s0", server_named(session, "web-acme"), kind=PortKind.SERVER,
            macs=("02:00:00:00:00:01",), zone=1, actor="system", at=house.clock(),
        )  # fmt: skip
    return made


def test_enrolment_gives_the_controllers_key(app: Flask, house: House) -> None:
    """By the token, once; what signs states is what was given."""
    made = Edge(app, house, "edge1")
    answer = made.enrol()
    assert {"controller_key": edge_state.controller_key(house)} == answer.get_json()
    assert (403, 403) == (made.enrol().status_code, made.enrol().status_code)


def test_a_token_is_for_its_own_edge(app: Flask, house: House) -> None:
    """Another edge's name does not fit it."""
    one, other = Edge(app, house, "edge1"), Edge(app, house, "edge2")
    one.token = other.token
    assert 403 == one.enrol().status_code


def test_guessing_tokens_ends(app: Flask, house: House) -> None:
    """After twenty wrong ones an address waits."""
    made = Edge(app, house, "edge1")
    made.token = "fwe_guess"
    codes = [made.enrol().status_code for _ in range(22)]
    assert ([403] * 20, [429] * 2) == (codes[:20], codes[20:])


def test_an_edge_gets_its_state_signed_for_it(edge: Edge, house: House) -> None:
    """The very bytes that were signed; nothing while there is none, or none newer."""
    assert 204 == edge.get().status_code
    edge_state.look("edge1", house)
    answer = edge.get()
    data = answer.get_json()
    body = json.dumps(data["state"], sort_keys=True, separators=(",", ":")).encode()
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(edge_state.controller_key(house)))
    key.verify(base64.b64decode(data["signature"]), state_bytes("edge1", body))
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(data["signature"]), state_bytes("edge2", body))
    assert ["s0"] == [port.interface for port in parse_state(body).ports]
    assert 204 == edge.get("/edge/v1/state?epoch=1&generation=1&wait_s=0").status_code


def test_another_edge_gets_its_own_state(edge: Edge, app: Flask, house: House) -> None:
    """It sees none of the first one's ports, whatever it asks."""
    other = Edge(app, house, "edge2")
    other.enrol()
    edge_state.look("edge1", house)
    edge_state.look("edge2", house)
    state = other.get().get_json()["state"]
    assert ("edge2", []) == (state["edge"], state["ports"])


def test_a_revoked_edge_is_refused(edge: Edge, house: House) -> None:
    """At once, at every door."""
    with house.store.session() as session:
        revoke_edge(session, edge_named(session, "edge1"), actor="system", why="w", at=house.clock())
    assert (403, 403) == (edge.get().status_code, edge.post("/edge/v1/events", {"events": []}).status_code)


def test_a_request_sent_again_is_refused(edge: Edge) -> None:
    """Whoever caught it cannot use it."""
    target = "/edge/v1/state?epoch=0&generation=0&wait_s=0"
    headers = edge.header("GET", target, b"")
    codes = [edge.client.get(target, headers=headers).status_code for _ in range(2)]
    assert [204, 401] == codes


@pytest.mark.parametrize("off_s", [-301, 302])
def test_a_clock_that_is_off_is_refused(edge: Edge, off_s: int) -> None:
    """And told by how much."""
    answer = edge.get(off_s=off_s)
    assert 401 == answer.status_code
    assert "clock" in answer.get_json()["error"]


@pytest.mark.parametrize(
    "other",
    [{"edge": "edge2"}, {"method": "POST"}, {"target": "/edge/v1/state?epoch=9"}, {"body": b"x"}],
    ids=lambda other: next(iter(other)),
)
def test_a_signature_of_something_else_does_not_hold(edge: Edge, other: dict[str, Any]) -> None:
    """Each part of the request is signed."""
    assert 401 == edge.get(other=other).status_code


@pytest.mark.parametrize("header", ["", "Bearer x", f"{SCHEME} edge1 1 2 3", f"{SCHEME} nobody {'1 ' * 3}"])
def test_without_a_signature_nobody_is_let_in(edge: Edge, header: str) -> None:
    """No session, no cookie, no login page: 401."""
    for ask in (edge.client.get, edge.client.post):
        path = "/edge/v1/state" if ask == edge.client.get else "/edge/v1/events"
        assert 401 == ask(path, headers={"Authorization": header} if header else {}).status_code


def test_events_sent_twice_are_stored_once(edge: Edge, house: House) -> None:
    """Both times the edge hears that they are."""
    for _ in range(2):
        assert {"stored": ["event-0001"]} == edge.post("/edge/v1/events", {"events": [EVENT]}).get_json()
    with house.store.reading() as session:
        assert 1 == len(session.scalars(select(EdgeEventRow)).all())
    assert ("edge-events", "edge1") in house.work.pokes  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "value",
    [[], {"events": "x"}, {"events": [EVENT, {"id": "x"}]}, {"events": [{**EVENT, "kind": "nice"}]},
     {"events": [EVENT] * 501}],
)  # fmt: skip
def test_what_is_no_batch_is_refused_whole(edge: Edge, house: House, value: Any) -> None:
    """Nothing of it is stored, and the answer names where it is wrong."""
    answer = edge.post("/edge/v1/events", value)
    assert 400 == answer.status_code
    assert answer.get_json()["error"]
    with house.store.reading() as session:
        assert [] == session.scalars(select(EdgeEventRow)).all()


def test_bodies_are_bounded(edge: Edge) -> None:
    """A report of a megabyte is not read."""
    assert 413 == edge.post("/edge/v1/report", {"words": "x" * (1 << 20)}).status_code
    assert (
        200
        == edge.post(
            "/edge/v1/events", {"events": [{**EVENT, "facts": {"evidence": "A" * (1 << 19)}}]}
        ).status_code
    )


def test_a_report_is_kept(edge: Edge, house: House) -> None:
    """The newest one, and when."""
    edge.post("/edge/v1/report", {"spooled": 3})
    with house.store.reading() as session:
        row = edge_named(session, "edge1")
        assert ({"spooled": 3}, True) == (row.report, row.seen_at is not None)


@pytest.mark.parametrize("query", ["epoch=-1", "epoch=x", "generation=" + "9" * 30, "wait_s=1e9"])
def test_numbers_that_are_none_are_refused(edge: Edge, query: str) -> None:
    """With what was expected."""
    assert 400 == edge.get(f"/edge/v1/state?{query}").status_code


def _in_thread(ask: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    got: list[Any] = []
    thread = threading.Thread(target=lambda: got.append(ask()))
    thread.start()
    return thread, got


def test_who_waits_hears_of_a_newer_state_at_once(edge: Edge, house: House) -> None:
    """Not after its time, but within a fraction of a second."""
    thread, got = _in_thread(lambda: edge.get("/edge/v1/state?epoch=0&generation=0&wait_s=20"))
    time.sleep(0.5)
    assert not got
    edge_state.look("edge1", house)
    thread.join(timeout=5)
    assert 200 == got[0].status_code


def test_waiting_ends_with_its_time(edge: Edge) -> None:
    """204, and the edge asks again."""
    begun = time.monotonic()
    assert 204 == edge.get("/edge/v1/state?epoch=0&generation=0&wait_s=1").status_code
    assert 0.9 < time.monotonic() - begun < 5


def test_only_so_many_edges_wait(edge: Edge, app: Flask) -> None:
    """The next one is told to ask again, so that threads are left for everyone else."""
    from fwguard.web.edge_waiting import Waiting

    app.extensions["fwguard_edges_waiting"] = Waiting(edge.house, 1)
    thread, got = _in_thread(lambda: edge.get("/edge/v1/state?epoch=0&generation=0&wait_s=2"))
    time.sleep(0.5)
    answer = edge.get("/edge/v1/state?epoch=0&generation=0&wait_s=2")
    assert (503, "2") == (answer.status_code, answer.headers["Retry-After"])
    thread.join(timeout=10)
    assert 204 == got[0].status_code


def test_a_generation_never_falls(edge: Edge, house: House) -> None:
    """Also where someone took rows away: what the edge has seen is below what it gets next."""
    edge_state.look("edge1", house)
    assert 204 == edge.get("/edge/v1/state?epoch=3&generation=9&wait_s=0").status_code
    edge_state.look("edge1", house)
    state = edge.get("/edge/v1/state?epoch=3&generation=9&wait_s=0").get_json()["state"]
    assert (3, 9) < (state["epoch"], state["generation"])
    with house.store.reading() as session:
        numbers = session.execute(text("SELECT epoch, generation FROM edge_states ORDER BY id")).all()
    assert sorted(numbers) == list(numbers)
