"""The three questions of an approver, and how risky the answer is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from fwguard.analysis.asking import parse_opening
from fwguard.analysis.risk import assess
from fwguard.analysis.what_if import Coverage, Outcome, reconcile, what_if
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.inventory import Language
from fwguard.model.policy import (
    Action,
    Chain,
    Hook,
    InterfaceSet,
    Match,
    NatKind,
    NatRule,
    Policy,
    Rule,
)
from fwguard.model.risk import RiskClass, RiskWeights
from fwguard.model.risk_words import RISK_WORDS
from fwguard.model.ticket import Ask

TCP = Intervals.single(6)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
ASK = parse_opening("tcp/443 from 198.51.100.0/24 to 192.0.2.10")


def accept(source: str, target: str, ports: str, line: int) -> Rule:
    """Build one rule of a usual kind."""
    opening = parse_opening(f"tcp/{ports} from {source} to {target}")
    match = Match(source=opening.source, target=opening.target, protocol=TCP, dport=opening.ports)
    return Rule(matches=(match,), action=Action.ACCEPT, line=line)


def firewall(*rules: Rule, nat: tuple[NatRule, ...] = ()) -> Policy:
    """Build a firewall that forwards only what its rules accept."""
    chain = Chain(name="f", families=Family.BOTH, rules=rules, default=Action.DROP)
    return Policy(dialect="test", chains={"f": chain}, hooks={Hook.FORWARD: ("f",)}, nat=nat)


def ask(text: str, days: int | None = 30) -> Ask:
    """Build what a client asks for."""
    opening = parse_opening(text)
    return Ask(
        server="web1",
        protocol=opening.protocol,
        source=opening.source,
        ports=opening.ports,
        ends_at=None if days is None else NOW + timedelta(days=days),
        reason="test",
    )


@pytest.mark.parametrize(
    ("rules", "already", "lines"),
    [
        ((), Coverage.NONE, ()),
        ((accept("198.51.100.0/25", "192.0.2.10", "443", 7),), Coverage.PART, (7,)),
        (
            (
                accept("198.51.100.0/25", "192.0.2.10", "443", 7),
                accept("198.51.100.128/25", "192.0.2.0/24", "80,443", 9),
            ),
            Coverage.ALL,
            (7, 9),
        ),
    ],
)
def test_what_is_open_already_is_named_with_its_lines(
    rules: tuple[Rule, ...], already: Coverage, lines: tuple[int, ...]
) -> None:
    """Over several rules together."""
    found = what_if(firewall(*rules), firewall(*rules), (ASK,))
    assert (already, lines) == (found.already, found.already_by)


def test_exactly_what_was_asked_is_exact() -> None:
    """Nothing else opens."""
    change = accept("198.51.100.0/24", "192.0.2.10", "443", 2)
    found = what_if(firewall(), firewall(change), (ASK,))
    assert (Coverage.NONE, Coverage.ALL, (), True) == (
        found.already, found.then, found.wider_than_asked, found.first_opening,
    )  # fmt: skip
    assert Outcome.EXACT is found.outcome


def test_what_opens_besides_is_cut_out_and_has_an_example() -> None:
    """The rule names a wider source and one port more."""
    change = accept("198.51.100.0/23", "192.0.2.10", "443-444", 2)
    found = what_if(firewall(), firewall(change), (ASK,))
    assert Outcome.WIDER is found.outcome
    sizes = sum(box.source.v4.size * box.dport.size for box in found.wider_than_asked)
    assert 512 * 2 - 256 == sizes
    for box in found.wider_than_asked:
        assert box.witness is not None and box.witness in box


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (accept("198.51.100.0/24", "192.0.2.10", "443", 2), Outcome.EXACT),
        (accept("198.51.100.0/25", "192.0.2.10", "443", 2), Outcome.PARTIAL),
        (accept("any", "192.0.2.10", "443", 2), Outcome.WIDER),
        (accept("198.51.100.0/24", "192.0.2.11", "443", 2), Outcome.UNRELATED),
    ],
)
def test_a_deployment_is_reconciled_with_what_was_asked(change: Rule, expected: Outcome) -> None:
    """Exact, partial, wider than asked, unrelated."""
    assert expected is reconcile(firewall(), firewall(change), (ASK,))


def test_a_public_address_is_followed_to_where_it_is_redirected() -> None:
    """The filter sees the inner server and port."""
    redirect = NatRule(
        kind=NatKind.DNAT,
        matches=(Match(target=AddressSet.parse("203.0.113.1"), protocol=TCP, dport=Intervals.single(8443)),),
        to=AddressSet.parse("10.20.0.11"),
        to_ports=Intervals.single(443),
        line=3,
    )
    inner = accept("any", "10.20.0.11", "443", 5)
    asked = parse_opening("tcp/8443 from any to 203.0.113.1")
    before = firewall(nat=(redirect,))
    after = firewall(inner, nat=(redirect,))
    found = what_if(before, after, (asked,))
    assert (AddressSet.parse("10.20.0.11"), Intervals.single(443)) == (
        found.asked[0].target, found.asked[0].dport,
    )  # fmt: skip
    assert Outcome.EXACT is found.outcome


def test_an_opening_for_the_outside_interface_alone_is_open_for_the_outside() -> None:
    """Where NAT tells which interface that is, a public source is asked about there."""
    rule = accept("any", "192.0.2.10", "443", 4)
    outside = InterfaceSet.of("eth0")
    match = Match(ingress=outside, target=rule.matches[0].target, protocol=TCP, dport=Intervals.single(443))
    hide = NatRule(kind=NatKind.MASQUERADE, matches=(Match(egress=outside),), line=1)
    policy = firewall(Rule(matches=(match,), action=Action.ACCEPT, line=4), nat=(hide,))
    assert Coverage.ALL is what_if(policy, policy, (ASK,)).already


@pytest.mark.parametrize(
    ("text", "days", "expected", "codes"),
    [
        ("tcp/443 from 198.51.100.7 to 192.0.2.10", 30, RiskClass.LOW, {"first-opening"}),
        ("tcp/443 from any to 192.0.2.10", 30, RiskClass.MEDIUM, {"source-anyone", "first-opening"}),
        ("tcp/22 from 198.51.100.7 to 192.0.2.10", 30, RiskClass.MEDIUM, {"management", "first-opening"}),
        (
            "tcp/3306 from any to 192.0.2.10",
            None,
            RiskClass.HIGH,
            {"database", "source-anyone", "no-end", "first-opening"},
        ),
        (
            "tcp/any from 0.0.0.0/0 to 192.0.2.10",
            900,
            RiskClass.HIGH,
            {"any-service", "source-anyone", "long-end", "first-opening"},
        ),
    ],
)
def test_an_ask_is_weighed_by_source_service_end_and_effect(
    text: str, days: int | None, expected: RiskClass, codes: set[str]
) -> None:
    """With the weights as they ship."""
    opening = parse_opening(text)
    rule = Match(source=opening.source, target=opening.target, protocol=TCP, dport=opening.ports)
    after = firewall(Rule(matches=(rule,), action=Action.ACCEPT, line=1))
    risk = assess(what_if(firewall(), after, (opening,)), ask(text, days), now=NOW)
    assert (expected, codes) == (risk.risk_class, {reason.code for reason in risk.why})


def test_a_change_that_does_more_than_asked_is_never_a_low_risk() -> None:
    """Whatever was asked."""
    after = firewall(accept("any", "192.0.2.0/24", "443", 2))
    risk = assess(what_if(firewall(), after, (ASK,)), ask("tcp/443 from 198.51.100.0/24 to 192.0.2.10"))
    assert RiskClass.HIGH is risk.risk_class
    assert "wider-than-asked" == risk.why[0].code


def test_reasons_are_said_in_every_language() -> None:
    """With the same blanks."""
    for code, texts in RISK_WORDS.items():
        assert set(Language) == set(texts), code
        assert 1 == len({text.count("{") for text in texts.values()}), code


def test_the_weights_that_ship_are_those_of_the_code() -> None:
    """The file that people edit starts from the defaults."""
    path = Path(__file__).parents[3] / "approvals" / "policy.yaml"
    values = yaml.safe_load(path.read_text(encoding="utf-8"))["risk"]
    assert RiskWeights() == RiskWeights.from_mapping(values)


@pytest.mark.parametrize(
    "values",
    [{"nonsense": 1}, {"database": "much"}, {"database": True}, {"database_tcp": "70000"}, {"medium_at": 90}],
)
def test_a_wrong_weight_is_refused(values: dict[str, object]) -> None:
    """Unknown keys, words for numbers, ports that are none, classes out of order."""
    with pytest.raises(InputError):
        RiskWeights.from_mapping(values)


@pytest.mark.parametrize(
    "text",
    ["", "tcp from any to any", "tcp/70000 from any to 192.0.2.1", "icmp/8 from any to 192.0.2.1", "443"],
)
def test_an_opening_that_is_none_is_refused(text: str) -> None:
    """With an example of one that is."""
    with pytest.raises(InputError):
        parse_opening(text)


def test_a_default_that_lets_it_pass_is_named_by_its_line() -> None:
    """And nothing is named where no chain judges at all."""
    chain = Chain(name="f", families=Family.BOTH, rules=(), default=Action.ACCEPT, default_line=4)
    policy = Policy(dialect="test", chains={"f": chain}, hooks={Hook.FORWARD: ("f",)})
    assert (4,) == what_if(policy, policy, (ASK,)).already_by
    nothing = Policy(dialect="test")
    found = what_if(nothing, nothing, (ASK,))
    assert (Coverage.ALL, ()) == (found.already, found.already_by)
    said = assess(found, ask("tcp/443 from 198.51.100.0/24 to 192.0.2.10")).words(Language.EN)
    assert "all of it is open already: no rule stands against it" == said[0]
