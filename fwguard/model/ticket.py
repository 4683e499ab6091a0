"""A request of a client, from the question to the end of the opening (clause 7.1.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.ports import ICMP, ICMPV6, WITH_PORTS, show_ports, show_protocol


class TicketState(StrEnum):
    """Where a ticket stands; every move is in `approvals/lifecycle.py`."""

    REQUESTED = "requested"
    REVIEW = "review"
    APPROVED = "approved"
    DEPLOYING = "deploying"
    OPEN = "open"
    CLOSING = "closing"
    CLOSED = "closed"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    FAILED = "failed"


class TicketEvent(StrEnum):
    """What moves a ticket."""

    ANALYSED = "analysed"
    APPROVED = "approved"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"
    BASELINE_MOVED = "baseline-moved"
    DEPLOYMENT_STARTED = "deployment-started"
    DEPLOYED = "deployed"
    ROLLED_BACK = "rolled-back"
    GAVE_UP = "gave-up"
    END_CAME = "end-came"
    REMOVED = "removed"
    ADOPTED = "adopted"  # a baseline that was asked for holds now


@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What a client asks for: let `source` reach `ports` of `server` until `ends_at` (aware, UTC)."""

    server: str
    protocol: int
    source: AddressSet
    ports: Intervals
    ends_at: datetime | None
    reason: str

    def __post_init__(self) -> None:
        if self.protocol in WITH_PORTS and not self.ports:
            raise InputError("no port", expected="one or more ports, as in 443 or 8000-8010")
        if self.protocol not in WITH_PORTS and self.ports:
            raise InputError(f"ports of {show_protocol(self.protocol)}", expected="tcp or udp")
        if self.protocol not in WITH_PORTS and self.protocol not in (ICMP, ICMPV6):
            raise InputError(f"protocol {show_protocol(self.protocol)}", expected="tcp, udp, sctp or icmp")
        if self.ends_at is not None and self.ends_at.tzinfo is None:
            raise InputError(f"end {self.ends_at} without a time zone")

    @property
    def words(self) -> str:
        """Say it in one line: "tcp/443 from any to web1"."""
        ports = f"/{show_ports(self.ports)}" if self.ports else ""
        return f"{show_protocol(self.protocol)}{ports} from {self.source} to {self.server}"
