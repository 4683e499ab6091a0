"""Where an opening is placed, against a packet-by-packet evaluator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fwguard.dialects.placement import place
from fwguard.errors import InputError
from fwguard.model.address import AddressSet, Family
from fwguard.model.change import Opening
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Chain, CtState, Hook, InterfaceSet, Match, Policy, Rule

WEB = Opening(
    protocol=6,
    source=AddressSet.parse("any"),
    target=AddressSet.parse("192.0.2.10", "2001:db8::10"),
    ports=Intervals.single(443),
)


def rule(action: Action, jump: str = "", text: str = "", **fields: object) -> Rule:
    """Build a rule of one match."""
    return Rule(matches=(Match(**fields),), action=action, jump=jump, text=text, line=1)  # type: ignore[arg-type]


def policy(
    *rules: Rule, default: Action = Action.DROP, others: Mapping[str, tuple[Rule, ...]] | None = None
) -> Policy:
    """Build a policy of one base chain `f` and chains to jump to."""
    chains = {"f": Chain(name="f", families=Family.BOTH, rules=rules, default=default)}
    for name, body in (others or {}).items():
        chains[name] = Chain(name=name, families=Family.BOTH, rules=body)
    return Policy(dialect="test", chains=chains, hooks={Hook.FORWARD: ("f",)})


ESTABLISHED = rule(Action.ACCEPT, states=frozenset({CtState.ESTABLISHED, CtState.RELATED}))
INVALID = rule(Action.DROP, states=frozenset({CtState.INVALID}))


def test_default_drop_takes_it_at_the_end() -> None:
    """Nothing drops it but the policy: the end."""
    assert place(policy(ESTABLISHED, INVALID), "f", WEB, Family.BOTH) == 2


def test_trailing_logs_stay_last() -> None:
    """What is accepted is not logged as dropped."""
    log = rule(Action.CONTINUE, text='log prefix "dropped: "')
    assert place(policy(ESTABLISHED, log), "f", WEB, Family.BOTH) == 1


def test_before_an_explicit_drop() -> None:
    """The first rule that drops any of it, not one that drops something else."""
    other = rule(Action.DROP, dport=Intervals.single(25), protocol=Intervals.single(6))
    final = rule(Action.REJECT)
    assert place(policy(ESTABLISHED, other, final), "f", WEB, Family.BOTH) == 2


def test_part_of_one_family_is_enough() -> None:
    """A rule that drops the IPv6 half only comes after."""
    six = rule(Action.DROP, source=AddressSet.parse("::/0"))
    chain = policy(six, default=Action.ACCEPT)
    assert place(chain, "f", WEB, Family.BOTH) == 0
    assert place(chain, "f", WEB, Family.V4) is None


def test_already_accepted_needs_nothing() -> None:
    """An accept for every interface leaves nothing to drop."""
    inner = rule(Action.ACCEPT, ingress=InterfaceSet.of("lan0"))
    rest = rule(Action.ACCEPT, ingress=InterfaceSet.all_but("lan0"))
    assert place(policy(inner, rest), "f", WEB, Family.BOTH) is None
    assert place(policy(inner), "f", WEB, Family.BOTH) == 1


def test_a_drop_in_a_chain_that_is_jumped_to() -> None:
    """The jump is where the base chain drops it."""
    jump = rule(Action.JUMP, jump="u")
    assert place(policy(ESTABLISHED, jump, others={"u": (rule(Action.DROP),)}), "f", WEB, Family.BOTH) == 1


def test_what_returns_goes_on_after_the_jump() -> None:
    """A chain that returns it, or lets it fall out of its end, does not drop it."""
    jump = rule(Action.JUMP, jump="u")
    back = rule(Action.RETURN, dport=Intervals.single(443))
    chain = policy(jump, rule(Action.ACCEPT), others={"u": (back, rule(Action.DROP))})
    assert place(chain, "f", WEB, Family.BOTH) is None


def test_goto_does_not_come_back() -> None:
    """After goto the base chain's default decides."""
    goto = rule(Action.GOTO, jump="u")
    assert place(policy(goto, rule(Action.ACCEPT), others={"u": ()}), "f", WEB, Family.BOTH) == 0


