"""A case: something that the contract forbids was seen, and what was done about it."""

from __future__ import annotations

from enum import StrEnum


class CaseKind(StrEnum):
    """What was seen."""

    DRIFT = "drift"  # clause 7.1.1
    HOST_KEY = "host-key"  # clause 7.1: another machine answers in the firewall's place
    UNREACHABLE = "unreachable"  # clause 7.10: we cannot check
    VIOLATION = "violation"  # what a detector or a person saw on a server


class CaseState(StrEnum):
    """Where a case stands; every move is in `approvals/lifecycle.py`."""

    OPEN = "open"
    RESTORING = "restoring"
    HELD = "held"  # seen, and by policy or by the cap not undone: a person decides
    ISOLATED = "isolated"
    CLOSED = "closed"


class CaseEvent(StrEnum):
    """What moves a case."""

    RESTORE_STARTED = "restore-started"
    RESTORED = "restored"
    RESTORE_FAILED = "restore-failed"
    HOLD = "hold"
    APPROVED_AFTER_ALL = "approved-after-all"
    ISOLATED = "isolated"
    RELEASED = "released"
    GONE = "gone"  # it undid itself before we acted
