"""`fwguard edge` on the controller, and `fwguard case`, by a person's token over a real database."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from fwguard.cli import fwguard
from fwguard.config import Settings, make_secret_key
from fwguard.errors import InputError, NotAllowedError
from fwguard.model.controls import Mode
from fwguard.model.inventory import Client, Contact, Firewall, Language, Platform, Server, Transport
from fwguard.store import Store
from fwguard.store.edge_ports import architecture_named
from fwguard.store.inventory import add_firewall, add_server
from fwguard.store.people import UserRole, add_client, add_user, issue_token


@pytest.fixture
def tokens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Set up a controller with a client and a person of the staff; give their tokens."""
    settings = Settings(state_dir=tmp_path)
    make_secret_key(settings.secret_key_file)
    monkeypatch.setenv("FWGUARD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("FWGUARD_CONFIG", "")
    store, now, made = Store(settings.database_url), datetime.now(UTC), {}
    store.upgrade()
    with store.session() as session:
        contact = Contact(mail="ann@acme.example", name="Ann", language=Language.EN)
        client = add_client(session, Client(name="acme", title="Acme", contacts=(contact,)))
        add_firewall(session, Firewall(name="fw-acme", client="acme", platform=Platform.LINUX, port=22,
                                       transport=Transport.SSH, address="172.30.1.1", username="root"))  # fmt: skip
        add_server(session, Server(name="web1", client="acme", firewall="fw-acme", addresses=("10.20.0.11",)))
        for name, role in (("ann", UserRole.CLIENT), ("olga", UserRole.OPERATOR)):
            user = add_user(session, username=name, email=f"{name}@x.example", name=name, role=role, at=now,
                            password_hash=None, client=client if role is UserRole.CLIENT else None)  # fmt: skip
            made[name] = issue_token(session, user, at=now, lasts=timedelta(hours=1))
    store.dispose()
    return made


def run(token: str, *words: str) -> Result:
    """Run a command as whoever holds the token."""
    return CliRunner().invoke(fwguard, words, env={"FWGUARD_TOKEN": token}, standalone_mode=False)


def shown(token: str, *words: str) -> Any:
    """Return what a command prints as JSON."""
    result = run(token, *words, "--json")
    assert result.exception is None, result.output
    return json.loads(result.stdout)


def test_an_edge_is_added_plugged_shown_and_revoked(tokens: dict[str, str]) -> None:
    """The way of an operator through the commands."""
    olga = tokens["olga"]
    made = shown(olga, "edge", "add", "edge1", "--uplink", "eth0", "--uplink-bps", "10000000000")
    assert made["token"].startswith("fwe_")
    assert made["token"] != shown(olga, "edge", "token", "edge1")["token"]
    for words in (
        ("edge", "port", "add", "edge1", "s0", "web1", "--mac", "02:00:5e:10:00:01", "--zone", "1001"),
        (
            "edge",
            "architecture",
            "fw-acme",
            "--client",
            "acme",
            "--template",
            "development",
            "--own",
            "198.51.100.0/24",
        ),
    ):
        assert run(olga, *words).exception is None
    facts = shown(olga, "edge", "show", "edge1")
    assert [("s0", "server:web1")] == [(port["interface"], port["of"]) for port in facts["ports"]]
    assert "not enrolled" == shown(olga, "edge", "list")["state"]
    assert run(olga, "edge", "port", "remove", "edge1", "s0", "--why", "moved").exception is None
    assert run(olga, "edge", "revoke", "edge1", "--why", "stolen").exception is None
    assert "revoked" == shown(olga, "edge", "list")["state"]


def test_a_retrieval_is_shut_but_for_its_transfer_and_ends(tokens: dict[str, str]) -> None:
    """Clause 13.2: what is agreed, for as long as the clause says."""
    olga, words = tokens["olga"], ("--client", "acme", "--template", "retrieval", "--transfer")
    done = run(olga, "edge", "architecture", "fw-acme", *words, "tcp/22 to 192.0.2.10 from 198.51.100.0/24")
    assert done.exception is None
    store = Store(Settings(state_dir=Path(os.environ["FWGUARD_STATE_DIR"])).database_url)
    with store.reading() as session:
        value = architecture_named(session, "fw-acme").value(Mode.ENFORCE)
    store.dispose()
    hours_left = ((value.retrieval_ends_at_s or 0) - datetime.now(UTC).timestamp()) / 3600
    assert (22, True) == (value.transfers[0].first_port, 71 < hours_left <= 72)
    assert isinstance(run(olga, "edge", "architecture", "fw-acme", *words, "nonsense").exception, InputError)


def test_a_server_is_isolated_and_released(tokens: dict[str, str]) -> None:
    """By its clause and reason; the case follows."""
    olga = tokens["olga"]
    number = shown(olga, "case", "isolate", "web1", "--clause", "6.1", "--why", "it attacks our DNS")["case"]
    assert "isolated" == shown(olga, "case", "show", number)["state"]
    assert number == shown(olga, "case", "release", number, "--why", "repaired")["case"]
    assert "closed" == shown(tokens["ann"], "case", "show", number)["state"]


@pytest.mark.parametrize(
    "words",
    [
        ("edge", "list"),
        ("edge", "add", "edge1", "--uplink", "eth0", "--uplink-bps", "1000000"),
        ("case", "suspend", "web1", "--clause", "14.5", "--why", "w"),
        ("case", "resume", "C-2026-0001", "--why", "w"),
    ],
    ids=" ".join,
)
def test_a_client_may_do_none_of_it(tokens: dict[str, str], words: tuple[str, ...]) -> None:
    """Exit code 4."""
    assert isinstance(run(tokens["ann"], *words).exception, NotAllowedError)
