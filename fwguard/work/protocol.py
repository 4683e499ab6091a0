"""What the flows need of whatever runs them: ask that something be looked at, soon or at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol


class Look(NamedTuple):
    """Look at this: `kind` names a flow ("firewall", "ticket", "mail"…), `subject` what to look at.

    A look says nothing of what to do: the flow reads the tables and does what they say. So a look that
    is lost or doubled changes nothing (DESIGN.md 4.3).
    """

    kind: str
    subject: str


# A flow returns in how many seconds it wants to look again, or None when only a new poke brings it back.
Flow = Callable[[str], float | None]


class Work(Protocol):
    """Runs flows, never two at once for one look, in no promised order otherwise."""

    def poke(self, kind: str, subject: str, *, after_s: float = 0.0) -> None:
        """Ask for a look. Asked again while it waits: the earlier time holds; while it runs: once more."""
        ...
