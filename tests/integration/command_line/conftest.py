"""A firewall of one's own whose static routes are FRR's: real zebra and staticd, real sshd, vtysh as its shell."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fwguard.lab.routing_alone import RoutingSite, alone
from fwguard.model.snapshot import Snapshot
from fwguard.model.warrant import Ground, Warrant


@pytest.fixture
def site(tmp_path: Path) -> Iterator[RoutingSite]:
    """A firewall that is up, its routes in the kernel."""
    with alone(tmp_path) as found:
        yield found


@pytest.fixture
def warrant_for(site: RoutingSite) -> Callable[[Snapshot, Snapshot], Warrant]:
    """Return a right to write exactly this, under an id of its own."""

    def issue(before: Snapshot, after: Snapshot) -> Warrant:
        return Warrant(
            id=secrets.token_hex(8), ground=Ground.BASELINE, clause="7.1.1", author="staff", reason="a test",
            subject=f"firewall:{site.plan.name}", before=before.digest, after=after.digest,
            issued_at=datetime.now(UTC),
        )  # fmt: skip

    return issue
