"""The fleet's benchmark runs to its end and says what it promises; what it says is not judged here."""

from __future__ import annotations

import json

import pytest

from fwguard.bench import fleet

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]


def test_it_measures_every_figure() -> None:
    """A few changes on each streaming firewall, a start, a moment of idleness: all figures, as JSON."""
    figures = fleet.run(changes=2, firewalls=3, starts=1, idle_s=1.0)
    assert figures == json.loads(json.dumps(figures))
    assert set(fleet.TARGETS) < set(figures["held"])
    assert ["fw-acme", "fw-globex", "fw-initech"] == list(figures["changes"])
    for box in figures["changes"].values():
        assert 0 < box["seen_from_start_ms"]["p50"] < box["restored_from_start_ms"]["p50"]
    assert 3 == figures["idle"]["firewalls"]
    assert figures["idle"]["rss_mb"] > 10


def test_no_scapy_in_the_controller() -> None:
    """The interpreter's own list of imports is asked: it names the controller, and nothing of scapy."""
    figures = fleet.run(changes=1, firewalls=1, starts=0, idle_s=0.1, kinds=("nftables",))
    assert [] == figures["after_changes"]["scapy"]
