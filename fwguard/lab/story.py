"""The whole story on the lab, step by step, by the people in it: clients, staff, a stranger.

Every step acts through the doors that people use (their firewall, the portal, the mail door, the command
line) and checks what then holds on the network. A step that does not hold raises StepFailed.
"""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import EmailMessage
from pathlib import Path
from typing import Any, Final, TypeVar

from fwguard.errors import FwguardError
from fwguard.lab import plan as p
from fwguard.lab.control_room import ControlRoom
from fwguard.lab.people import DESK
from fwguard.lab.platform import Lab
from fwguard.lab.visitor import Visitor

T = TypeVar("T")
PORT: Final = 8080  # a service that every web server runs and no firewall opens
WAIT_S: Final = 20.0
OPERATOR: Final = "olivier@operator.example"
APPROVER: Final = "claire@operator.example"
SECOND_APPROVER: Final = "david@operator.example"
FORM_CLIENT: Final = "alice@acme.example"
MAIL_CLIENT: Final = "grace@globex.example"
STRANGER: Final = "mallory@outside.example"


class StepFailed(FwguardError):
    """A step of the story did not hold; the message says what was expected and what was found."""

    exit_code = 1


def check(holds: bool, what: str) -> None:
    """Raise StepFailed unless `holds`."""
    if not holds:
        raise StepFailed(what)


def until(found: Callable[[], T], what: str, *, within_s: float = WAIT_S) -> T:
    """Wait for something to come true and return it. Raises StepFailed."""
    deadline = time.monotonic() + within_s
    while not (value := found()):
        check(time.monotonic() < deadline, f"waited {within_s:.0f} s for {what}")
        time.sleep(0.05)
    return value


