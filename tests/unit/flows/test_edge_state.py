"""An edge's state is made anew when what it enforces moved, and only then; it is signed for that edge alone."""

from __future__ import annotations

import base64
from datetime import timedelta
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlalchemy import select

from fwguard.flows import edge_state
from fwguard.flows.edge_state import controller_key, edges_to_look_at, newer
from fwguard.flows.sweeping import sweep
from fwguard.model.edge import Template
from fwguard.model.edge_fields import Span
from fwguard.model.edge_wire import EventKind, state_bytes
from fwguard.model.machine_state import MachineState
from fwguard.model.warrant import Ground
from fwguard.store.edge_ports import set_architecture
from fwguard.store.edge_states import EdgeStateRow
from fwguard.store.edges import edge_named, revoke_edge
from fwguard.store.inventory import server_named
from fwguard.store.machine_states import set_state
from fwguard.store.mail import OutboxRow
from fwguard.store.people import client_named
from fwguard.store.verify import verify
from fwguard.store.warrants import WarrantRow


def warrants(plugged: Any) -> list[WarrantRow]:
    """Return the warrants to the edge, oldest first."""
    with plugged.house.store.reading() as session:
        query = select(WarrantRow).where(WarrantRow.subject == "edge:edge1").order_by(WarrantRow.issued_at)
        return list(session.scalars(query))


def test_the_first_state_holds_what_is_plugged_in(plugged: Any) -> None:
    """Ports with their addresses, the approved opening in the addresses before NAT, and the client's share."""
    state = plugged.work_out()
    assert (1, 1) == (state.epoch, state.generation)
    by_interface = {port.interface: str(port.addresses) for port in state.ports}
    assert {"s0": "10.20.0.11", "i0": "10.20.0.1", "o0": "192.0.2.10"} == by_interface
    (opening,) = state.openings
    assert (Span.parse("192.0.2.10"), 80, "baseline") == (opening.public, opening.first_port, opening.ticket)
    assert plugged.ports["o0"] == opening.port
    assert ["acme"] == [share.client for share in state.shares]


def test_looking_again_makes_no_generation(plugged: Any) -> None:
    """What is the same has one number, however often it is worked out."""
    plugged.work_out()
    for _ in range(3):
        edge_state.look("edge1", plugged.house)
    assert 1 == plugged.work_out().generation
    with plugged.house.store.reading() as session:
        assert 1 == len(session.scalars(select(EdgeStateRow)).all())
        assert [] == edges_to_look_at(session, plugged.house)


def test_an_opening_that_was_asked_for_bears_its_ticket_and_end(plugged: Any) -> None:
    """From its deployment until its end, as a time the kernel keeps; then it is in the state no more."""
    plugged.work_out()
    number = plugged.scene.opened("443", ends_in=timedelta(days=10))
    with plugged.house.store.reading() as session:
        assert ["edge1"] == edges_to_look_at(session, plugged.house)
    state = plugged.work_out()
    (opening,) = [one for one in state.openings if one.ticket == number]
    ends_at = plugged.scene.ticket(number).ends_at
    assert (443, int(ends_at.timestamp())) == (opening.first_port, opening.ends_at_s)
    assert 2 == state.generation
    plugged.scene.clock.at += timedelta(days=11)
    plugged.scene.look(12)
    state = plugged.work_out()
    assert ["baseline"] == [one.ticket for one in state.openings]
    assert [Ground.BASELINE, Ground.APPROVED_CHANGE, Ground.END] == [row.ground for row in warrants(plugged)]


def test_what_the_client_opens_by_itself_is_not_in_the_state(plugged: Any) -> None:
    """The openings are those of the approved policy, whatever the firewall holds at the moment."""
    plugged.work_out()
    plugged.scene.tampered("tcp dport 80 accept", "tcp dport { 80, 3306 } accept")
    edge_state.look("edge1", plugged.house)
    assert [80] == [one.first_port for one in plugged.work_out().openings]


def test_a_stopped_server_is_stopped_at_its_port(plugged: Any) -> None:
    """Its address may be another's soon (clause 4)."""
    with plugged.house.store.session() as session:
        set_state(
            session, server_named(session, "web1"), MachineState.STOPPED, since=plugged.scene.clock.at,
            source="file:x", actor="system", why="w", at=plugged.scene.clock(),
        )  # fmt: skip
    assert [False, True, True] == [port.is_started for port in plugged.work_out().ports]


def test_a_template_of_an_architecture_is_in_the_state(plugged: Any) -> None:
    """A development architecture knows the client's own addresses (Annex 2)."""
    with plugged.house.store.session() as session:
        set_architecture(
            session, "fw-acme", client_named(session, "acme"), actor="user:olga", at=plugged.scene.clock(),
            template=Template.DEVELOPMENT, own_sources=("198.51.100.0/24",),
        )  # fmt: skip
    (one,) = plugged.work_out().architectures
    assert ("development", "198.51.100.0/24") == (one.template, str(one.own_sources))