def test_rate_limits_are_not_overtaken() -> None:
    """A drop whose condition nobody can decide keeps judging the opening."""
    limit = rule(Action.DROP, unknown="limit rate over 5/second")
    assert place(policy(limit), "f", WEB, Family.BOTH) == 1


def test_unknown_accept_opens_nothing_for_sure() -> None:
    """What may or may not be accepted still needs the opening."""
    mark = rule(Action.ACCEPT, unknown="meta mark 1")
    assert place(policy(mark), "f", WEB, Family.BOTH) == 1


def test_a_missing_chain_is_refused() -> None:
    """A name that is no chain is an input error."""
    with pytest.raises(InputError):
        place(policy(), "g", WEB, Family.BOTH)


def test_a_bush_of_chains_is_refused_in_bounded_time() -> None:
    """Sixty levels that each jump twice would be 2^60 rules on one way."""
    levels: dict[str, tuple[Rule, ...]] = {
        f"c{i}": (rule(Action.JUMP, jump=f"c{i + 1}"),) * 2 for i in range(40)
    }
    levels["c40"] = (rule(Action.RETURN),)
    with pytest.raises(InputError, match="branch"):
        place(policy(rule(Action.JUMP, jump="c0"), others=levels), "f", WEB, Family.BOTH)


small = st.builds(
    lambda low, size: Intervals.of((low, min(low + size, 65535))),
    st.integers(440, 446), st.integers(0, 4),
)  # fmt: skip
sources = st.sampled_from(["any", "10.0.0.0/8", "10.0.0.1", "2001:db8::/32", "0.0.0.0/0"])
rules = st.builds(
    lambda action, ports, source, states: rule(
        action, protocol=Intervals.single(6), dport=ports, source=AddressSet.parse(source), states=states
    ),
    st.sampled_from([Action.ACCEPT, Action.DROP, Action.REJECT, Action.RETURN, Action.CONTINUE]),
    small,
    sources,
    st.sampled_from([frozenset(CtState), frozenset({CtState.ESTABLISHED})]),
)


def naive(chain: Chain, version: int, source: int, port: int) -> bool:
    """Tell whether a NEW TCP packet passes the chain, rule by rule."""
    for one in chain.rules:
        match = one.matches[0]
        addresses = match.source.v4 if version == 4 else match.source.v6
        if CtState.NEW not in match.states or port not in match.dport or source not in addresses:
            continue
        if one.action is Action.RETURN:
            break
        if one.action is not Action.CONTINUE:
            return one.action is Action.ACCEPT
    return chain.default is Action.ACCEPT


@settings(max_examples=300, deadline=None)
@given(st.lists(rules, max_size=8), st.sampled_from([Action.ACCEPT, Action.DROP]), small)
def test_after_placing_all_of_it_passes(body: list[Rule], default: Action, ports: Intervals) -> None:
    """Where None is said all of it passed before; else it passes with the rule, and nothing else changes."""
    opening = replace(WEB, ports=ports)
    before = policy(*body, default=default).chains["f"]
    index = place(policy(*body, default=default), "f", opening, Family.BOTH)
    accept = rule(Action.ACCEPT, protocol=Intervals.single(6), dport=ports)
    at = len(body) if index is None else index
    after = replace(before, rules=(*body[:at], accept, *body[at:]))
    v6 = 0x20010DB8 << 96
    packets = [(4, 0x0A000001), (4, 0x0A000002), (4, 0x0B000000), (6, v6), (6, v6 << 1 & (1 << 128) - 1)]
    for version, source in packets:
        for port in range(438, 453):
            was = naive(before, version, source, port)
            if port in ports:
                assert naive(after, version, source, port)
                assert was or index is not None
            else:
                assert was == naive(after, version, source, port)