@dataclass
class Story:
    """What the people of the story remember from one step to the next."""

    lab: Lab
    room: ControlRoom
    form_ticket: str = ""
    mail_ticket: str = ""
    visitors: dict[str, Visitor] = field(default_factory=dict)
    _read_mails: dict[str, int] = field(default_factory=dict)

    def approve_what_stands(self) -> str:
        """The operator reads every firewall; one of the staff asks for its approval, another gives it."""
        counted = []
        for firewall in self.lab.plan.firewalls:
            facts = self._json("firewall", "read", firewall.name, actor=OPERATOR)
            counted.append(
                f"{firewall.name} {facts['rules']} rules, {facts['nat']} NAT, {facts['routes']} routes"
            )
            check(not facts["unread"], f"{firewall.name}: lines nobody could read: {facts['unread']}")
            number = self.room.command("firewall", "baseline", firewall.name, actor=OPERATOR).split(":")[0]
            self._reviewed(number)
            self.room.command("request", "approve", number, actor=SECOND_APPROVER)
        until(
            lambda: all(row["state"] == "watched" for row in self._rows("firewall", "list")),
            "every firewall to be watched",
        )
        return "; ".join(counted)

    def tamper(self) -> str:
        """Each client changes its own firewall; it is seen, undone, explained, and the client is told."""
        seen = []
        for firewall in self.lab.plan.firewalls[:3]:
            contact = next(it for it in self.lab.plan.people if it.client == firewall.client)
            word = "ouvre" if contact.language == "fr" else "opens"
            self.lab.tamper(firewall.name, "open-port")
            mail = self._wait_for_mail(contact.mail, f"{word} tcp/{PORT}")
            for address in (*firewall.public4[:1], *firewall.public6[:1]):
                check(not self.lab.connect("internet", address, PORT), f"{address}:{PORT} is open")
            drift = self._json("firewall", "drift", firewall.name)
            check(drift["equal"], f"{firewall.name} still differs: {drift['text']}")
            told = next(line for line in mail.splitlines() if f"{word} tcp/{PORT}" in line)
            seen.append(f"{firewall.name}: {told.strip(' -•*')}")
        return "; ".join(seen)

    def ignore_noise(self) -> str:
        """Counters, comments and a reload of the same rules are no change."""
        before = len(self._rows("case", "list"))
        for firewall in self.lab.plan.firewalls[:2]:
            for way in ("comment", "counters", "reload"):
                self.lab.tamper(firewall.name, way)
        for firewall in self.lab.plan.firewalls[:2]:
            check(
                self._json("firewall", "drift", firewall.name)["equal"],
                f"{firewall.name}: noise was taken for drift",
            )
        check(before == len(self._rows("case", "list")), "noise opened a case")
        return "no case"

    def ask_by_form(self) -> str:
        """A contact asks in the portal for a port of its server."""
        visitor = self._visitor(FORM_CLIENT)
        visitor.visit("/requests/new")
        end = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 30 * 86400))
        visitor.submit(
            "/requests/new", server="acme-web", protocol="tcp", ports=str(PORT), who="anyone", until=end,
            reason="new shop",
        )  # fmt: skip
        check(
            visitor.status == 200 and "T-" in visitor.page,
            f"the portal said {visitor.status} at {visitor.url}",
        )
        ticket = self._newest_ticket("acme-web")
        self.form_ticket = ticket["number"]
        shown = self._reviewed(self.form_ticket)
        check(shown["analysis"]["already"] == "none", f"it is open already: {shown['analysis']['already']}")
        check(not shown["analysis"]["wider"], f"it would open more than asked: {shown['analysis']['wider']}")
        self._wait_for_mail(FORM_CLIENT, self.form_ticket)
        return f"{self.form_ticket}: {shown['what']}, risk {shown['analysis']['risk']['class']}"

    def ask_by_mail(self) -> str:
        """Another asks by mail; a stranger's forged mail is kept apart and answered politely."""
        text = f"Server: globex-web\nPort: tcp/{PORT}\nFrom: {p.PARTNERS4}\nUntil: 30 days\nReason: partner test\n"
        self._send(MAIL_CLIENT, MAIL_CLIENT, text, login=True)
        self._send(STRANGER, MAIL_CLIENT, text.replace("30 days", "60 days"), login=False)
        self._wait_for_mail(MAIL_CLIENT, f"tcp/{PORT}", also="T-")
        ticket = until(lambda: self._newest_ticket("globex-web"), "a ticket from the mail")
        self.mail_ticket = ticket["number"]
        self._reviewed(self.mail_ticket)
        tickets = [row for row in self._rows("request", "list") if row["server"] == "globex-web"]
        check(len(tickets) == 1, f"the forged mail made a ticket: {[row['number'] for row in tickets]}")
        return f"{self.mail_ticket}: {ticket['what']}"

    def approve_and_deploy(self) -> str:
        """Someone of the staff approves in the portal; it is deployed, verified, and traffic passes."""
        web = self._public("acme")
        for address in web:
            check(not self.lab.connect("internet", address, PORT), f"{address}:{PORT} was open before")
        visitor = self._visitor(APPROVER)
        visitor.visit(f"/tickets/{self.form_ticket}")
        visitor.submit(f"/tickets/{self.form_ticket}/decision", decision="approve")
        check(visitor.status == 200, f"the portal said {visitor.status} at {visitor.url}")
        self._state(self.form_ticket, "open")
        for address in web:
            self._answers(address)
        check(not self.lab.connect("internet", web[0], 3306), "another port opened with it")
        for address in self._public("globex"):
            check(not self.lab.connect("internet", address, PORT), "another client's port opened with it")
        self._wait_for_mail(FORM_CLIENT, self.form_ticket)
        return f"tcp/{PORT} of {', '.join(web)} answers, nothing else does"

    def approve_the_mailed_one(self) -> str:
        """The mailed request reaches just the prefix that was asked for."""
        self.room.command("request", "approve", self.mail_ticket, actor=SECOND_APPROVER)
        self._state(self.mail_ticket, "open")
        address = self._public("globex")[0]
        until(
            lambda: self.lab.connect("internet", address, PORT, source=p.PARTNER4),
            f"{address}:{PORT} to answer",
        )
        check(not self.lab.connect("internet", address, PORT), "it answers others than the partner")
        return f"tcp/{PORT} of {address} answers {p.PARTNER4} and not {p.INTERNET4}"

    def end_with_the_last_holder(self) -> str:
        """A second request for the same opening is one more holder; it closes with the last one."""
        asked = self._json(
            "request", "new", "--server", "acme-web", "--port", f"tcp/{PORT}", "--until", "25s",
            "--reason", "the same for a test", actor=FORM_CLIENT,
        )  # fmt: skip
        second = asked["number"]
        self._reviewed(second)
        self.room.command("request", "approve", second, actor=SECOND_APPROVER)
        self._state(second, "open")
        self.room.command("request", "withdraw", self.form_ticket, actor=FORM_CLIENT)
        self._state(self.form_ticket, "closed")
        address = self._public("acme")[0]
        check(self.lab.connect("internet", address, PORT), "it closed though someone still holds it")
        self._state(second, "closed", within_s=60)
        for closed in self._public("acme"):
            check(not self.lab.connect("internet", closed, PORT), f"{closed}:{PORT} is still open")
        self._wait_for_mail(FORM_CLIENT, second)
        return f"{second} held it after {self.form_ticket} had left; closed with the end of {second}"

    def prove_the_log(self) -> str:
        """The log proves itself; one altered byte in a copy of the database makes it say where."""
        report = self._json("audit", "verify")
        check(report["whole"], f"the log is not whole: {report['findings']}")
        where = self._altered_copy()
        return f"{report['entries']} entries, {report['records']} rows; an altered byte is found in {where}"

    def _answers(self, address: str, *, source: str = "") -> None:
        until(
            lambda: self.lab.connect("internet", address, PORT, source=source),
            f"{address}:{PORT} to answer {source or 'anyone'}",
        )

    def _altered_copy(self) -> str:
        """Alter one baseline in a copy of the state, behind every lock, and return where it is found."""
        copy = self.room.directory / "altered"
        shutil.copytree(self.room.directory / "state", copy)
        with sqlite3.connect(copy / "fwguard.sqlite") as database:
            (text,) = database.execute("SELECT snapshot_json FROM baselines WHERE id = 1").fetchone()
            database.execute(
                "UPDATE baselines SET snapshot_json = ? WHERE id = 1", (text.replace("accept", "accepT", 1),)
            )
        report = self._json("audit", "verify", state=copy)
        shutil.rmtree(copy)
        check(not report["whole"], "an altered baseline was not noticed")
        return str(report["findings"][0]["where"])

    def _visitor(self, mail: str) -> Visitor:
        if mail not in self.visitors:
            self.visitors[mail] = Visitor(self.room.url)
            self.visitors[mail].log_in(self.lab.person(mail))
        return self.visitors[mail]

    def _reviewed(self, number: str) -> dict[str, Any]:
        def analysed() -> dict[str, Any]:
            shown = self._show(number)
            return shown if shown["binding"] else {}

        return until(analysed, f"the analysis of {number}")

    def _state(self, number: str, state: str, *, within_s: float = WAIT_S) -> None:
        until(lambda: self._show(number)["state"] == state, f"{number} to be {state}", within_s=within_s)

    def _show(self, number: str) -> dict[str, Any]:
        return self._json("request", "show", number)

    def _newest_ticket(self, server: str) -> dict[str, Any]:
        return next((row for row in self._rows("request", "list") if row["server"] == server), {})

    def _rows(self, *argv: str) -> list[dict[str, Any]]:
        return self.room.rows(*argv, actor=OPERATOR)

    def _json(self, *argv: str, actor: str = OPERATOR, state: Path | None = None) -> dict[str, Any]:
        return self.room.rows(*argv, actor=actor, state=state)[0]

    def _public(self, client: str) -> tuple[str, str]:
        firewall = self.lab.firewall(f"fw-{client}")
        return firewall.public4[0], firewall.public6[0]

    def _wait_for_mail(self, address: str, word: str, *, also: str = "") -> str:
        """Return the text of the newest mail since the last call that holds the words. Raises StepFailed."""

        def found() -> str:
            for index, mail in enumerate(self.lab.mail(address)[self._read_mails.get(address, 0) :], 1):
                body = mail.get_body(("plain",))
                text = f"{mail['Subject']}\n{body.get_content() if body is not None else ''}"
                if word in text and also in text:
                    self._read_mails[address] = self._read_mails.get(address, 0) + index
                    return text
            return ""

        return until(found, f"a mail to {address} with {word!r}")

    def _send(self, sender: str, claimed: str, text: str, *, login: bool) -> None:
        mail = EmailMessage()
        mail["From"], mail["To"], mail["Subject"] = claimed, DESK, "Opening"
        mail["Message-ID"] = f"<{time.time_ns()}@{claimed.partition('@')[2]}>"
        mail.set_content(text)
        self.lab.send(
            mail.as_bytes(),
            sender=sender,
            recipients=[DESK],
            login=self.lab.person(sender) if login else None,
        )


