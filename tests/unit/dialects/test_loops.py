"""Groups in groups: what leads back is refused with the way round; what only branches is followed once."""

from __future__ import annotations

import time

import pytest

from fwguard.dialects.loops import refuse_loops
from fwguard.dialects.table import DIALECTS
from fwguard.errors import UnreadableError

DEPTH = 40
LEVELS = [(f"{side}{n}", (f"a{n + 1}", f"b{n + 1}")) for n in range(DEPTH) for side in "ab"]


def check(held: dict[str, tuple[str, ...]]) -> None:
    """Look for loops in groups; the line of each is its place."""
    refuse_loops(held, held.__getitem__, kind="group", line_of=lambda name: list(held).index(name) + 1)


@pytest.mark.parametrize(
    ("held", "said"),
    [
        ({"a": ("a",)}, "line 1: group a holds itself: a > a"),
        ({"x": ("b",), "a": ("b",), "b": ("c",), "c": ("a",)}, "line 2: group a holds itself: a > b > c > a"),
        ({"c": ("a",), "a": ("b",), "b": ("c",)}, "line 1: group c holds itself: c > a > b > c"),
    ],
)
def test_a_loop_is_said_from_the_group_that_stands_first(held: dict[str, tuple[str, ...]], said: str) -> None:
    """With its line, and every name of it."""
    with pytest.raises(UnreadableError) as error:
        check(held)
    assert f"{said} (expected groups that do not lead back to themselves)" == str(error.value)


def test_a_long_loop_is_said_in_short() -> None:
    """Its ends, and how many there are between."""
    with pytest.raises(UnreadableError) as error:
        check({f"g{n}": (f"g{(n + 1) % 100}",) for n in range(100)})
    assert "g0 > g1 > g2 > g3 > … 94 more … > g98 > g99 > g0" in str(error.value)


def test_groups_without_a_loop_are_left_alone() -> None:
    """Chains, doubles and diamonds."""
    held: dict[str, tuple[str, ...]] = dict(LEVELS) | {f"{side}{DEPTH}": () for side in "ab"}
    check(held | {f"c{n}": (f"c{n + 1}",) for n in range(2000)} | {"c2000": ()})


def lines(head: str, member: str, leaf: str, tail: str) -> str:
    """Write the diamond with members a line each, its last groups with one address."""
    inner = "".join(member.format(name, one) for name, ones in LEVELS for one in ones)
    return head + inner + "".join(leaf.format(f"{side}{DEPTH}") for side in "ab") + tail


def ios() -> str:
    """Write it as object-groups."""
    groups = [
        f"object-group network {name}\n" + "".join(f" group-object {one}\n" for one in ones)
        for name, ones in LEVELS
    ]
    groups += [f"object-group network {side}{DEPTH}\n host 192.0.2.1\n" for side in "ab"]
    return (
        "version 15.2\n" + "".join(groups)
        + "ip access-list extended X\n permit ip any object-group a0\n"
        "interface Gi0/0\n ip address 10.0.0.1 255.255.255.0\n ip access-group X in\nend\n"
    )  # fmt: skip


def pfsense() -> str:
    """Write it as aliases."""
    alias = "<alias><name>{0}</name><type>host</type><address>{1}</address></alias>\n"
    aliases = [alias.format(name, " ".join(ones)) for name, ones in LEVELS]
    aliases += [alias.format(f"{side}{DEPTH}", "192.0.2.1") for side in "ab"]
    return (
        "<pfsense><interfaces><wan><enable/><if>em0</if><ipaddr>dhcp</ipaddr></wan></interfaces><aliases>\n"
        + "".join(aliases)
        + "</aliases><filter><rule><type>pass</type><interface>wan</interface><ipprotocol>inet</ipprotocol><source>"
        "<any/></source><destination><address>a0</address></destination></rule></filter></pfsense>\n"
    )


BOOK, RULE = "set security address-book global ", "set security policies from-zone u to-zone t policy p "
DIAMONDS = {
    "ios": ios(),
    "pfsense": pfsense(),
    "vyos": lines(
        "", "set firewall group address-group {} include '{}'\n",
        "set firewall group address-group {} address '192.0.2.1'\n",
        "set firewall ipv4 forward filter rule 1 action 'accept'\n"
        "set firewall ipv4 forward filter rule 1 destination group address-group 'a0'\n",
    ),
    "junos": lines(
        BOOK + "address one 192.0.2.1/32\n", BOOK + "address-set {} address-set {}\n",
        BOOK + "address-set {} address one\n",
        "set security zones security-zone t\nset security zones security-zone u\n" + RULE + "match source-address any\n"
        + RULE + "match destination-address a0\n" + RULE + "match application any\n" + RULE + "then permit\n",
    ),
    "panos": lines(
        "set zone t\nset address one ip-netmask 192.0.2.1/32\n", "set address-group {} static {}\n",
        "set address-group {} static one\n",
        "".join(
            f"set rulebase security rules R {words}\n"
            for words in ("from any", "to any", "source any", "destination a0", "application any", "service any",
                          "action allow")
        ),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", DIAMONDS)
def test_a_diamond_of_depth_forty_means_what_stands_at_its_end(name: str) -> None:
    """Two to the power of forty ways lead to one address, and the rule is certain of it."""
    begin = time.process_time()
    policy = DIALECTS[name].read(DIAMONDS[name])
    assert time.process_time() - begin < 2
    found = {
        match
        for chain in policy.chains.values() for rule in chain.rules for match in rule.matches
        if "192.0.2.1" == str(match.target)
    }  # fmt: skip
    assert found
    assert all(not match.unknown for match in found)
