"""The platform before anything exists: every host, address, port and person of a run. Pure."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from fwguard.errors import InputError
from fwguard.lab.people import Person, contact_of, staff

Kind = Literal["nftables", "iptables", "netconf"]
RUN: Final = re.compile(r"[a-z0-9]{1,8}")
MOST_FIREWALLS: Final = 200

# Every client has the same inside on purpose: nobody may tell clients apart by their private addresses.
INSIDE4: Final = "10.20.0.0/24"
INSIDE6: Final = "fd20::/64"
GATEWAY4: Final = "10.20.0.1"
GATEWAY6: Final = "fd20::1"

EDGE_UPLINK4: Final = "198.51.100.1"
EDGE_UPLINK6: Final = "2001:db8:ffff::1"
INTERNET4: Final = "198.51.100.10"
INTERNET6: Final = "2001:db8:ffff::10"
PARTNER4: Final = "198.51.100.200"  # a second address of `internet`, in the partners' prefix
PARTNER6: Final = "2001:db8:ffff:1::200"
PARTNERS4: Final = "198.51.100.128/25"
PARTNERS6: Final = "2001:db8:ffff:1::/64"
SCANNER4: Final = "198.51.100.66"  # a third address of `internet`, which firewalls drop
SCANNER6: Final = "2001:db8:ffff::66"

CONTROLLER4: Final = "172.30.0.2"
CONTROLLER6: Final = "fd30::2"
LMTP_PORT: Final = 24  # where the controller takes mail in (RFC 2033)
MAIL_MGMT4: Final = "172.30.0.3"
MAIL_MGMT6: Final = "fd30::3"
MAIL4: Final = "203.0.113.25"  # where the Internet reaches the mail door
MAIL6: Final = "2001:db8:25::25"
MAIL_GATEWAY4: Final = "203.0.113.1"
MAIL_GATEWAY6: Final = "2001:db8:25::1"

INTERNET_TCP: Final = (22, 80, 443, 6667)
INTERNET_UDP: Final = (53,)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPlan:
    """One server (SVP): its edge port is a veth whose edge end is named `port`."""

    name: str
    client: str
    firewall: str
    address4: str
    address6: str
    role: str
    tcp: tuple[int, ...]
    udp: tuple[int, ...] = ()
    mac: str
    port: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FirewallPlan:
    """One client firewall (SVP-PF): `wan0`, `lan0` and `mgmt0` inside, `<name>-out` and `-in` at the edge."""

    index: int  # 1 on
    name: str
    client: str
    kind: Kind
    servers: tuple[ServerPlan, ...]

    @property
    def transport(self) -> str:
        """Return how the controller reaches it."""
        return "netconf" if self.kind == "netconf" else "ssh"

    @property
    def dialect(self) -> str:
        """Return the dialect of its filter."""
        return "rfc8519" if self.kind == "netconf" else self.kind

    @property
    def platform(self) -> str:
        """Return the platform's name in the inventory."""
        return "ietf" if self.kind == "netconf" else "linux"

    @property
    def management_port(self) -> int:
        """Return the TCP port that the controller connects to."""
        return 830 if self.kind == "netconf" else 22

    @property
    def public4(self) -> tuple[str, str]:
        """Return its two public IPv4 addresses."""
        net = "192.0.2" if self.index <= 24 else f"198.18.{self.index}"
        low = self.index * 10 if self.index <= 24 else 10
        return f"{net}.{low}", f"{net}.{low + 1}"

    @property
    def public6(self) -> tuple[str, str]:
        """Return its two public IPv6 addresses."""
        return f"2001:db8:0:{self.index:x}::1", f"2001:db8:0:{self.index:x}::2"

    @property
    def link4(self) -> tuple[str, str]:
        """Return (edge's, firewall's) address of the /30 between them."""
        return f"100.64.{self.index}.1", f"100.64.{self.index}.2"

    @property
    def link6(self) -> tuple[str, str]:
        """Return (edge's, firewall's) address of the /126 between them."""
        return f"fd64:{self.index:x}::1", f"fd64:{self.index:x}::2"

    @property
    def mgmt4(self) -> str:
        """Return its address on the management network (a /16)."""
        return f"172.30.1.{self.index}"

    @property
    def mgmt6(self) -> str:
        """Return its IPv6 address on the management network (a /64)."""
        return f"fd30::1:{self.index:x}"

    @property
    def port_in(self) -> str:
        """Return the edge's port to its inside."""
        return port_name(f"{self.name}-in")

    @property
    def port_out(self) -> str:
        """Return the edge's port to its outside."""
        return port_name(f"{self.name}-out")

    @property
    def port_mgmt(self) -> str:
        """Return its port on the management bridge."""
        return port_name(self.name)

    def mac(self, side: Literal["in", "out", "mgmt"]) -> str:
        """Return the address of its own end of a link."""
        return mac_of(f"{self.name}-{side}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPlan:
    """One client of the operator."""

    name: str
    title: str
    contacts: tuple[Person, ...]
    firewall: FirewallPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The whole platform of one run."""

    run: str
    clients: tuple[ClientPlan, ...]
    staff: tuple[Person, ...]

    @property
    def firewalls(self) -> tuple[FirewallPlan, ...]:
        """Return all firewalls by index."""
        return tuple(client.firewall for client in self.clients)

    @property
    def servers(self) -> tuple[ServerPlan, ...]:
        """Return all servers."""
        return tuple(server for firewall in self.firewalls for server in firewall.servers)

    @property
    def people(self) -> tuple[Person, ...]:
        """Return contacts and staff."""
        return tuple(person for client in self.clients for person in client.contacts) + self.staff

    @property
    def hosts(self) -> tuple[str, ...]:
        """Return the name of every host, which is also what `lab shell` takes."""
        return (
            "internet", "edge", "mgmt", "controller", "mail",
            *(firewall.name for firewall in self.firewalls),
            *(server.name for server in self.servers),
        )  # fmt: skip

    def netns(self, host: str) -> str:
        """Return the network namespace of a host."""
        return netns_name(self.run, host)


def netns_name(run: str, host: str) -> str:
    """Return the name of a host's network namespace: no two runs share one."""
    return f"fwg-{run}-{host}"


def port_name(name: str) -> str:
    """Return an interface name of at most 15 characters, the name itself where it fits (IFNAMSIZ)."""
    return name if len(name) <= 15 else f"{name[:8]}-{hashlib.sha256(name.encode()).hexdigest()[:6]}"


def mac_of(name: str) -> str:
    """Return a stable, locally administered unicast MAC address for a port (RFC 7042 section 2.1)."""
    return ":".join(("02", *(f"{byte:02x}" for byte in hashlib.sha256(name.encode()).digest()[:5])))


# (suffix, role, tcp, udp)
_Servers = tuple[tuple[str, str, tuple[int, ...], tuple[int, ...]], ...]
# (client, title, language, firewall kind, servers)
_NAMED: Final[tuple[tuple[str, str, str, Kind, _Servers], ...]] = (
    ("acme", "Acme SARL", "fr", "nftables", (
        ("web", "general", (22, 80, 443, 8080), (53,)),
        ("mail", "mail", (22, 25, 587, 8080), ()),
        ("db", "general", (22, 3306, 5432), ()),
    )),
    ("globex", "Globex Ltd", "en", "iptables", (
        ("web", "general", (22, 80, 443, 8080), (53,)),
        ("db", "general", (22, 3306, 5432), ()),
    )),
    ("initech", "Initech SAS", "fr", "netconf", (
        ("web", "general", (22, 80, 443, 8080), (53,)),
        ("mail", "mail", (22, 25, 587, 8080), ()),
    )),
)  # fmt: skip


def plan(run: str, *, firewalls: int = 3, kinds: frozenset[Kind]) -> Plan:
    """Return the platform of `run` with that many firewalls: acme, globex, initech, then x04, x05…

    A named client whose kind is not in `kinds` (nothing can start it) is left out.

    Raises:
        InputError: a run that is not 1-8 of a-z0-9, or more firewalls than addresses.
    """
    if not RUN.fullmatch(run):
        raise InputError(f"run {run!r}", expected="1 to 8 characters of a-z and 0-9")
    if not 1 <= firewalls <= MOST_FIREWALLS:
        raise InputError(f"{firewalls} firewalls", expected=f"1 to {MOST_FIREWALLS}")
    return Plan(run=run, clients=tuple(_clients(firewalls, kinds)), staff=staff())


def _clients(firewalls: int, kinds: frozenset[Kind]) -> Iterator[ClientPlan]:
    for index, (name, title, language, kind, servers) in enumerate(_NAMED[:firewalls], 1):
        if kind in kinds:
            contacts = (contact_of(name, language, 0), contact_of(name, language, 1))
            yield _client(index, name, title, contacts, kind, servers)
    for index in range(len(_NAMED) + 1, firewalls + 1):
        name = f"x{index:02}"
        language = "fr" if index % 2 else "en"
        servers = (("web", "general", (22, 80, 443, 8080), ()),)
        yield _client(index, name, f"Client {index}", (contact_of(name, language, 0),), "nftables", servers)


def _client(
    index: int,
    name: str,
    title: str,
    contacts: tuple[Person, ...],
    kind: Kind,
    servers: _Servers,
) -> ClientPlan:
    firewall = f"fw-{name}"
    planned = tuple(
        ServerPlan(
            name=f"{name}-{suffix}",
            client=name,
            firewall=firewall,
            address4=f"10.20.0.{number}",
            address6=f"fd20::{number}",
            role=role,
            tcp=tcp,
            udp=udp,
            mac=mac_of(f"{name}-{suffix}"),
            port=port_name(f"{name}-{suffix}"),
        )
        for number, (suffix, role, tcp, udp) in enumerate(servers, 11)
    )
    box = FirewallPlan(index=index, name=firewall, client=name, kind=kind, servers=planned)
    return ClientPlan(name=name, title=title, contacts=contacts, firewall=box)
