"""The analysis against a plain evaluator that takes one packet and one rule at a time."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fwguard.analysis.compare import compare
from fwguard.analysis.lint import Kind, lint
from fwguard.analysis.passes import passes
from fwguard.analysis.query import Judge, verdict
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.packet import Answer, Packet
from fwguard.model.policy import (
    ANY_STATE,
    Action,
    Chain,
    CtState,
    Hook,
    InterfaceSet,
    Match,
    Policy,
    Rule,
)
from fwguard.model.ports import ANY_PORT, ANY_PROTOCOL

BLOCKS = {"drop", "reject"}


def naive(policy: Policy, packet: Packet) -> set[str]:
    """Return everything that may happen to a packet: one rule after the other, no sets, no tricks."""
    family = Family.V6 if ":" in packet.source else Family.V4
    if not policy.families & family:
        return {"accept", "drop"}
    outcomes: set[str] = set()
    for key in policy.hooks.get(packet.hook, ()):
        base = policy.chains[key]
        if not base.families & family:
            continue
        results = naive_chain(policy, key, packet)
        if results & {"return", "end"}:
            results = results - {"return", "end"} | default_of(base)
        outcomes |= results & BLOCKS
        if "accept" not in results:
            return outcomes
    return outcomes | {"accept"}


def default_of(base: Chain) -> set[str]:
    """Return what the end of a base chain does."""
    if base.default is Action.UNKNOWN:
        return {"accept", "drop"}
    return {base.default.value if base.default in (Action.DROP, Action.REJECT) else "accept"}


def naive_chain(policy: Policy, key: str, packet: Packet) -> set[str]:
    """Return how a packet may leave a chain."""
    left: set[str] = set()
    for rule in policy.chains[key].rules:
        fitting = [match for match in rule.matches if fits(match, packet)]
        if not fitting:
            continue
        effect = naive_effect(policy, rule, packet)
        if all(match.unknown for match in fitting):
            effect = effect | {"next"}
        left |= effect - {"next"}
        if "next" not in effect:
            return left
    return left | {"end"}


def naive_effect(policy: Policy, rule: Rule, packet: Packet) -> set[str]:
    """Return what a rule that matches may do."""
    if rule.action is Action.CONTINUE:
        return {"next"}
    if rule.action is Action.UNKNOWN:
        return {"accept", "drop", "return", "next"}
    if rule.action in (Action.JUMP, Action.GOTO):
        back = "next" if rule.action is Action.JUMP else "return"
        inner = naive_chain(policy, rule.jump, packet)
        return {back if way in ("return", "end") else way for way in inner}
    return {rule.action.value}


def fits(match: Match, packet: Packet) -> bool:
    """Tell whether a packet is in the product of the sets."""
    port = packet.dport if packet.icmp_type is None else packet.icmp_type
    return (
        CtState.NEW in match.states
        and packet.source in match.source
        and packet.target in match.target
        and packet.protocol in match.protocol
        and port in match.dport
        and packet.sport in match.sport
        and packet.ingress in match.ingress
        and packet.egress in match.egress
    )


# A universe so small that every packet of it can be asked about: a point for each set the rules may hold.
NETS = ("192.0.2.0/32", "192.0.2.0/31", "192.0.2.1/32", "2001:db8::/128", "2001:db8::/127")
HOSTS = (("192.0.2.0", "192.0.2.1", "198.51.100.1"), ("2001:db8::", "2001:db8::1", "2001:db8::9"))
NAMES = ("a", "b", "ab", "z")
PACKETS = tuple(
    Packet(source=source, target=target, protocol=protocol, dport=dport, ingress=ingress, egress=egress)
    for hosts in HOSTS
    for source, target, protocol, dport, ingress, egress in product(
        hosts, hosts, (6, 17), (22, 80), NAMES, ("a", "z")
    )
)

addresses = st.one_of(
    st.just(ANY_ADDRESS),
    st.lists(st.sampled_from(NETS), min_size=1, max_size=2).map(lambda nets: AddressSet.parse(*nets)),
    st.sampled_from(NETS).map(lambda net: ANY_ADDRESS - AddressSet.parse(net)),
)
interfaces = st.one_of(
    st.just(InterfaceSet()),
    st.builds(
        InterfaceSet,
        st.frozensets(st.sampled_from(("a", "b", "a*", "ab")), max_size=2),
        st.booleans(),
    ),
)
matches = st.builds(
    Match,
    ingress=interfaces,
    egress=interfaces,
    source=addresses,
    target=addresses,
    protocol=st.sampled_from((ANY_PROTOCOL, ANY_PROTOCOL, Intervals.single(6), Intervals.single(17))),
    dport=st.sampled_from((ANY_PORT, ANY_PORT, Intervals.single(22), Intervals.of((23, 65535)))),
    states=st.sampled_from(
        (ANY_STATE, ANY_STATE, frozenset({CtState.NEW}), frozenset({CtState.ESTABLISHED}))
    ),
    unknown=st.sampled_from(("", "", "", "", "", "limit", "recent")),
)
PLAIN = (Action.ACCEPT, Action.DROP, Action.REJECT, Action.RETURN, Action.CONTINUE, Action.UNKNOWN)
LINES = st.integers(1, 999)


def rules(*jumps: str) -> st.SearchStrategy[Rule]:
    """Build rules that may jump to the given chains."""
    some = st.lists(matches, min_size=1, max_size=2).map(tuple)
    plain = st.builds(Rule, matches=some, action=st.sampled_from(PLAIN[:5] * 3 + PLAIN), line=LINES)
    if not jumps:
        return plain
    jumping = st.builds(
        Rule,
        matches=some,
        action=st.sampled_from((Action.JUMP, Action.GOTO)),
        jump=st.sampled_from(jumps),
        line=LINES,
    )
    return st.one_of(plain, jumping)


RETURNS = st.just(Action.RETURN)


def chains(name: str, *jumps: str, default: st.SearchStrategy[Action] = RETURNS) -> st.SearchStrategy[Chain]:
    """Build a chain of up to four rules."""
    return st.builds(
        Chain,
        name=st.just(name),
        families=st.sampled_from((Family.BOTH, Family.BOTH, Family.V4, Family.V6)),
        rules=st.lists(rules(*jumps), max_size=4).map(tuple),
        default=default,
    )


DEFAULTS = st.sampled_from((Action.ACCEPT, Action.DROP, Action.DROP, Action.UNKNOWN))
policies = st.builds(
    lambda first, second, inner, innermost, hooks, families: Policy(
        dialect="test",
        families=families,
        chains={"first": first, "second": second, "inner": inner, "innermost": innermost},
        hooks={Hook.FORWARD: hooks},
    ),
    chains("first", "inner", "innermost", default=DEFAULTS),
    chains("second", "innermost", default=DEFAULTS),
    chains("inner", "innermost"),
    chains("innermost"),
    st.sampled_from((("first",), ("first", "second"), ())),
    st.sampled_from((Family.BOTH, Family.BOTH, Family.V4)),
)
careful = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def sides(outcomes: set[str]) -> set[str]:
    """Reduce outcomes to what counts: does it pass."""
    return {"block" if outcome in BLOCKS else "pass" for outcome in outcomes}


@careful
@given(policies)
def test_a_verdict_is_what_walking_the_rules_gives(policy: Policy) -> None:
    """One packet and many packets, and both the same."""
    judge = Judge(policy)
    for packet in PACKETS[::7]:
        truth = naive(policy, packet)
        said = verdict(policy, packet)
        if len(sides(truth)) == 2:
            assert said.answer is Answer.UNKNOWN
        else:
            assert said.answer.value in truth
        assert said == judge.verdict(packet)


@careful
@given(policies, policies)
def test_a_difference_holds_exactly_the_packets_that_fare_differently(before: Policy, after: Policy) -> None:
    """Every packet of the universe, sure and unsure."""
    difference = compare(before, after)
    for packet in PACKETS:
        old, new = sides(naive(before, packet)), sides(naive(after, packet))
        opens = any(packet in box for box in difference.opens)
        closes = any(packet in box for box in difference.closes)
        undecided = any(packet in box for box in difference.undecided)
        assert opens == (old == {"block"} and new == {"pass"})
        assert closes == (old == {"pass"} and new == {"block"})
        if undecided:
            assert len(old | new) == 2 and len(old) + len(new) > 2
        if old != new and not opens and not closes:
            assert undecided


@careful
@given(policies, st.integers(0, 3), st.data())
def test_one_rule_more_makes_exactly_its_difference(policy: Policy, place: int, data: st.DataObject) -> None:
    """The way that looks only where rules differ finds what the plain evaluator finds."""
    extra = data.draw(rules("innermost"))
    chain = policy.chains["inner"]
    longer = (*chain.rules[:place], extra, *chain.rules[place:])
    after = Policy(
        dialect="test",
        families=policy.families,
        chains={
            **policy.chains,
            "inner": Chain(name="inner", families=chain.families, rules=longer),
        },
        hooks=policy.hooks,
    )
    difference = compare(policy, after)
    for packet in PACKETS:
        old, new = sides(naive(policy, packet)), sides(naive(after, packet))
        assert any(packet in box for box in difference.opens) == (old == {"block"} and new == {"pass"})
        assert any(packet in box for box in difference.closes) == (old == {"pass"} and new == {"block"})
        if old != new and len(old) + len(new) > 2:
            assert any(packet in box for box in difference.undecided)


@careful
@given(policies)
def test_a_policy_does_not_differ_from_itself(policy: Policy) -> None:
    """Unknown rules or not."""
    assert compare(policy, policy).is_empty


@careful
@given(policies, policies)
def test_an_empty_difference_means_that_every_packet_fares_the_same(before: Policy, after: Policy) -> None:
    """No packet of the universe tells them apart, and the witness of a box does."""
    difference = compare(before, after)
    same = all(sides(naive(before, packet)) == sides(naive(after, packet)) for packet in PACKETS)
    if not difference.passes_differently:
        assert same
    for box in (*difference.opens, *difference.closes):
        assert box.witness is not None and box.witness in box
        old, new = sides(naive(before, box.witness)), sides(naive(after, box.witness))
        assert len(old) == len(new) == 1 and old != new


@careful
@given(policies)
def test_what_passes_lies_between_its_bounds(policy: Policy) -> None:
    """Lower is what surely passes, upper what may."""
    passing = passes(policy, Hook.FORWARD)
    for packet in PACKETS:
        truth = sides(naive(policy, packet))
        assert any(packet in box for box in passing.lower) == (truth == {"pass"})
        assert any(packet in box for box in passing.upper) == ("pass" in truth)


@careful
@given(policies)
def test_taking_out_a_rule_that_lint_accuses_changes_nothing(policy: Policy) -> None:
    """Shadowed, redundant or never matching: each alone."""
    accused = {
        (finding.kind, finding.line)
        for finding in lint(numbered(policy))
        if finding.kind in (Kind.SHADOWED, Kind.REDUNDANT, Kind.NEVER_MATCHES)
    }
    truth = {packet: naive(policy, packet) for packet in PACKETS[::3]}
    for _, line in accused:
        without = numbered(policy, leave_out=line)
        for packet, outcomes in truth.items():
            assert outcomes == naive(without, packet)


def numbered(policy: Policy, leave_out: int = 0) -> Policy:
    """Give every rule a line of its own, and leave one out."""
    line = 0
    chains = {}
    for key, chain in policy.chains.items():
        rules = []
        for rule in chain.rules:
            line += 1
            if line != leave_out:
                rules.append(replace(rule, line=line))
        chains[key] = replace(chain, rules=tuple(rules))
    return replace(policy, chains=chains)


@careful
@given(policies)
def test_lint_accuses_every_rule_that_never_decides_anything_sure(policy: Policy) -> None:
    """A rule behind a sure rule for every packet is found."""
    everything = Rule(matches=(Match(),), action=Action.DROP, line=1)
    dead = Rule(matches=(Match(),), action=Action.ACCEPT, line=2)
    base = Chain(name="f", families=Family.BOTH, rules=(everything, dead), default=Action.DROP)
    behind = Policy(dialect="test", chains={**policy.chains, "f": base}, hooks={Hook.FORWARD: ("f",)})
    assert (Kind.SHADOWED, 2, (1,)) in [(one.kind, one.line, one.because) for one in lint(behind)]
