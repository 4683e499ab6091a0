"""A platform under guard: a lab, its controller as a process, firewalls approved and watched.

Tests act through doors that people have (the command line, mail, the firewall's own root) and read what the
controller wrote from its database.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from functools import cached_property
from typing import Any, TypeVar

from sqlalchemy import select

from fwguard.config import load_settings
from fwguard.devices.open import open_device
from fwguard.flows.drift import differing_parts
from fwguard.flows.house import House, open_house
from fwguard.lab.control_room import ControlRoom
from fwguard.lab.namespaces import inside
from fwguard.lab.people import DESK, Person
from fwguard.lab.platform import Lab
from fwguard.lab.tamper import SCRIPTS, WAYS
from fwguard.model.case import CaseEvent, CaseKind, CaseState
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import TicketState
from fwguard.store import Store
from fwguard.store.approved import current_baseline, last_reading
from fwguard.store.cases import CaseRow
from fwguard.store.inventory import FirewallRow, firewall_named
from fwguard.store.mail import MailInRow, OutboxRow
from fwguard.store.tickets import TicketRow

T = TypeVar("T")
OPERATOR, APPROVER, SECOND = "olivier@operator.example", "claire@operator.example", "david@operator.example"
CONTACT = {
    "fw-acme": "alice@acme.example",
    "fw-globex": "grace@globex.example",
    "fw-initech": "alice@initech.example",
}
FIREWALLS = tuple(CONTACT)
# The ways of `fwguard lab tamper`, by how they are seen.
FAULTS = ("off", "on", "hang", "wake", "new-host-key", "no-keys")
NO_CHANGE = ("counters", "comment", "reload")
POLLED = ("ipset-add", "legacy-rule", "sysctl", "boot-file", "boot-route")
STREAMED = tuple(way for way in WAYS if way not in (*FAULTS, *NO_CHANGE, *POLLED, "reboot"))


def until(found: Callable[[], T], what: str, *, within_s: float = 30.0) -> T:
    """Wait for something to become true and return it; fail with what was waited for."""
    deadline = time.monotonic() + within_s
    while True:
        value = found()
        if value:
            return value
        assert time.monotonic() < deadline, f"waited {within_s} s for {what}"
        time.sleep(0.03)


@dataclass
class Guarded:
    """The lab and its controller."""

    lab: Lab
    room: ControlRoom

    @cached_property
    def _opened(self) -> Store:
        return Store(f"sqlite:///{self.room.directory / 'state' / 'fwguard.sqlite'}")

    @property
    def store(self) -> Store:
        """Return the controller's database, for reading, each time over a new connection: one that was open
        while the controller stopped goes on reading the log file that SQLite has put away."""
        self._opened.dispose()
        return self._opened

    # ------------------------------------------------------------ what the controller knows

    def cases(self, firewall: str, kind: CaseKind = CaseKind.DRIFT) -> list[CaseRow]:
        """Return the cases of a firewall, oldest first."""
        query = select(CaseRow).join(FirewallRow, CaseRow.firewall_id == FirewallRow.id)
        query = query.where(FirewallRow.name == firewall, CaseRow.kind == kind).order_by(CaseRow.id)
        with self.store.reading() as session:
            rows = list(session.scalars(query))
            for row in rows:
                session.refresh(row, ["moves", "client"])
        return rows

    def all_cases(self, firewall: str) -> list[CaseRow]:
        """Return the cases of a firewall of every kind."""
        return [case for kind in CaseKind for case in self.cases(firewall, kind)]

    def ticket(self, number: str) -> TicketRow:
        """Return a ticket as it stands, with its moves."""
        with self.store.reading() as session:
            row = session.scalars(select(TicketRow).where(TicketRow.number == number)).one()
            session.refresh(row, ["moves"])
        return row

    def tickets(self) -> list[TicketRow]:
        """Return all tickets, oldest first."""
        with self.store.reading() as session:
            return list(session.scalars(select(TicketRow).order_by(TicketRow.id)))

    def firewall(self, name: str) -> FirewallRow:
        """Return what the controller knows of a firewall."""
        with self.store.reading() as session:
            return session.scalars(select(FirewallRow).where(FirewallRow.name == name)).one()

    def mails_in(self) -> list[MailInRow]:
        """Return what came to the desk, oldest first."""
        with self.store.reading() as session:
            return list(session.scalars(select(MailInRow).order_by(MailInRow.id)))

    def outbox(self) -> list[OutboxRow]:
        """Return every mail that was written, oldest first."""
        with self.store.reading() as session:
            return list(session.scalars(select(OutboxRow).order_by(OutboxRow.id)))

    # ------------------------------------------------------------ what people see and do

    def mails(self, address: str, word: str, subject: str = "") -> list[EmailMessage]:
        """Return the mails of an address that hold a word, and in their subject another."""
        return [
            mail
            for mail in self.lab.mail(address)
            if word in str(mail["Subject"]) + text_of(mail) and subject in str(mail["Subject"])
        ]

    def differs(self, firewall: str) -> tuple[str, ...]:
        """Return the parts in which the firewall, read now over a session of ours, is not as approved."""
        with self.store.reading() as session:
            row = firewall_named(session, firewall)
            baseline = current_baseline(session, row.id)
            endpoint = self._house.endpoint(row)
        assert baseline is not None

        def read() -> Snapshot:
            device = open_device(endpoint)
            try:
                return device.read()
            finally:
                device.close()

        reading = inside(self.lab.netns("controller"), read)
        return differing_parts(row.platform, baseline.snapshot, reading)

    @cached_property
    def _house(self) -> House:
        return open_house(load_settings(self.room.config, {}))

    def _was_read(self, firewall: str) -> bool:
        with self.store.reading() as session:
            return last_reading(session, firewall_named(session, firewall).id) is not None

    def tamper_all(self, ways: dict[str, str]) -> dict[str, CaseRow]:
        """Tamper with firewalls (name -> way) at once; return the one case of each once all are restored."""
        before = {name: len(self.cases(name)) for name in ways}
        for name, way in ways.items():
            self.lab.tamper(name, way)
        found = {}
        for name, way in ways.items():
            until(lambda name=name: self._closed(name, before[name]), f"{name} restored after {way}")  # type: ignore[misc]
            (found[name],) = self.cases(name)[before[name] :]
        return found

    def having(self, way: str) -> list[str]:
        """Return the firewalls that can be tampered with in this way."""
        return [name for name in FIREWALLS if way in SCRIPTS[self.lab.firewall(name).kind]]

    def seen_undone_and_told(self, way: str, names: list[str]) -> None:
        """Tamper in one way and check all that follows, up to the mail in the contact's language."""
        for name, case in self.tamper_all(dict.fromkeys(names, way)).items():
            assert "7.1.1" == case.clause
            assert [CaseEvent.RESTORE_STARTED, CaseEvent.RESTORED] == [move.event for move in case.moves][-2:]
            assert case.summary_fr
            assert case.summary_en
            assert () == self.differs(name), (way, name)
            (mail,) = until(
                lambda name=name, case=case: self.mails(CONTACT[name], case.number),  # type: ignore[misc]
                f"the mail about {case.number}",
            )
            said = case.summary_en if name == "fw-globex" else case.summary_fr
            assert said.splitlines()[0].split("(")[0].strip() in " ".join(text_of(mail).split())

    def _closed(self, firewall: str, before: int) -> bool:
        cases = self.cases(firewall)[before:]
        return bool(cases) and all(case.state is CaseState.CLOSED for case in cases)

    def post(
        self,
        text: str,
        *,
        sender: str,
        login: Person | None = None,
        subject: str = "Demande",
        message_id: str = "",
        author: str = "",
    ) -> EmailMessage:
        """Write to the desk through the operator's mail door; `author` is From where it is not the sender."""
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = author or sender, DESK, subject
        mail["Date"] = formatdate()
        mail["Message-ID"] = message_id or make_msgid(domain="client.example")
        mail.set_content(text)
        self.lab.send(mail.as_bytes(), sender=sender, recipients=[DESK], login=login)
        return mail

    def baseline(self, firewall: str) -> str:
        """Return the digest of what is approved."""
        with self.store.reading() as session:
            row = current_baseline(session, firewall_named(session, firewall).id)
        assert row is not None
        return row.digest

    def ask(self, server: str, port: str, *, actor: str, until_: str = "30d", source: str = "any") -> str:
        """Ask for an opening on the command line; return the ticket's number once it is analysed."""
        said = self.room.rows(
            "request", "new", "--server", server, "--port", port, "--from", source, "--until", until_,
            "--reason", "test", actor=actor,
        )  # fmt: skip
        number = str(said[0]["number"])
        self.reviewed(number)
        return number

    def reviewed(self, number: str) -> TicketRow:
        """Wait until a ticket is before its approvers."""
        until(lambda: self.ticket(number).binding, f"the review of {number}")
        return self.ticket(number)

    def approve(self, number: str) -> None:
        """Have as many different people approve a ticket as it needs."""
        for actor in (APPROVER, SECOND):
            if self.ticket(number).state is TicketState.REVIEW:
                self.room.command("request", "approve", number, actor=actor)

    def open(self, server: str, port: str, *, actor: str, until_: str = "30d", source: str = "any") -> str:
        """Ask for an opening, have it approved, and wait until it is open."""
        number = self.ask(server, port, actor=actor, until_=until_, source=source)
        self.approve(number)
        self.wait(number, TicketState.OPEN)
        return number

    def wait(self, number: str, state: TicketState, *, within_s: float = 30.0) -> TicketRow:
        """Wait until a ticket stands somewhere."""
        until(lambda: self.ticket(number).state is state, f"{number} {state}", within_s=within_s)
        return self.ticket(number)

    def close(self, *numbers: str) -> None:
        """Withdraw tickets and wait until what they opened is closed."""
        for number in numbers:
            if not self.ticket(number).is_ended:
                self.room.command("request", "withdraw", number, actor=OPERATOR)
        for number in numbers:
            until(lambda number=number: self.ticket(number).is_ended, f"{number} over")  # type: ignore[misc]

    def approve_baselines(self) -> None:
        """Ask for the approval of every firewall as it was first read, and have another person give it."""
        for actor in (OPERATOR, APPROVER):
            self.room.log_in(actor)
        names = [firewall.name for firewall in self.lab.plan.firewalls]
        with ThreadPoolExecutor(len(names)) as threads:
            list(threads.map(self._approve_baseline, names))

    def _approve_baseline(self, name: str) -> None:
        until(lambda: self._was_read(name), f"the first reading of {name}")
        number = self.room.command("firewall", "baseline", name, actor=OPERATOR).split(":")[0]
        self.reviewed(number)
        self.approve(number)
        self.wait(number, TicketState.CLOSED)


def text_of(mail: EmailMessage) -> str:
    """Return the plain text of a mail."""
    body = mail.get_body(("plain",))
    return body.get_content() if body is not None else ""


@contextmanager
def guarded_platform(**settings: Any) -> Iterator[Guarded]:
    """Bring up a platform whose firewalls are approved and watched; leave nothing of it."""
    lab = Lab.up(bound=True)
    try:
        room = ControlRoom(lab, settings=settings)
        try:
            room.set_up()
            room.start()
            platform = Guarded(lab, room)
            platform.approve_baselines()
            yield platform
            platform.store.dispose()
        finally:
            with suppress(Exception):
                room.close()
    finally:
        lab.down()
