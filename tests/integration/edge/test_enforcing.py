"""A state applied, changed, read back and repaired in a real kernel; packets decide whether it holds."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import TypeVar

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from edge_judge import EdgeJudge
from random_edges import NOW_S, random_frames, random_state

from fwguard.compile.contract import Contract
from fwguard.edge.enforcing import Enforcer
from fwguard.kernel.namespaces import inside
from fwguard.model.edge import EdgeState

pytestmark = pytest.mark.integration
T = TypeVar("T")


class House:
    """One enforcer in the namespace of one edge."""

    def __init__(self, edge: EdgeJudge) -> None:
        self.edge = edge
        self.cuts: list[tuple[str, str, tuple[object, ...]]] = []
        self.now_s = float(NOW_S)
        self.enforcer = self.do(lambda: Enforcer(clock=lambda: self.now_s, local=lambda: self.cuts))  # type: ignore[arg-type,return-value]

    def do(self, work: Callable[[], T]) -> T:
        return inside(self.edge.firewall, work)

    def nft(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ["ip", "netns", "exec", self.edge.firewall, "nft", *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=30)


@pytest.fixture
def house() -> Iterator[House]:
    """Make an edge that any random state fits: their ports and addresses are the same."""
    with EdgeJudge(random_state(Random(3))) as edge:
        made = House(edge)
        yield made
        made.enforcer.close()


def judged(house: House, state: EdgeState, seed: int) -> None:
    """Check packets against the contract's plain statement."""
    random = Random(seed)
    frames = random_frames(state, random, 150)
    contract = Contract(state, now_s=int(house.now_s))
    wanted = [contract.judge(packet, ether=ether).passes for packet, ether in frames]
    assert wanted == house.edge.judge_frames(frames)


def test_first_state_is_whole_and_closed_before(house: House) -> None:
    """The first load holds all at once; nothing differs when it is read back."""
    applied = house.do(lambda: house.enforcer.apply(house.edge.state))
    assert applied.restructured and applied.absent == () and applied.trouble == ()
    assert house.do(house.enforcer.differences) == ()
    judged(house, house.edge.state, 1)


@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_later_state_replaces_the_former(house: House, seed: int) -> None:
    """Elements and shards that changed are put, those that went are gone."""
    house.do(lambda: house.enforcer.apply(house.edge.state))
    later = random_state(Random(seed))
    house.do(lambda: house.enforcer.apply(later))
    assert house.do(house.enforcer.differences) == ()
    judged(house, later, seed)


def test_a_restarted_agent_adopts_what_is_there(house: House) -> None:
    """A second enforcer finds all as it should be, and changes nothing."""
    state = house.edge.state
    house.do(lambda: house.enforcer.apply(state))
    house.enforcer.close()
    house.enforcer = house.do(lambda: Enforcer(clock=lambda: house.now_s, local=lambda: house.cuts))  # type: ignore[arg-type,return-value]
    again = house.do(lambda: house.enforcer.apply(state))
    assert (again.added, again.removed, again.found) == (0, 0, ())


def test_what_others_changed_while_nobody_watched_is_put_right(house: House) -> None:
    """Rules flushed, elements added and removed, a chain made: one repair, and all is as it should be."""
    state = house.edge.state
    house.do(lambda: house.enforcer.apply(state))
    house.enforcer.close()
    assert (
        house.nft("add", "element", "inet", "fwguard", "open4", "{ 203.0.113.9 . tcp . 31337 }").returncode
        == 0
    )
    assert house.nft("flush", "chain", "inet", "fwguard", "forward").returncode == 0
    assert house.nft("add", "chain", "inet", "fwguard", "mine").returncode == 0
    house.enforcer = house.do(lambda: Enforcer(clock=lambda: house.now_s, local=lambda: house.cuts))  # type: ignore[arg-type,return-value]
    repaired = house.do(lambda: house.enforcer.apply(state))
    assert any("forward" in words for words in repaired.found)
    assert any("mine" in words for words in repaired.found)
    assert house.do(house.enforcer.differences) == ()
    judged(house, state, 5)


def test_everything_flushed_is_loaded_anew_with_its_cuts(house: House) -> None:
    """After `flush ruleset` without an owner, state and local cuts are back in one go."""
    state = house.edge.state
    house.do(lambda: house.enforcer.apply(state))
    name = state.ports[0].interface
    house.cuts.append(("inet", "cut_local_port", (name,)))
    house.do(lambda: house.enforcer.cut(house.cuts))  # type: ignore[arg-type]
    house.enforcer.close()
    house.nft("flush", "ruleset")
    house.enforcer = house.do(lambda: Enforcer(clock=lambda: house.now_s, local=lambda: house.cuts))  # type: ignore[arg-type,return-value]
    house.do(lambda: house.enforcer.apply(state))
    assert name in house.nft("list", "set", "inet", "fwguard", "cut_local_port").stdout
    assert house.do(house.enforcer.differences) == ()


def test_another_generation_leaves_local_cuts(house: House) -> None:
    """A cut made on the spot stands over any state; it goes when it is taken out."""
    name = house.edge.state.ports[0].interface
    house.do(lambda: house.enforcer.apply(house.edge.state))
    house.do(lambda: house.enforcer.cut((("inet", "cut_local_port", (name,)),)))
    house.do(lambda: house.enforcer.apply(random_state(Random(21))))
    assert name in house.nft("list", "set", "inet", "fwguard", "cut_local_port").stdout
    assert 1 == house.do(lambda: house.enforcer.uncut((("inet", "cut_local_port", (name,)),)))


def test_nobody_else_changes_owned_tables(house: House) -> None:
    """While the enforcer lives, flush and delete by others change nothing."""
    house.do(lambda: house.enforcer.apply(house.edge.state))
    house.nft("flush", "ruleset")
    assert house.nft("delete", "table", "inet", "fwguard").returncode != 0
    assert house.do(house.enforcer.differences) == ()


def test_without_a_state_nothing_passes(house: House) -> None:
    """Closed is a ruleset too: no packet is forwarded; a state opens it again."""
    assert house.do(house.enforcer.close_traffic)
    frames = random_frames(house.edge.state, Random(2), 100)
    assert not any(house.edge.judge_frames(frames))
    house.do(lambda: house.enforcer.apply(house.edge.state))
    assert "bridge" not in house.nft("list", "tables").stdout
    judged(house, house.edge.state, 7)


def test_an_opening_ends_by_the_clock(house: House) -> None:
    """What is due is known, and the tick after it changes nothing that the kernel did not end itself."""
    opening = replace(random_state(Random(3)).openings[0], ends_at_s=NOW_S + 2)
    state = replace(house.edge.state, openings=(opening,))
    house.do(lambda: house.enforcer.apply(state))
    assert NOW_S + 2 == house.enforcer.next_moment_s()
