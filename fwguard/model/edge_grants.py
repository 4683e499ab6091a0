"""What an edge lets through and what it cuts: openings, registrations, transfers, isolations, allow-lists."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fwguard.errors import InputError
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.controls import Passage, Reason, ServiceKind
from fwguard.model.edge_fields import (
    CUT,
    MOST_SPANS,
    Span,
    check_end,
    check_leads_back,
    check_name,
    check_port_range,
)
from fwguard.model.ports import TCP, WITH_PORTS, show_protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """What a client that left may still do (clause 13.2): `sources` reach these ports of `public`."""

    public: Span
    protocol: int
    first_port: int
    last_port: int
    sources: AddressSet

    def __post_init__(self) -> None:
        self.public.check("public")
        if self.protocol not in WITH_PORTS:
            raise InputError(show_protocol(self.protocol), where="protocol", expected="tcp, udp or sctp")
        check_port_range(self.first_port, self.last_port)


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeOpening:
    """New connections of `sources` to ports of `public` behind outer port `port` pass until the end.

    Of a protocol without ports, ICMP included, `first_port` to `last_port` is 0 to 65535: all of it.
    """

    port: int
    public: Span
    protocol: int
    first_port: int = 0
    last_port: int = 65535
    sources: AddressSet = ANY_ADDRESS
    ends_at_s: int | None = None
    ticket: str
    clause: str = "7.1.1"

    def __post_init__(self) -> None:
        self.public.check("public")
        if not 0 <= self.protocol <= 255:
            raise InputError(f"{self.protocol}", where="protocol", expected="0 to 255")
        check_port_range(self.first_port, self.last_port)
        if self.protocol not in WITH_PORTS and (self.first_port, self.last_port) != (0, 65535):
            raise InputError(show_protocol(self.protocol), where="ports", expected="no ports")
        check_end("ends_at_s", self.ends_at_s)
        check_leads_back(self.ticket, self.clause)
        spans = self.sources.v4 if self.public.version == 4 else self.sources.v6
        if not 1 <= len(spans.pairs) <= MOST_SPANS:
            raise InputError(
                f"{self.sources}",
                where="sources",
                expected=f"1 to {MOST_SPANS} spans of the target's version",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeRegistration:
    """What a server registered (clause 7.5). Ports as (protocol, first, last); none: all known ones of `kind`."""

    port: int
    kind: ServiceKind
    ports: tuple[tuple[int, int, int], ...] = ()
    ends_at_s: int | None = None
    ticket: str

    def __post_init__(self) -> None:
        for protocol, first, last in self.ports:
            if protocol not in WITH_PORTS:
                raise InputError(show_protocol(protocol), where="ports", expected="tcp, udp or sctp")
            check_port_range(first, last)
        if sum(last - first + 1 for _, first, last in self.ports) > 1024:
            raise InputError("too many", where="ports", expected="at most 1024")
        check_end("ends_at_s", self.ends_at_s)
        check_leads_back(self.ticket, "7.5")


class Scope(StrEnum):
    """How much is cut."""

    PORT = "port"  # an edge port, hence a server
    SERVICE = "service"  # protocol and ports of one server, both ways
    ARCHITECTURE = "architecture"  # every port of it


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeIsolation:
    """What the controller ordered cut: `port` of scope port or service, else `architecture`."""

    scope: Scope
    port: int = 0
    architecture: str = ""
    protocol: int = TCP
    first_port: int = 0
    last_port: int = 65535
    reason: Reason
    clause: str
    case: int
    stays_open: tuple[Passage, ...] = ()
    ends_at_s: int | None = None

    def __post_init__(self) -> None:
        if (self.scope is Scope.ARCHITECTURE) != (self.port == 0) or (self.port == 0) != bool(
            self.architecture
        ):
            raise InputError(f"scope {self.scope}", where="scope", expected="one port, or one architecture")
        if self.case < 1:
            raise InputError(f"{self.case}", where="case", expected="a case's number")
        if self.scope is Scope.SERVICE:
            if self.protocol not in WITH_PORTS:
                raise InputError(show_protocol(self.protocol), where="protocol", expected="tcp, udp or sctp")
            if self.last_port - self.first_port >= 1024:
                raise InputError("too many", where="ports", expected="at most 1024 ports of one service")
        check_port_range(self.first_port, self.last_port)
        if len(set(self.stays_open)) != len(self.stays_open):
            raise InputError("twice the same", where="stays_open", expected="each once")
        check_leads_back(str(self.case), self.clause)
        check_end("ends_at_s", self.ends_at_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class CutRelease:
    """A cut made on the spot that is taken back: `cut` is the id of the event that told of it.

    It stands in every state until the edge tells by an event `released`, with facts `cut` and `case`, that
    it did so, or that it knows no such cut. An ordered cut is taken back by standing in the state no more.
    """

    port: int
    cut: str
    case: int

    def __post_init__(self) -> None:
        if self.port < 1 or self.case < 1:
            raise InputError(f"port {self.port}, case {self.case}", where="case", expected="their numbers")
        if not CUT.fullmatch(self.cut):
            raise InputError(f"{self.cut!r}", where="cut", expected="the id of an event")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovedScan:
    """A scan that was agreed: port `port` may try any port of `targets` within the window."""

    port: int
    targets: AddressSet
    starts_at_s: int
    ends_at_s: int
    ticket: str

    def __post_init__(self) -> None:
        if not self.targets:
            raise InputError("none", where="targets", expected="addresses")
        check_end("starts_at_s", self.starts_at_s)
        check_end("ends_at_s", self.ends_at_s)
        if self.starts_at_s >= self.ends_at_s:
            raise InputError("ends before it starts", where="ends_at_s", expected="a later time")
        check_leads_back(self.ticket, "7.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class PassageRule:
    """What a passage is: `peers` reach these TCP ports of the isolated server, or it reaches theirs."""

    passage: Passage
    peers: AddressSet
    ports: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.peers:
            raise InputError("none", where="peers", expected="addresses of the operator")
        if not 1 <= len(self.ports) <= 64 or not all(1 <= port <= 65535 for port in self.ports):
            raise InputError(f"{self.ports[:9]}", where="ports", expected="1 to 64 of 1 to 65535")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientShare:
    """What one client is assured on the outer ports (clause 7.7); `number` is its class in the kernel."""

    client: str
    number: int
    assured_bps: int

    def __post_init__(self) -> None:
        check_name("client", self.client)
        if not 16 <= self.number <= 0xFFF0:
            raise InputError(f"{self.number}", where="number", expected="16 to 65520")
        if not 1000 <= self.assured_bps <= 10**13:
            raise InputError(f"{self.assured_bps}", where="assured_bps", expected="1000 to 10**13 bit/s")
