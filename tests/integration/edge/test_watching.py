"""Tables that are not owned, as on kernels before Linux 6.9: what others change is put back within a second."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_states import large_state

from fwguard.edge.enforcing import Enforcer
from fwguard.edge.spool import Spool
from fwguard.edge.telling import Teller
from fwguard.edge.watching import Watching
from fwguard.kernel.links import make_namespace, remove_namespace
from fwguard.kernel.namespaces import inside
from fwguard.model.edge import EdgeState, Link, PortKind
from fwguard.model.edge_wire import EdgeEvent, EventKind

pytestmark = pytest.mark.integration
T = TypeVar("T")


class Watched:
    """An enforcer of tables that anybody may change, watched."""

    def __init__(self, netns: str, folder: Path, state: EdgeState) -> None:
        self.netns = netns
        self.cuts: list[tuple[str, str, tuple[str, ...]]] = []
        self.spool = Spool(folder / "spool")
        self.enforcer = self.do(lambda: Enforcer(local=lambda: self.cuts, owned=False))
        teller = Teller(self.spool)
        self.watching = self.do(lambda: Watching(enforcer=self.enforcer, teller=teller))
        self.do(lambda: self.enforcer.apply(state))
        self.do(self.watching.start)

    def do(self, work: Callable[[], T]) -> T:
        return inside(self.netns, work)

    def nft(self, *words: str) -> None:
        command = ["ip", "netns", "exec", self.netns, "nft", *words]
        subprocess.run(command, check=True, timeout=30, capture_output=True)

    def repaired(self) -> list[EdgeEvent]:
        return [event for _, event in self.spool.head(500) if event.kind is EventKind.REPAIRED]

    def wait(self, true: Callable[[], object], within_s: float = 5.0) -> float:
        started = time.monotonic()
        while not true():
            assert time.monotonic() < started + within_s
            time.sleep(0.005)
        return time.monotonic() - started

    def stop(self) -> None:
        self.watching.stop()
        self.enforcer.close()
        self.spool.close()


@pytest.fixture
def netns() -> Iterator[str]:
    """Make a namespace."""
    name = f"ew{secrets.token_hex(3)}"
    make_namespace(name)
    yield name
    remove_namespace(name)


@pytest.fixture
def watched(netns: str, tmp_path: Path) -> Iterator[Watched]:
    """Watch an edge of 64 servers."""
    made = Watched(netns, tmp_path, large_state(64, 4))
    yield made
    made.stop()


@pytest.mark.parametrize("how", [
    ("flush", "ruleset"),
    ("delete", "table", "inet", "fwguard"),
    ("flush", "chain", "inet", "fwguard", "forward"),
    ("delete", "chain", "inet", "fwguard", "forward"),
    ("add", "rule", "inet", "fwguard", "forward", "accept"),
    ("insert", "rule", "inet", "fwguard", "forward", "accept"),
    ("flush", "set", "inet", "fwguard", "open4"),
    ("add", "element", "inet", "fwguard", "open4", "{ 203.0.113.9 . tcp . 31337 }"),
    ("delete", "element", "inet", "fwguard", "true_mac", '{ "s0-0" . 02:00:00:00:00:03 }'),
    ("add", "table", "inet", "fwguard", "{ flags dormant; }"),
], ids=lambda how: " ".join(how)[:40])  # fmt: skip
def test_what_somebody_changes_is_put_back(
    watched: Watched, how: tuple[str, ...], record_property: Callable[[str, object], None]
) -> None:
    """Within a second; an event says what and who; nothing differs afterwards."""
    watched.nft(*how)
    took_s = watched.wait(watched.repaired)
    (event,) = watched.repaired()
    assert took_s < 1.0 and "nft" in str(event.facts["by"]) and event.facts["what"]
    assert () == watched.do(watched.enforcer.differences)
    record_property("took_ms", event.facts["took_ms"])


def test_cuts_made_on_the_spot_come_back_with_the_tables(watched: Watched) -> None:
    """What the flush took of `cut_local` is there again."""
    watched.cuts.append(("inet", "cut_local_port", ("s0-0",)))
    watched.do(lambda: watched.enforcer.cut(watched.cuts))
    watched.nft("flush", "ruleset")
    watched.wait(watched.repaired)
    assert 1 == len(watched.do(lambda: watched.enforcer.elements_of("inet", "cut_local_port")))


def test_our_own_changes_are_no_repair(watched: Watched) -> None:
    """A new state, a cut and a tick are not told as somebody's doing; nor are tables of others."""
    watched.do(lambda: watched.enforcer.apply(large_state(72, 4)))
    watched.do(lambda: watched.enforcer.cut((("inet", "cut_local_port", ("s0-0",)),)))
    watched.do(watched.enforcer.tick)
    watched.nft("add", "table", "inet", "theirs")
    time.sleep(0.5)
    assert [] == watched.repaired()


def test_a_bridged_port_that_comes_and_goes_is_filtered_whenever_it_is_there(
    netns: str, tmp_path: Path
) -> None:
    """Its chain hooks to the device: absent without one, there as soon as it is, gone with it, and back."""
    state = large_state(8, 1)
    name = next(port.interface for port in state.ports if port.kind is PortKind.SERVER)
    ports = tuple(replace(p, link=Link.BRIDGED) if p.interface == name else p for p in state.ports)
    watched = Watched(netns, tmp_path, replace(state, ports=ports))

    def hooks() -> bool:
        done = subprocess.run(
            ["ip", "netns", "exec", netns, "nft", "list", "table", "netdev", "fwguard"],
            capture_output=True, text=True, timeout=30,
        )  # fmt: skip
        return f'device "{name}"' in done.stdout

    def ip(*words: str) -> None:
        subprocess.run(["ip", "-n", netns, *words], check=True, timeout=10)

    try:
        assert not hooks()
        for _ in range(2):
            ip("link", "add", name, "type", "bridge")
            watched.wait(hooks)
            ip("link", "del", name)
            watched.wait(lambda: not hooks())
        alarms = [event for _, event in watched.spool.head(500) if event.kind is EventKind.ALARM]
        assert any(name in str(event.facts["what"]) for event in alarms)
    finally:
        watched.stop()
