"""What passes, at least and at most."""

from __future__ import annotations

from fwguard.analysis.boxes import Box
from fwguard.analysis.passes import passes
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.policy import Action, Chain, Hook, Match, Policy, Rule
from fwguard.model.ports import ANY_PORT

TCP = Intervals.single(6)


def rule(action: Action, line: int, dport: int | None = None, unknown: str = "", jump: str = "") -> Rule:
    """Build one rule over a port."""
    ports = ANY_PORT if dport is None else Intervals.single(dport)
    return Rule(
        matches=(Match(dport=ports, protocol=TCP, unknown=unknown),), action=action, jump=jump, line=line
    )


def test_a_return_in_doubt_is_not_confused_with_what_stands_after_the_chain() -> None:
    """Two ports whose rules look alike, one inside the chain that may be left early, one after it."""
    inner = Chain(
        name="inner",
        families=Family.BOTH,
        rules=(rule(Action.RETURN, 1, unknown="limit"), rule(Action.ACCEPT, 2, 22)),
    )
    base = Chain(
        name="base",
        families=Family.BOTH,
        rules=(rule(Action.JUMP, 3, jump="inner"), rule(Action.ACCEPT, 4, 80)),
        default=Action.DROP,
    )
    policy = Policy(dialect="test", chains={"inner": inner, "base": base}, hooks={Hook.FORWARD: ("base",)})
    passing = passes(policy, Hook.FORWARD)
    assert [Intervals.single(80)] == [box.dport for box in passing.lower]
    assert [Intervals.single(22, 80)] == [box.dport for box in passing.upper]


def test_only_the_given_space_is_looked_at() -> None:
    """The answer is cut to the question."""
    chain = Chain(name="f", families=Family.BOTH, rules=(), default=Action.ACCEPT)
    policy = Policy(dialect="test", chains={"f": chain}, hooks={Hook.FORWARD: ("f",)})
    web = AddressSet.parse("192.0.2.10")
    space = Box(hook=Hook.FORWARD, source=ANY_ADDRESS, target=web, protocol=TCP)
    (box,) = passes(policy, Hook.FORWARD, space).lower
    assert (web, TCP) == (box.target, box.protocol)


def test_a_loop_of_chains_ends_in_doubt() -> None:
    """Hostile text: the kernel refuses it, we do not hang on it."""
    loop = Chain(name="a", families=Family.BOTH, rules=(rule(Action.JUMP, 1, jump="b"),))
    back = Chain(name="b", families=Family.BOTH, rules=(rule(Action.JUMP, 2, jump="a"),))
    base = Chain(
        name="f",
        families=Family.BOTH,
        rules=(rule(Action.JUMP, 3, jump="a"),),
        default=Action.DROP,
    )
    policy = Policy(dialect="test", chains={"a": loop, "b": back, "f": base}, hooks={Hook.FORWARD: ("f",)})
    passing = passes(policy, Hook.FORWARD)
    assert () == passing.lower
    assert [TCP] == [box.protocol for box in passing.upper]


def test_chains_that_double_with_every_level_end_in_doubt() -> None:
    """Thirty levels of two jumps each are a thousand million ways; the answer still comes."""
    chains = {
        f"c{n}": Chain(
            name=f"c{n}",
            families=Family.BOTH,
            rules=(rule(Action.JUMP, n, jump=f"c{n + 1}"), rule(Action.JUMP, n, jump=f"c{n + 1}")),
        )
        for n in range(30)
    }
    chains["c30"] = Chain(name="c30", families=Family.BOTH, rules=())
    chains["f"] = Chain(
        name="f",
        families=Family.BOTH,
        rules=(rule(Action.JUMP, 1, jump="c0"),),
        default=Action.DROP,
    )
    policy = Policy(dialect="test", chains=chains, hooks={Hook.FORWARD: ("f",)})
    assert () == passes(policy, Hook.FORWARD).lower
