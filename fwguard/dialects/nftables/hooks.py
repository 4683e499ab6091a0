"""Base chains in the order that a packet passes them, and how a chain reads where a packet is half-way.

In prerouting there is no outgoing interface and destination NAT may still come; in postrouting source
NAT may have been. A rule there is rewritten into what it says of the packet that the forward hook sees.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Final

from fwguard.errors import UnreadableError
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.matching import Region, share, without
from fwguard.model.policy import (
    ANY_INTERFACE,
    ANY_STATE,
    Action,
    Chain,
    CtState,
    Hook,
    Match,
    NatKind,
    NatRule,
    Rule,
)
from fwguard.model.ports import ANY_PORT

MAX_DEPTH: Final = 32  # the kernel takes 16 (NFT_JUMP_STACK_SIZE)
CONNTRACK_PRIORITY: Final = -200  # NF_IP_PRI_CONNTRACK
WAYS: Final = {
    Hook.FORWARD: ("prerouting", "forward", "postrouting"),
    Hook.INPUT: ("prerouting", "input"),
    Hook.OUTPUT: ("output", "postrouting"),
}
STOPS: Final = (Action.DROP, Action.REJECT, Action.UNKNOWN)
Rewrite = Callable[[Match], Iterable[Match]]


@dataclass(frozen=True, slots=True)
class Base:
    """A base chain and where it stands."""

    key: str
    hook: str
    priority: int
    is_filter: bool  # judges every packet of its hook; else NAT, which is listed only if it may drop


def check_jumps(chains: Mapping[str, Chain]) -> None:
    """Raise UnreadableError for a loop of chains, or chains deeper than any kernel takes."""
    depth: dict[str, int] = {}
    for start in chains:
        if start in depth:
            continue
        way: list[tuple[str, list[Rule]]] = [(start, _jumps(chains[start]))]
        on_way = {start: 0}
        depth[start] = 0
        while way:
            key, jumps = way[-1]
            if not jumps:
                way.pop()
                del on_way[key]
                if way:
                    depth[way[-1][0]] = max(depth[way[-1][0]], depth[key] + 1)
                if depth[key] > MAX_DEPTH:
                    raise UnreadableError(
                        f"chains nest {depth[key]} deep below {key!r}", expected=f"at most {MAX_DEPTH}"
                    )
                continue
            rule = jumps.pop()
            if rule.jump in on_way:
                raise UnreadableError(
                    f"chain {rule.jump!r} jumps back to itself",
                    line=rule.line,
                    expected="chains without a loop",
                )
            if rule.jump in depth:
                depth[key] = max(depth[key], depth[rule.jump] + 1)
                continue
            depth[rule.jump] = 0
            on_way[rule.jump] = 0
            way.append((rule.jump, _jumps(chains[rule.jump])))


def _jumps(chain: Chain) -> list[Rule]:
    return [rule for rule in chain.rules if rule.jump]


def reachable(chains: Mapping[str, Chain], key: str) -> list[str]:
    """Return a chain and every chain that it may lead to."""
    found, ahead = {key: None}, [key]
    while ahead:
        for rule in _jumps(chains[ahead.pop()]):
            if rule.jump not in found:
                found[rule.jump] = None
                ahead.append(rule.jump)
    return list(found)


def may_drop(chains: Mapping[str, Chain], key: str) -> bool:
    """Tell whether a base chain can end a packet's way, or nobody knows."""
    return chains[key].default in STOPS or any(
        rule.action in STOPS for one in reachable(chains, key) for rule in chains[one].rules
    )


def order(
    chains: dict[str, Chain], bases: list[Base], nat: list[tuple[Base, NatRule]]
) -> dict[Hook, tuple[str, ...]]:
    """Return the base chains of each hook in their order; rewritten copies are added to `chains`."""
    hooks: dict[Hook, tuple[str, ...]] = {}
    ranked = sorted(bases, key=lambda base: base.priority)
    names: dict[str, str] = {}
    for base in ranked:
        if not (base.is_filter and base.hook in ("forward", "input", "output")) and not may_drop(
            chains, base.key
        ):
            continue
        names[base.key] = base.key
        rewrites = _rewrites(base, nat)
        if rewrites:
            names[base.key] = _copy(chains, base.key, base.hook, rewrites)
    for hook, stations in WAYS.items():
        keys = [
            names[base.key]
            for station in stations
            for base in ranked
            if base.hook == station and base.key in names
        ]
        if keys:
            hooks[hook] = tuple(keys)
    return hooks


