"""What is wrong with a list of rules: some never act, some act for nothing, some let too much in."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from fwguard.analysis.exposure import exposed_rules, outside_interfaces
from fwguard.analysis.interfaces import InterfaceTable, interface_sets
from fwguard.analysis.program import Program, flatten
from fwguard.analysis.promised import wider_than_said
from fwguard.analysis.reach import Reach, RuleKey
from fwguard.analysis.space import ALL_STATES, Dim, Space
from fwguard.analysis.words import by_lines, phrase
from fwguard.model.address import Family
from fwguard.model.change import Opening
from fwguard.model.inventory import Language
from fwguard.model.matching import is_empty
from fwguard.model.policy import Action, Hook, Policy, Rule
from fwguard.model.risk import Reason


class Kind(StrEnum):
    """What a finding accuses a line of."""

    SHADOWED = "shadowed"  # earlier lines decide everything it would match
    REDUNDANT = "redundant"  # without it, the same happens
    NEVER_MATCHES = "never-matches"  # no packet can match, or no packet gets to its chain
    TOO_WIDE = "too-wide"  # lets everything in, or more than its comment or ticket says
    UNREAD = "unread"  # nobody knows what it does
    ANY_SERVICE = "any-service"  # lets every service of a server be reached from far
    MANAGEMENT_EXPOSED = "management-exposed"  # management or databases reachable from outside


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One complaint: the line, the other lines it is because of, and why."""

    kind: Kind
    line: int
    because: tuple[int, ...] = ()
    reason: Reason

    def why(self, language: Language = Language.EN) -> str:
        """Say why in words."""
        return phrase(self.reason.code, language, **dict(self.reason.params))


_IDLE: Final = (Action.CONTINUE,)
_MOST_NAMED: Final = 12


def lint(policy: Policy, asked: Mapping[str, Sequence[Opening]] | None = None) -> list[Finding]:
    """Return what is wrong with a policy, by line. Exact over all connection states, both IP versions.

    `asked` are what tickets asked for, by the tag that their rules bear. What no line says, as rules that
    the vendor implies, is accused of nothing.
    A rule is only called shadowed or redundant when that is proven: taking it out (alone) changes nothing.
    Cost: near-linear on lists of the usual shape; a search that takes too long accuses nobody.
    """
    reach = Reach()
    programs = list(_programs(policy))
    for program in programs:
        reach.explore(program)
    findings = list(_idle(policy, reach))
    acting = {key for key in reach.reached if key[1] >= 0}
    outside = outside_interfaces(policy)
    for kind, rule, code, params in exposed_rules(policy, programs, acting, outside):
        if not _is_implied(rule):
            findings.append(Finding(kind=Kind(kind), line=rule.line, reason=Reason.of(code, **params)))
    rules = [rule for chain in policy.chains.values() for rule in chain.rules]
    for rule, code, params in wider_than_said(rules, asked):
        findings.append(Finding(kind=Kind.TOO_WIDE, line=rule.line, reason=Reason.of(code, **params)))
    findings += _defaults(policy, reach)
    findings += [
        Finding(kind=Kind.UNREAD, line=one.line, reason=Reason.of("lint-unread", text=one.text.strip()[:120]))
        for one in policy.unread
    ]
    known = {finding.line for finding in findings if finding.kind is Kind.UNREAD}
    findings += [
        Finding(kind=Kind.UNREAD, line=rule.line, reason=Reason.of("lint-unread", text=rule.text[:120]))
        for rule in rules
        if rule.action is Action.UNKNOWN and rule.line not in known
    ]
    return sorted(dict.fromkeys(findings), key=lambda finding: (finding.line, finding.kind.value))


def _programs(policy: Policy) -> Iterator[Program]:
    for hook in Hook:
        table = InterfaceTable.of(interface_sets((policy,), hook))
        for family in (Family.V4, Family.V6):
            if policy.families & family and policy.hooks.get(hook):
                space = Space.of(hook, family, table, {Dim.STATE: ALL_STATES})
                yield flatten(policy, space, marks=True)


