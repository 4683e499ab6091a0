"""Static routes of every layout, VRF and table. Source: VyOS user guide, Static."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Final

from fwguard.dialects.vyos.interfaces import Interface
from fwguard.dialects.vyos.notes import Notes
from fwguard.dialects.vyos.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import parse_span
from fwguard.model.policy import Route

MAX_COMPARED: Final = 2_000_000  # routes times networks of interfaces; beyond, next hops are not looked up
KINDS: Final = {"blackhole": "blackhole", "reject": "unreachable"}
# Below `protocols static` that is no route of packets through the firewall.
NO_ROUTES: Final = frozenset({"arp", "neighbor-proxy", "multicast", "mroute", "route-map"})
ROUTES: Final = frozenset({"route", "route6", "interface-route", "interface-route6"})
BESIDE_HOPS: Final = frozenset({"description", "dhcp-interface"})


def read_routes(root: Node, notes: Notes) -> tuple[Route, ...]:
    """Return every static route; what is not understood is kept as unread."""
    routes = [
        Route(prefix="0.0.0.0/0", via=node.name, line=node.line)
        for node in root.nodes("system", "gateway-address")
    ]
    routes += _below(root.child("protocols", "static"), "main", notes)
    for vrf in root.nodes("vrf", "name"):
        routes += _below(vrf.child("protocols", "static"), f"vrf {vrf.name}", notes)
    for node in root.nodes("protocols", "vrf"):  # 1.3
        routes += _below(node.child("static"), f"vrf {node.name}", notes)
    return tuple(routes)


def with_interfaces(routes: tuple[Route, ...], interfaces: list[Interface]) -> tuple[Route, ...]:
    """Return the routes with the interface of their next hop, where its network says which one that is."""
    connected: list[tuple[int, int, int, str]] = []
    for one in interfaces:
        for address in one.addresses:
            with suppress(InputError):
                connected.append((*parse_span(address), one.name))
    if len(connected) * len(routes) > MAX_COMPARED:
        return routes
    found: list[Route] = []
    for route in routes:
        if route.via and not route.interface:
            with suppress(InputError):
                version, hop, _ = parse_span(route.via)
                near = [
                    (high - low, name)
                    for own, low, high, name in connected
                    if own == version and low <= hop <= high
                ]
                route = replace(route, interface=min(near)[1]) if near else route
        found.append(route)
    return tuple(found)


def _below(static: Node | None, table: str, notes: Notes) -> Iterator[Route]:
    for node in static.children.values() if static else ():
        if node.name in ROUTES:
            for prefix in node.children.values():
                yield from _route(prefix, table, notes)
        elif node.name == "table":
            for one in node.children.values():
                yield from _below(one, one.name, notes)
        elif node.name not in NO_ROUTES and node.name != "description":
            notes.add(node, "not known among static routes", where="protocols static")


def _route(prefix: Node, table: str, notes: Notes) -> Iterator[Route]:
    for node in prefix.children.values():
        if node.name in KINDS:
            yield Route(
                prefix=prefix.name, kind=KINDS[node.name], table=table, line=node.line, metric=_metric(node)
            )
        elif node.name in ("next-hop", "interface", "next-hop-interface"):
            for hop in node.children.values():
                if "disable" in hop.children:
                    continue
                is_address = node.name == "next-hop"
                yield Route(
                    prefix=prefix.name, via=hop.name if is_address else "",
                    interface=hop.value("interface") if is_address else hop.name, table=table,
                    metric=_metric(hop), line=hop.line,
                )  # fmt: skip
        elif node.name == "dhcp-interface":
            for hop in node.children.values():
                yield Route(prefix=prefix.name, interface=hop.name, table=table, line=hop.line)
        elif node.name not in BESIDE_HOPS:
            notes.add(node, "not known in a route", where=f"protocols static route {prefix.name}")


def _metric(node: Node) -> int:
    """Return the distance; 0 where none is said or it is no number."""
    text = node.value("distance")
    return int(text) if text.isdecimal() and len(text) <= 3 else 0
