"""Gateways and static routes; a route leads to the interface of its gateway.

Source: pfSense documentation, Static Routes and Gateways; OPNsense manual, Gateways.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fwguard.dialects.pf.alias import Aliases
from fwguard.dialects.pf.notes import Notes
from fwguard.dialects.pf.tree import Node
from fwguard.model.policy import Route

NOWHERE: Final = {"Null4": "blackhole", "Null6": "blackhole"}
MAX_ROUTES: Final = 50_000


def read_routes(root: Node, aliases: Aliases, notes: Notes) -> tuple[Route, ...]:
    """Return static routes and the default ones; those that DHCP brings are not in the file."""
    gateways = _gateways(root)
    routes = list(_defaults(root, gateways))
    for node in root.all("staticroutes", "route"):
        if not node.value("network") or node.says("disabled"):
            if node.has("disabled") and not node.value("disabled") and notes.is_opnsense:
                notes.add(node, "disabled without a value")
            continue
        routes.extend(_route(node, gateways, aliases, notes))
        if len(routes) > MAX_ROUTES:
            notes.add(node, "very many routes: the rest is not read")
            break
    return tuple(routes)


def _gateways(root: Node) -> dict[str, Node]:
    found: dict[str, Node] = {}
    for node in (*root.all("gateways", "gateway_item"), *root.all("OPNsense", "Gateways", "gateway_item")):
        found.setdefault(node.value("name"), node)
    return found


def _defaults(root: Node, gateways: dict[str, Node]) -> Iterator[Route]:
    """The default gateway is named, or marked, or the one of the interface that leads outside."""
    for prefix, word, protocol in (("0.0.0.0/0", "defaultgw4", "inet"), ("::/0", "defaultgw6", "inet6")):
        named = root.value("gateways", word)
        chosen = (
            [gateways[named]]
            if named in gateways
            else [
                node
                for node in gateways.values()
                if (node.value("ipprotocol") or "inet") == protocol and _is_marked(node) and not _is_off(node)
            ]
        )
        for node in chosen:
            gateway = node.value("gateway")
            yield Route(
                prefix=prefix,
                via="" if gateway in ("", "dynamic") else gateway,
                interface=node.value("interface"),
                metric=node.number("priority"),
                line=node.line,
            )


def _is_marked(node: Node) -> bool:
    marked = node.child("defaultgw")
    return marked is not None and marked.text != "0"


def _is_off(node: Node) -> bool:
    return node.says("disabled")


def _route(node: Node, gateways: dict[str, Node], aliases: Aliases, notes: Notes) -> Iterator[Route]:
    name, network = node.value("gateway"), node.value("network")
    gateway = gateways.get(name)
    prefixes = [network]
    if network in aliases.table:
        found = aliases.addresses(network)
        written = aliases.table[network].entries
        prefixes = written if all("/" in word for word in written) else list(found.sure.texts())
        if not found.is_exact:
            notes.add(node, found.why)
    if name in NOWHERE:
        for prefix in prefixes:
            yield Route(prefix=prefix, kind=NOWHERE[name], line=node.line)
        return
    if gateway is None and not _is_learned(name):
        notes.add(node, f"gateway {name[:40]} does not exist")
    via = gateway.value("gateway") if gateway else ""
    for prefix in prefixes:
        yield Route(
            prefix=prefix, via="" if via == "dynamic" else via,
            interface=gateway.value("interface") if gateway else "", line=node.line,
        )  # fmt: skip


def _is_learned(name: str) -> bool:
    """Tell whether a gateway is one that an interface learns: they have names of their own."""
    return name.upper().endswith(
        ("_DHCP", "_DHCP6", "_PPPOE", "_SLAAC", "_PPP", "_TUNNEL", "_VPNV4", "_VPNV6", "_GW")
    )
