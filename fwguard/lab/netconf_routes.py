"""Static routes of a lab firewall as lines of `ip -batch`. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final

from lxml import etree

from fwguard.lab.netconf_xml import all_of, child, leaf_text

_INTERFACE: Final = re.compile(r"[A-Za-z0-9_.-]{1,15}")
_SPECIAL: Final = ("blackhole", "unreachable", "prohibit")


def route_lines(data: etree._Element) -> Iterator[str]:
    """Yield `-4 route replace …` of each static route that has a meaning; others are left out."""
    protocols = child(child(data, "routing"), "control-plane-protocols")
    for protocol in all_of(protocols, "control-plane-protocol"):
        for version in (4, 6):
            family = child(child(protocol, "static-routes"), f"ipv{version}")
            for route in all_of(family, "route"):
                try:
                    yield f"-{version} route replace {_route(route, version)} proto static"
                except ValueError:
                    continue


def _route(route: etree._Element, version: int) -> str:
    prefix = ipaddress.ip_network(leaf_text(route, "destination-prefix"), strict=False)
    if prefix.version != version:
        raise ValueError(prefix)
    hop = child(route, "next-hop")
    special = leaf_text(hop, "special-next-hop")
    if special in _SPECIAL:
        return f"{special} {prefix}"
    several = all_of(child(hop, "next-hop-list"), "next-hop")
    if several:
        return f"{prefix} " + " ".join(f"nexthop {_hop(one)}" for one in several)
    return f"{prefix} {_hop(hop)}"


def _hop(hop: etree._Element | None) -> str:
    via, interface = leaf_text(hop, "next-hop-address"), leaf_text(hop, "outgoing-interface")
    if interface and not _INTERFACE.fullmatch(interface):
        raise ValueError(interface)
    words = [f"via {ipaddress.ip_address(via)}"] if via else []
    words += [f"dev {interface}"] if interface else []
    if not words:
        raise ValueError("no next hop")
    return " ".join(words)
