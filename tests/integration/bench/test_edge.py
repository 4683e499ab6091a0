"""The benchmark of the edge, small: every figure is there, and what is isolated stops."""

from __future__ import annotations

import pytest

from fwguard.bench import edge

pytestmark = pytest.mark.integration


def test_every_figure_is_taken() -> None:
    """A hundred servers, a few changes, a few isolations in v4 and v6."""
    found = edge.run(servers=100, changes=5, isolations=5)
    assert (1000, {"v4", "v6"}) == (found["first_load"]["openings"], found["isolate"].keys())
    assert {"add_10", "remove_10", "add_1", "remove_1"} == found["one_server"].keys()
    for family in found["isolate"].values():
        assert family["sent_to_the_end"]
        # Were the cut without effect, all packets until the next look would have arrived: 80 of them.
        assert family["leaked_packets"]["p50"] < 70
