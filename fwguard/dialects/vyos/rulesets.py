"""Rule sets and the places where packets meet them, as chains.

A named rule set is a chain; what nothing in it decides its last rule does (drop, unless said otherwise).
Base chains, in the order of the kernel: `prerouting raw` and policy routes, then the rule sets on the
interface that a packet comes in on and on the one that it leaves by (1.2, 1.3), then `forward filter` (1.4
and later), then zones. Each of them must accept. `accept` of a rule set lets a packet pass that base chain.
Source: VyOS user guide, Firewall; templates firewall/nftables.j2 and nftables-zone.j2 of vyos-1x.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from fwguard.dialects.loops import refuse_loops
from fwguard.dialects.vyos.conditions import read_match
from fwguard.dialects.vyos.groups import Groups
from fwguard.dialects.vyos.notes import Notes
from fwguard.dialects.vyos.tree import Node
from fwguard.model.address import Family
from fwguard.model.policy import ANY_STATE, Action, Chain, CtState, Hook, InterfaceSet, Match, Rule

FAMILIES: Final = ((Family.V4, "ipv4"), (Family.V6, "ipv6"))
ACTIONS: Final = {
    "accept": Action.ACCEPT, "drop": Action.DROP, "reject": Action.REJECT, "return": Action.RETURN,
    "continue": Action.CONTINUE, "jump": Action.JUMP,
    "offload": Action.CONTINUE,  # of connections that are established already (flowtable)
    "notrack": Action.CONTINUE,
}  # fmt: skip
HOOKS: Final = {"forward": Hook.FORWARD, "input": Hook.INPUT, "output": Hook.OUTPUT}
# What stands beside `rule` in a rule set and decides nothing.
BESIDE_RULES: Final = frozenset({
    "rule", "default-action", "default-log", "enable-default-log", "description", "default-jump-target",
})  # fmt: skip


def name_key(family: str, name: str) -> str:
    """Return the key of a named rule set: "ipv4 name WAN-IN"."""
    return f"{family} name {name}"


class Rulesets:
    """The chains in the making, and the base chains of each hook in order."""

    def __init__(self, groups: Groups, notes: Notes) -> None:
        self.groups = groups
        self.notes = notes
        self.chains: dict[str, Chain] = {}
        self.hooks: dict[Hook, list[str]] = {hook: [] for hook in Hook}
        self.untracked: list[Match] = []

    def named(self, holder: Node | None, family: Family, word: str) -> None:
        """Read every named rule set below `name` or `ipv6-name`."""
        for node in holder.children.values() if holder else ():
            where = f"firewall {word} {node.name}"
            self.chains[name_key(word, node.name)] = self._chain(node, family, word, where, Action.DROP)

    def refuse_loops(self) -> None:
        """Make jumps to nowhere unknown in every chain. Raises UnreadableError for a loop of chains."""
        back = {
            (key, index): f"{rule.jump} does not exist"
            for key, chain in self.chains.items()
            for index, rule in enumerate(chain.rules)
            if rule.jump and rule.jump not in self.chains
        }
        refuse_loops(
            self.chains,
            lambda key: (rule.jump for rule in self.chains[key].rules if rule.jump in self.chains),
            kind="rule set",
            line_of=lambda key: next((rule.line for rule in self.chains[key].rules if rule.jump), 0),
        )
        for key in {key for key, _ in back}:
            chain = self.chains[key]
            rules = tuple(
                self._dangling(rule, back[key, index]) if (key, index) in back else rule
                for index, rule in enumerate(chain.rules)
            )
            self.chains[key] = replace(chain, rules=rules)

    def _dangling(self, rule: Rule, why: str) -> Rule:
        self.notes.add(Node(rule.text, rule.line), why)
        matches = tuple(replace(match, unknown=match.unknown or why) for match in rule.matches)
        return replace(rule, action=Action.UNKNOWN, jump="", matches=matches)

    def base(self, key: str, hooks: Iterable[Hook], chain: Chain) -> None:
        """Add a base chain behind those that each hook has."""
        self.chains[key] = chain
        for hook in hooks:
            self.hooks[hook].append(key)

    def filters(self, firewall: Node, family: Family, word: str, hook_word: str, priority: str) -> None:
        """Read `firewall ipv4 forward filter` and the like: a base chain that accepts by default."""
        node = firewall.child(word, hook_word, priority)
        if node is None:
            return
        where = f"firewall {word} {hook_word} {priority}"
        chain = self._chain(node, family, word, where, Action.ACCEPT)
        chain = (
            replace(chain, rules=(*state_policy(firewall), *chain.rules)) if priority == "filter" else chain
        )
        hooks = (Hook.FORWARD, Hook.INPUT) if hook_word == "prerouting" else (HOOKS[hook_word],)
        self.base(f"{word} {hook_word} {priority}", hooks, chain)

    def _chain(self, node: Node, family: Family, word: str, where: str, default: Action) -> Chain:
        rules: list[Rule] = []
        for number, rule in node.numbered("rule"):
            if number < 0:
                why = self.notes.add(rule, "expected a number", where=f"{where} rule")
                rules.insert(0, closed(rule, why, where))  # nobody knows where it stands
            elif "disable" not in rule.children:
                rules.append(self._rule(rule, family, word, f"{where} rule {number}"))
        for other in node.children.values():
            if other.name not in BESIDE_RULES:
                rules.insert(0, closed(other, self.notes.add(other, "not known here", where=where), where))
        last = self._default(node, word, where, default)
        if default is Action.ACCEPT and last.action in (Action.ACCEPT, Action.DROP) and not last.jump:
            return Chain(
                name=where.removeprefix("firewall "), families=family, rules=tuple(rules), default=last.action,
                default_line=last.line,
            )  # fmt: skip
        return Chain(
            name=where.removeprefix("firewall "), families=family, rules=(*rules, last),
            default=Action.RETURN if default is Action.DROP else Action.ACCEPT,
        )  # fmt: skip

    def _default(self, node: Node, word: str, where: str, default: Action) -> Rule:
        """Return the rule at the end of a rule set, which says what happens to the rest."""
        said = node.child("default-action")
        if said is None:
            return Rule(
                matches=(Match(),), action=default, line=0, text=f"{where} default-action {default.value}"
            )
        action = ACTIONS.get(node.value("default-action"), Action.UNKNOWN)
        target = node.value("default-jump-target")
        if action is Action.UNKNOWN or (action is Action.JUMP and not target):
            self.notes.add(said, "expected accept, drop, reject, return, continue or jump", where=where)
            action = Action.UNKNOWN
        return Rule(
            matches=(Match(),), action=action, jump=name_key(word, target) if action is Action.JUMP else "",
            line=said.line, text=f"{where} {said.words()}",
        )  # fmt: skip

    def _rule(self, rule: Node, family: Family, word: str, where: str) -> Rule:
        match = read_match(rule, family, where, self.groups, self.notes)
        said = rule.value("action")
        action = ACTIONS.get(said, Action.UNKNOWN)
        target = rule.value("jump-target")
        if said == "synproxy":
            # Answers instead of the server, then lets the rest of the connection through.
            action = Action.ACCEPT
        elif action is Action.UNKNOWN and said == "queue":
            pass  # a program decides
        elif action is Action.UNKNOWN or (action is Action.JUMP) != bool(target):
            self.notes.add(rule, "expected one action that is known, with its target", where=where)
            action = Action.UNKNOWN
        if said == "notrack":
            self.untracked.append(match)
        return Rule(
            matches=(match,), action=action, jump=name_key(word, target) if action is Action.JUMP else "",
            line=rule.line, text=f"{where} {rule.words().partition(' ')[2]}".strip(),
            comment=rule.value("description"),
        )  # fmt: skip

    def doubt_untracked(self) -> None:
        """Say of rules for new connections that they may pass by what is taken out of tracking."""
        if not self.untracked:
            return
        for key, chain in self.chains.items():
            self.chains[key] = replace(chain, rules=tuple(_doubted(rule) for rule in chain.rules))


def _doubted(rule: Rule) -> Rule:
    def doubted(match: Match) -> Match:
        if match.states == ANY_STATE or CtState.NEW not in match.states:
            return match
        return replace(match, unknown=match.unknown or "unless conntrack is told to ignore it")

    return replace(rule, matches=tuple(doubted(match) for match in rule.matches))


def closed(node: Node, why: str, where: str) -> Rule:
    """Return a rule that may do anything with every packet."""
    return Rule(
        matches=(Match(unknown=why[:512]),), action=Action.UNKNOWN, line=node.line,
        text=f"{where} {node.words()}",
    )  # fmt: skip


def state_policy(firewall: Node) -> tuple[Rule, ...]:
    """Return the rules of `state-policy`: what happens to packets that begin no connection."""
    rules: list[Rule] = []
    for holder in (firewall.child("state-policy"), firewall.child("global-options", "state-policy")):
        for node in holder.children.values() if holder else ():
            if node.name in ("established", "related", "invalid"):
                rules.append(
                    Rule(
                        matches=(Match(states=frozenset({CtState(node.name)})),),
                        action=ACTIONS.get(node.value("action"), Action.CONTINUE), line=node.line,
                        text=f"firewall state-policy {node.words()}",
                    )
                )  # fmt: skip
    return tuple(rules)


def on(ingress: Iterable[str] | None = None, egress: Iterable[str] | None = None) -> Match:
    """Return the match of packets on some interfaces."""
    return Match(
        ingress=InterfaceSet() if ingress is None else InterfaceSet.of(*ingress),
        egress=InterfaceSet() if egress is None else InterfaceSet.of(*egress),
    )
