"""Routes and rules, from one list to another."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fwguard.devices.routing_steps import route_key, route_lines, rule_lines

ROUTES = st.lists(
    st.builds(
        "{} via 10.0.0.{} dev eth{}{}".format,
        st.sampled_from(["10.1.0.0/16", "10.2.0.0/16", "default", "blackhole 10.3.0.0/16"]),
        st.integers(1, 3),
        st.integers(0, 1),
        st.sampled_from(["", " table 7", " metric 5", " table 7 metric 5 onlink"]),
    ),
    unique=True,
    max_size=8,
)


def run(now: list[str], lines: list[str]) -> dict[tuple[str, ...], list[str]]:
    """What the kernel does with such lines, each place of a table apart."""
    places: dict[tuple[str, ...], list[str]] = {}
    for line in now:
        places.setdefault(route_key(line), []).append(line)
    for line in lines:
        _, verb, route = line.split(maxsplit=2)
        place = places.setdefault(route_key(route), [])
        if verb == "del":
            place.remove(route)
        elif verb == "append":
            place.append(route)
        elif verb == "replace":
            place[:1] = [route]
    return {key: place for key, place in places.items() if place}


@given(ROUTES, ROUTES)
def test_the_changes_lead_to_what_is_wanted(now: list[str], wanted: list[str]) -> None:
    """Also where several routes stand at one place, whose order has a meaning."""
    assert run(wanted, []) == run(now, route_lines("\n".join(now), "\n".join(wanted)))


@given(ROUTES)
def test_equal_lists_need_no_change(routes: list[str]) -> None:
    """Nothing is touched that is as wanted."""
    assert [] == route_lines("\n".join(routes), "\n".join(routes) + "\n")


def test_another_gateway_is_replaced_in_place() -> None:
    """Without a moment in which the route is away; table and onlink are kept."""
    assert ["route replace 10.1.0.0/16 via 10.0.0.2 dev eth0 table 7 onlink"] == route_lines(
        "10.1.0.0/16 via 10.0.0.1 dev eth0 table 7 onlink\n",
        "10.1.0.0/16 via 10.0.0.2 dev eth0 table 7 onlink\n",
    )


def test_a_route_on_a_link_comes_before_those_through_its_gateways_and_goes_after() -> None:
    """A gateway must be reachable when a route names it."""
    lines = ["default via 10.5.0.1 dev eth0", "10.5.0.0/24 dev eth0 scope link"]
    assert ["route append 10.5.0.0/24 dev eth0 scope link", "route append default via 10.5.0.1 dev eth0"] == (
        route_lines("", "\n".join(lines))
    )
    assert ["route del default via 10.5.0.1 dev eth0", "route del 10.5.0.0/24 dev eth0 scope link"] == (
        route_lines("\n".join(lines), "")
    )


def test_rules_are_added_before_others_go() -> None:
    """The priority is kept, `not` as well."""
    assert [
        "rule add pref 90 not from all fwmark 0x1 blackhole",
        "rule del pref 100 from 10.1.0.0/16 lookup 7",
    ] == (rule_lines("100: from 10.1.0.0/16 lookup 7\n", "90: not from all fwmark 0x1 blackhole\n"))


def test_a_default_rule_taken_away_is_put_back() -> None:
    """The gate says that it is missing; and taking it away again undoes that."""
    missing = "missing 0: from all lookup local\n"
    assert ["rule add pref 0 from all lookup local"] == rule_lines(missing, "")
    assert ["rule del pref 0 from all lookup local"] == rule_lines("", missing)


def test_rules_of_one_priority_keep_their_order() -> None:
    """They count in the order of their making, so all are made again."""
    first, second = "5: from 10.1.0.0/16 lookup 1", "5: from 10.0.0.0/8 lookup 2"
    assert [
        "rule del pref 5 from 10.0.0.0/8 lookup 2",
        "rule del pref 5 from 10.1.0.0/16 lookup 1",
        "rule add pref 5 from 10.1.0.0/16 lookup 1",
        "rule add pref 5 from 10.0.0.0/8 lookup 2",
    ] == rule_lines(f"{second}\n{first}\n", f"{first}\n{second}\n")