def test_a_state_is_signed_for_one_edge(plugged: Any) -> None:
    """The signature holds over these bytes for edge1, and for no other edge."""
    plugged.work_out()
    sent = newer(plugged.house, "edge1", 0, 0)
    assert sent is not None
    key = Ed25519PublicKey.from_public_bytes(base64.b64decode(controller_key(plugged.house)))
    key.verify(base64.b64decode(sent.signature), state_bytes("edge1", sent.body))
    with pytest.raises(InvalidSignature):
        key.verify(base64.b64decode(sent.signature), state_bytes("edge2", sent.body))


def test_who_has_the_newest_gets_nothing(plugged: Any) -> None:
    """Nor does who has it make a new epoch."""
    plugged.work_out()
    assert newer(plugged.house, "edge1", 1, 1) is None
    assert 1 == plugged.work_out().epoch


def test_an_edge_that_has_seen_more_than_we_made_gets_a_new_epoch(plugged: Any) -> None:
    """After a database from a backup: the numbers go on above, and a person is told."""
    plugged.work_out()
    assert newer(plugged.house, "edge1", 4, 70) is None
    state = plugged.work_out()
    assert (5, 1) == (state.epoch, state.generation)
    assert "staff-call" in plugged.scene.mails("bob@host.example")


def test_a_revoked_edge_gets_no_new_state(plugged: Any) -> None:
    """It is not even worked out."""
    with plugged.house.store.session() as session:
        revoke_edge(
            session, edge_named(session, "edge1"), actor="user:olga", why="w", at=plugged.scene.clock()
        )
    edge_state.look("edge1", plugged.house)
    with plugged.house.store.reading() as session:
        assert [] == session.scalars(select(EdgeStateRow)).all()


def test_a_warrant_is_used_when_sent_and_settled_when_enforced(plugged: Any) -> None:
    """Each state is ordered by one; what was never sent stays unused, what was overtaken says by what."""
    plugged.work_out()
    plugged.scene.opened("443")
    plugged.work_out()
    plugged.tell(EventKind.APPLIED, port="", epoch=1, generation=2)
    plugged.deal()
    first, second = warrants(plugged)
    assert (first.after, "in its place: 1.2") == (second.before, first.outcome)
    assert "applied and read back" == second.outcome
    with plugged.house.store.reading() as session:
        edge = edge_named(session, "edge1")
        assert (1, 2) == (edge.applied_epoch, edge.applied_generation)
        assert verify(session).is_whole


def test_a_refused_state_calls_a_person(plugged: Any) -> None:
    """The one before still holds; why, stands in the warrant and in the call."""
    plugged.work_out()
    plugged.tell(EventKind.REFUSED, port="", epoch=1, generation=1, why="no such interface")
    plugged.deal()
    (warrant,) = warrants(plugged)
    assert "refused: no such interface" == warrant.outcome
    assert "staff-call" in plugged.scene.mails("bob@host.example")


def test_tables_that_contradict_each_other_make_no_state(plugged: Any) -> None:
    """The state that is stands, the edge's page says why, and a person is called once."""
    plugged.work_out()
    with plugged.house.store.session() as session:
        edge_named(session, "edge1").uplinks = "s0"
        set_architecture(
            session, "x", client_named(session, "acme"), actor="system", at=plugged.scene.clock()
        )
    for _ in range(2):
        edge_state.look("edge1", plugged.house)
    assert 1 == plugged.work_out().generation
    with plugged.house.store.reading() as session:
        assert "s0 is an uplink" in edge_named(session, "edge1").problem
        calls = session.scalars(select(OutboxRow).where(OutboxRow.event == "staff-call")).all()
    assert 2 == len(calls)  # bob and eve


def test_two_controllers_make_one_generation(plugged: Any) -> None:
    """Whoever is slower finds it made, and no number is skipped or doubled."""
    other = plugged.scene.restart()
    edge_state.look("edge1", plugged.house)
    edge_state.look("edge1", other)
    with plugged.house.store.reading() as session:
        assert [1] == list(session.scalars(select(EdgeStateRow.generation)))


def test_the_sweep_finds_what_nobody_poked(plugged: Any) -> None:
    """A command in another process wrote the tables: an edge to look at, an event, a cut whose time is over."""
    plugged.work_out()
    sweep(plugged.house)
    assert not {"edge", "edge-events", "isolations"} & {kind for kind, _ in plugged.house.work.pokes}
    plugged.tell(EventKind.CUT, reason="intrusion", clause="7.1", what="flood")
    plugged.deal()
    plugged.tell(EventKind.ALARM, port="", what="full")
    plugged.scene.clock.at += timedelta(seconds=700)
    plugged.house.work.pokes.clear()
    sweep(plugged.house)
    assert {("edge", "edge1"), ("edge-events", "edge1"), ("isolations", "")} <= set(plugged.house.work.pokes)
