"""A house on each database, and a firewall that is a fake: a text, a rollback timer, and faults on demand."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import select

from fwguard.config import Settings, make_secret_key
from fwguard.devices.protocol import Device, Endpoint, Flow
from fwguard.devices.sessions import Sessions
from fwguard.errors import CommitRefusedError, NotPendingError, PreimageMovedError
from fwguard.flows import edge_events, edge_state, guard, reviewing
from fwguard.flows.asking import ask_baseline, ask_opening
from fwguard.flows.deciding import approve
from fwguard.flows.house import House, read_rulebook
from fwguard.model.address import AddressSet
from fwguard.model.edge import EdgeState, PortKind
from fwguard.model.edge_json import parse_state
from fwguard.model.edge_wire import EdgeEvent, EventKind
from fwguard.model.inventory import Client, Contact, Firewall, Language, Platform, Server, Transport
from fwguard.model.ports import TCP, parse_ports
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import Ask, TicketState
from fwguard.model.warrant import Warrant
from fwguard.store import Store
from fwguard.store.cases import CaseRow
from fwguard.store.edge_ports import add_port
from fwguard.store.edges import add_edge, enrol_edge, issue_edge_token
from fwguard.store.inventory import add_firewall, add_server, firewall_named, server_named, set_device_secret
from fwguard.store.mail import OutboxRow
from fwguard.store.people import UserRole, add_client, add_user, user_named
from fwguard.store.tickets import Channel, TicketRow, ticket_numbered
from fwguard.store.vault import Vault

ROOT = Path(__file__).resolve().parents[3]
RULES = """\
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ip daddr 10.20.0.11 tcp dport 80 accept
	}
}
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 192.0.2.10 tcp dport 80 dnat to 10.20.0.11
	}
}
"""
SYSCTL = "net.ipv4.ip_forward = 1\nnet.ipv6.conf.all.forwarding = 1\n"


@dataclass
class FakeFirewall:
    """What the far side holds. `unconfirmed` is the state to go back to, as the device's own timer does.

    A gate answers a second confirmation of the same warrant as the first; NETCONF knows nothing of it any
    more (`forgets`).
    """

    now: Snapshot
    unconfirmed: dict[str, Snapshot] = field(default_factory=dict)
    confirmed: set[str] = field(default_factory=set)
    forgets: bool = False
    glanced: Snapshot | None = None
    ended: list[Flow] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    on_call: Callable[[str, int], None] = lambda name, count: None

    def called(self, name: str) -> None:
        """Count a call, and let a test make it fail."""
        self.calls.append(name)
        self.on_call(name, len(self.calls))

    def time_runs_out(self) -> None:
        """The rollback timers fire."""
        for before in self.unconfirmed.values():
            self.now = before
        self.unconfirmed.clear()


class FakeDevice:
    """A session with the fake firewall."""

    written_by_confirm: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, firewall: FakeFirewall) -> None:
        self._firewall = firewall

    def read(self) -> Snapshot:
        """Return what it holds."""
        self._firewall.called("read")
        return self._firewall.now

    def glance(self, approved: Snapshot) -> Snapshot | None:
        """Return what a test says that it shows."""
        self._firewall.called("glance")
        return self._firewall.glanced

    def apply(
        self,
        before: Snapshot,
        after: Snapshot,
        *,
        warrant: Warrant,
        confirm_s: int,
        end: tuple[Flow, ...] = (),
    ) -> None:
        """Write, with a way back until it is confirmed."""
        warrant.require(subject=warrant.subject, before=before.digest, after=after.digest)
        self._firewall.called("before apply")
        if self._firewall.unconfirmed:
            raise CommitRefusedError("busy: another write waits to be confirmed")
        if self._firewall.now != before:
            raise PreimageMovedError("it holds something else")
        self._firewall.unconfirmed[warrant.id] = self._firewall.now
        self._firewall.now = after
        self._firewall.ended += end
        self._firewall.called("after apply")

    def confirm(self, warrant: Warrant) -> None:
        """Keep what was written; again is fine."""
        self._firewall.called("before confirm")
        if warrant.id not in self._firewall.confirmed or self._firewall.forgets:
            if warrant.id not in self._firewall.unconfirmed:
                raise NotPendingError("nothing of this warrant waits")
            del self._firewall.unconfirmed[warrant.id]
            self._firewall.confirmed.add(warrant.id)
        self._firewall.called("after confirm")

    def roll_back(self, warrant: Warrant) -> None:
        """Go back."""
        self._firewall.called("roll back")
        if warrant.id not in self._firewall.unconfirmed:
            raise NotPendingError("nothing of this warrant waits")
        self._firewall.now = self._firewall.unconfirmed.pop(warrant.id)

    def close(self) -> None:
        """Nothing to close."""


class Clock:
    """A clock that tests turn."""

    def __init__(self) -> None:
        self.at = datetime(2026, 3, 4, 10, tzinfo=UTC)

    def __call__(self) -> datetime:
        self.at += timedelta(milliseconds=1)  # two things never happen at one moment
        return self.at


class Noted:
    """Work that is only noted."""

    def __init__(self) -> None:
        self.pokes: list[tuple[str, str]] = []

    def poke(self, kind: str, subject: str, *, after_s: float = 0.0) -> None:
        """Note it."""
        self.pokes.append((kind, subject))


@dataclass
class Scene:
    """One client, one firewall, its people; and the shortest way to do what they do."""

    house: House
    firewall: FakeFirewall
    clock: Clock
    restart: Callable[[], House]

    def look(self, times: int = 6) -> None:
        """Look at the firewall until there is nothing left to do at once."""
        for _ in range(times):
            if guard.look("fw-acme", self.house) > 0:
                return

    def approve_baseline(self) -> None:
        """Approve the firewall as it stands, by two people."""
        self.look()
        with self.house.store.session() as session:
            number = ask_baseline(session, self.house, "fw-acme", user=user_named(session, "olga")).number
        self.decide(number, "bob")
        self.look()

    def ask(
        self, ports: str = "443", source: str = "any", ends_in: timedelta | None = None, server: str = "web1"
    ) -> str:
        """Ask as the client for a port of a server; return the ticket's number."""
        ask = Ask(
            server=server, protocol=TCP, source=AddressSet.parse(source), ports=parse_ports(ports),
            ends_at=self.clock.at + ends_in if ends_in else None, reason="shop",
        )  # fmt: skip
        with self.house.store.session() as session:
            user = user_named(session, "ann")
            number = ask_opening(session, self.house, ask, channel=Channel.FORM, user=user).number
        reviewing.look(number, self.house)
        return number

    def decide(self, number: str, *approvers: str) -> None:
        """Analyse a ticket and approve it."""
        reviewing.look(number, self.house)
        for approver in approvers:
            with self.house.store.session() as session:
                ticket = ticket_numbered(session, number)
                approve(
                    session,
                    self.house,
                    ticket,
                    user_named(session, approver),
                    digest=ticket.binding,
                    source="portal",
                )

    def opened(self, ports: str = "443", **how: object) -> str:
        """Ask, approve by everyone, deploy; return the ticket's number."""
        number = self.ask(ports, **how)  # type: ignore[arg-type]
        self.decide(number, *self.enough(number))
        self.look()
        return number

    def enough(self, number: str) -> tuple[str, ...]:
        """Return as many approvers as the ticket's risk asks for."""
        with self.house.store.reading() as session:
            risk = (ticket_numbered(session, number).analysis or {})["risk"]["class"]
        return ("bob", "eve")[: self.house.rulebook.policy.needs(risk)]

    def state(self, number: str) -> TicketState:
        """Return where a ticket stands."""
        with self.house.store.reading() as session:
            return ticket_numbered(session, number).state

    def ticket(self, number: str) -> TicketRow:
        """Return a ticket with its columns."""
        with self.house.store.reading() as session:
            return ticket_numbered(session, number)

    def cases(self) -> list[CaseRow]:
        """Return every case, oldest first."""
        with self.house.store.reading() as session:
            return list(session.scalars(select(CaseRow).order_by(CaseRow.id)))

    def mails(self, recipient: str = "ann@acme.example") -> list[str]:
        """Return the events of the mails written to someone, oldest first."""
        with self.house.store.reading() as session:
            query = select(OutboxRow.event).where(OutboxRow.recipient == recipient).order_by(OutboxRow.id)
            return list(session.scalars(query))

    def tampered(self, old: str, new: str) -> None:
        """Change the running text behind our back."""
        text = self.firewall.now.get("nft")
        assert old in text
        self.firewall.now = self.firewall.now.with_parts({"nft": text.replace(old, new)})


