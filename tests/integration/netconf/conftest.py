"""A real firewall over NETCONF for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from fwguard.lab.netconf_alone import Site, alone


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Return a firewall that is up, with a server behind it."""
    with alone(tmp_path) as found:
        yield found
