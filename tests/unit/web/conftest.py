"""A portal on a real store: two clients with a firewall each, their people and the staff, enrolled as by `init`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyotp
import pytest
import yaml
from flask import Flask
from flask.testing import FlaskClient

from fwguard.config import Settings, make_secret_key
from fwguard.flows import reviewing
from fwguard.flows.asking import ask_opening
from fwguard.flows.enrolment import enrol
from fwguard.flows.house import House, open_house
from fwguard.lab.people import contact_of, staff
from fwguard.model.address import AddressSet
from fwguard.model.ports import parse_ports, parse_protocol
from fwguard.model.snapshot import Snapshot
from fwguard.model.ticket import Ask
from fwguard.store.approved import approve_baseline, record_reading
from fwguard.store.inventory import firewall_named, note_read
from fwguard.store.people import user_named
from fwguard.store.tickets import Channel
from fwguard.web.app import create_app
from fwguard.web.credentials import credentials

ROOT = Path(__file__).resolve().parents[3]
# A cheap hash: what is tested is that it is asked for, not how long it takes.
CHEAP = {"SECURITY_PASSWORD_HASH_PASSLIB_OPTIONS": {"scrypt__rounds": 2, "scrypt__parallelism": 1}}
ALICE, GRACE = contact_of("acme", "fr", 0), contact_of("globex", "en", 0)
CLAIRE, DAVID, OLIVIER, ROOT_USER = staff()
PEOPLE = (ALICE, GRACE, CLAIRE, DAVID, OLIVIER, ROOT_USER)


class Clock:
    """The house's clock, which tests turn."""

    def __init__(self) -> None:
        self.at = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        """Let time pass."""
        self.at += timedelta(seconds=seconds)


class Noted:
    """Work that is only noted: what a flow asks to be looked at."""

    def __init__(self) -> None:
        self.pokes: list[tuple[str, str]] = []

    def poke(self, kind: str, subject: str, *, after_s: float = 0.0) -> None:
        """Note what was asked."""
        self.pokes.append((kind, subject))


def inventory(folder: Path) -> str:
    """Return the inventory as `fwguard init` reads it."""
    (folder / "key").write_text("no key: nothing is reached here\n")
    firewalls = [
        {
            "name": f"fw-{client}", "client": client, "platform": "linux", "transport": "ssh",
            "address": f"172.30.1.{number}", "port": 22, "username": "root",
            "public": [f"192.0.2.{number}0", f"2001:db8:0:{number}::1"],
            "host_key": "ssh-ed25519 AAAA", "private_key": "key",
        }
        for number, client in ((1, "acme"), (2, "globex"))
    ]  # fmt: skip
    servers = [
        {"name": f"{name}-{client}", "client": client, "firewall": f"fw-{client}",
         "addresses": [f"10.20.0.1{number}", f"fd20::1{number}"]}
        for client in ("acme", "globex") for number, name in ((0, "web"), (1, "db"))
    ]  # fmt: skip
    clients = [
        {"name": person.client, "title": str(person.client).title() + " SA",
         "contacts": [{"mail": person.mail, "name": person.name, "language": person.language}]}
        for person in (ALICE, GRACE)
    ]  # fmt: skip
    people = [
        {
            "login": it.login, "mail": it.mail, "name": it.name, "role": it.role, "client": it.client,
            "language": it.language, "password": it.password, "totp": it.totp,
        }
        for it in PEOPLE
    ]  # fmt: skip
    return yaml.safe_dump({"clients": clients, "firewalls": firewalls, "servers": servers, "people": people})


@pytest.fixture
def clock() -> Clock:
    """Give the clock of the house."""
    return Clock()


@pytest.fixture
def house(tmp_path: Path, clock: Clock) -> Iterator[House]:
    """Give a house with an empty database."""
    settings = Settings(
        state_dir=tmp_path, rules_dir=ROOT / "rules", approvals_dir=ROOT / "approvals", web_dir=ROOT / "web"
    )
    make_secret_key(settings.secret_key_file)
    house = open_house(settings, work=Noted(), name="test")
    house.clock = clock
    house.store.upgrade()
    yield house
    house.store.dispose()


