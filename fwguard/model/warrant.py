"""What every write to a device or to the kernel must hold: who, why, under which clause, and exactly what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fwguard.errors import NotAllowedError


class Ground(StrEnum):
    """What gives the right to write."""

    APPROVED_CHANGE = "approved-change"
    BASELINE = "baseline"  # put the approved state back
    END = "end"  # an opening's end has come
    VERDICT = "verdict"
    EMERGENCY = "emergency"


@dataclass(frozen=True, slots=True, kw_only=True)
class Warrant:
    """The right to write one exact thing once; in the audit log before it is used.

    `before` and `after` are digests of the snapshots (or of the structured state) that the write goes
    from and to: a write of anything else is refused.
    """

    id: str
    ground: Ground
    clause: str
    author: str
    reason: str
    subject: str  # "firewall:NAME", "server:NAME"
    before: str
    after: str
    issued_at: datetime

    def require(self, *, subject: str, before: str, after: str) -> None:
        """Raise NotAllowedError unless this warrant is for exactly this write."""
        if (subject, before, after) != (self.subject, self.before, self.after):
            raise NotAllowedError(
                f"warrant {self.id} is for {self.subject} {self.before[:12]}→{self.after[:12]}, "
                f"not for {subject} {before[:12]}→{after[:12]}: nothing was written"
            )
