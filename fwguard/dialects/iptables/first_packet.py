"""Two things that a rule alone does not say of a first packet: NAT was not done yet, or tracking is off.

Source: iptables(8) TABLES; iptables-extensions(8) NOTRACK, CT.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from fwguard.dialects.iptables.blocks import split_words
from fwguard.dialects.iptables.nat import CHANGES_TARGET
from fwguard.dialects.iptables.options import parse_rule
from fwguard.model.address import ANY_ADDRESS, AddressSet
from fwguard.model.intervals import Intervals
from fwguard.model.matching import Region, intersect, share
from fwguard.model.policy import ANY_STATE, Action, CtState, Match, NatKind, NatRule, Rule
from fwguard.model.ports import ANY_PORT

Rules = Mapping[str, list[Rule]]
KEEPS_WITHIN: Final = (NatKind.DNAT, NatKind.NETMAP)
MAX_SPANS: Final = 1024
MAX_UNTRACKED: Final = 256
MAX_COMPARED: Final = 2_000_000  # untracked packets times rules
MAX_DEPTH: Final = 64
MAX_VISITS: Final = 100_000
BEFORE_NAT: Final = ("raw PREROUTING", "mangle PREROUTING")
STOPS: Final = (Action.ACCEPT, Action.DROP, Action.REJECT)


def reachable(rules: Rules, start: str) -> dict[str, list[Rule]]:
    """Return the chains that a chain leads to, itself first."""
    found: dict[str, list[Rule]] = {}
    waiting = [start] if start in rules else []
    while waiting:
        key = waiting.pop()
        if key not in found:
            found[key] = rules[key]
            waiting.extend(rule.jump for rule in rules[key] if rule.jump)
    return found


def judge_before_nat(rules: Rules, family: str, translated: Sequence[NatRule]) -> None:
    """Say of raw and mangle PREROUTING rules that ask for a target which is rewritten later: unknown.

    A policy is judged with the addresses after destination NAT; these chains see those before. The match
    is widened to where the packets go to, since some of them met it, and nobody can say which.
    """
    changing = [rule for rule in translated if rule.kind in CHANGES_TARGET and rule.matches]
    if not changing:
        return
    inner = _union([nat.to if nat.kind in KEEPS_WITHIN and nat.to else ANY_ADDRESS for nat in changing])
    touched = _union([inner, *(match.target for nat in changing for match in nat.matches)])
    for place in BEFORE_NAT:
        for chain in reachable(rules, f"{family} {place}").values():
            for index, rule in enumerate(chain):
                widened = tuple(_widened(match, touched, inner) for match in rule.matches)
                if widened != rule.matches:
                    chain[index] = replace(rule, matches=widened)


def _union(parts: Sequence[AddressSet]) -> AddressSet:
    """Return all addresses of all parts; a little too many where they would be very many intervals."""
    whole = AddressSet(
        Intervals.of(*(pair for part in parts for pair in part.v4)),
        Intervals.of(*(pair for part in parts for pair in part.v6)),
    )
    return whole if len(whole.v4.pairs) + len(whole.v6.pairs) <= MAX_SPANS else ANY_ADDRESS


def _widened(match: Match, touched: AddressSet, inner: AddressSet) -> Match:
    if (match.target == ANY_ADDRESS and match.dport == ANY_PORT) or not match.target & touched:
        return match
    target = match.target if match.target == ANY_ADDRESS else match.target | inner
    why = match.unknown or "judged before destination NAT"
    return replace(match, target=target, dport=ANY_PORT, unknown=why)


def follow_untracked(rules: Rules, family: str) -> None:
    """Make rules for untracked packets match the first packets that the raw table takes out of tracking.

    Without this, NOTRACK in raw and `--ctstate UNTRACKED -j ACCEPT` in filter would open a door that no
    question about NEW packets ever finds. Rules for NEW that such packets pass by become unknown for them.
    """
    for start, hooks in (
        ("raw PREROUTING", ("FORWARD", "INPUT", "PREROUTING", "POSTROUTING")),
        ("raw OUTPUT", ("OUTPUT", "POSTROUTING")),
    ):
        search = _Untracked(rules)
        search.walk(f"{family} {start}", (Match(),), 0)
        if not search.found:
            continue
        untracked = tuple(search.found)
        if len(untracked) * sum(len(chain) for chain in rules.values()) > MAX_COMPARED:
            untracked = (Match(unknown="one of many NOTRACK rules"),)
        done: set[str] = set()
        for table in ("mangle", "filter", "security"):
            for hook in hooks:
                _apply(rules, f"{family} {table} {hook}", untracked, done)


def _takes_out(rule: Rule) -> bool:
    """Tell whether a rule of the raw table ends tracking for what it matches."""
    if rule.action is not Action.CONTINUE or "notrack" not in rule.text.lower():
        return False
    parsed = parse_rule(split_words(rule.text, rule.line))
    has_option = any(option.name == "--notrack" for option in parsed.target_options)
    return parsed.target == "NOTRACK" or (parsed.target == "CT" and has_option)


class _Untracked:
    """Finds the packets that NOTRACK rules take out of tracking, walking the raw table in its order."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.found: list[Match] = []
        self.decided: list[Match] = []  # accepted or dropped before: never come to the rules behind
        self.visits = 0

    def walk(self, key: str, region: Region, depth: int) -> None:
        """Follow what reaches a chain; where an earlier rule may have decided, nobody knows."""
        left: list[Match] = []
        for rule in self.rules.get(key, ()):
            self.visits += 1
            if self.visits > MAX_VISITS or depth > MAX_DEPTH or len(self.found) > MAX_UNTRACKED:
                self.found.append(Match(unknown="one of very many NOTRACK rules"))
                return
            reached = share(region, rule.matches)
            if not reached:
                continue
            if rule.jump:
                self.walk(rule.jump, reached, depth + 1)
            if rule.action in STOPS:
                self.decided.extend(reached)
            elif rule.action in (Action.RETURN, Action.GOTO):
                left.extend(reached)
            elif _takes_out(rule):
                doubtful = share(reached, (*self.decided, *left))
                why = "unless an earlier rule of the raw table decides" if doubtful else ""
                self.found.extend(replace(match, unknown=match.unknown or why) for match in reached)


