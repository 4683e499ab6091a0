"""The benchmark of the edge, small: every figure is there, what is isolated stops, and nothing is left behind."""

from __future__ import annotations

import pytest

from fwguard.bench import changing, edge, edge_path
from fwguard.lab import namespaces

pytestmark = pytest.mark.integration


def test_every_figure_is_taken() -> None:
    """A hundred servers, few packets, few changes, few isolations in v4 and v6."""
    found = edge.run(
        servers=100, few=16, linear_servers=50, packets=500, rounds=2, changes=5, isolations=5, share_s=1.0
    )
    assert (1000, {"v4", "v6"}) == (found["first_load"]["openings"], found["isolate"].keys())
    for family in found["isolate"].values():
        assert family["sent_to_the_end"]
        # Were the cut without effect, all packets until the next look would have arrived: 80 of them.
        assert family["leaked_packets"]["p50"] < 70
    for what in ("packet_cpu_us", "packet_us", "connection_us"):
        assert all(value > 0 for value in found["flow_cost"][what]["large_to_empty"].values())
    traffic = found["one_at_a_time"]["others"], found["reload"]
    assert [(0, 0)] * 2 == [(one["lost"], one["wrongly_passed"]) for one in traffic]
    assert found["held"]["compile_s"] and found["held"]["change_p95_ms"]


def test_nothing_is_left_after_a_failure() -> None:
    """A change that fails in the middle takes its namespaces and its witness with it."""
    with pytest.raises(AttributeError), edge_path.EdgePath() as path, path.socket() as netlink:
        state, compiled = changing.large(16)
        changing.first_load(netlink, compiled)
        changing.one_at_a_time(path, None, state, 1)  # type: ignore[arg-type]
    assert [] == namespaces.existing(path.edge.removesuffix("edge"))
