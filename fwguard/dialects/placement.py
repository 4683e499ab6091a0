"""Where in a chain a new accepting rule must stand so that an opening passes, for every ordered dialect."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fwguard.errors import InputError
from fwguard.model.address import Family
from fwguard.model.change import Opening
from fwguard.model.intervals import Intervals
from fwguard.model.matching import Region, share, without
from fwguard.model.policy import Action, Chain, CtState, Match, Policy, Rule
from fwguard.model.ports import ANY_PORT

MAX_BOXES: Final = 512  # beyond, the rest of the opening is taken a little too wide
MAX_DEPTH: Final = 64
MAX_VISITS: Final = 200_000
STOPS: Final = (Action.DROP, Action.REJECT)
LOGS: Final = re.compile(r"\b(?:log|nflog|counter)\b", re.IGNORECASE)
SETS: Final = re.compile(r"\bset\b|mark", re.IGNORECASE)


def region_of(opening: Opening, families: Family) -> Region:
    """Return the first packets of the opening's connections, in these IP versions, on any interface."""
    families &= opening.families
    if not families:
        return ()
    return (
        Match(
            source=opening.source.of_family(families),
            target=opening.target.of_family(families),
            protocol=Intervals.single(opening.protocol),
            dport=opening.ports or ANY_PORT,
            states=frozenset({CtState.NEW}),
        ),
    )


def place(policy: Policy, chain_key: str, opening: Opening, families: Family) -> int | None:
    """Return the index in the chain's rules before which an accepting rule lets the whole opening pass.

    That is before the first rule that surely drops any of it, else the end of a chain that drops by
    default, there before the rules that only log what will be dropped. None: this base chain drops
    none of it, and nothing is needed. Rules with a condition that nobody can decide (rate limits,
    marks, dynamic sets) are not overtaken: they keep judging the opening as they judge the rest.

    Raises InputError for a chain that does not exist, or jumps that nest or branch beyond reason.
    """
    if chain_key not in policy.chains:
        raise InputError(f"chain {chain_key!r}", expected="the name of a base chain")
    chain = policy.chains[chain_key]
    region = region_of(opening, families & chain.families)
    return _Walk(policy.chains).first_drop(chain, region)


class _Walk:
    """Follows what is left of an opening through a chain and the chains that it jumps to."""

    def __init__(self, chains: Mapping[str, Chain]) -> None:
        self.chains = chains
        self.visits = 0

    def first_drop(self, chain: Chain, region: Region) -> int | None:
        for index, rule in enumerate(chain.rules):
            if not region:
                return None
            taken = self._taken(rule, region)
            if not taken:
                continue
            if rule.action in STOPS or (rule.action is Action.RETURN and chain.default in STOPS):
                return index
            left: Region = ()
            if rule.action in (Action.JUMP, Action.GOTO):
                dropped, left = self._through(self.chains[rule.jump], taken, 1)
                if dropped or (left and rule.action is Action.GOTO and chain.default in STOPS):
                    return index
                left = left if rule.action is Action.JUMP else ()
            region = self._less(region, taken, left)
        if not region or chain.default not in STOPS:
            return None
        return _before_logs(chain.rules)

    def _through(self, chain: Chain, region: Region, depth: int) -> tuple[bool, Region]:
        """Return whether any of it is dropped there, and what comes back to the caller."""
        if depth > MAX_DEPTH:
            raise InputError(f"chains nest deeper than {MAX_DEPTH} at {chain.name!r}")
        back: Region = ()
        for rule in chain.rules:
            if not region:
                break
            taken = self._taken(rule, region)
            if not taken:
                continue
            if rule.action in STOPS:
                return True, ()
            left: Region = ()
            if rule.action is Action.RETURN:
                back += taken
            elif rule.action in (Action.JUMP, Action.GOTO):
                dropped, left = self._through(self.chains[rule.jump], taken, depth + 1)
                if dropped:
                    return True, ()
                if rule.action is Action.GOTO:
                    back, left = back + left, ()
            region = self._less(region, taken, left)
        return False, back + region

    def _taken(self, rule: Rule, region: Region) -> Region:
        """Return the part of the region that the rule surely decides or sends elsewhere."""
        self.visits += 1
        if self.visits > MAX_VISITS:
            raise InputError(f"chains branch too often: more than {MAX_VISITS} rules on one packet's way")
        if rule.action in (Action.CONTINUE, Action.UNKNOWN):
            return ()
        return tuple(
            part
            for part in share(region, (match for match in rule.matches if not match.unknown))
            if not part.unknown
        )

    def _less(self, region: Region, taken: Region, returned: Region) -> Region:
        rest = without(region, taken) + returned
        return rest if len(rest) <= MAX_BOXES else region


def _before_logs(rules: tuple[Rule, ...]) -> int:
    """Return the end of the rules, before those at the end that only log or count what is dropped next."""
    index = len(rules)
    while index and rules[index - 1].action is Action.CONTINUE:
        text = rules[index - 1].text
        if not LOGS.search(text) or SETS.search(text):
            break
        index -= 1
    return index