def _apply(rules: Rules, base: str, untracked: tuple[Match, ...], done: set[str]) -> None:
    """Walk a base chain until a rule decides all untracked packets; what stands behind never sees them."""
    waiting = [base] if base in rules else []
    while waiting:
        key = waiting.pop()
        if key in done:
            continue
        done.add(key)
        chain = rules[key]
        for index, rule in enumerate(chain):
            many = len(rule.matches) * len(untracked) > MAX_UNTRACKED
            among = (Match(unknown="one of many NOTRACK rules"),) if many else untracked
            matches = tuple(one for match in rule.matches for one in _for_untracked(match, among))
            if matches != rule.matches:
                chain[index] = replace(rule, matches=matches)
            if rule.jump:
                waiting.append(rule.jump)
            if (
                key == base
                and rule.action in STOPS
                and any(_is_all_untracked(match) for match in rule.matches)
            ):
                break


def _is_all_untracked(match: Match) -> bool:
    return CtState.UNTRACKED in match.states and replace(match, states=ANY_STATE) == Match()


def _for_untracked(match: Match, untracked: tuple[Match, ...]) -> tuple[Match, ...]:
    if (CtState.NEW in match.states) == (CtState.UNTRACKED in match.states):
        return (match,)
    any_state = replace(match, states=ANY_STATE)
    shared = tuple(both for one in untracked if (both := intersect(any_state, one)) is not None)
    if not shared:
        return (match,)
    if CtState.UNTRACKED in match.states:
        return (match, *shared)
    return (replace(match, unknown=match.unknown or "unless the raw table takes it out of tracking"),)
