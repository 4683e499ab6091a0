"""What a list of rules is accused of."""

from __future__ import annotations

import pytest

from fwguard.analysis.asking import parse_opening
from fwguard.analysis.lint import Finding, Kind, lint
from fwguard.bench.generated import generated_policy
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
