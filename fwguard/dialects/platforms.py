"""A whole firewall is several texts: which dialect reads which part of a snapshot, and how they add up."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from fwguard.model.change import Change, Edit
from fwguard.model.policy import Policy
from fwguard.model.snapshot import Snapshot


class SnapshotReader(Protocol):
    """Reads, compares and edits the whole snapshot of one kind of firewall."""

    def policy(self, snapshot: Snapshot) -> Policy:
        """Return what the *running* parts do."""
        ...

    def canonical(self, snapshot: Snapshot) -> Mapping[str, str]:
        """Return each part as it is compared (see Dialect.canonical)."""
        ...

    def write(self, change: Change, snapshot: Snapshot) -> Edit:
        """Return the snapshot after the change, running and boot parts alike."""
        ...
