"""Which access lists the traffic of an opening meets: by the interfaces' own prefixes and the routes."""

from __future__ import annotations

from collections.abc import Iterator

from fwguard.dialects.rfc8519.names import ACL, INTERFACES, IP, ROUTING
from fwguard.dialects.rfc8519.routes import RouteReader
from fwguard.dialects.rfc8519.tree import Node
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family, parse_span
from fwguard.model.change import Opening

Attached = tuple[str, str, list[str]]  # ("ingress", "wan0", names of its lists in order)


def lists_on_the_way(tops: list[Node], opening: Opening, family: Family) -> list[Attached]:
    """Return the attachment points that judge the opening, each with the names of its lists.

    Ingress: the interface towards the source (longest prefix; "any" goes by the default route). Egress:
    the interface towards the target. Where a configuration says neither addresses nor routes of its
    interfaces, every attached interface may be on the way, except an ingress whose own entries speak of
    the target as a source: that is the inner side.
    """
    acls = next((top for top in tops if (top.module, top.name) == (ACL, "acls")), None)
    points = acls.child("attachment-points") if acls else None
    if acls is None or points is None:
        return []
    table = _table(tops, family)
    outer = _towards(table, opening.source, family)
    inner = _towards(table, opening.target, family)
    found: list[Attached] = []
    for interface in points.all("interface"):
        name = interface.value("interface-id")
        ingress, egress = _names(interface, "ingress"), _names(interface, "egress")
        if ingress and (
            name == outer if outer else name != inner and not _speaks_for(acls, ingress, opening)
        ):
            found.append(("ingress", name, ingress))
        if egress and (name == inner if inner else name != outer):
            found.append(("egress", name, egress))
    return found


def _names(interface: Node, direction: str) -> list[str]:
    sets = interface.at(direction, "acl-sets")
    return [one.value("name") for one in sets.all("acl-set")] if sets else []


def _speaks_for(acls: Node, names: list[str], opening: Opening) -> bool:
    """Tell whether a list's entries name the target as a source."""
    for acl in acls.all("acl"):
        aces = acl.child("aces")
        if acl.value("name") not in names or aces is None:
            continue
        for ace in aces.all("ace"):
            for word in ("ipv4", "ipv6"):
                prefix = ace.value("matches", word, f"source-{word}-network")
                try:
                    if prefix and opening.target & AddressSet.parse(prefix):
                        return True
                except InputError:
                    continue
    return False


def _table(tops: list[Node], family: Family) -> list[tuple[int, int, str]]:
    """Return (first, last, interface) of connected prefixes and of static routes that lead somewhere."""
    version = 4 if family == Family.V4 else 6
    own = [(_span(prefix, version), name) for prefix, name in connected(tops)]
    near = [(*span, name) for span, name in own if span]
    table = list(near)
    reader = RouteReader()
    for top in tops:
        if (top.module, top.name) == (ROUTING, "routing"):
            reader.read(top)
    for route in reader.routes:
        span = _span(route.prefix, version)
        hop = _span(route.via, version) if route.via else None
        interface_name = route.interface or (_longest(near, *hop) if hop else "")
        if span and interface_name:
            table.append((*span, interface_name))
    return table


def connected(tops: list[Node]) -> Iterator[tuple[str, str]]:
    """Yield (prefix, interface) of what stands at the interfaces themselves (RFC 8344)."""
    for top in tops:
        if (top.module, top.name) != (INTERFACES, "interfaces"):
            continue
        for interface in top.all("interface"):
            for ip in interface.children:
                if ip.module != IP or ip.name not in ("ipv4", "ipv6"):
                    continue
                for address in ip.all("address"):
                    prefix = f"{address.value('ip')}/{address.value('prefix-length')}"
                    if any(_span(prefix, version) for version in (4, 6)):
                        yield prefix, interface.value("name")


def _span(text: str, version: int) -> tuple[int, int] | None:
    try:
        found, low, high = parse_span(text)
    except InputError:
        return None
    return (low, high) if found == version else None


def _longest(table: list[tuple[int, int, str]], low: int, high: int) -> str:
    """Return the interface of the longest prefix that holds the whole span, empty if none does."""
    holding = [(end - start, name) for start, end, name in table if start <= low and high <= end]
    return min(holding)[1] if holding else ""


def _towards(table: list[tuple[int, int, str]], addresses: AddressSet, family: Family) -> str:
    """Return the one interface that all of the addresses lie behind, empty if that cannot be said."""
    spans = addresses.v4 if family == Family.V4 else addresses.v6
    names = {_longest(table, low, high) for low, high in spans}
    return names.pop() if len(names) == 1 else ""