@dataclass(frozen=True, slots=True)
class Step:
    """One step as it is told: its title, and what plays it."""

    title: str
    play: Callable[[Story], str]


STEPS: Final[tuple[Step, ...]] = (
    Step("every firewall is read, and approved as it stands", Story.approve_what_stands),
    Step("clients open a port on their own: seen, undone, explained", Story.tamper),
    Step("noise is no change", Story.ignore_noise),
    Step("a contact asks in the portal", Story.ask_by_form),
    Step("another asks by mail; a forged mail is kept apart", Story.ask_by_mail),
    Step("approved in the portal, deployed, verified, reached from the Internet", Story.approve_and_deploy),
    Step("the mailed one opens for its prefix alone", Story.approve_the_mailed_one),
    Step("two holders, one end: it closes with the last", Story.end_with_the_last_holder),
    Step("the log proves itself", Story.prove_the_log),
)


@dataclass(frozen=True, slots=True)
class Played:
    """How one step went."""

    title: str
    seconds: float
    found: str
    held: bool


def play(story: Story, steps: tuple[Step, ...] = STEPS) -> Iterator[Played]:
    """Play the steps one after the other; the first that does not hold is the last."""
    for step in steps:
        start = time.monotonic()
        try:
            found, held = step.play(story), True
        except FwguardError as error:
            found, held = str(error), False
        yield Played(step.title, time.monotonic() - start, found, held)
        if not held:
            return
