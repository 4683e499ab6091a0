"""From one generation to the next: the kernel ends where a fresh load would, and local cuts stay."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from edge_judge import EdgeJudge
from random_edges import NOW_S, random_frames, random_state

from fwguard.compile.changes import change_texts, changes
from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.compile.contract import Contract
from fwguard.model.edge import EdgeState

pytestmark = pytest.mark.integration


def held(edge: EdgeJudge) -> dict[str, list[str]]:
    """Return every chain's rules and every set's elements as the kernel has them, without what runs."""
    found: dict[str, list[str]] = {}
    for entry in json.loads(edge.run(["nft", "-j", "list", "ruleset"]))["nftables"]:
        for kind, value in entry.items():
            if kind in ("set", "map"):
                elements = [json.dumps(_plain(one), sort_keys=True) for one in value.get("elem", [])]
                found[f"{value['family']} {value['name']}"] = sorted(elements)
            elif kind == "rule":
                rules = found.setdefault(f"{value['family']} chain {value['chain']}", [])
                rules.append(json.dumps(_plain(value["expr"]), sort_keys=True))
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        running = ("expires", "timeout", "packets", "bytes")
        return {key: _plain(one) for key, one in value.items() if key not in running}
    return [_plain(one) for one in value] if isinstance(value, list) else value


def later_state(seed: int) -> EdgeState:
    """Return another random state of the same ports and isolations."""
    return replace(random_state(Random(seed)), generation=1000 + seed)


@pytest.mark.parametrize("seed", range(3))
def test_a_change_ends_where_a_fresh_load_would(seed: int) -> None:
    """Rules, elements and shards are those of the new state alone, and packets are judged by it."""
    random = Random(seed)
    old, new = random_state(random), later_state(seed + 50)
    before, after = compile_edge(old, now_s=NOW_S), compile_edge(new, now_s=NOW_S)
    frames = random_frames(new, random, 150)
    with EdgeJudge(new) as edge:
        edge.load(first_load_text(after, now_s=NOW_S))
        fresh = held(edge)
    with EdgeJudge(new) as edge:
        edge.load(first_load_text(before, now_s=NOW_S))
        for text in change_texts(before, after, now_s=NOW_S):
            edge.load(text)
        assert fresh == held(edge)
        arrived = edge.judge_frames(frames)
    contract = Contract(new, now_s=NOW_S)
    assert [contract.judge(packet, ether=ether).passes for packet, ether in frames] == arrived


def test_what_was_cut_on_the_spot_stays_cut() -> None:
    """A new generation, and one that changes every rule, never touch the local cuts."""
    old, new = random_state(Random(1)), later_state(2)
    intrusion = replace(new.controls.intrusion, memory_most=4096, window_s=30)
    rules = replace(new, controls=replace(new.controls, intrusion=intrusion))
    compiled = [compile_edge(state, now_s=NOW_S) for state in (old, new, rules)]
    assert changes(compiled[1], compiled[2]).is_structural
    with EdgeJudge(old) as edge:
        edge.load(first_load_text(compiled[0], now_s=NOW_S))
        edge.load('add element inet fwguard cut_local_port { "acme-web" }')
        edge.load("add element inet fwguard cut_local_v4 { 192.0.2.10 }")
        for before, after in pairwise(compiled):
            for text in change_texts(before, after, now_s=NOW_S):
                edge.load(text)
            listed = edge.run(["nft", "list", "table", "inet", "fwguard"])
            assert 'elements = { "acme-web" }' in listed
            assert "elements = { 192.0.2.10 }" in listed
        sizes = edge.run(["nft", "list", "set", "inet", "fwguard", "tried4"])
    assert "size 4096" in sizes


def test_an_element_that_ended_meanwhile_is_no_obstacle() -> None:
    """What the kernel forgot by itself can be removed by the next generation."""
    one = random_state(Random(0))
    old = replace(one, openings=tuple(replace(opening, ends_at_s=NOW_S + 3) for opening in one.openings))
    before = compile_edge(old, now_s=NOW_S)
    after = compile_edge(replace(old, openings=(), generation=1000), now_s=NOW_S)
    with EdgeJudge(old) as edge:
        edge.load(first_load_text(before, now_s=NOW_S))
        assert "7.1.1 T" in edge.run(["nft", "list", "ruleset"])
        time.sleep(3.2)
        assert "7.1.1 T" not in edge.run(["nft", "list", "ruleset"])
        for text in change_texts(before, after, now_s=NOW_S + 3):
            edge.load(text)
        assert "ranged4_" not in edge.run(["nft", "list", "sets"])