def _rewrites(base: Base, nat: list[tuple[Base, NatRule]]) -> list[Rewrite]:
    early: list[Rewrite] = []
    if base.hook in ("prerouting", "output") and base.priority < CONNTRACK_PRIORITY:
        early = [no_state]
    if base.hook == "prerouting":
        later = [
            rule for at, rule in nat
            if at.hook == "prerouting" and at.priority >= base.priority and at.key != base.key
        ]  # fmt: skip
        later = [rule for rule in later if rule.kind is not NatKind.EXEMPT]
        return [*early, no_egress, *([lambda match: before_dnat(match, later)] if later else [])]
    if base.hook == "postrouting":
        earlier = [
            rule for at, rule in nat
            if at.hook == "postrouting" and at.priority <= base.priority and at.key != base.key
            and rule.kind is not NatKind.EXEMPT
        ]  # fmt: skip
        return [lambda match: after_snat(match, earlier)] if earlier else []
    return early


def _copy(chains: dict[str, Chain], key: str, context: str, rewrites: list[Rewrite]) -> str:
    """Add rewritten copies of a chain and all that it leads to; the key itself if nothing is rewritten."""
    keys = reachable(chains, key)
    changed: dict[str, tuple[Rule, ...]] = {}
    for one in keys:
        rules = tuple(_rewritten(rule, rewrites) for rule in chains[one].rules)
        if any(new is not old for new, old in zip(rules, chains[one].rules, strict=True)):
            changed[one] = rules
    if not changed:
        return key
    names = {one: f"{one} in {key.rsplit(' ', 1)[-1]} {context}" for one in keys}
    for one in keys:
        rules = changed.get(one, chains[one].rules)
        rules = tuple(replace(rule, jump=names[rule.jump]) if rule.jump else rule for rule in rules)
        chains[names[one]] = replace(chains[one], name=names[one], rules=rules)
    return names[key]


def _rewritten(rule: Rule, rewrites: list[Rewrite]) -> Rule:
    matches = rule.matches
    for rewrite in rewrites:
        out = tuple(new for old in matches for new in rewrite(old))
        if out != matches:
            matches = out
    return rule if matches is rule.matches else replace(rule, matches=matches)


def no_egress(match: Match) -> Iterable[Match]:
    """Read a match where no outgoing interface is chosen yet: its name is empty there (kernel 5.3 on)."""
    if match.egress is ANY_INTERFACE or match.egress.is_any:
        return (match,)
    return (replace(match, egress=ANY_INTERFACE),) if "" in match.egress else ()


def no_state(match: Match) -> Iterable[Match]:
    """Read a match before connection tracking: every packet's state is "invalid" there (nft_ct.c)."""
    if match.states == ANY_STATE:
        return (match,)
    return (replace(match, states=ANY_STATE),) if CtState.INVALID in match.states else ()


def no_ingress(match: Match) -> Iterable[Match]:
    """Read a match where no incoming interface is: in output."""
    if match.ingress is ANY_INTERFACE or match.ingress.is_any:
        return (match,)
    return (replace(match, ingress=ANY_INTERFACE),) if "" in match.ingress else ()


def before_dnat(match: Match, later: list[NatRule]) -> Region:
    """Read a match on a packet that destination NAT may still change, for the packet after it."""
    if match.target == ANY_ADDRESS and match.dport == ANY_PORT:
        return (match,)
    arrivals = tuple(
        Match(target=rule.to or ANY_ADDRESS, dport=rule.to_ports or ANY_PORT, ingress=ANY_INTERFACE)
        for rule in later
    )
    wide = replace(match, target=_whole(match.target), dport=ANY_PORT)
    return _unsure(match, wide, arrivals, "seen before destination NAT")


def after_snat(match: Match, earlier: list[NatRule]) -> Region:
    """Read a match on a packet that source NAT may have changed, for the packet before it."""
    if match.source == ANY_ADDRESS and match.sport == ANY_PORT:
        return (match,)
    changed = tuple(one for rule in earlier for one in rule.matches)
    return _unsure(
        match, replace(match, source=_whole(match.source), sport=ANY_PORT), changed, "seen after source NAT"
    )


def untracked(match: Match, regions: Region) -> Region:
    """Read a match on the connection's state where some packets are not tracked (notrack)."""
    if (CtState.NEW in match.states) == (CtState.UNTRACKED in match.states):
        return (match,)
    states = match.states | {CtState.NEW}
    return _unsure(match, replace(match, states=states), regions, "of a packet that may be untracked")


def _whole(addresses: AddressSet) -> AddressSet:
    return ANY_ADDRESS.of_family(addresses.families)


def _unsure(match: Match, wide: Match, where: Region, why: str) -> Region:
    """Return the match as it is outside `where`, and an unknown part of `wide` inside it."""
    inside = share((wide,), (replace(one, unknown="") for one in where))
    if not inside:
        return (match,)
    text = f"{match.unknown}; {why}" if match.unknown else why
    surely = without((match,), (replace(one, unknown="") for one in where))
    return surely + tuple(replace(one, unknown=text) for one in inside)