def _idle(policy: Policy, reach: Reach) -> Iterator[Finding]:
    """Rules that never act, or act for nothing.

    A line that stands for several rules (one at each interface it names) is only accused if all of them are.
    """
    entered = _entered(policy)
    acting: set[int] = set()
    accused: dict[int, Finding] = {}
    for key, chain in policy.chains.items():
        if key not in entered:
            if chain.rules and key not in policy.used_elsewhere and not _is_implied(chain.rules[0]):
                yield Finding(
                    kind=Kind.NEVER_MATCHES,
                    line=chain.rules[0].line,
                    reason=Reason.of("lint-never-entered", chain=chain.name),
                )
            continue
        for place, rule in enumerate(chain.rules):
            if _is_implied(rule):
                continue
            finding = _idle_rule((key, place), rule, place + 1 == len(chain.rules), reach)
            if finding is None:
                acting.add(rule.line)
            elif rule.line not in accused or finding.kind is Kind.REDUNDANT:
                accused[rule.line] = finding  # the mildest: one of the rules does see packets
    yield from (finding for line, finding in accused.items() if line not in acting)


def _is_implied(rule: Rule) -> bool:
    """Tell whether the vendor implies a rule: nobody wrote it, nobody can take it out."""
    return not rule.line or rule.comment.startswith("implicit:")


def _entered(policy: Policy) -> set[str]:
    todo = [key for keys in policy.hooks.values() for key in keys]
    entered = set(todo)
    while todo:
        for rule in policy.chains[todo.pop()].rules:
            if rule.jump and rule.jump not in entered:
                entered.add(rule.jump)
                todo.append(rule.jump)
    return entered


def _idle_rule(key: RuleKey, rule: Rule, last: bool, reach: Reach) -> Finding | None:
    if key in reach.needed or key in reach.unproven:
        return None
    if key not in reach.seen:
        empty = all(is_empty(match) for match in rule.matches)
        code = "lint-empty" if empty else "lint-contradicts"
        return Finding(kind=Kind.NEVER_MATCHES, line=rule.line, reason=Reason.of(code))
    if key not in reach.reached:
        because = _lines(reach.culprits.get(key, ()), rule.line)
        return Finding(
            kind=Kind.SHADOWED,
            line=rule.line,
            because=because,
            reason=Reason.of(by_lines("lint-shadowed", because), lines=_say(because)),
        )
    if rule.action in _IDLE or (rule.action is Action.RETURN and last):
        return None  # to return at the end of a chain is how people close one
    heirs = reach.heirs.get(key, {})
    if any(heir not in reach.needed and heir not in reach.reached for heir in heirs):
        return None  # one of two that do the same must stay, and the other is accused already
    because = _lines(heirs.values(), rule.line)[:_MOST_NAMED]
    return Finding(
        kind=Kind.REDUNDANT,
        line=rule.line,
        because=because,
        reason=Reason.of(by_lines("lint-redundant", because), lines=_say(because)),
    )


def _lines(lines: Iterable[int], own: int) -> tuple[int, ...]:
    return tuple(sorted(line for line in lines if line and line != own))


def _say(lines: tuple[int, ...]) -> str:
    return ", ".join(map(str, lines)) or "–"


def _defaults(policy: Policy, reach: Reach) -> Iterator[Finding]:
    """Hooks whose packets pass when no rule speaks of them."""
    for hook in (Hook.FORWARD, Hook.INPUT):
        keys = policy.hooks.get(hook, ())
        chains = [policy.chains[key] for key in keys]
        if not chains or any(chain.default is not Action.ACCEPT for chain in chains):
            continue
        if not all((key, -1) in reach.reached for key in keys):
            continue
        chain = max(chains, key=lambda chain: len(chain.rules))
        yield Finding(
            kind=Kind.TOO_WIDE,
            line=chain.default_line,
            reason=Reason.of("lint-default-accepts", hook=hook.value, chain=chain.name),
        )
