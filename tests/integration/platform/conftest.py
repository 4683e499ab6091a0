"""A platform under guard: the lab, its controller, and approved firewalls, once for each test process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TypeVar

import pytest
from sqlalchemy import select

from fwguard.lab.control_room import ControlRoom
from fwguard.lab.platform import Lab
from fwguard.model.case import CaseKind
from fwguard.store import Store
from fwguard.store.cases import CaseRow
from fwguard.store.inventory import FirewallRow, WatchState
from fwguard.store.tickets import TicketRow

T = TypeVar("T")
OPERATOR, APPROVER, SECOND = "olivier@operator.example", "claire@operator.example", "david@operator.example"


def until(found: Callable[[], T], what: str, *, within_s: float = 20.0) -> T:
    """Wait for something to become true and return it; fail with what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        time.sleep(0.02)


@dataclass
class Guarded:
    """The lab and its controller; what the controller wrote is read from its database."""

    lab: Lab
    room: ControlRoom

    def until(self, found: Callable[[], T], what: str, *, within_s: float = 20.0) -> T:
        """Wait for something to become true and return it; fail with what was waited for."""
        return until(found, what, within_s=within_s)

    @property
    def store(self) -> Store:
        """Return the controller's database."""
        return Store(f"sqlite:///{self.room.directory / 'state' / 'fwguard.sqlite'}")

    def drift_cases(self, firewall: str) -> list[CaseRow]:
        """Return the drift cases of a firewall, oldest first."""
        query = select(CaseRow).join(FirewallRow, CaseRow.firewall_id == FirewallRow.id)
        query = query.where(FirewallRow.name == firewall, CaseRow.kind == CaseKind.DRIFT).order_by(CaseRow.id)
        store = self.store
        with store.reading() as session:
            rows = list(session.scalars(query))
            for row in rows:
                session.refresh(row, ["moves", "client"])
        store.dispose()
        return rows

    def ticket(self, number: str) -> TicketRow:
        """Return a ticket as it stands."""
        store = self.store
        with store.reading() as session:
            row = session.scalars(select(TicketRow).where(TicketRow.number == number)).one()
        store.dispose()
        return row

    def firewall_state(self, name: str) -> WatchState:
        """Return what the controller knows of a firewall."""
        store = self.store
        with store.reading() as session:
            state = session.scalars(select(FirewallRow.state).where(FirewallRow.name == name)).one()
        store.dispose()
        return state

    def mails(self, address: str, word: str) -> list[EmailMessage]:
        """Return the mails of an address whose subject or text holds a word."""
        return [
            mail
            for mail in self.lab.mail(address)
            if word in str(mail["Subject"]) or word in mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        ]

    def approve(self, number: str, actor: str = APPROVER) -> None:
        """Approve a ticket on the command line."""
        self.room.command("request", "approve", number, actor=actor)

    def approve_baselines(self) -> None:
        """Read every firewall, ask for its approval as it stands, and have another person give it."""
        for firewall in self.lab.plan.firewalls:
            self.room.command("firewall", "read", firewall.name, actor=OPERATOR)
            number = self.room.command("firewall", "baseline", firewall.name, actor=OPERATOR).split(":")[0]
            until(lambda number=number: self.ticket(number).binding, f"the review of {number}")  # type: ignore[misc]
            self.approve(number)
            until(
                lambda name=firewall.name: self.firewall_state(name) is WatchState.WATCHED,  # type: ignore[misc]
                f"{firewall.name} watched",
            )


@pytest.fixture(scope="session")
def guarded() -> Iterator[Guarded]:
    """A platform whose firewalls are approved and watched. Tests leave it as they found it."""
    lab = Lab.up(bound=True)
    try:
        room = ControlRoom(lab)
        room.set_up()
        room.start()
        platform = Guarded(lab, room)
        platform.approve_baselines()
        yield platform
        room.close()
    finally:
        lab.down()
