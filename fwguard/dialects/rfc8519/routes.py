"""Static routes of RFC 8349 (and its predecessor RFC 8022, whose tree for these is the same)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from fwguard.dialects.rfc8519.names import NO_DIFFERENCE, ROUTES_V4, ROUTES_V6, ROUTING
from fwguard.dialects.rfc8519.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import parse_span, show_span
from fwguard.model.policy import Route, Unread

_VERSION: Final = {ROUTES_V4: ("ipv4", 4), ROUTES_V6: ("ipv6", 6)}
# RFC 8349 special-next-hop, in the words of ip-route(8).
_SPECIAL: Final = {
    "blackhole": "blackhole",
    "unreachable": "unreachable",
    "prohibit": "prohibit",
    "receive": "local",
}


class RouteReader:
    """Reads `routing` into `routes` and `unread`."""

    def __init__(self) -> None:
        self.routes: list[Route] = []
        self.unread: list[Unread] = []

    def _note(self, node: Node, why: str) -> None:
        if (node.module, node.name) not in NO_DIFFERENCE:
            self.unread.append(Unread(line=node.line, text=node.words(), why=why))

    def read(self, routing: Node) -> None:
        """Read the whole subtree; tables (`ribs`) and `router-id` hold no static route of their own."""
        for node in routing.children:
            if node.module != ROUTING or node.name not in ("control-plane-protocols", "router-id", "ribs"):
                self._note(node, "not known under routing")
            elif node.name == "control-plane-protocols":
                for protocol in node.children:
                    self._protocol(protocol)

    def _protocol(self, protocol: Node) -> None:
        for node in protocol.children:
            if node.module == ROUTING and node.name == "static-routes":
                for family in node.children:
                    self._family(family)
            elif node.module == ROUTING and node.name == "type" and node.text not in ("static", "direct"):
                self._note(protocol, "a routing protocol that is not static")
            elif node.module != ROUTING or node.name not in ("type", "name"):
                self._note(node, "not known under a routing protocol")

    def _family(self, family: Node) -> None:
        word, version = _VERSION.get(family.module, ("", 0))
        for node in family.children:
            if family.name != word or node.module != family.module or node.name != "route":
                self._note(node, "not a route of ietf-ipv4- or ietf-ipv6-unicast-routing")
                continue
            try:
                prefix = _prefix(node.value("destination-prefix"), version)
                self.routes += _hops(node, prefix)
            except InputError as error:
                self._note(node, str(error))


def _hops(route: Node, prefix: str) -> Iterator[Route]:
    strange = [c for c in route.children if c.name not in ("destination-prefix", "description", "next-hop")]
    hop = route.child("next-hop")
    if strange or hop is None:
        raise InputError("a route without a next hop, or with more than one")
    special = hop.value("special-next-hop")
    if special:
        if special not in _SPECIAL or len(hop.children) != 1:
            raise InputError(f"special next hop {special!r}", expected=", ".join(_SPECIAL))
        yield Route(prefix=prefix, kind=_SPECIAL[special], line=route.line)
        return
    several = hop.child("next-hop-list")
    for one in several.all("next-hop") if several else [hop]:
        known = {"index", "outgoing-interface", "next-hop-address"}
        if not one.children or any(c.name not in known or c.module != route.module for c in one.children):
            raise InputError("a next hop that is not an address or an interface")
        yield Route(
            prefix=prefix,
            via=one.value("next-hop-address"),
            interface=one.value("outgoing-interface"),
            line=route.line,
        )


def _prefix(text: str, version: int) -> str:
    found, low, high = parse_span(text)
    if found != version or "/" not in text:
        raise InputError(f"prefix {text!r}", expected=f"an IPv{version} prefix")
    return show_span(version, low, high)
