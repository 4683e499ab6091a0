"""Routes and rules: read, and compared without what only tells how things stand."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.iproute2 import canonical_routes, canonical_rules, read_routes
from fwguard.errors import UnreadableError
from fwguard.model.address import Family
from fwguard.model.policy import Route

LISTED = """default via 203.0.113.1 dev wan0 proto static metric 100 linkdown
10.8.0.0/16 via 192.168.7.2 dev lan0 onlink
blackhole 10.9.0.0/16
192.168.7.0/24 dev lan0 proto kernel scope link src 192.168.7.1
10.10.0.1 via 192.168.7.3 dev lan0 table 100
172.16.0.0/12 proto static
\tnexthop via 192.168.7.2 dev lan0 weight 1
\tnexthop via 192.168.7.4 dev lan0 weight 2
local 127.0.0.1 dev lo table local proto kernel scope host src 127.0.0.1
broadcast 192.168.7.255 dev lan0 table local proto kernel scope link
10.11.0.0/16 via 192.168.7.9 dev lan0 proto dhcp
"""
BATCH = """# boot
route add blackhole 10.9.0.0/16
route add 10.8.0.0/16 via 192.168.7.2 dev lan0 onlink
ip -4 route replace default via 203.0.113.1 dev wan0 metric 100
route append 172.16.0.0/12 nexthop via 192.168.7.4 dev lan0 weight 2 nexthop via 192.168.7.2 dev lan0 weight 1
route add 10.10.0.1/32 via 192.168.7.3 dev lan0 table 100
"""


def test_a_listing_becomes_routes() -> None:
    """One for each next hop; what the kernel and daemons put there is not ours to say."""
    routes = read_routes(LISTED, Family.V4)
    assert Route(prefix="0.0.0.0/0", via="203.0.113.1", interface="wan0", metric=100, line=1) == routes[0]
    assert Route(prefix="10.9.0.0/16", kind="blackhole", line=3) == routes[2]
    assert ("10.10.0.1/32", "100") == (routes[3].prefix, routes[3].table)
    assert ["192.168.7.2", "192.168.7.4"] == [
        route.via for route in routes if route.prefix == "172.16.0.0/12"
    ]
    assert 6 == len(routes)


def test_a_batch_file_and_a_listing_are_compared_alike() -> None:
    """Whatever the order of lines and next hops."""
    assert canonical_routes(LISTED, Family.V4) == canonical_routes(BATCH)


def test_ipv6_is_the_same_code() -> None:
    """default is ::/0, also when only the next hop says so; a hop of the other family is one word more."""
    assert ("::/0", "fe80::1") == _ends("default via fe80::1 dev wan0 metric 1024 pref medium", Family.V6)
    assert ("::/0", "2001:db8::1") == _ends("route add default via 2001:db8::1", None)
    assert ("10.0.0.0/8", "fe80::1") == _ends("10.0.0.0/8 via inet6 fe80::1 dev wan0", Family.V4)


def _ends(text: str, family: Family | None) -> tuple[str, str]:
    (route,) = read_routes(text, family)
    return route.prefix, route.via


@pytest.mark.parametrize(
    "changed",
    [LISTED.replace("metric 100", "metric 50"), LISTED.replace("192.168.7.2 dev lan0 onlink", "192.168.7.8 dev lan0"),
     LISTED.replace("blackhole", "unreachable"), LISTED.replace("table 100", "table 101"),
     LISTED + "10.99.0.0/16 via 192.168.7.2 dev lan0\n", LISTED.replace("weight 2", "weight 3")],
)  # fmt: skip
def test_a_changed_route_is_a_difference(changed: str) -> None:
    """Hop, kind, table, metric, weight, and one more."""
    assert canonical_routes(LISTED, Family.V4) != canonical_routes(changed, Family.V4)


def test_rules_are_ordered_by_their_number() -> None:
    """Not by their line."""
    text = "32766:\tfrom all lookup main\n0:\tfrom all lookup local\n100: from 10.0.0.0/8   lookup 100\n"
    assert (
        "0: from all lookup local\n100: from 10.0.0.0/8 lookup 100\n32766: from all lookup main\n"
        == canonical_rules(text)
    )


@pytest.mark.parametrize(
    ("text", "line"),
    [("hello there\n", 1), ("nexthop via 10.0.0.1\n", 1), ("10.0.0.0/8 via\n", 1), ("\n10.0.0.0/8 via x\n", 2),
     ("10.0.0.0/8 metric x\n", 1), ("route del 10.0.0.0/8\n", 1), ("blackhole\n", 1), ("10.0.0.0/8 \x1b[2J\n", 1)],
)  # fmt: skip
def test_what_is_no_route_is_refused(text: str, line: int) -> None:
    """With its line."""
    with pytest.raises(UnreadableError) as raised:
        read_routes(text, Family.V4)
    assert line == raised.value.line


def test_what_is_no_rule_is_refused() -> None:
    """A rule starts with its number."""
    with pytest.raises(UnreadableError):
        canonical_rules("from all lookup main\n")


WORDS = (
    "via", "dev", "10.0.0.0/8", "default", "nexthop", "table", "metric", "5", "x", "\n", "route", "add", "ip", "-6",
    "blackhole", "inet6", "lock", "#",
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=20))
def test_any_words_are_read_or_refused(words: list[str]) -> None:
    """Nothing but UnreadableError comes out."""
    text = " ".join(words)
    try:
        canonical_routes(text)
        read_routes(text)
    except UnreadableError:
        return
