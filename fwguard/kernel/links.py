"""Interfaces, addresses, routes, neighbours of this host or of one of its namespaces, through pyroute2.

An interface may vanish between any two lines (a server is stopped): that is a ConflictError with its name, and
whoever decided on it reads again. Source: rtnetlink(7); ip-link(8), ip-address(8), ip-route(8), ip-neighbour(8).
"""

from __future__ import annotations

import errno
import ipaddress
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pyroute2 import IPRoute, NetlinkError, netns

from fwguard.errors import ConflictError, DeviceError, InputError
from fwguard.kernel.namespaces import NETNS_DIR
from fwguard.kernel.refusals import error_for

IFF_UP, IFF_RUNNING = 0x1, 0x40
NUD_PERMANENT: Final = 0x80
_FAMILIES: Final = {2: 4, 10: 6}  # AF_INET, AF_INET6
_NUMBERS: Final = {4: 2, 6: 10}
Interface = ipaddress.IPv4Interface | ipaddress.IPv6Interface
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Port:
    """One interface. `kind` is the driver's name (veth, bridge, ifb), empty for hardware; `master` an index."""

    index: int
    name: str
    mac: str
    mtu_bytes: int
    kind: str
    master: int
    is_up: bool
    has_carrier: bool


@dataclass(frozen=True, slots=True)
class Route:
    """One unicast route; `port` is an interface index, 0 where there is none; `gateway` None on the link."""

    target: Network
    gateway: Address | None
    port: int
    table: int


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Who has an address on a port: `mac` is empty while nobody answers."""

    address: Address
    mac: str
    port: int
    is_permanent: bool


class Links:
    """An open rtnetlink session; use it as a context. One thread at a time."""

    def __init__(self, *, netns: str | None = None) -> None:
        """Open it here or in a named namespace. Raises DeviceError when there is no such namespace."""
        # pyroute2 makes a namespace that is not there.
        if netns is not None and not (NETNS_DIR / netns).exists():
            raise DeviceError(f"network namespace {netns}: there is none; make it with `ip netns add`")
        self._where = f"namespace {netns}" if netns else "this host"
        self._session: Any = IPRoute(netns=netns, flags=0) if netns else IPRoute()

    def __enter__(self) -> Links:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the session."""
        self._session.close()

    def ports(self) -> tuple[Port, ...]:
        """Return every interface."""
        with self._explained("interfaces"):
            return tuple(_port(one) for one in self._session.get_links())

    def port(self, name: str) -> Port:
        """Return one interface by name. Raises ConflictError when there is none (any more)."""
        with self._explained(f"interface {name}"):
            for one in self._session.link("get", ifname=name):
                return _port(one)
        raise self._vanished(name)

    def addresses(self, port: str = "") -> tuple[tuple[int, Interface], ...]:
        """Return interface index and address with prefix, of one port or of all."""
        only = {"index": self.port(port).index} if port else {}
        with self._explained("addresses"):
            return tuple(
                (one["index"], ipaddress.ip_interface(f"{one.get_attr('IFA_ADDRESS')}/{one['prefixlen']}"))
                for one in self._session.get_addr(**only)
            )

    def routes(self, table: int = 254) -> tuple[Route, ...]:
        """Return the unicast routes of one table (254: main), v4 then v6."""
        with self._explained(f"routes of table {table}"):
            found = [
                one for number in _FAMILIES for one in self._session.get_routes(family=number, table=table)
            ]
        return tuple(_route(one, table) for one in found if one["type"] == 1)  # RTN_UNICAST

    def neighbours(self, port: str = "") -> tuple[Neighbour, ...]:
        """Return who was seen or declared on one port or on all."""
        only = {"ifindex": self.port(port).index} if port else {}
        with self._explained("neighbours"):
            found = [
                one for number in _FAMILIES for one in self._session.get_neighbours(family=number, **only)
            ]
        return tuple(_neighbour(one) for one in found if one.get_attr("NDA_DST"))

    def classes(self, port: str) -> tuple[Any, ...]:
        """Return a port's traffic classes as pyroute2 reads them. Raises ConflictError when it vanished."""
        index = self.port(port).index
        with self._explained(f"interface {port}"):
            return tuple(self._session.get_classes(index=index))

    def disciplines(self, port: str) -> tuple[Any, ...]:
        """Return a port's queueing disciplines as pyroute2 reads them. Raises ConflictError when it vanished."""
        index = self.port(port).index
        with self._explained(f"interface {port}"):
            return tuple(self._session.get_qdiscs(index=index))

    def set_up(self, port: str, *, up: bool = True) -> None:
        """Switch a port on or off. Raises ConflictError when it vanished."""
        index = self.port(port).index
        with self._explained(f"interface {port}"):
            self._session.link("set", index=index, state="up" if up else "down")

    def add_address(self, port: str, address: Interface) -> None:
        """Give a port an address; one that is there stays. Raises ConflictError when the port vanished."""
        self._address("replace", port, address)

    def remove_address(self, port: str, address: Interface) -> None:
        """Take an address from a port. Raises ConflictError when either is not there."""
        self._address("del", port, address)

    def replace_route(
        self, target: Network, port: str, *, gateway: Address | None = None, table: int = 254
    ) -> None:
        """Add a route or change the one that is there. Raises ConflictError when the port vanished."""
        self._change_route("replace", target, port, gateway, table)

    def remove_route(
        self, target: Network, port: str, *, gateway: Address | None = None, table: int = 254
    ) -> None:
        """Remove a route. Raises ConflictError when it is not there."""
        self._change_route("del", target, port, gateway, table)

    def replace_neighbour(self, port: str, address: Address, mac: str) -> None:
        """Declare for good who has an address on a port. Raises ConflictError when the port vanished."""
        self._neighbour("replace", port, address, lladdr=mac, state=NUD_PERMANENT)

    def remove_neighbour(self, port: str, address: Address) -> None:
        """Remove a declared neighbour. Raises ConflictError when it is not there."""
        self._neighbour("del", port, address)

    def _address(self, verb: str, port: str, address: Interface) -> None:
        index = self.port(port).index
        with self._explained(f"address {address} of {port}"):
            self._session.addr(
                verb, index=index, address=str(address.ip), prefixlen=address.network.prefixlen
            )

    def _change_route(
        self, verb: str, target: Network, port: str, gateway: Address | None, table: int
    ) -> None:
        wanted: dict[str, Any] = {"oif": self.port(port).index, "table": table}
        if gateway is not None:
            if gateway.version != target.version:
                raise InputError(
                    f"gateway {gateway}", where=f"route to {target}", expected=f"IPv{target.version}"
                )
            wanted["gateway"] = str(gateway)
        with self._explained(f"route to {target} through {port}"):
            self._session.route(verb, dst=str(target), family=_NUMBERS[target.version], **wanted)

    def _neighbour(self, verb: str, port: str, address: Address, **more: Any) -> None:
        index = self.port(port).index
        with self._explained(f"neighbour {address} on {port}"):
            self._session.neigh(
                verb, dst=str(address), ifindex=index, family=_NUMBERS[address.version], **more
            )

    @contextmanager
    def _explained(self, what: str) -> Iterator[None]:
        try:
            yield
        except NetlinkError as error:
            if error.code in (errno.ENODEV, errno.ENXIO) and what.startswith("interface "):
                raise self._vanished(what.removeprefix("interface ")) from None
            number = errno.ENOENT if error.code in (errno.ESRCH, errno.EADDRNOTAVAIL) else error.code
            raise error_for(number, f"{what} in {self._where}") from None

    def _vanished(self, name: str) -> ConflictError:
        return ConflictError(
            f"interface {name} in {self._where}: there is none (expected an existing one; it may have vanished: "
            "read the links again, then decide again)"
        )


