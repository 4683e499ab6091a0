"""`fwguard address` and `fwguard register` as scripts call them: output, exit codes, who may."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from fwguard.cli import fwguard
from fwguard.config import Settings, make_secret_key
from fwguard.errors import FwguardError
from fwguard.model.inventory import Client, Firewall, Platform, Server, Transport
from fwguard.store import Store
from fwguard.store.inventory import add_firewall, add_server
from fwguard.store.people import UserRole, add_client, add_user, issue_token

Call = Callable[..., tuple[int, str]]
PEOPLE = (
    ("ann", UserRole.CLIENT),
    ("olga", UserRole.OPERATOR),
    ("bob", UserRole.APPROVER),
    ("eve", UserRole.APPROVER),
)


@pytest.fixture
def tokens(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Give a token of everyone, on a database with one client and six servers."""
    settings = Settings(state_dir=tmp_path)
    make_secret_key(settings.secret_key_file)
    monkeypatch.setenv("FWGUARD_STATE_DIR", str(tmp_path))
    monkeypatch.setenv("FWGUARD_DATABASE_URL", store.engine.url.render_as_string(hide_password=False))
    now = datetime.now(UTC)
    made = {}
    with store.session() as session:
        client = add_client(session, Client(name="acme", title="Acme"))
        add_client(session, Client(name="bold", title="Bold"))
        add_firewall(
            session,
            Firewall(
                name="fw-acme", client="acme", platform=Platform.LINUX, transport=Transport.SSH,
                address="172.30.1.1", port=22, username="root",
            ),
        )  # fmt: skip
        for number in range(1, 7):
            add_server(session, Server(name=f"web{number}", client="acme", firewall="fw-acme", addresses=()))
        for name, role in PEOPLE:
            user = add_user(
                session, username=name, email=f"{name}@x.example", name=name, role=role, password_hash=None, at=now,
                client=client if role is UserRole.CLIENT else None,
            )  # fmt: skip
            made[name] = issue_token(session, user, at=now, lasts=timedelta(hours=1))
    return made


@pytest.fixture
def call(tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Call:
    """Give a function that runs a command as someone; returns exit code and what was printed."""

    def run(*words: str, who: str = "olga") -> tuple[int, str]:
        monkeypatch.setenv("FWGUARD_TOKEN", tokens[who])
        done = CliRunner().invoke(fwguard, list(words))
        if isinstance(done.exception, FwguardError):
            return done.exception.exit_code, str(done.exception)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.output

    return run


def _rows(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


@pytest.fixture
def pool(call: Call) -> None:
    """Make a pool of four addresses, and one of IPv6."""
    for name, prefix in (("p4", "198.51.100.0/29"), ("p6", "2001:db8:1::/64")):
        assert 0 == call("address", "pool", "add", name, prefix, "--country", "FR", "--why", "first")[0]


def test_a_life_of_an_address(call: Call, pool: None) -> None:
    """Given, asked for, moved, given back; and who had it is said for every moment."""
    code, output = call("address", "allocate", "web1", "--why", "in service", "--json")
    four, six = _rows(output)
    assert (0, "198.51.100.1", "2001:db8:1::1") == (code, four["address"], six["address"])
    began = four["since"]
    assert 0 == call("address", "transfer", "198.51.100.1", "--to", "web2", "--why", "replaced")[0]
    assert 0 == call("address", "release", "198.51.100.1", "--why", "over")[0]
    now = datetime.now(UTC).isoformat()
    code, output = call("address", "whohad", "198.51.100.1", "--at", now, "--json")
    assert (1, None) == (code, json.loads(output)["had"])
    before = (datetime.fromisoformat(began) - timedelta(seconds=2)).isoformat()
    assert (1, True) == (
        (found := call("address", "whohad", "198.51.100.1", "--at", before))[0],
        "nobody had" in found[1],
    )
    code, output = call("address", "whohad", "2001:DB8:1::1", "--at", now, "--json")
    assert (0, "web1", "acme") == (code, (had := json.loads(output)["had"])["server"], had["client"])
    history = _rows(call("address", "list", "198.51.100.1", "--json")[1])
    assert [("web2", "released"), ("web1", "transferred")] == [(it["server"], it["ending"]) for it in history]


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("address", "allocate", "nobody", "--why", "x"), 2, "no server 'nobody'"),
        (("address", "allocate", "web1"), 2, "--why"),
        (("address", "allocate", "web1", "--address", "203.0.113.1", "--why", "x"), 2, "lies in no pool"),
        (
            ("address", "allocate", "web1", "--pool", "p4", "--family", "v6", "--why", "x"),
            2,
            "another family",
        ),
        (("address", "whohad", "198.51.100.1", "--at", "2026-01-01T00:00:00"), 2, "has no zone"),
        (("address", "whohad", "198.51.100.1", "--at", "2999-01-01T00:00:00Z"), 2, "in the future"),
        (("address", "whohad", "203.0.113.1", "--at", "2026-01-01T00:00:00Z"), 2, "lies in no pool"),
        (("address", "whohad", "198.51.100.1"), 2, "--at"),
        (("address", "pool", "add", "x", "198.51.100.4/30", "--why", "x"), 2, "overlaps pool p4"),
        (("address", "pool", "add", "x", "203.0.113.0/24", "--family", "v6", "--why", "x"), 2, "is IPv4"),
        (("address", "transfer", "198.51.100.1", "--why", "x"), 2, "say --to SERVER, or --new"),
        (("address", "ask", "file:/no/such", "--json"), 2, "No such file"),
        (("address", "ask", "libvirt:test+unix:///x?socket=/no/such"), 3, "/no/such"),
        (("address", "state", "web1", "asleep", "--why", "x"), 2, "asleep"),
        (("register", "add", "web1", "--software", "irc", "--until", "soon", "--why", "x"), 2, "2026-12-31"),
        (("register", "grant", "R-2026-0099"), 2, "no registration"),
    ],
)
def test_bad_input_has_its_code(call: Call, pool: None, words: tuple[str, ...], code: int, said: str) -> None:
    """2 for what was given wrong, 3 for what did not answer; and what was expected."""
    found, output = call(*words)
    assert (code, True) == (found, said in output), output


