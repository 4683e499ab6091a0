"""What a list of rules is accused of."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fwguard.analysis.asking import parse_opening
from fwguard.analysis.lint import Finding, Kind, lint
from fwguard.bench.generated import generated_policy
from fwguard.dialects.table import dialect as by_name
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import (
    Action,
    Chain,
    CtState,
    Hook,
    InterfaceSet,
    Match,
    NatKind,
    NatRule,
    Policy,
    Rule,
    Unread,
)


def rule(line: int, text: str, action: Action = Action.ACCEPT, **more: object) -> Rule:
    """Build one rule from an opening as people write it."""
    opening = parse_opening(text)
    match = Match(
        source=opening.source,
        target=opening.target,
        protocol=Intervals.single(opening.protocol),
        dport=opening.ports,
        **more,  # type: ignore[arg-type]
    )
    return Rule(matches=(match,), action=action, line=line)


def firewall(*rules: Rule, nat: tuple[NatRule, ...] = (), unread: tuple[Unread, ...] = ()) -> Policy:
    """Build a firewall that forwards only what its rules accept."""
    chain = Chain(name="f", families=Family.V4, rules=rules, default=Action.DROP)
    return Policy(
        dialect="test",
        families=Family.V4,
        chains={"f": chain},
        hooks={Hook.FORWARD: ("f",)},
        nat=nat,
        unread=unread,
    )


def accused(policy: Policy, *kinds: Kind) -> list[tuple[Kind, int, tuple[int, ...]]]:
    """Return the findings of some kinds, without words."""
    found: list[Finding] = [one for one in lint(policy) if not kinds or one.kind in kinds]
    return [(one.kind, one.line, one.because) for one in found]


def test_a_rule_behind_two_others_together_is_shadowed_by_both() -> None:
    """Neither alone covers it."""
    policy = firewall(
        rule(1, "tcp/80 from 198.51.100.0/25 to 192.0.2.10"),
        rule(2, "tcp/80 from 198.51.100.128/25 to 192.0.2.10", Action.DROP),
        rule(3, "tcp/80 from 198.51.100.0/24 to 192.0.2.10"),
    )
    assert [(Kind.SHADOWED, 3, (1, 2))] == accused(policy)


def test_a_rule_whose_successor_does_the_same_is_redundant() -> None:
    """Taking it out changes nothing."""
    policy = firewall(
        rule(1, "tcp/80 from 198.51.100.7 to 192.0.2.10"),
        rule(2, "tcp/80 from 198.51.100.0/24 to 192.0.2.10"),
    )
    assert [(Kind.REDUNDANT, 1, (2,))] == accused(policy)


def test_a_rule_that_only_looks_covered_is_not_accused() -> None:
    """The one before decides new connections only; this one decides others, too."""
    new = frozenset({CtState.NEW})
    policy = firewall(
        rule(1, "tcp/80 from 198.51.100.0/24 to 192.0.2.10", states=new),
        rule(2, "tcp/80 from 198.51.100.0/24 to 192.0.2.10"),
        Rule(matches=(Match(),), action=Action.REJECT, line=3),
    )
    assert [] == accused(policy, Kind.SHADOWED)


def test_a_rule_in_doubt_shadows_nothing() -> None:
    """It may not apply."""
    policy = firewall(
        rule(1, "tcp/80 from any to 192.0.2.10", Action.DROP, unknown="-m limit"),
        rule(2, "tcp/80 from any to 192.0.2.10"),
    )
    assert [] == accused(policy)


def test_a_rule_that_no_packet_fits_never_matches() -> None:
    """Its two ends are of different IP versions."""
    match = Match(source=AddressSet.parse("192.0.2.1"), target=AddressSet.parse("2001:db8::1"))
    policy = firewall(Rule(matches=(match,), action=Action.ACCEPT, line=5))
    assert [(Kind.NEVER_MATCHES, 5, ())] == accused(policy)


def test_a_chain_that_nothing_leads_to_is_named_once() -> None:
    """By its first rule."""
    lost = Chain(
        name="lost",
        families=Family.V4,
        rules=(rule(8, "tcp/80 from any to 192.0.2.1"), rule(9, "tcp/81 from any to 192.0.2.1")),
    )
    base = Chain(name="f", families=Family.V4, rules=(), default=Action.DROP)
    policy = Policy(
        dialect="test", families=Family.V4, chains={"f": base, "lost": lost}, hooks={Hook.FORWARD: ("f",)}
    )
    assert [(Kind.NEVER_MATCHES, 8, ())] == accused(policy)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("tcp/22 from any to 192.0.2.10", Kind.MANAGEMENT_EXPOSED),
        ("tcp/3306 from 0.0.0.0/1 to 192.0.2.10", Kind.MANAGEMENT_EXPOSED),
        ("udp/161 from any to 192.0.2.0/24", Kind.MANAGEMENT_EXPOSED),
        ("tcp/any from any to 192.0.2.10", Kind.ANY_SERVICE),
    ],
)
def test_what_is_reachable_from_far_is_named(text: str, kind: Kind) -> None:
    """Management, databases, and all at once."""
    assert [(kind, 1, ())] == accused(firewall(rule(1, text)))


@pytest.mark.parametrize(
    "text",
    [
        "tcp/443 from any to 192.0.2.10",
        "tcp/22 from 198.51.100.0/24 to 192.0.2.10",
        "tcp/22 from 10.0.0.0/8 to 192.0.2.10",
        "udp/123 from any to 192.0.2.10",
    ],
)
def test_an_ordinary_opening_is_not_accused(text: str) -> None:
    """A web server is there to be reached; an office may manage."""
    assert [] == accused(firewall(rule(1, text)))


def test_the_inner_interface_is_not_outside() -> None:
    """Where masquerading tells which is which."""
    hide = NatRule(kind=NatKind.MASQUERADE, matches=(Match(egress=InterfaceSet.of("eth0")),), line=9)
    inner = rule(1, "tcp/22 from any to 192.0.2.10", ingress=InterfaceSet.of("eth1"))
    outer = rule(2, "tcp/22 from any to 192.0.2.11", ingress=InterfaceSet.of("eth0"))
    assert [(Kind.MANAGEMENT_EXPOSED, 2, ())] == accused(firewall(inner, outer, nat=(hide,)))


def test_everything_from_anyone_is_too_wide() -> None:
    """As a rule, and as a default."""
    wide = firewall(Rule(matches=(Match(),), action=Action.ACCEPT, line=1))
    assert [(Kind.TOO_WIDE, 1, ())] == accused(wide)
    open_chain = Chain(name="f", families=Family.V4, rules=(), default=Action.ACCEPT, default_line=4)
    policy = Policy(
        dialect="test", families=Family.V4, chains={"f": open_chain}, hooks={Hook.FORWARD: ("f",)}
    )
    assert [(Kind.TOO_WIDE, 4, ())] == accused(policy)


def test_what_could_not_be_read_is_a_finding() -> None:
    """With its line."""
    assert [(Kind.UNREAD, 12, ())] == accused(firewall(unread=(Unread(line=12, text="gibberish"),)))


def test_a_large_list_is_judged_without_giving_up() -> None:
    """No rule is left unproven on a list of the usual shape."""
    kinds = {one.kind for one in lint(generated_policy(3_000))}
    assert {Kind.SHADOWED, Kind.REDUNDANT, Kind.MANAGEMENT_EXPOSED} <= kinds


def said(comment: str, text: str) -> list[str]:
    """Return why a rule with a comment is called too wide, if it is."""
    one = replace(rule(7, text), comment=comment)
    return [finding.why() for finding in lint(firewall(one)) if finding.kind is Kind.TOO_WIDE]


@pytest.mark.parametrize(
    ("comment", "text", "named"),
    [
        ("only 192.0.2.10 please", "tcp/443 from any to 192.0.2.0/24", "192.0.2.10"),
        ("office 198.51.100.0/24", "tcp/22 from 198.51.0.0/16 to 192.0.2.1", "198.51.100.0/24"),
        ("range 192.0.2.4-192.0.2.7", "tcp/443 from any to 192.0.2.4/29", "192.0.2.4/30"),
        ("web, tcp/443", "tcp/440-450 from any to 192.0.2.1", "443"),
        ("443/tcp for all", "tcp/80,443 from any to 192.0.2.1", "443"),
        ("ports 80, 443 and 8080", "tcp/80-8080 from any to 192.0.2.1", "80,443,8080"),
    ],
)
def test_a_rule_wider_than_its_comment_is_too_wide(comment: str, text: str, named: str) -> None:
    """A host, a prefix, a range, a port: what it names is said."""
    assert [f"lets more pass than its comment says: {named}"] == said(comment, text)


@pytest.mark.parametrize(
    ("comment", "text"),
    [
        ("only 192.0.2.10 please", "tcp/443 from any to 192.0.2.10"),
        ("from 198.51.100.0/24", "tcp/443 from 198.51.100.7 to 192.0.2.0/24"),
        ("see ticket 4711, version 1.2.3", "tcp/443 from any to 192.0.2.0/24"),
        ("asked for on 2024/05/06 at 10:20", "tcp/443 from any to 192.0.2.0/24"),
        ("replaces 203.0.113.9", "tcp/443 from 198.51.100.0/24 to 192.0.2.0/24"),
        ("ports 80,443", "tcp/443 from any to 192.0.2.10"),
        ("2001:db8::1 too", "tcp/443 from any to 192.0.2.0/24"),
    ],
)
def test_a_comment_that_says_as_much_or_something_else_accuses_nobody(comment: str, text: str) -> None:
    """Version numbers, dates, tickets and other machines are no promise."""
    assert [] == said(comment, text)


def test_a_rule_wider_than_its_ticket_is_too_wide() -> None:
    """Found by the tag that it bears; the ticket decides, whatever else the comment says."""
    asked = {"t-7": (parse_opening("tcp/443 from 198.51.100.0/24 to 192.0.2.10"),)}
    exact = replace(rule(3, "tcp/443 from 198.51.100.0/24 to 192.0.2.10"), comment="fwguard:t-7")
    wider = replace(rule(4, "tcp/443 from any to 192.0.2.10"), comment="fwguard:t-7")
    other = replace(rule(5, "tcp/443 from any to 192.0.2.11"), comment="fwguard:t-8")
    found = lint(firewall(exact, wider, other), asked)
    assert [(4, "lets more pass than ticket t-7 asked for")] == [
        (one.line, one.why()) for one in found if one.kind is Kind.TOO_WIDE
    ]


def test_what_the_vendor_implies_is_accused_of_nothing() -> None:
    """Nobody wrote it, so nobody can take it out."""
    everything = Rule(matches=(Match(),), action=Action.ACCEPT, line=0)
    level = Rule(matches=(Match(),), action=Action.DROP, line=9, comment="implicit: outside to inside")
    assert [] == lint(firewall(everything, level))


ASA = """ASA Version 9.12(3)
hostname fw
interface GigabitEthernet0/0
 nameif outside
 security-level 0
 ip address 203.0.113.1 255.255.255.0
