"""What an edge puts into its sets when it cuts by itself: elements as (family, set, key), all of one cut together."""

from __future__ import annotations

from fwguard.compile.elements import Key
from fwguard.model.address import parse_span
from fwguard.model.edge import EdgePort, Link

LocalCut = tuple[tuple[str, str, Key], ...]


def cut_port(port: EdgePort) -> LocalCut:
    """Return the one element that ends everything a port sends and receives, but for what stays open."""
    return ((_family(port), "cut_local_port", (port.interface,)),)


def cut_flow(port: EdgePort, *, peer: str, protocol: int, server_port: int, peer_port: int) -> LocalCut:
    """Return the elements that end what a routed port sends in one flow."""
    version, address, _ = parse_span(peer)
    key: Key = (port.interface, address, protocol, server_port, peer_port)
    return (("inet", f"cut_local_flow{version}", key), ("inet", "cut_local_some", (port.interface,)))


def cut_service(port: EdgePort, *, protocol: int, ports: range) -> LocalCut:
    """Return the elements that end a service of a routed port, used or offered: `ports` of a protocol."""
    gate = ("inet", "cut_local_some", (port.interface,))
    return (*(("inet", "cut_local_service", (port.interface, protocol, one)) for one in ports), gate)


def _family(port: EdgePort) -> str:
    return "inet" if port.link is Link.ROUTED else "netdev"
