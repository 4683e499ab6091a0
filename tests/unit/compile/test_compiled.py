"""The compilation as a whole: deterministic, elements only, bounded, and fast."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from edge_states import large_state

from fwguard.compile.changes import change_texts, changes, ended_openings
from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.compile.shaping import first_tc_text, shape, tc_change_text
from fwguard.model.address import AddressSet
from fwguard.model.controls import Reason
from fwguard.model.edge_grants import EdgeIsolation, EdgeOpening, Scope

NOW_S = 1_800_000_000


def test_every_rule_and_every_element_leads_back() -> None:
    """Each has a comment, which begins with its clause."""
    compiled = compile_edge(large_state(24, 4), now_s=NOW_S)
    rules = re.findall(
        r"^\t\t(?!type |typeof |flags |size |timeout |counter$)(.*)$", compiled.skeleton, re.MULTILINE
    )
    assert len(rules) > 100
    clause = r"(\d+(\.\d+)*|annex-\d)[ \"]"
    assert [] == [rule for rule in rules if not re.search(rf'comment "{clause}', rule)]
    for name, content in compiled.contents.items():
        own = [held.comment for held in content.values() if held.comment != "uplink"]
        assert [] == [comment for comment in own if not re.match(clause, f"{comment} ")], name


def test_equal_states_compile_alike() -> None:
    """Byte for byte, whatever ran before."""
    texts = {first_load_text(compile_edge(large_state(24, 4), now_s=NOW_S), now_s=NOW_S) for _ in range(2)}
    assert 1 == len(texts)


def test_one_more_opening_is_one_more_element() -> None:
    """No rule, no chain, no other element moves."""
    state = large_state(24, 4)
    more = EdgeOpening(
        port=1, public=state.openings[1].public, protocol=6, first_port=99, last_port=99, ticket="N1"
    )
    what = changes(
        compile_edge(state, now_s=NOW_S),
        compile_edge(replace(state, openings=(*state.openings, more)), now_s=NOW_S),
    )
    assert (False, {}, (), "") == (what.is_structural, what.removed, what.flipped, what.tc)
    assert [("inet", "open4")] == list(what.added)
    assert 1 == len(what.added["inet", "open4"])


def test_nothing_changed_is_nothing_to_do() -> None:
    """Two compilations of one state differ in nothing."""
    compiled = compile_edge(large_state(24, 4), now_s=NOW_S)
    assert changes(compiled, compile_edge(large_state(24, 4), now_s=NOW_S)).is_empty
    assert ("", "") == change_texts(compiled, compiled, now_s=NOW_S)


def test_a_ranged_opening_flips_its_shard_alone() -> None:
    """The new set stands beside the old one before a rule asks it."""
    state = large_state(24, 4)
    ranged = [
        EdgeOpening(
            port=1, public=state.openings[1].public, protocol=6, first_port=1, last_port=high, ticket="N1"
        )
        for high in (9, 8)
    ]
    before, after = (compile_edge(replace(state, openings=(one,)), now_s=NOW_S) for one in ranged)
    beside, turn = change_texts(before, after, now_s=NOW_S)
    assert 1 == len(changes(before, after).flipped)
    assert "rule" not in beside
    assert [1, 1, 1] == [turn.count(word) for word in ("flush chain", "add rule", "delete set")]


def test_an_isolation_moves_cut_elements_only() -> None:
    """Ordering a cut is four elements: both ways by port, its MAC."""
    state = large_state(24, 4)
    cut = EdgeIsolation(scope=Scope.PORT, port=3, reason=Reason.HACKED, clause="7.3", case=1)
    what = changes(
        compile_edge(state, now_s=NOW_S), compile_edge(replace(state, isolations=(cut,)), now_s=NOW_S)
    )
    names = {name for _, name in what.added}
    assert {"cut_ordered_from", "cut_ordered_to", "cut_ordered_mac"} == names
    assert not what.removed


def test_what_ended_is_named_for_its_connections() -> None:
    """An opening that is gone, or whose end has come, ends its connections too."""
    state = large_state(2, 2)
    timed = replace(state, openings=(replace(state.openings[0], ends_at_s=NOW_S + 5), *state.openings[1:]))
    assert state.openings[:1] == ended_openings(
        state, replace(state, openings=state.openings[1:]), now_s=NOW_S
    )
    assert () == ended_openings(state, timed, now_s=NOW_S)
    assert timed.openings[:1] == ended_openings(timed, timed, now_s=NOW_S + 5)


def test_assured_sums_above_the_uplink_shrink_in_proportion() -> None:
    """Nobody is promised what the uplink does not have, and the operator is told (clause 7.7)."""
    state = replace(large_state(32, 0), uplink_bps=202_000_000)
    shaping = shape(state)
    assert [50_500_000] * 4 == [one.rate_bps for one in shaping.classes]
    assert (0.5, 404_000_000) == (shaping.shrunk, shaping.assured_sum_bps)
    assert 1.0 == shape(large_state(32, 0)).shrunk


def test_a_new_client_is_a_new_class_alone() -> None:
    """Others' classes are not touched while the uplink suffices."""
    before, after = shape(large_state(8, 0)), shape(large_state(16, 0))
    text = tc_change_text(before, after)
    assert "htb default" not in text
    assert {"1:11"} == {
        line.split("classid ")[1].split()[0] for line in text.splitlines() if "classid" in line
    }
    assert "" == tc_change_text(after, after)
    assert tc_change_text(after, before).startswith("class del dev uplink classid 1:11\n")
    assert first_tc_text(after).count("classid 1:11 ") == 2


def test_no_line_is_unbounded() -> None:
    """A text of many elements comes in lines of bounded length."""
    text = first_load_text(compile_edge(large_state(400, 10), now_s=NOW_S), now_s=NOW_S)
    assert max(map(len, text.splitlines())) < 1 << 18


def test_addresses_of_the_monitoring_are_few_words() -> None:
    """Intervals stay intervals."""
    state = replace(large_state(2, 0), monitoring=AddressSet.parse("198.51.100.0/24", "2001:db8::/32"))
    contents = compile_edge(state, now_s=NOW_S).contents
    assert (1, 1) == (len(contents["inet", "monitoring4"]), len(contents["inet", "monitoring6"]))


def test_ten_thousand_servers_compile_within_their_bounds() -> None:
    """In a process of its own: at most 2 s of processor time and 300 MB."""
    program = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "from edge_states import large_state\n"
        "from fwguard.compile.compiled import compile_edge\n"
        "state = large_state(10000, 10)\n"
        "began = time.process_time(); compile_edge(state, now_s=0)\n"
        "took_s = time.process_time() - began\n"  # ru_maxrss would count what ran here before exec
        "(peak,) = [line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM:')]\n"
        "print(took_s, peak)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(Path(__file__).parents[2])],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    seconds, kilobytes = done.stdout.split()
    assert float(seconds) <= 2.0
    assert int(kilobytes) <= 300 << 10