access-list VPN extended permit ip 10.0.0.0 255.255.255.0 10.9.0.0 255.255.0.0
access-list OUT extended permit tcp any host 10.0.0.1 eq 443
access-list SPARE extended permit tcp any any eq 25
access-group OUT in interface outside
crypto map M 10 match address VPN
"""
IOS = """version 15.2
hostname r1
interface GigabitEthernet0/0
 ip address 203.0.113.1 255.255.255.0
 ip access-group OUT in
ip access-list extended OUT
 permit tcp any host 10.0.0.1 eq 443
ip access-list extended NAT
 permit ip 10.0.0.0 0.0.0.255 any
ip access-list extended SPARE
 permit ip any any
ip nat inside source list NAT interface GigabitEthernet0/0 overload
end
"""


@pytest.mark.parametrize(("dialect", "text", "line"), [("asa", ASA, 9), ("ios", IOS, 11)])
def test_a_list_that_nat_or_vpn_uses_is_not_called_unused(dialect: str, text: str, line: int) -> None:
    """One that nothing names is."""
    found = lint(by_name(dialect).read(text))
    unused = [one.line for one in found if one.reason.code == "lint-never-entered"]
    assert [line] == unused


def test_a_line_that_stands_for_several_rules_is_accused_only_if_all_are_idle() -> None:
    """A floating rule is one line and a rule at each interface: taking it out takes out all of them."""
    lan = Match(ingress=InterfaceSet.of("lan"))
    wan = Match(ingress=InterfaceSet.of("wan"))
    rules = (
        Rule(matches=(lan,), action=Action.DROP, line=1),
        Rule(matches=(lan,), action=Action.ACCEPT, line=2),
        Rule(matches=(wan,), action=Action.ACCEPT, line=2),
        Rule(matches=(lan,), action=Action.ACCEPT, line=3),
    )
    policy = firewall(*rules)
    idle = (Kind.SHADOWED, Kind.REDUNDANT, Kind.NEVER_MATCHES)
    found = [one for one in lint(policy) if one.kind in idle and one.line != 1]
    assert [3] == [one.line for one in found]
    assert "no packet gets here: line 1 decides everything that it matches" == found[0].why()
