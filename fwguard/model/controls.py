"""What the contract's clauses make an edge do: parameters and response ladders, read from `rules/clauses`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from fwguard.errors import InputError
from fwguard.model.ports import WITH_PORTS, show_protocol


class Rung(StrEnum):
    """What answers a breach, from the mildest on."""

    WARN = "warn"  # a notice; nothing is cut
    PORT = "port"  # the flow or the one port that broke the clause
    SERVICE = "service"  # every port of that service
    SERVER = "server"


class ServiceKind(StrEnum):
    """What needs a registration with the desk (clause 7.5)."""

    IRC = "irc"
    PROXY = "proxy"
    VIDEOCHAT = "videochat"


class Passage(StrEnum):
    """What may stay open on an isolated server, by the reason of the isolation (clauses 6.1 and 8)."""

    CONSOLE = "console"  # the client's way in to repair
    REMEDIATION = "remediation"  # the server's way to updates and clean images


class Reason(StrEnum):
    """Why something is isolated or suspended; each has its own notice and leaves other things open."""

    DANGER = "danger"  # 6.1
    INTRUSION = "intrusion"  # 7.1
    SPAM = "spam"  # 7.1
    UPDATES = "updates"  # 7.3
    HACKED = "hacked"  # 7.3
    MAIL = "mail"  # 7.4
    REGISTRATION = "registration"  # 7.5
    LICENCE = "licence"  # 7.8
    ABUSE = "abuse"  # 7.9
    CHECK = "check"  # 7.10
    PAYMENT = "payment"  # 14.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """How breaches are answered: the n-th of a server within `window_s` by the n-th rung, then by the last."""

    rungs: tuple[Rung, ...]
    window_s: int

    def __post_init__(self) -> None:
        order = [list(Rung).index(rung) for rung in self.rungs]
        if not order or order != sorted(set(order)):
            raise InputError(f"ladder {', '.join(self.rungs)}", expected=f"in this order: {', '.join(Rung)}")
        if self.window_s < 1:
            raise InputError(f"window of {self.window_s} s", where="window_s", expected="1 s or more")

    def rung(self, earlier_breaches: int) -> Rung:
        """Return what answers a breach that comes after so many others within the window."""
        return self.rungs[min(earlier_breaches, len(self.rungs) - 1)]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownService:
    """Ports by which a service is known: `first_port` to `last_port` of a protocol with ports."""

    kind: ServiceKind
    protocol: int
    first_port: int
    last_port: int

    def __post_init__(self) -> None:
        if self.protocol not in WITH_PORTS:
            raise InputError(show_protocol(self.protocol), where="protocol", expected="tcp, udp or sctp")
        if not 1 <= self.first_port <= self.last_port <= 65535:
            raise InputError(
                f"ports {self.first_port}-{self.last_port}", where="ports", expected="1 to 65535, lower first"
            )


class Mode(StrEnum):
    """Whether what is not opened (clause 7.1.1) is dropped, or passed, counted and logged."""

    OBSERVE = "observe"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallControl:
    """Clause 7.1.1: the mode of an architecture that has none of its own."""

    mode: Mode
    ladder: Ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class MailControl:
    """Clause 7.4: TCP ports to which only a mail server opens connections outside its architecture."""

    ports: tuple[int, ...]
    ladder: Ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationControl:
    """Clause 7.5: ports that a server uses, or offers, only when it is registered for their kind."""

    services: tuple[KnownService, ...]
    ladder: Ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class IntrusionControl:
    """Clause 7.1, in the kernel: what a port may send before it is cut at once.

    A target is an address and port not tried in the last `window_s`; `scan_targets_per_s` of them after a
    burst of `scan_burst_targets` (a mail server: `mail_burst_targets`) is a scan. `flood_packets_per_s`
    of unanswered packets after `flood_burst_packets` is a flood. `memory_most` bounds what the kernel keeps.
    """

    scan_targets_per_s: int
    scan_burst_targets: int
    mail_burst_targets: int
    window_s: int
    flood_packets_per_s: int
    flood_burst_packets: int
    memory_most: int
    ladder: Ladder


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchControl:
    """Clause 7.10: what user space sees. `packets_most` first packets of each direction of a flow, cut after
    `snaplen_bytes` (0: none are copied); refusals are logged at most `refusals_per_s`."""

    packets_most: int
    snaplen_bytes: int
    refusals_per_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BandwidthControl:
    """Clause 7.7: what every client is assured on the wire, and how a queue is cut."""

    assured_bps: int
    quantum_bytes: int
    queue_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class IsolationControl:
    """Clauses 6.1 and 8: what stays open on an isolated server, by reason; `on_the_spot` for the edge's cuts."""

    stays_open: Mapping[Reason, tuple[Passage, ...]]
    on_the_spot: tuple[Passage, ...]

    def __post_init__(self) -> None:
        missing = [reason.value for reason in Reason if reason not in self.stays_open]
        if missing:
            raise InputError(f"no line for {', '.join(missing)}", where="stays_open", expected="every reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrievalControl:
    """Clause 13.2: how long a client that left fetches its data."""

    window_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DevelopmentControl:
    """Annex 2: the shortest prefixes that count as a client's own addresses."""

    shortest_prefix4: int
    shortest_prefix6: int


@dataclass(frozen=True, slots=True, kw_only=True)
class VpnControl:
    """Annex 3: how much of the packet that opens a connection is logged."""

    snaplen_bytes: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Controls:
    """Everything that an edge enforces by clause; the same for every client."""

    firewall: FirewallControl
    intrusion: IntrusionControl
    mail: MailControl
    registration: RegistrationControl
    bandwidth: BandwidthControl
    isolation: IsolationControl
    retrieval: RetrievalControl
    development: DevelopmentControl
    vpn: VpnControl
    watch: WatchControl