def test_a_client_sees_its_own_and_gives_nothing(call: Call, pool: None) -> None:
    """Exit 4 for every write and for who had an address that is not its own."""
    call("address", "allocate", "web1", "--why", "x")
    call("address", "reserve", "198.51.100.5", "--why", "gateway")
    rows = _rows(call("address", "list", "--json", who="ann")[1])
    assert {"198.51.100.1", "2001:db8:1::1"} == {row["address"] for row in rows}
    now = datetime.now(UTC).isoformat()
    assert 0 == call("address", "whohad", "198.51.100.1", "--at", now, who="ann")[0]
    for words in (
        ("whohad", "198.51.100.5", "--at", now), ("release", "198.51.100.1", "--why", "x"),
        ("allocate", "web1", "--why", "x"), ("pool", "list"), ("reserve", "198.51.100.4", "--why", "x"),
        ("state", "web1", "deleted", "--why", "x"), ("ask", "file:/x"),
    ):  # fmt: skip
        assert 4 == call("address", *words, who="ann")[0], words


def test_pools_are_listed_with_what_is_left(call: Call, pool: None) -> None:
    """Held, cooling, free."""
    call("address", "allocate", "web1", "--why", "x")
    call("address", "allocate", "web2", "--why", "x")
    call("address", "release", "198.51.100.1", "--why", "x")
    four = _rows(call("address", "pool", "list", "--json")[1])[0]
    assert ("p4", 1, 1, 4) == (four["name"], four["held"], four["cooling"], four["free"])
    assert 0 == call("address", "pool", "close", "p4", "--why", "x")[0]
    assert 2 == call("address", "allocate", "web3", "--pool", "p4", "--why", "x")[0]


def test_a_state_is_said_and_asked(call: Call, pool: None, tmp_path: Path) -> None:
    """By a person, and from a file."""
    call("address", "allocate", "web1", "--why", "x")
    then = (datetime.now(UTC) - timedelta(days=9)).isoformat()
    assert (0, "web1 is stopped\n") == call(
        "address", "state", "web1", "stopped", "--since", then, "--why", "x"
    )
    path = tmp_path / "s.yaml"
    path.write_text("servers: [{name: web2, state: running}]\n")
    code, output = call("address", "ask", f"file:{path}", "--json")
    assert (0, 1, 2) == (code, (said := json.loads(output))["changed"], said["ended"])


def test_a_life_of_a_registration(call: Call) -> None:
    """Asked by the client, decided by one of the staff who did not ask, ended by the client."""
    day = str((datetime.now(UTC) + timedelta(days=20)).date())
    words = (
        "register",
        "add",
        "web1",
        "--software",
        "irc",
        "--service",
        "tcp/6660-6669",
        "--until",
        day,
        "--why",
        "chat",
    )
    code, output = call(*words, "--json", who="ann")
    one = json.loads(output)
    assert (0, "requested", "tcp/6660-6669", False) == (code, one["state"], one["service"], one["holds"])
    assert 4 == call("register", "grant", one["number"], who="olga")[0]
    assert 4 == call("register", "grant", one["number"], who="ann")[0]
    code, output = call("register", "grant", one["number"], "--json", who="bob")
    assert (0, "granted", True) == (code, (granted := json.loads(output))["state"], granted["holds"])
    assert 1 == call("register", "refuse", one["number"], "--why", "x", who="eve")[0]
    assert [one["number"]] == [
        it["number"] for it in _rows(call("register", "list", "--state", "granted", "--json")[1])
    ]
    code, output = call("register", "end", one["number"], "--why", "over", "--json", who="ann")
    assert (0, "ended") == (code, json.loads(output)["state"])


def test_processes_that_ask_at_once_get_each_their_own(
    call: Call, tokens: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six at the same moment, of a pool of four: four different addresses, two are told that there is none."""
    call("address", "pool", "add", "four", "203.0.113.4/30", "--why", "x")
    call("address", "pool", "add", "two", "203.0.113.8/31", "--why", "x")
    monkeypatch.setenv("FWGUARD_TOKEN", tokens["olga"])
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "fwguard", "address", "allocate", f"web{number}", "--why", "x", "--json"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        for number in range(1, 7)
    ]  # fmt: skip
    done = [(process.communicate(timeout=60), process.returncode) for process in running]
    given = [json.loads(out)["address"] for (out, _), code in done if code == 0]
    assert {"203.0.113.5", "203.0.113.6", "203.0.113.8", "203.0.113.9"} == set(given)
    assert 4 == len(given)
    assert ["exhausted" in err for (_, err), code in done if code == 2] == [True, True]