@pytest.fixture
def app(house: House, tmp_path: Path) -> Flask:
    """Give the portal with everyone enrolled."""
    app = create_app(house, CHEAP)
    with app.app_context():
        enrol(house, inventory(tmp_path), str(tmp_path / "inventory.yaml"), credentials(app))
    return app


class Browser:
    """A browser without JavaScript: keeps cookies, and sends the hidden token of the page before."""

    def __init__(self, app: Flask, clock: Clock) -> None:
        self.client: FlaskClient = app.test_client()
        self.clock = clock

    def get(self, path: str, **more: Any) -> Any:
        """Open a page."""
        return self.client.get(path, **more)

    def post(
        self, path: str, data: dict[str, Any] | None = None, *, page: str = "/login", **more: Any
    ) -> Any:
        """Send a form that stood on `page`."""
        token = self.token(page)
        return self.client.post(path, data={"csrf_token": token, **(data or {})}, **more)

    def token(self, page: str) -> str:
        """Return the hidden token of a page."""
        text = self.client.get(page, follow_redirects=True).get_data(as_text=True)
        return text.split('name="csrf_token" value="')[1].split('"')[0]

    def code(self, person: Any) -> str:
        """Return a code that was not used yet: the next one each time."""
        self.clock.pass_s(30)
        return pyotp.TOTP(person.totp).at(self.clock())

    def log_in(self, person: Any) -> None:
        """Come in with both factors."""
        self.post("/login", {"login": person.login, "password": person.password})
        answer = self.post("/login/code", {"code": self.code(person)}, page="/login/code")
        assert answer.status_code == 302, answer.get_data(as_text=True)


@pytest.fixture
def browser(app: Flask, clock: Clock) -> Browser:
    """Give a browser that nobody has logged in with."""
    return Browser(app, clock)


@pytest.fixture
def as_person(app: Flask, clock: Clock) -> Callable[[Any], Browser]:
    """Give a function that returns a browser in which someone is logged in."""

    def opened(person: Any) -> Browser:
        fresh = Browser(app, clock)
        fresh.log_in(person)
        return fresh

    return opened


STATE = """\
table inet filter {
	chain forward {
		type filter hook forward priority filter; policy drop;
		ct state established,related accept
		ip daddr 10.20.0.10 tcp dport 443 accept comment "shop"
		iifname "lan0" oifname "wan0" jump out
	}

	chain out {
		udp dport 53 accept
		meta l4proto { icmp, ipv6-icmp } accept
	}
}
table ip nat {
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 192.0.2.10 tcp dport 443 dnat to 10.20.0.10
	}
}
"""


@pytest.fixture
def approved(app: Flask, house: House) -> House:
    """Give the house with an approved state of both firewalls, as last read."""
    snapshot = Snapshot({"nft": STATE, "routes4": "default via 100.64.1.1 dev wan0 proto static\n"})
    with house.store.session() as session:
        for name in ("fw-acme", "fw-globex"):
            row = firewall_named(session, name)
            approve_baseline(
                session, row, snapshot, before=None, why="first", actor=f"user:{CLAIRE.login}", clause="7.1.1",
                at=house.clock(),
            )  # fmt: skip
            record_reading(session, row.id, snapshot, at=house.clock())
            note_read(row, at=house.clock())
    return house


@pytest.fixture
def ask(approved: House) -> Callable[..., str]:
    """Give a function that asks for an opening, has it analysed, and returns its number."""

    def asked(
        person: Any = ALICE, server: str = "web-acme", service: str = "tcp/8443", source: str = "198.51.100.0/24",
        reason: str = "the new site", days: int | None = 30,
    ) -> str:  # fmt: skip
        protocol, _, ports = service.partition("/")
        wanted = Ask(
            server=server, protocol=parse_protocol(protocol), source=AddressSet.parse(source),
            ports=parse_ports(ports), reason=reason,
            ends_at=approved.clock() + timedelta(days=days) if days else None,
        )  # fmt: skip
        with approved.store.session() as session:
            user = user_named(session, person.login)
            number = ask_opening(session, approved, wanted, channel=Channel.FORM, user=user).number
        reviewing.look(number, approved)
        return number

    return asked
