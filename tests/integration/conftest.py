"""One platform for each test process, built once and torn down at its end."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from fwguard.lab.platform import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """A platform with all its clients. Tests leave it as they found it."""
    platform = Lab.up(bound=True)
    yield platform
    platform.down()
