"""A policy as tables: words for sets, servers by name, chains where packets meet them."""

from __future__ import annotations

import pytest

from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Chain, Hook, InterfaceSet, Match, NatKind, NatRule, Policy, Rule
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL, ICMP, TCP, UDP, icmp_types
from fwguard.web.policy_tables import MOST_RULES, addresses_words, chain_tables, nat_lines, service_words

NAMES = {"10.20.0.10": "web"}.get


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (("any",), "anyone"),
        (("0.0.0.0/0",), "any IPv4"),
        (("::/0",), "any IPv6"),
        (("10.20.0.10",), "web (10.20.0.10)"),
        (("192.0.2.0/24", "2001:db8::/32"), "192.0.2.0/24, 2001:db8::/32"),
        ((), "nobody"),
        (
            tuple(f"192.0.2.{n}" for n in range(0, 20, 2)),
            "192.0.2.0, 192.0.2.2, 192.0.2.4, 192.0.2.6, and 6 more",
        ),
    ],
)
def test_addresses_in_few_words(texts: tuple[str, ...], words: str) -> None:
    """Whole families, servers, prefixes; many are cut."""
    assert words == addresses_words(AddressSet.parse(*texts), NAMES)


def test_a_hole_is_said_as_one() -> None:
    """All but a prefix is shorter than the ranges around it."""
    rest = AddressSet.parse("any") - AddressSet.parse("198.51.100.0/24")
    assert "all but 198.51.100.0/24" == addresses_words(rest, NAMES)


@pytest.mark.parametrize(
    ("protocol", "dport", "words"),
    [
        (ANY_PROTOCOL, ANY_PORT, "every service"),
        (Intervals.single(TCP), ANY_PORT, "tcp"),
        (Intervals.single(TCP), Intervals.of((80, 80), (443, 443)), "tcp/80,443"),
        (Intervals.single(TCP, UDP), Intervals.of((53, 53)), "tcp,udp/53"),
        (Intervals.single(ICMP), icmp_types(8, 8), "icmp 8"),
        (ANY_PROTOCOL, Intervals.of((80, 80)), "*/80"),
    ],
)
def test_services_as_people_write_them(protocol: Intervals, dport: Intervals, words: str) -> None:
    """Protocol and ports; of ICMP the type and not its number in header space."""
    assert words == service_words(protocol, dport)


def _rule(**more: object) -> Rule:
    return Rule(matches=(Match(),), line=1, **more)  # type: ignore[arg-type]


def test_chains_come_where_packets_meet_them() -> None:
    """Forward first, then what it jumps to, then input; a chain that nothing leads to is left out."""
    policy = Policy(
        dialect="nftables",
        chains={
            "input": Chain(name="input", families=Family.BOTH, rules=(), default=Action.DROP),
            "forward": Chain(
                name="forward",
                families=Family.BOTH,
                rules=(_rule(action=Action.JUMP, jump="web"),),
                default=Action.DROP,
            ),
            "nat": Chain(name="nat", families=Family.V4, rules=()),
            "web": Chain(name="web", families=Family.BOTH, rules=(_rule(action=Action.GOTO, jump="web"),)),
        },
        hooks={Hook.INPUT: ("input",), Hook.FORWARD: ("forward",)},
    )
    tables = chain_tables(policy, NAMES)
    assert [("forward", (Hook.FORWARD,)), ("web", ()), ("input", (Hook.INPUT,))] == [
        (table.name, table.hooks) for table in tables
    ]


def test_a_long_chain_says_how_much_is_not_shown() -> None:
    """The page holds five hundred rules of a chain and counts the rest."""
    rules = tuple(_rule(action=Action.ACCEPT) for _ in range(MOST_RULES + 7))
    chain = Chain(name="forward", families=Family.BOTH, rules=rules, default=Action.DROP)
    (table,) = chain_tables(
        Policy(dialect="x", chains={"forward": chain}, hooks={Hook.FORWARD: ("forward",)}), NAMES
    )
    assert (MOST_RULES, 7) == (len(table.rules), table.omitted)


def test_conditions_are_said() -> None:
    """Interfaces, source ports, and what could not be read."""
    match = Match(
        ingress=InterfaceSet.of("wan0"), egress=InterfaceSet.all_but("lan0"), sport=Intervals.of((53, 53)),
        unknown="meta skuid 0",
    )  # fmt: skip
    rule = Rule(matches=(match,), line=1, action=Action.DROP)
    chain = Chain(name="c", families=Family.BOTH, rules=(rule,))
    (table,) = chain_tables(Policy(dialect="x", chains={"c": chain}, hooks={Hook.FORWARD: ("c",)}), NAMES)
    assert (
        "in by wan0",
        "out by all but lan0",
        "from source port 53",
        "and a condition that was not understood: meta skuid 0",
    ) == table.rules[0].passes[0].conditions


def test_a_redirection_says_where_it_leads() -> None:
    """Server by name, and the new port."""
    rule = NatRule(
        kind=NatKind.DNAT, matches=(Match(),), to=AddressSet.parse("10.20.0.10"), to_ports=Intervals.of((22, 22)),
        line=7,
    )  # fmt: skip
    (line,) = nat_lines(Policy(dialect="x", nat=(rule,)), NAMES)
    assert ("redirection (DNAT)", "web (10.20.0.10) port 22") == (line.kind, line.to)
