"""Static routes of IOS, and which interfaces they lead to. Source: IOS IP routing command reference, `ip route`."""

from __future__ import annotations

from collections.abc import Iterable

from fwguard.dialects.cisco.addresses import prefix_of, v6_prefix
from fwguard.dialects.cisco.lines import Line
from fwguard.dialects.cisco.routing import Leads
from fwguard.dialects.ios.configuration import Configuration, connected
from fwguard.errors import InputError
from fwguard.model.address import parse_span
from fwguard.model.policy import Route


def leads(found: Configuration, routes: Iterable[Route]) -> list[Leads]:
    """Return where the routes and the interfaces' own prefixes lead."""
    given = [Leads("0.0.0.0/0", one.name, 254) for one in found.interfaces.values() if one.default_route]
    return [*connected(found), *given] + [
        Leads(route.prefix, route.interface, route.metric)
        for route in routes
        if route.interface and route.table == "main" and route.kind == "unicast"
    ]


def read_routes(found: Configuration) -> tuple[Route, ...]:
    """Read `ip route [vrf V] NET MASK [IF] [GATEWAY] [METRIC] …` and `ipv6 route PREFIX …`.

    A gateway without an interface is looked up among the interfaces' own prefixes.
    """
    own = [(parse_span(one.prefix), one.interface) for one in connected(found)]
    routes = []
    for line in found.routes:
        try:
            routes.append(_route(line, own, found))
        except (InputError, IndexError, ValueError) as error:
            found.note(line, f"not a route: {error}"[:200])
    return tuple(route for route in routes if route is not None)


def _route(line: Line, own: list[tuple[tuple[int, int, int], str]], found: Configuration) -> Route | None:
    words = line.words[2:]
    if words[0] in ("static", "profile"):
        return None
    table = "main"
    if words[0] in ("vrf", "topology"):
        table, words = words[1], words[2:]
    if line.first == "ipv6":
        prefix, words = v6_prefix(words[0]), words[1:]
    else:
        prefix, words = prefix_of(words[0], words[1]), words[2:]
    via = interface = ""
    metric = 1
    while words:
        word = words.pop(0)
        if word in ("name", "tag", "track", "multicast", "nexthop-vrf"):
            if word != "multicast":
                words.pop(0)
        elif word in ("permanent", "global", "unicast"):
            pass
        elif word == "dhcp":
            via = "dhcp"
        elif word.isdecimal() and (via or interface):
            metric = int(word)
        elif word in found.interfaces or (word[:1].isalpha() and ":" not in word):
            interface = word
            if words and words[0][:1].isdecimal() and "/" in words[0]:
                interface += words.pop(0)
        else:
            parse_span(word)
            via = word
    if not via and not interface:
        raise InputError("neither gateway nor interface")
    if interface.lower().startswith("null"):
        return Route(prefix=prefix, table=table, metric=metric, kind="blackhole", line=line.number)
    if via and via != "dhcp" and not interface:
        version, number, _ = parse_span(via)
        fits = [
            (high - low, name)
            for (family, low, high), name in own
            if family == version and low <= number <= high
        ]
        interface = min(fits)[1] if fits else ""
    return Route(prefix=prefix, via=via, interface=interface, table=table, metric=metric, line=line.number)
