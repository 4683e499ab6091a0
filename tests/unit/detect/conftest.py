"""What the tests of the detectors share: the shipped thresholds, and a wire to write packets on."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from fwguard.detect.engine import Engine
from fwguard.model.address import AddressSet
from fwguard.model.detection import Detection
from fwguard.model.thresholds import Thresholds
from fwguard.rules.detectors import read_detectors

TESTS = Path(__file__).parents[2]
sys.path.insert(0, str(TESTS))

from wire import Wire  # noqa: E402

Scan = Callable[..., list[Detection]]


@pytest.fixture(scope="session")
def thresholds() -> Thresholds:
    """The thresholds that we ship."""
    return read_detectors(TESTS.parent / "rules")


@pytest.fixture
def wire() -> Wire:
    """An empty wire."""
    return Wire()


@pytest.fixture
def scan(thresholds: Thresholds) -> Scan:
    """Run every detector over a wire."""

    def run(wire: Wire, *inside: str) -> list[Detection]:
        engine = Engine(thresholds, inside=AddressSet.parse(*inside))
        said: list[Detection] = []
        for number, (time_s, link, frame) in enumerate(wire.frames, 1):
            said += engine.feed(number, time_s, link, frame)
        return said + engine.finish()

    return run
