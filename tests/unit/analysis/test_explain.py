"""A difference in words."""

from __future__ import annotations

from fwguard.analysis.compare import compare
from fwguard.analysis.explain import explain
from fwguard.analysis.words import WORDS
from fwguard.model.address import ANY_ADDRESS, ANY_V4, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Language
from fwguard.model.policy import (
    Action,
    Chain,
    Hook,
    Match,
    NatKind,
    NatRule,
    Policy,
    Route,
    Rule,
    Unread,
)

TCP = Intervals.single(6)


def accept(target: str, port: int, line: int, source: AddressSet = ANY_ADDRESS, unknown: str = "") -> Rule:
    """Build one rule of a usual kind."""
    match = Match(
        source=source,
        target=AddressSet.parse(target),
        protocol=TCP,
        dport=Intervals.single(port),
        unknown=unknown,
    )
    return Rule(matches=(match,), action=Action.ACCEPT, line=line, text=f"accept {port}")


def firewall(*rules: Rule, **more: object) -> Policy:
    """Build a firewall that forwards only what its rules accept."""
    chain = Chain(name="forward", families=Family.BOTH, rules=rules, default=Action.DROP, default_line=1)
    return Policy(dialect="test", chains={"f": chain}, hooks={Hook.FORWARD: ("f",)}, **more)  # type: ignore[arg-type]


WEB = accept("192.0.2.10", 443, 2)
SQL = accept("192.0.2.10", 3306, 3)


def test_an_opening_to_anyone_is_said_in_both_languages() -> None:
    """The sentence that a client's contact reads."""
    difference = compare(firewall(WEB), firewall(WEB, SQL))
    assert ["opens tcp/3306 of 192.0.2.10 to anyone"] == explain(difference)
    french = explain(difference, language=Language.FR)
    assert ["ouvre tcp/3306 de 192.0.2.10 à tout le monde"] == french


def test_a_known_server_is_named() -> None:
    """By the inventory, next to its address."""
    difference = compare(firewall(WEB), firewall(WEB, SQL))
    said = explain(difference, name_of={"192.0.2.10": "web1"}.get)
    assert ["opens tcp/3306 of 192.0.2.10 (web1) to anyone"] == said


def test_one_ip_version_is_named_where_the_addresses_do_not_say_it() -> None:
    """Everything over IPv4 is not everything."""
    rule = Rule(matches=(Match(source=ANY_V4, target=ANY_V4, protocol=TCP),), action=Action.ACCEPT, line=2)
    said = explain(compare(firewall(), firewall(rule)))
    assert ["opens tcp of every IPv4 address to anyone"] == said


def test_a_deleted_rule_closes() -> None:
    """The other direction."""
    assert ["closes tcp/443 of 192.0.2.10 to anyone"] == explain(compare(firewall(WEB, SQL), firewall(SQL)))


def test_an_unreadable_condition_says_may() -> None:
    """Unknown is never permit, and never silence."""
    rule = accept("192.0.2.10", 22, 5, unknown="-m geoip")
    said = explain(compare(firewall(WEB), firewall(WEB, rule)))
    assert ["may open tcp/22 of 192.0.2.10 to anyone; a rule cannot be read"] == said


def test_a_redirection_is_said_with_both_ends() -> None:
    """NAT stands besides the filter."""
    rule = NatRule(
        kind=NatKind.DNAT,
        matches=(Match(target=AddressSet.parse("192.0.2.10"), protocol=TCP, dport=Intervals.single(8443)),),
        to=AddressSet.parse("10.20.0.11"),
        to_ports=Intervals.single(443),
        line=9,
    )
    difference = compare(firewall(), firewall(nat=(rule,)))
    assert ["redirects tcp/8443 of 192.0.2.10 to 10.20.0.11 port 443"] == explain(difference)
    assert ["ne redirige plus tcp/8443 de 192.0.2.10 vers 10.20.0.11 port 443"] == explain(
        compare(firewall(nat=(rule,)), firewall()), language=Language.FR
    )


def test_a_route_is_said_with_its_way() -> None:
    """Routes are part of the state (clause 7.1.1)."""
    route = Route(prefix="203.0.113.0/24", via="198.51.100.1", line=4)
    said = explain(compare(firewall(), firewall(routes=(route,))))
    assert ["adds a route to 203.0.113.0/24 via 198.51.100.1"] == said


def test_a_new_order_without_effect_is_said_as_such() -> None:
    """Order of disjoint rules means nothing, and is a change all the same."""
    difference = compare(firewall(WEB, SQL), firewall(SQL, WEB))
    assert difference.is_empty
    assert ["changes the order of rules without effect"] == explain(difference)


def test_a_rule_without_effect_is_said_as_such() -> None:
    """The rule is there; what passes is the same."""
    said = explain(compare(firewall(WEB), firewall(WEB, accept("192.0.2.10", 443, 7, ANY_V4))))
    assert ["adds a rule without effect on new connections (line 7: accept 443)"] == said


def test_unreadable_text_is_quoted_on_one_line() -> None:
    """Control characters of a hostile device never reach a terminal or a mail."""
    unread = Unread(line=3, text="evil\x1b[2J\n line")
    said = explain(compare(firewall(), firewall(unread=(unread,))))
    assert ["adds a line that cannot be read (line 3: evil [2J line)"] == said


def test_many_lines_end_with_how_many_more() -> None:
    """A flood of changes still makes a short mail."""
    rules = [accept(f"192.0.2.{n}", n, n) for n in range(1, 30)]
    said = explain(compare(firewall(), firewall(*rules)), max_lines=5)
    assert 5 == len(said)
    assert "and 25 more" == said[-1]


def test_input_and_output_speak_of_the_firewall_itself() -> None:
    """They do not pass through it."""
    open_all = Chain(name="i", families=Family.BOTH, rules=(), default=Action.ACCEPT)
    shut = Chain(name="i", families=Family.BOTH, rules=(), default=Action.DROP)
    for hook, expected in (
        (Hook.INPUT, "ouvre tous les services du pare-feu lui-même à tout le monde"),
        (Hook.OUTPUT, "laisse le pare-feu lui-même atteindre tous les services de toutes les adresses"),
    ):
        before, after = (
            Policy(dialect="test", chains={"i": chain}, hooks={hook: ("i",)}) for chain in (shut, open_all)
        )
        assert [expected] == explain(compare(before, after), language=Language.FR)


def test_everything_is_said_in_every_language() -> None:
    """With the same blanks to fill."""
    for key, texts in WORDS.items():
        assert set(Language) == set(texts), key
        blanks = {language: text.count("{") for language, text in texts.items()}
        assert 1 == len(set(blanks.values())), key
