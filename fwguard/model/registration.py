"""ServiceKind that may be used only once it is registered: IRC, proxies, video chat (clause 7.5)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from fwguard.errors import ConflictError, InputError
from fwguard.model.controls import ServiceKind
from fwguard.model.intervals import Intervals
from fwguard.model.ports import SCTP, TCP, UDP, show_protocol

LONGEST: Final = timedelta(days=3660)
MOST_LETTERS: Final = 2000
MOST_PORTS: Final = 1024
PROTOCOLS: Final = (TCP, UDP, SCTP)


class RegistrationState(StrEnum):
    """Where a registration stands."""

    REQUESTED = "requested"
    GRANTED = "granted"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    ENDED = "ended"


class RegistrationEvent(StrEnum):
    """What moves it."""

    GRANT = "grant"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"
    END = "end"  # its day has come, or someone ended it before


MOVES: Final[Mapping[tuple[RegistrationState, RegistrationEvent], RegistrationState]] = {
    (RegistrationState.REQUESTED, RegistrationEvent.GRANT): RegistrationState.GRANTED,
    (RegistrationState.REQUESTED, RegistrationEvent.REFUSE): RegistrationState.REFUSED,
    (RegistrationState.REQUESTED, RegistrationEvent.WITHDRAW): RegistrationState.WITHDRAWN,
    (RegistrationState.REQUESTED, RegistrationEvent.END): RegistrationState.ENDED,
    (RegistrationState.GRANTED, RegistrationEvent.END): RegistrationState.ENDED,
}


def next_state(state: RegistrationState, event: RegistrationEvent) -> RegistrationState:
    """Return the state after a move. Raises ConflictError when there is none."""
    after = MOVES.get((state, event))
    if after is None:
        raise ConflictError(f"this registration is {state}: it cannot {event} any more")
    return after


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """What is asked: `software` on `ports` of `server` until `ends_at` (aware). `reason` is the client's own.

    Without ports it is meant on every port by which such software is known.
    """

    server: str
    software: ServiceKind
    protocol: int
    ports: Intervals
    ends_at: datetime
    reason: str

    def __post_init__(self) -> None:
        if self.protocol not in PROTOCOLS:
            raise InputError(f"protocol {show_protocol(self.protocol)}", expected="tcp, udp or sctp")
        if self.ports.size > MOST_PORTS:
            raise InputError(f"{self.ports.size} ports", expected=f"at most {MOST_PORTS}")
        if self.ends_at.tzinfo is None:
            raise InputError(f"end {self.ends_at} without a time zone", expected="2026-12-31T23:59:59Z")
        if not self.reason.strip() or len(self.reason) > MOST_LETTERS:
            raise InputError("no reason", expected=f"what it is for, in at most {MOST_LETTERS} letters")

    def must_end_after(self, now: datetime) -> None:
        """Raise InputError unless the end lies ahead, and within ten years."""
        if self.ends_at <= now:
            raise InputError(f"the end {self.ends_at:%Y-%m-%d %H:%M} UTC is past", expected="a later day")
        if self.ends_at > now + LONGEST:
            raise InputError(
                f"the end {self.ends_at:%Y-%m-%d} is more than ten years away", expected="an earlier day"
            )
