"""Every mail that we write, and the values that its templates need: here and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class Event(StrEnum):
    """What happened; the name of a folder under `approvals/mail/<language>/`."""

    REQUEST_RECEIVED = "request-received"
    REQUEST_UNCLEAR = "request-unclear"
    REQUEST_REFUSED = "request-refused"
    REQUEST_APPROVED = "request-approved"
    OPENING_OPEN = "opening-open"
    OPENING_ALREADY_OPEN = "opening-already-open"
    OPENING_CLOSED = "opening-closed"
    OPENING_FAILED = "opening-failed"
    DRIFT_RESTORED = "drift-restored"
    DRIFT_HELD = "drift-held"
    HOST_KEY_CHANGED = "host-key-changed"
    SENDER_UNKNOWN = "sender-unknown"
    TOO_LARGE = "too-large"
    CASE_CLOSED = "case-closed"
    STAFF_CALL = "staff-call"
    VIOLATION_WARNING = "violation-warning"
    ISOLATION_NOTICE = "isolation-notice"
    SUSPENSION_NOTICE = "suspension-notice"
    RELEASE_NOTICE = "release-notice"


class Kind(StrEnum):
    """What a value is, and so how it is checked and bounded."""

    LINE = "line"  # text of one line
    TEXT = "text"  # text of several lines, such as firewall rules
    LINES = "lines"  # a sequence of lines
    MOMENT = "moment"  # an aware datetime
    END = "end"  # an aware datetime, or None: no end
    DAY = "day"  # a date
    BYTES = "bytes"  # a size


# In every mail. `number` is that of the ticket, the case or the kept mail ("T-2026-0001").
COMMON: Final[Mapping[str, Kind]] = {"number": Kind.LINE, "desk_name": Kind.LINE, "desk_mail": Kind.LINE}

_TICKET: Final[Mapping[str, Kind]] = {
    "contact_name": Kind.LINE,
    "what": Kind.LINE,  # `Ask.words`
    "clause": Kind.LINE,
    "page_url": Kind.LINE,
}
_CASE: Final[Mapping[str, Kind]] = {
    "contact_name": Kind.LINE,
    "clause": Kind.LINE,
    "page_url": Kind.LINE,
    "contest_until": Kind.DAY,  # 8 French working days after the fact (clause 6.1)
}

VALUES: Final[Mapping[Event, Mapping[str, Kind]]] = {
    Event.REQUEST_RECEIVED: {
        **_TICKET, "reason": Kind.LINE, "received_at": Kind.MOMENT, "ends_at": Kind.END,
    },
    Event.REQUEST_UNCLEAR: {
        "contact_name": Kind.LINE, "received_at": Kind.MOMENT, "clause": Kind.LINE, "problems": Kind.LINES,
    },
    Event.REQUEST_REFUSED: {
        **_TICKET, "refused_at": Kind.MOMENT, "why": Kind.LINE, "contest_until": Kind.DAY,
    },
    Event.REQUEST_APPROVED: {**_TICKET, "approved_at": Kind.MOMENT, "ends_at": Kind.END},
    Event.OPENING_OPEN: {
        **_TICKET, "firewall": Kind.LINE, "opened_at": Kind.MOMENT, "ends_at": Kind.END, "shown": Kind.TEXT,
    },
    Event.OPENING_ALREADY_OPEN: {**_TICKET, "firewall": Kind.LINE, "ends_at": Kind.END},
    Event.OPENING_CLOSED: {
        **_TICKET, "firewall": Kind.LINE, "closed_at": Kind.MOMENT, "why": Kind.LINE,
        "contest_until": Kind.DAY,
    },
    Event.OPENING_FAILED: {
        **_TICKET, "firewall": Kind.LINE, "failed_at": Kind.MOMENT, "why": Kind.LINE,
    },
    Event.DRIFT_RESTORED: {
        **_CASE, "firewall": Kind.LINE, "seen_at": Kind.MOMENT, "restored_at": Kind.MOMENT,
        "effects": Kind.LINES, "shown": Kind.TEXT,
    },
    Event.DRIFT_HELD: {
        **_CASE, "firewall": Kind.LINE, "seen_at": Kind.MOMENT, "why": Kind.LINE,
        "effects": Kind.LINES, "shown": Kind.TEXT,
    },
    Event.HOST_KEY_CHANGED: {
        **_CASE, "firewall": Kind.LINE, "seen_at": Kind.MOMENT,
        "expected_key": Kind.LINE, "shown_key": Kind.LINE,  # fingerprints
    },
    Event.SENDER_UNKNOWN: {"received_at": Kind.MOMENT},
    Event.TOO_LARGE: {"received_at": Kind.MOMENT, "size": Kind.BYTES, "limit": Kind.BYTES},
    Event.CASE_CLOSED: {
        **_CASE, "what": Kind.LINE, "closed_at": Kind.MOMENT, "why": Kind.LINE,
    },
    Event.STAFF_CALL: {
        "what": Kind.LINE, "since": Kind.MOMENT, "why": Kind.LINE, "clause": Kind.LINE,
        "page_url": Kind.LINE,
    },
    Event.VIOLATION_WARNING: {
        **_CASE, "server": Kind.LINE, "seen_at": Kind.MOMENT, "why": Kind.LINE,
        "evidence": Kind.LINES, "steps": Kind.LINES, "act_until": Kind.MOMENT,
    },
    Event.SUSPENSION_NOTICE: {
        **_CASE, "server": Kind.LINE, "suspended_at": Kind.MOMENT, "why": Kind.LINE, "words": Kind.LINE,
        "steps": Kind.LINES,
    },
    Event.ISOLATION_NOTICE: {
        **_CASE, "server": Kind.LINE, "isolated_at": Kind.MOMENT, "why": Kind.LINE,
        "evidence": Kind.LINES, "steps": Kind.LINES,
    },
    Event.RELEASE_NOTICE: {
        **_CASE, "server": Kind.LINE, "released_at": Kind.MOMENT, "why": Kind.LINE,
    },
}  # fmt: skip