def namespaces() -> tuple[str, ...]:
    """Return the named network namespaces of this host."""
    return tuple(sorted(netns.listnetns()))


def make_namespace(name: str) -> None:
    """Make a named namespace. Raises ConflictError when there is one."""
    if (NETNS_DIR / name).exists():
        raise ConflictError(f"network namespace {name}: there is one already; take another name or remove it")
    netns.create(name)


def remove_namespace(name: str) -> None:
    """Remove a namespace's name; it ends with the last process in it. Raises ConflictError when it is gone."""
    try:
        netns.remove(name)
    except FileNotFoundError:
        raise ConflictError(f"network namespace {name}: there is none; it may be gone already") from None


def _port(one: Any) -> Port:
    info = one.get_attr("IFLA_LINKINFO")
    flags = one["flags"]
    return Port(
        one["index"], one.get_attr("IFLA_IFNAME"), one.get_attr("IFLA_ADDRESS") or "", one.get_attr("IFLA_MTU") or 0,
        (info.get_attr("IFLA_INFO_KIND") if info else None) or "", one.get_attr("IFLA_MASTER") or 0,
        bool(flags & IFF_UP), bool(flags & IFF_RUNNING),
    )  # fmt: skip


def _route(one: Any, table: int) -> Route:
    everything = "0.0.0.0" if _FAMILIES[one["family"]] == 4 else "::"  # noqa: S104 (a prefix, not a socket)
    target = ipaddress.ip_network(f"{one.get_attr('RTA_DST') or everything}/{one['dst_len']}")
    gateway = one.get_attr("RTA_GATEWAY")
    return Route(
        target, ipaddress.ip_address(gateway) if gateway else None, one.get_attr("RTA_OIF") or 0, table
    )


def _neighbour(one: Any) -> Neighbour:
    address = ipaddress.ip_address(one.get_attr("NDA_DST"))
    mac = one.get_attr("NDA_LLADDR") or ""
    return Neighbour(address, mac, one["ifindex"], bool(one["state"] & NUD_PERMANENT))
