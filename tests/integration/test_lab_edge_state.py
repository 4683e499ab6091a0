"""The state of the lab's edge, compiled and loaded into a lab: what is approved passes, and nothing else."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.lab import plan as p
from fwguard.lab.attack import attack
from fwguard.lab.edge_state import edge_state_of
from fwguard.lab.platform import Lab
from fwguard.rules.controls import read_controls

pytestmark = [pytest.mark.integration, pytest.mark.xdist_group("lab-attack")]

OPEN = [
    ("192.0.2.10", 80, "", "acme-web port=80 peer=198.51.100.10"),
    ("2001:db8:0:1::1", 443, "", "acme-web port=443 peer=2001:db8:ffff::10"),
    ("192.0.2.11", 25, "", "acme-mail port=25 peer=198.51.100.10"),
    ("2001:db8:0:1::1", 2222, p.PARTNER6, "acme-web port=22 peer=2001:db8:ffff:1::200"),
    ("192.0.2.21", 5432, p.PARTNER4, "globex-db port=5432 peer=198.51.100.200"),
    ("2001:db8:0:2::2", 5432, p.PARTNER6, "globex-db port=5432 peer=2001:db8:ffff:1::200"),
    ("192.0.2.30", 80, "", "initech-web port=80 peer=198.51.100.10"),
    ("192.0.2.31", 587, "", "initech-mail port=587 peer=198.51.100.10"),
]


@pytest.fixture(scope="module")
def enforced() -> Iterator[Lab]:
    """A platform at whose edge the contract holds, and whose client has opened a port that nobody approved."""
    lab = Lab.up(f"e{secrets.token_hex(3)}", bound=True)
    try:
        lab.tamper("fw-acme", "open-port")
        for address in ("192.0.2.10", "2001:db8:0:1::1"):
            assert lab.connect("internet", address, 8080, timeout_s=5)
        controls = read_controls(Path(__file__).parents[2] / "rules")
        now_s = int(time.time())
        compiled = compile_edge(edge_state_of(lab.plan, controls=controls), now_s=now_s)
        load = ["sh", "-c", "nft delete table inet fwguard_edge && nft -f -"]
        lab.run("edge", load, text=first_load_text(compiled, now_s=now_s))
        yield lab
    finally:
        lab.down()


@pytest.mark.parametrize(("address", "port", "source", "answer"), OPEN)
def test_what_the_firewalls_open_passes(
    enforced: Lab, address: str, port: int, source: str, answer: str
) -> None:
    """Through the edge, the client's redirection, and the edge again."""
    assert answer == enforced.greeting("internet", address, port, source=source, timeout_s=5)


def test_datagrams_the_way_out_and_neighbours_pass(enforced: Lab) -> None:
    """Over both families."""
    for public, outside, neighbour in (
        ("192.0.2.20", p.INTERNET4, "10.20.0.12"),
        ("2001:db8:0:2::1", p.INTERNET6, "fd20::12"),
    ):
        assert enforced.datagram("internet", public, 53).startswith("globex-web port=53 ")
        assert enforced.greeting("globex-db", outside, 80, timeout_s=5).startswith("internet port=80 ")
        assert enforced.greeting("acme-web", neighbour, 25, timeout_s=5).startswith("acme-mail port=25 ")


@pytest.mark.parametrize("address", ["192.0.2.10", "2001:db8:0:1::1"])
def test_what_a_client_opened_by_itself_carries_nothing(enforced: Lab, address: str) -> None:
    """The same connection came to be before the edge knew what is approved (clause 7.1.1)."""
    assert not enforced.connect("internet", address, 8080, timeout_s=0.5)


def test_an_attack_that_the_edge_cuts_still_ends_by_itself_and_says_so(enforced: Lab) -> None:
    """Mail from a server that is no mail server does not leave (clause 7.4)."""
    done = attack(enforced, "globex-web", "spam")
    assert 0 == done.packets_in
    assert "exit 2" == done.steps[-1].ended
    assert "timeout" in done.steps[-1].said