@pytest.fixture
def scene(store: Store, tmp_path: Path) -> Scene:
    """Set the scene on a database."""
    settings = Settings(
        state_dir=tmp_path, database_url=str(store.engine.url), desk_address="desk@host.example",
        mail_domain="host.example", confirm_s=20, poll_s=30,
    )  # fmt: skip
    make_secret_key(settings.secret_key_file)
    far = FakeFirewall(Snapshot({"nft": RULES, "sysctl": SYSCTL, "boot/nftables.conf": RULES}))
    clock = Clock()
    key = base64.b64encode(b"k").decode()

    def connect(_endpoint: Endpoint) -> Device:
        far.called("connect")
        return FakeDevice(far)

    def house() -> House:
        return House(
            settings=settings, store=store, vault=Vault(settings.keys), mail_key=settings.keys.derive("mail ids"),
            rulebook=read_rulebook(ROOT / "rules", ROOT / "approvals"), sessions=Sessions(connect), work=Noted(),
            name="test", clock=clock,
        )  # fmt: skip

    first = house()
    with store.session() as session:
        contact = Contact(mail="ann@acme.example", name="Ann", language=Language.EN)
        client = add_client(session, Client(name="acme", title="Acme", contacts=(contact,)))
        row = add_firewall(
            session,
            Firewall(
                name="fw-acme", client="acme", platform=Platform.LINUX, transport=Transport.SSH,
                address="172.30.1.1", port=22, username="root", public=("192.0.2.10",),
            ),
        )  # fmt: skip
        set_device_secret(row, first.vault, private_key=key, host_key=f"ssh-ed25519 {key}")
        add_server(session, Server(name="web1", client="acme", firewall="fw-acme", addresses=("10.20.0.11",)))
        add_user(
            session, username="ann", email=contact.mail, name="Ann", role=UserRole.CLIENT, password_hash=None,
            at=clock(), client=client, contact=client.contacts[0], language=Language.EN,
        )  # fmt: skip
        for name, role in (
            ("olga", UserRole.OPERATOR),
            ("bob", UserRole.APPROVER),
            ("eve", UserRole.APPROVER),
        ):
            add_user(
                session, username=name, email=f"{name}@host.example", name=name.title(), role=role,
                password_hash=None, at=clock(), language=Language.EN,
            )  # fmt: skip
    return Scene(first, far, clock, house)


