"""A whole platform behind the browser: real firewalls, traffic and mail, not a store alone."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from guarded import Guarded, guarded_platform


@pytest.fixture(scope="session")
def guarded() -> Iterator[Guarded]:
    """A platform whose firewalls are approved and watched."""
    with guarded_platform() as platform:
        yield platform
