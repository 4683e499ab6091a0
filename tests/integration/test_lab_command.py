"""`fwguard lab` as people and scripts call it."""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
from collections.abc import Iterator

import pytest

from fwguard.lab import namespaces, run_state

pytestmark = pytest.mark.integration


def fwguard(*words: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Call the command line in a process of its own."""
    return subprocess.run(
        [*before, sys.executable, "-m", "fwguard", "lab", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@pytest.fixture(scope="module")
def run() -> Iterator[str]:
    """A platform that the command line brought up, which outlives that command."""
    name = f"c{secrets.token_hex(3)}"
    done = fwguard("up", "--firewalls", "2", "--run", name)
    assert 0 == done.returncode, done.stderr
    yield name
    run_state.destroy(name)


def test_status_is_one_object_with_what_scripts_rely_on(run: str) -> None:
    """The keys of the documented interface."""
    done = fwguard("status", "--run", run, "--json")
    found = json.loads(done.stdout)
    assert {"netns", "address", "port"} <= found["mail"].keys()
    assert {"netns"} <= found["edge"].keys()
    assert {"netns", "address"} <= found["internet"].keys()
    for firewall in found["firewalls"]:
        assert {"name", "client", "netns", "transport", "dialect", "address"} <= firewall.keys()
    for server in found["servers"]:
        assert {"name", "client", "netns", "address", "role", "firewall"} <= server.keys()
    for person in found["people"]:
        assert {"login", "mail", "role", "client", "password", "totp"} == {
            key for key in person if key not in ("name", "language")
        }


def test_status_shows_namespaces_whole(run: str) -> None:
    """They are there to be copied."""
    shown = fwguard("status", "--run", run).stdout
    assert all(name in shown for name in namespaces.existing(f"fwg-{run}-") if not name.endswith("-mgmt"))


def test_the_portal_is_where_the_controller_says(run: str) -> None:
    """It writes its address into the run's directory."""
    (run_state.STATE_ROOT / run / "portal").write_text("http://172.30.0.2:8080\n")
    assert "http://172.30.0.2:8080" == json.loads(fwguard("status", "--run", run, "--json").stdout)["portal"]


def test_shell_runs_a_command_as_root_inside(run: str) -> None:
    """With its options, input and exit code."""
    done = fwguard("shell", "--run", run, "fw-acme", "--", "sh", "-c", "nft list tables; id -u; exit 3")
    assert "table inet filter" in done.stdout
    assert 3 == done.returncode


def test_tampering_names_its_ways_and_does_one(run: str) -> None:
    """The list is that of the firewall's own kind."""
    assert "add-redirection" in fwguard("tamper", "--run", run, "fw-globex").stdout
    done = fwguard("tamper", "--run", run, "fw-globex", "set-add")
    assert "fw-globex: add a prefix to the partners' set\n" == done.stdout
    saved = fwguard("shell", "--run", run, "fw-globex", "--", "ipset", "save").stdout
    assert "203.0.113.0/24" in saved


def test_mail_lists_mailboxes_and_shows_one(run: str) -> None:
    """Empty ones are no error."""
    assert 0 == fwguard("mail", "--run", run).returncode
    assert "" == fwguard("mail", "--run", run, "alice@acme.example").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("shell", "nobody"),
        ("tamper", "acme-web", "flush"),
        ("tamper", "fw-acme", "no-such-way"),
        ("mail", "no-address"),
    ],
)
def test_what_is_not_there_is_bad_input(run: str, words: tuple[str, ...]) -> None:
    """Exit 2, and what would have been right."""
    done = fwguard(words[0], "--run", run, *words[1:])
    assert 2 == done.returncode
    assert "expected" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_bad_number_of_firewalls_is_bad_input() -> None:
    """Before anything is made."""
    assert 2 == fwguard("up", "--firewalls", "0").returncode
    assert 2 == fwguard("up", "--firewalls", "many").returncode


def test_without_the_rights_it_says_which_and_ends_4() -> None:
    """As in a container without privileges."""
    done = fwguard("status", before=("setpriv", "--bounding-set=-all"))
    assert 4 == done.returncode
    assert "CAP_SYS_ADMIN" in done.stderr


def test_every_command_helps_with_an_example_and_without_root() -> None:
    """`--help` is for reading before."""
    for words in ((), ("up",), ("down",), ("status",), ("shell",), ("tamper",), ("mail",)):
        done = fwguard(*words, "--help", before=("setpriv", "--bounding-set=-all"))
        assert 0 == done.returncode, words
        assert "Example: fwguard lab" in done.stdout


def test_down_ends_the_platform_by_name() -> None:
    """And says which."""
    name = f"d{secrets.token_hex(3)}"
    assert 0 == fwguard("up", "--firewalls", "1", "--run", name).returncode
    try:
        assert name in fwguard("down", "--run", name).stdout
        assert [] == namespaces.existing(f"fwg-{name}-")
        again = fwguard("down", "--run", name)
        assert 0 == again.returncode
        assert name not in again.stdout
    finally:
        run_state.destroy(name)