@dataclass
class Plugged:
    """An enrolled edge at which the client's server and firewall are plugged in, and what it would do."""

    scene: Scene
    key: Ed25519PrivateKey
    ports: dict[str, int]  # interface -> number
    sent: int = 0

    @property
    def house(self) -> House:
        """Return the house of the scene, also after a restart."""
        return self.scene.house

    def work_out(self) -> EdgeState:
        """Look at the edge and return the state that it would get next."""
        edge_state.look("edge1", self.house)
        sent = edge_state.newer(self.house, "edge1", 0, 0)
        assert sent is not None
        return parse_state(sent.body)

    def tell(
        self, kind: EventKind, port: str = "s0", *, at: datetime | None = None, name: str = "", **facts: Any
    ) -> str:
        """Send one event as the edge; return its id."""
        self.sent += 1
        at = at or self.scene.clock.at
        event = EdgeEvent(
            id=name or f"event-{self.sent:06}", kind=kind, at_us=int(at.timestamp() * 1e6),
            port=self.ports.get(port, 0) if port else 0, facts=facts,
        )  # fmt: skip
        edge_events.receive(self.house, "edge1", [event])
        return event.id

    def deal(self) -> None:
        """Deal with all that came."""
        edge_events.look("edge1", self.house)


@pytest.fixture
def plugged(scene: Scene) -> Plugged:
    """Plug the client in at an edge."""
    scene.approve_baseline()
    key = Ed25519PrivateKey.generate()
    with scene.house.store.session() as session:
        at = scene.clock()
        edge = add_edge(session, "edge1", uplinks=("up0",), uplink_bps=10**10, actor="user:olga", at=at)
        token = issue_edge_token(session, edge, actor="user:olga", at=at, lasts=timedelta(hours=1))
        enrol_edge(session, "edge1", token, key.public_key().public_bytes_raw(), at=at)
        server, firewall = server_named(session, "web1"), firewall_named(session, "fw-acme")
        made = [
            add_port(session, edge, "s0", server, kind=PortKind.SERVER, macs=("02:00:00:00:00:01",), zone=1001,
                     actor="user:olga", at=at),
            add_port(session, edge, "i0", firewall, kind=PortKind.FIREWALL_IN, macs=("02:00:00:00:00:02",),
                     zone=1001, addresses=("10.20.0.1",), actor="user:olga", at=at),
            add_port(session, edge, "o0", firewall, kind=PortKind.FIREWALL_OUT, macs=("02:00:00:00:00:03",),
                     zone=2001, device_interface="wan0", actor="user:olga", at=at),
        ]  # fmt: skip
        return Plugged(scene, key, {row.interface: row.id for row in made})
