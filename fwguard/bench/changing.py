"""The large edge loaded, changed and turned over under traffic: how long, and what it does to everybody else."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Final

from fwguard.bench.edge_path import EdgePath, load_elements, load_skeleton
from fwguard.bench.edge_platform import EACH, NOW_S, platform
from fwguard.bench.witness import witnessed
from fwguard.compile.compiled import Compiled, compile_edge
from fwguard.compile.elements import Content
from fwguard.edge import set_updates
from fwguard.edge.encoding import live_elements, table_of
from fwguard.edge.structure import wanted_sets
from fwguard.kernel.elements import Element
from fwguard.kernel.messages import Request
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import raise_refused
from fwguard.kernel.ruleset import apply, compile_text
from fwguard.kernel.sets import NamedSet
from fwguard.model.edge import EdgeState
from fwguard.model.edge_grants import EdgeOpening

OPENINGS: Final = ("open4", "open6")
_PAUSE_S: Final = 0.002
Batch = tuple[Request, ...]


def first_load(netlink: NetlinkSocket, compiled: Compiled) -> dict[str, Any]:
    """Load all of a state but its openings, then these: packed, sent, acknowledged. In seconds."""
    began = time.perf_counter()
    load_skeleton(netlink, compiled)
    skeleton = time.perf_counter()
    others = load_elements(netlink, compiled, now_s=NOW_S, but=OPENINGS)
    before, worked = time.perf_counter(), time.process_time()
    for name in OPENINGS:
        spec = compiled.specs["inet", name]
        elements = live_elements(spec, compiled.contents["inet", name], now_s=NOW_S)
        NamedSet(netlink, table_of(spec), name).add(elements)
    done, work_s = time.perf_counter(), time.process_time() - worked
    found = sum(len(NamedSet(netlink, table_of(compiled.specs["inet", n]), n).elements()) for n in OPENINGS)
    return {
        "openings": found,
        "openings_s": round(done - before, 3),
        "openings_cpu_s": round(work_s, 3),
        "rules_s": round(skeleton - began, 3),
        "other_elements": others,
        "other_elements_s": round(before - skeleton, 3),
    }


def one_at_a_time(path: EdgePath, netlink: NetlinkSocket, state: EdgeState, times: int) -> dict[str, Any]:
    """Add and remove one server with all that belongs to it, and one opening, while others begin connections."""
    whole = compile_edge(state, now_s=NOW_S)
    last = [port for port in state.ports if port.kind.value == "server"][-1]
    openings = state.openings[:-EACH]
    without = replace(
        state, ports=tuple(p for p in state.ports if p is not last), openings=openings, generation=2
    )
    one_less = replace(state, openings=state.openings[:-1], generation=2)
    found: dict[str, Any] = {}
    with witnessed(path) as account:
        for name, less in (("server", without), ("opening", one_less)):
            fewer = compile_edge(less, now_s=NOW_S)
            add, remove = _difference(netlink, fewer, whole)
            found[name] = {
                "elements": sum(len(content) for _, content in _contents(fewer, whole)),
                **_alternating(netlink, remove, add, times),
            }
    return found | {"others": account}


def _contents(fewer: Compiled, whole: Compiled) -> list[tuple[tuple[str, str], Content]]:
    found = []
    for key, content in whole.contents.items():
        less = fewer.contents[key]
        if more := {one: held for one, held in content.items() if less.get(one) != held}:
            found.append((key, more))
    return found


def _difference(
    netlink: NetlinkSocket, fewer: Compiled, whole: Compiled
) -> tuple[Callable[[], Batch], Callable[[], Batch]]:
    """Return what makes the batch that adds, and the one that removes, what is more in one of two."""
    wanted: list[tuple[NamedSet, list[Element]]] = []
    for key, content in _contents(fewer, whole):
        spec = whole.specs[key]
        wanted.append(
            (
                NamedSet(netlink, table_of(spec), spec.name),
                list(live_elements(spec, content, now_s=NOW_S)),
            )
        )

    def add() -> Batch:
        return tuple(request for held, some in wanted for request in held.adding(some))

    def remove() -> Batch:
        return tuple(request for held, some in wanted for request in held.removing(some))

    return add, remove


def _alternating(
    netlink: NetlinkSocket, first: Callable[[], Batch], second: Callable[[], Batch], times: int
) -> dict[str, Any]:
    """Remove and add again, each encoded, sent and acknowledged as one transaction."""
    removing: list[float] = []
    adding: list[float] = []
    for _ in range(times):
        for make, taken in ((first, removing), (second, adding)):
            time.sleep(_PAUSE_S)
            began = time.perf_counter()
            raise_refused(netlink.transact(make()), "one change")
            taken.append(time.perf_counter() - began)
    return {"remove": spread_ms(removing), "add": spread_ms(adding)}


def spread_ms(taken_s: Sequence[float]) -> dict[str, float]:
    """Return median, 95th and 99th percentile in milliseconds."""
    ordered = sorted(taken_s)
    return {f"p{percent}_ms": round(at(ordered, percent) * 1000, 4) for percent in (50, 95, 99)}


def at(ordered: Sequence[float], percent: int) -> float:
    """Return the value that so many percent do not exceed."""
    return ordered[min(len(ordered) - 1, len(ordered) * percent // 100)]


def reload_everything(path: EdgePath, netlink: NetlinkSocket, state: EdgeState, turns: int) -> dict[str, Any]:
    """Turn to a state with every rule other and four of five openings moved, and back, under traffic.

    As the agent does it: rules in one transaction, elements in one. What the witness sends is open in both
    states, or in neither.
    """
    watch = replace(state.controls.watch, refusals_per_s=state.controls.watch.refusals_per_s + 1)
    other = replace(
        state, generation=2, controls=replace(state.controls, watch=watch),
        openings=tuple(_moved(one) for one in state.openings),
    )  # fmt: skip
    states = [compile_edge(one, now_s=NOW_S) for one in (state, other)]
    sets = [wanted_sets(one) for one in states]
    texts = [compile_text(one.skeleton) for one in states]
    kept = {name for _, name in states[0].specs}
    taken = []
    with witnessed(path) as account:
        for turn in range(turns):
            now, then = (turn + 1) % 2, turn % 2
            began = time.perf_counter()
            apply(netlink, texts[now], keep=kept)
            update = set_updates.between(sets[then], sets[now], now_s=NOW_S)
            set_updates.send(netlink, update)
            taken.append(round(time.perf_counter() - began, 3))
    changed = update.counts
    return {"turns": turns, "seconds": taken, "elements_changed": sum(changed), **account}


def _moved(one: EdgeOpening) -> EdgeOpening:
    n = one.first_port % EACH
    return one if n < 2 else replace(one, first_port=one.first_port + EACH, last_port=one.last_port + EACH)


def large(servers: int) -> tuple[EdgeState, Compiled]:
    """Return the state of a large edge, and what it compiles to."""
    state = platform(servers)
    return state, compile_edge(state, now_s=NOW_S)
