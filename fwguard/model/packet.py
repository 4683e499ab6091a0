"""One packet that opens a connection, and what a firewall says of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fwguard.model.policy import Hook


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """The first packet of a connection. Addresses as text; `icmp_type` is type * 256 + code or None."""

    source: str
    target: str
    protocol: int
    sport: int = 0
    dport: int = 0
    ingress: str = ""
    egress: str = ""
    hook: Hook = Hook.FORWARD
    icmp_type: int | None = None


class Answer(StrEnum):
    """What a firewall does with a packet; UNKNOWN when a rule that we cannot read may decide."""

    ACCEPT = "accept"
    DROP = "drop"
    REJECT = "reject"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The answer, the line that decided it (0: the default of the chain), and why in words."""

    answer: Answer
    line: int
    why: str
