"""The rules of pf as two chains: what judges packets where they come in, and where they go out.

In pf the last rule that matches decides, unless one says `quick`: then it decides at once. The same in a list
where the first match decides: all quick rules in their order, then the others backwards, then what pf and the
product do with the rest (drop what comes in, pass what goes out). A forwarded packet is judged twice, on the
interface that it comes in on and on the one that it leaves by; a packet to the firewall once, on its way in;
one from the firewall on its way out. Source: pf.conf(5) PACKET FILTERING, STATEFUL FILTERING.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Final

from fwguard.dialects.pf.builtin import Builtin
from fwguard.dialects.pf.interfaces import Interfaces
from fwguard.dialects.pf.rules import PfRule
from fwguard.model.address import ANY_ADDRESS, AddressSet, Family
from fwguard.model.intervals import Intervals
from fwguard.model.matching import shared_interfaces
from fwguard.model.policy import Action, Chain, Hook, InterfaceSet, Match, NatRule, Rule

INWARD: Final = "in"
OUTWARD: Final = "out"
# pf knows no hooks: only packets to an address of the firewall are for it.
TO_ITSELF: Final = "to the firewall"
HOOKS: Final = {
    Hook.FORWARD: (INWARD, OUTWARD), Hook.INPUT: (TO_ITSELF, INWARD), Hook.OUTPUT: (OUTWARD,),
}  # fmt: skip
TO_ALL: Final = AddressSet.parse("224.0.0.0/4", "255.255.255.255", "ff00::/8")
MAX_COMPARED: Final = 2_000_000


def chains(
    builtin: Sequence[Builtin], rules: Sequence[PfRule], redirected: Sequence[Rule], after: Sequence[NatRule],
    late: Sequence[Builtin] = (),
) -> dict[str, Chain]:  # fmt: skip
    """Return both chains. `redirected` are the packets that a redirection lets pass by all rules.

    `after` is source NAT: rules at the way out see the source that it gives, so those that ask for one are
    unknown where it applies. `late` are rules of the product behind those of the user.
    """
    inward = [(one.rule, one.quick) for one in builtin if one.inward]
    inward += [(one.inward, one.quick) for one in rules if one.inward is not None]
    inward += [(one.rule, one.quick) for one in late if one.inward]
    doubted = _after_source_nat(rules, after)
    judged = any(rule.action is not Action.CONTINUE for _, rule in doubted)
    outward = [
        (_turned(one.rule), one.quick)
        for one in builtin
        # What passes anyway needs no rule that passes it.
        if one.outward and (judged or one.rule.action is not Action.ACCEPT)
    ]
    outward += [(rule, one.quick) for one, rule in doubted]
    outward += [(_turned(one.rule), one.quick) for one in late if one.outward]
    return {
        INWARD: Chain(
            name=INWARD, families=Family.BOTH, rules=(*redirected, *_first_match(inward)), default=Action.DROP
        ),
        OUTWARD: Chain(
            name=OUTWARD, families=Family.BOTH, rules=_first_match(outward), default=Action.ACCEPT
        ),
    }


def to_itself(interfaces: Interfaces) -> Chain:
    """Return the chain that tells what can be for the firewall: its addresses, and those of all."""
    own = interfaces.all_own().maybe | TO_ALL
    for one in interfaces.by_name.values():
        own |= AddressSet(Intervals.of(*((high, high) for _, high in one.networks.v4)))
    others = ANY_ADDRESS - own
    rule = Rule(
        matches=(Match(target=others),), action=Action.DROP, line=0, text="no address of the firewall"
    )
    rules = (rule,) if others else ()
    return Chain(name=TO_ITSELF, families=Family.BOTH, rules=rules, default=Action.ACCEPT)


def _first_match(rules: Iterable[tuple[Rule, bool]]) -> tuple[Rule, ...]:
    listed = list(rules)
    quick = [rule for rule, is_quick in listed if is_quick]
    last = [rule for rule, is_quick in reversed(listed) if not is_quick]
    return (*quick, *last)


def _turned(rule: Rule) -> Rule:
    """Return a rule of the product for the way out."""
    return replace(
        rule,
        matches=tuple(replace(match, ingress=InterfaceSet(), egress=match.ingress) for match in rule.matches),
    )


def _after_source_nat(rules: Sequence[PfRule], after: Sequence[NatRule]) -> list[tuple[PfRule, Rule]]:
    found: list[tuple[PfRule, Rule]] = []
    translating = [match for nat in after for match in nat.matches]
    asking = [one for one in rules if one.outward is not None]
    many = len(translating) * len(asking) > MAX_COMPARED
    for one in asking:
        assert one.outward is not None  # noqa: S101
        matches = tuple(
            _widened(match)
            if match.source != ANY_ADDRESS.of_family(match.source.families)
            and (many or any(_meet(match, other) for other in translating))
            else match
            for match in one.outward.matches
        )
        found.append((one, replace(one.outward, matches=matches)))
    return found


def _meet(match: Match, other: Match) -> bool:
    shared, _ = shared_interfaces(match.egress, other.egress)
    return bool((shared.negated or shared.names) and match.source.families & other.source.families)


def _widened(match: Match) -> Match:
    families = match.source.families
    why = match.unknown or "judged after source NAT"
    return replace(match, source=ANY_ADDRESS.of_family(families), unknown=why)
