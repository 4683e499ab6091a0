"""Whether a server is in service, and when its addresses go when it is not (clause 4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from fwguard.errors import InputError


class MachineState(StrEnum):
    """Where a server (or a firewall, which is a server too) stands in its life."""

    RUNNING = "running"
    STOPPED = "stopped"
    ARCHIVED = "archived"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """What a source says of one server: its state, and since when where the source knows (aware)."""

    name: str
    state: MachineState
    since: datetime | None = None

    def __post_init__(self) -> None:
        if self.since is not None and self.since.tzinfo is None:
            raise InputError(
                f"{self.name} since {self.since}, without a time zone", expected="2026-03-04T05:06:07Z"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressRules:
    """How long an address waits for what; seconds, from `rules/clauses/04-address.yaml`."""

    stopped_grace_s: int
    archived_grace_s: int
    deleted_grace_s: int
    cooling_s: int
    overlap_s: int

    @property
    def cooling(self) -> timedelta:
        """Return how long nobody else gets an address that was given back."""
        return timedelta(seconds=self.cooling_s)

    @property
    def overlap(self) -> timedelta:
        """Return how long a server that moves to another address keeps the old one (clause 7.9)."""
        return timedelta(seconds=self.overlap_s)


def release_due(
    state: MachineState, *, since: datetime, off_since: datetime, rules: AddressRules
) -> datetime | None:
    """Return when the addresses of a server go, None while it runs.

    `since`: its state is this one; `off_since`: it is not running. A server that is stopped and then
    archived does not begin to wait anew: whichever grace ends first counts.
    """
    grace_s = {
        MachineState.RUNNING: None,
        MachineState.STOPPED: rules.stopped_grace_s,
        MachineState.ARCHIVED: rules.archived_grace_s,
        MachineState.DELETED: rules.deleted_grace_s,
    }[state]
    if grace_s is None:
        return None
    return min(since + timedelta(seconds=grace_s), off_since + timedelta(seconds=rules.stopped_grace_s))
