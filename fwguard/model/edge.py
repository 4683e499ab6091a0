"""What one edge shall enforce: the value that the controller computes, signs and sends, and the edge compiles.

All of it is structured; nothing here is text for a kernel. Times are whole seconds since 1970 (UTC), `None`
means without end. What passes and what is cut is in `edge_grants.py`, checks over several values at once in
`edge_checks.py`, the JSON form in `edge_json.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fwguard.errors import InputError
from fwguard.model.address import AddressSet
from fwguard.model.controls import Controls, Mode
from fwguard.model.edge_checks import check_state, is_outer, walled_architectures
from fwguard.model.edge_fields import (
    MAC,
    MOST_SPANS,
    check_end,
    check_interface,
    check_leads_back,
    check_name,
)
from fwguard.model.edge_grants import (
    ApprovedScan,
    ClientShare,
    CutRelease,
    EdgeIsolation,
    EdgeOpening,
    EdgeRegistration,
    PassageRule,
    Transfer,
)
from fwguard.model.inventory import Role


class PortKind(StrEnum):
    """What is plugged in at an edge port."""

    SERVER = "server"
    FIREWALL_IN = "firewall-in"
    FIREWALL_OUT = "firewall-out"


class Link(StrEnum):
    """How a port is attached: a bridged one gets identity and quarantine only (no conntrack there)."""

    ROUTED = "routed"
    BRIDGED = "bridged"


class PortState(StrEnum):
    """A stopped port passes nothing: its address may be another's soon (clause 4)."""

    STARTED = "started"
    STOPPED = "stopped"


class Template(StrEnum):
    """What kind of architecture it is."""

    STANDARD = "standard"
    DEVELOPMENT = "development"  # Annex 2: reachable from the client's own addresses only
    VPN = "vpn"  # Annex 3: every connection is logged
    RETRIEVAL = "retrieval"  # clause 13.2: shut but for the agreed transfer


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePort:
    """One port: who is behind it and what it may call itself.

    `addresses` are all that its machine may use; of a firewall's inside those that it may claim by ARP and
    ND (it forwards for everyone). `number` is the port's id. `zone` tells conntrack entries of clients apart,
    `routing_table` is the kernel's (0: main).
    """

    number: int
    interface: str
    kind: PortKind
    link: Link = Link.ROUTED
    client: str
    architecture: str
    server: str
    macs: tuple[str, ...]
    addresses: AddressSet
    role: Role = Role.GENERAL
    zone: int
    routing_table: int = 0
    state: PortState = PortState.STARTED

    def __post_init__(self) -> None:
        if not 1 <= self.number < 1 << 31:
            raise InputError(f"{self.number}", where="number", expected=f"1 to {(1 << 31) - 1}")
        check_interface("interface", self.interface)
        for where, name in (
            ("client", self.client),
            ("architecture", self.architecture),
            ("server", self.server),
        ):
            check_name(where, name)
        if not 1 <= len(self.macs) <= 16 or len(set(self.macs)) != len(self.macs):
            raise InputError(f"{len(self.macs)} addresses", where="macs", expected="1 to 16, each once")
        for mac in self.macs:
            if not MAC.fullmatch(mac) or int(mac[:2], 16) & 1:
                raise InputError(f"{mac!r}", where="macs", expected="a unicast address as 02:00:5e:10:00:01")
        if not self.addresses or len(self.addresses.v4.pairs) + len(self.addresses.v6.pairs) > MOST_SPANS:
            raise InputError("none or too many", where="addresses", expected=f"1 to {MOST_SPANS} spans")
        if not 1 <= self.zone <= 65535:
            raise InputError(f"{self.zone}", where="zone", expected="1 to 65535")
        if not 0 <= self.routing_table < 1 << 32:
            raise InputError(f"{self.routing_table}", where="routing_table", expected="0 to 4294967295")

    @property
    def is_started(self) -> bool:
        """Tell whether anything may pass."""
        return self.state is PortState.STARTED


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeArchitecture:
    """One architecture: what the client's own sources are, and until when its data may be fetched."""

    name: str
    client: str
    template: Template = Template.STANDARD
    mode: Mode = Mode.ENFORCE
    own_sources: AddressSet = AddressSet()
    retrieval_ends_at_s: int | None = None
    transfers: tuple[Transfer, ...] = ()
    ticket: str = "contract"

    def __post_init__(self) -> None:
        check_name("name", self.name)
        check_name("client", self.client)
        check_leads_back(self.ticket, "4")
        check_end("retrieval_ends_at_s", self.retrieval_ends_at_s)
        if (self.template is Template.RETRIEVAL) != (self.retrieval_ends_at_s is not None):
            raise InputError(
                f"template {self.template}",
                where="retrieval_ends_at_s",
                expected="an end, of a retrieval only",
            )
        if self.transfers and self.template is not Template.RETRIEVAL:
            raise InputError(
                f"template {self.template}", where="transfers", expected="those of a retrieval only"
            )
        if len(self.transfers) > 64:
            raise InputError(f"{len(self.transfers)}", where="transfers", expected="at most 64")


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgeState:
    """The desired state of one edge. (epoch, generation) never falls; `monitoring` may reach every port."""

    edge: str
    epoch: int
    generation: int
    uplinks: tuple[str, ...]
    uplink_bps: int
    ports: tuple[EdgePort, ...]
    architectures: tuple[EdgeArchitecture, ...]
    openings: tuple[EdgeOpening, ...] = ()
    registrations: tuple[EdgeRegistration, ...] = ()
    isolations: tuple[EdgeIsolation, ...] = ()
    releases: tuple[CutRelease, ...] = ()
    approved_scans: tuple[ApprovedScan, ...] = ()
    monitoring: AddressSet = AddressSet()
    passages: tuple[PassageRule, ...] = ()
    shares: tuple[ClientShare, ...] = ()
    controls: Controls

    def __post_init__(self) -> None:
        check_state(self)

    @property
    def outer_ports(self) -> tuple[EdgePort, ...]:
        """Return the ports that face the uplinks and other clients, started or not.

        A firewall's outside, and every server of an architecture without a firewall.
        """
        walled = walled_architectures(self)
        return tuple(port for port in self.ports if is_outer(port, walled))
