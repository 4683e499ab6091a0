"""Static routes: `routing-options static`, of other tables (`rib`) and of routing instances.

`interface` is the zone that the route leads to (the interface itself where it is in none), since that is
what policies speak of; a route that names an interface has it in `via`. Source: Junos Routing Protocols
User Guide, "Static Routes".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos.zones import Zones, prefix_span
from fwguard.dialects.unread import Notes
from fwguard.model.policy import Route

KINDS: Final = {"discard": "blackhole", "reject": "unreachable", "receive": "local", "next-table": "throw"}
HOPS: Final = ("next-hop", "qualified-next-hop")
# Of a route: how it is told to others, preferred or kept.
SILENT: Final = frozenset(
    {"metric", "metric2", "metric3", "metric4", "preference", "preference2", "tag", "tag2", "color", "community",
     "active", "passive", "readvertise", "no-readvertise", "install", "no-install", "retain", "no-retain", "resolve",
     "no-resolve", "as-path", "bfd-liveness-detection", "description", "backup-pe-group", "p2mp-lsp-next-hop",
     "origin", "longest-match", "static-lsp-next-hop", "lsp-next-hop"}
)  # fmt: skip
SILENT_OPTIONS: Final = frozenset(
    {"static", "rib", "router-id", "autonomous-system", "forwarding-table", "graceful-restart", "nonstop-routing",
     "warm-standby", "options", "resolution", "traceoptions", "confederation", "bgp-orf-cisco-mode", "fate-sharing",
     "nsr-phantom-holdtime", "ppm", "validation", "maximum-paths", "maximum-prefixes", "martians", "multicast",
     "source-routing", "access", "access-internal", "interface", "route-distinguisher-id", "auto-bandwidth"}
)  # fmt: skip


def read_routes(root: Node, zones: Zones, notes: Notes) -> tuple[Route, ...]:
    """Return every static route. What else moves routes (generated, leaked, aggregated) is unread."""
    found = list(_of_options(root.at("routing-options"), "main", zones, notes))
    for instance in root.below("routing-instances"):
        found += _of_options(instance.at("routing-options"), instance.word, zones, notes)
    return tuple(found)


def _of_options(options: Node | None, table: str, zones: Zones, notes: Notes) -> Iterator[Route]:
    if options is None:
        return
    for child in options.children.values():
        if child.word not in SILENT_OPTIONS:
            notes.node(child, "moves routes, and is not followed")
    yield from _statics(options.at("static"), table, zones, notes)
    for rib in options.below("rib"):
        name = table if rib.word in ("inet.0", "inet6.0", f"{table}.inet.0", f"{table}.inet6.0") else rib.word
        yield from _statics(rib.at("static"), name, zones, notes)


def _statics(static: Node | None, table: str, zones: Zones, notes: Notes) -> Iterator[Route]:
    if static is None:
        return
    connected = [(span, name) for name, prefix in zones.connected if (span := prefix_span(prefix))]
    for route in static.below("route"):
        if prefix_span(route.word) is None:
            notes.node(route, "no prefix")
            continue
        yield from _route(route, table, zones, connected, notes)


def _route(
    route: Node,
    table: str,
    zones: Zones,
    connected: list[tuple[tuple[int, int, int], str]],
    notes: Notes,
) -> Iterator[Route]:
    metric = int(number) if (number := route.value("metric") or route.value("preference")).isdecimal() else 0
    for child in route.children.values():
        if child.word in KINDS:
            via = child.value() if child.word == "next-table" else ""
            yield Route(
                prefix=route.word,
                via=via,
                table=table,
                metric=metric,
                kind=KINDS[child.word],
                line=child.line,
            )
        elif child.word in HOPS:
            for hop in child.children.values():
                yield _hop(route, hop, table, metric, zones, connected)
        elif child.word not in SILENT:
            notes.node(child, "not understood in a route")


def _hop(
    route: Node,
    hop: Node,
    table: str,
    metric: int,
    zones: Zones,
    connected: list[tuple[tuple[int, int, int], str]],
) -> Route:
    span = prefix_span(hop.word)
    interface = hop.value("interface") or ("" if span else hop.word)
    own = hop.value("metric") or hop.value("preference")
    if span and not interface:
        holding = [
            (high - low, name)
            for (version, low, high), name in connected
            if version == span[0] and low <= span[1] <= high
        ]
        interface_of = min(holding)[1] if holding else ""
    else:
        interface_of = interface
    via = hop.word if not interface or not span else f"{hop.word}%{interface}"
    return Route(
        prefix=route.word, via=via, interface=zones.name(interface_of), table=table,
        metric=int(own) if own.isdecimal() else metric, line=hop.line,
    )  # fmt: skip
