"""What we write over netlink is what nft writes for the same state: keys, ends, data and comments.

nft also writes that nothing matches from zero on, at the front of an interval set; that says nothing.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from random_edges import NOW_S, random_state

from fwguard.compile.compiled import compile_edge, first_load_text
from fwguard.compile.names import TABLE
from fwguard.edge.encoding import identity, live_elements
from fwguard.kernel import nf_tables as n
from fwguard.kernel.namespaces import inside_scratch
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.scratch import _run, hooked_devices
from fwguard.kernel.sets import NamedSet
from fwguard.model.edge import EdgeState, Link

pytestmark = pytest.mark.integration


def _states() -> Iterator[EdgeState]:
    for seed in range(6):
        state = random_state(Random(seed))
        if seed % 2:
            first = next(p for p in state.ports if p.kind.value == "server")
            bridged = tuple(replace(p, link=Link.BRIDGED) if p is first else p for p in state.ports)
            state = replace(state, ports=bridged)
        yield state


@pytest.mark.parametrize("state", list(_states()), ids=lambda state: f"{len(state.openings)}-openings")
def test_elements_are_those_of_nft(state: EdgeState) -> None:
    """Keys, ends, data and comments of every set are equal, whoever wrote them."""
    compiled = compile_edge(state, now_s=NOW_S)
    text = first_load_text(compiled, now_s=NOW_S)

    def load() -> dict[tuple[str, str], set[tuple[object, ...]]]:
        devices = hooked_devices(text)
        _run(("ip", "-batch", "-"), "".join(f"link add name {d} type bridge\n" for d in devices), "devices")
        _run(("nft", "-f", "-"), text, "ruleset")
        with NetlinkSocket() as socket:
            return {
                (family, name): {
                    identity(e) for e in NamedSet(socket, n.Table(family, TABLE), name).elements()
                }
                for family, name in compiled.specs
            }

    found = inside_scratch(load)
    for key, spec in compiled.specs.items():
        ours = {identity(e) for e in live_elements(spec, compiled.contents[key], now_s=NOW_S)}
        front = (bytes(len(next(iter(found[key]))[0])), b"", True, "", None) if found[key] else ()  # type: ignore[arg-type]
        assert found[key] - {front} == ours - {front}, key
