"""What is done about one verdict, and why."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.model.controls import Reason as CutReason
from fwguard.model.controls import Rung
from fwguard.model.detection import Detection, Detector, Reason


class Action(StrEnum):
    """What is done, from nothing to the most."""

    NOTHING = "nothing"
    DRY_RUN = "dry-run"  # said only: the detector is on trial
    WARN = "warn"
    FLOW = "flow"  # one connection
    PORT = "port"  # one TCP or UDP port of the server
    SERVICE = "service"  # all ports of that service
    SERVER = "server"  # the edge port


SEVERITY: Final[Mapping[Action, int]] = {
    Action.NOTHING: 0, Action.DRY_RUN: 0, Action.WARN: 1, Action.FLOW: 2, Action.PORT: 2, Action.SERVICE: 3,
    Action.SERVER: 4,
}  # fmt: skip
RUNG_SEVERITY: Final[Mapping[Rung, int]] = {Rung.WARN: 1, Rung.PORT: 2, Rung.SERVICE: 3, Rung.SERVER: 4}
CUTS: Final = frozenset((Action.FLOW, Action.PORT, Action.SERVICE, Action.SERVER))

PortRange = tuple[int, int, int]
"""Protocol, first and last port."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One connection as the server's edge port sees it leave: the peer, and both ends' ports."""

    peer: str
    protocol: int
    server_port: int
    peer_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """What is cut at one edge port, under which clause, since and until when (None: until a person releases it).

    `connection` is set for a flow, `ranges` for a port or a service, neither for the whole server.
    """

    action: Action
    port: int
    clause: str
    since_s: float
    until_s: float | None = None
    connection: Connection | None = None
    ranges: tuple[PortRange, ...] = ()

    def covers(self, other: Cut) -> bool:
        """Tell whether this cut holds all that another would cut."""
        if self.port != other.port:
            return False
        if self.action is Action.SERVER:
            return True
        if other.connection is not None:
            one = other.connection
            return self.connection == one or any(
                protocol == one.protocol
                and any(first <= end <= last for end in (one.server_port, one.peer_port))
                for protocol, first, last in self.ranges
            )
        return bool(other.ranges) and all(
            any(p == protocol and low <= first and last <= high for p, low, high in self.ranges)
            for protocol, first, last in other.ranges
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """The answer to one detection.

    `port` is the edge port's number (0: none is accused), `interface` and `client` whose it is; `cut` is set
    where the action cuts, and its end is when the controller releases it by itself. `would` is what a detector
    on trial would have led to. `breach` tells whether it counts for the ladder, `notice` under what name a warning is
    remembered ("": none). `at_s` is seconds since 1970.
    """

    action: Action
    detector: Detector
    clause: str
    why: Reason
    at_s: float
    port: int = 0
    interface: str = ""
    client: str = ""
    reason: CutReason = CutReason.CHECK
    cut: Cut | None = None
    would: Action = Action.NOTHING
    breach: bool = False
    notice: str = ""
    calls_person: bool = False


_BECAUSE: Final[Mapping[str, CutReason]] = {
    "6.1": CutReason.DANGER, "7.1": CutReason.INTRUSION, "7.3": CutReason.HACKED, "7.4": CutReason.MAIL,
    "7.5": CutReason.REGISTRATION, "7.8": CutReason.LICENCE, "7.9": CutReason.ABUSE,
}  # fmt: skip


def cut_reason(detection: Detection) -> CutReason:
    """Return why it would be cut, which says what stays open and what the notice tells."""
    if detection.detector is Detector.SPAM_BURST:
        return CutReason.SPAM
    return _BECAUSE.get(detection.clause, CutReason.CHECK)
