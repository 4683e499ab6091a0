"""A configuration of any layout as one policy."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from fwguard.dialects.vyos.conditions import read_match
from fwguard.dialects.vyos.groups import KNOWN_KINDS, Groups
from fwguard.dialects.vyos.interfaces import Binding, Interface, bindings, read_interfaces_of
from fwguard.dialects.vyos.nat import NatReader
from fwguard.dialects.vyos.notes import Notes
from fwguard.dialects.vyos.routes import read_routes, with_interfaces
from fwguard.dialects.vyos.rulesets import FAMILIES, Rulesets, closed, name_key, on, state_policy
from fwguard.dialects.vyos.sections import HARMLESS, READ, check_sections
from fwguard.dialects.vyos.tree import Node, Tree
from fwguard.dialects.vyos.zones import Zone, add_zones, read_zones
from fwguard.errors import UnreadableError
from fwguard.model.address import ANY_ADDRESS, Family
from fwguard.model.policy import EVERYWHERE, Action, Chain, Connected, Hook, Match, NatKind, Policy, Rule
from fwguard.model.ports import ANY_PORT

NAME: Final = "vyos"
DIRECTIONS: Final = {"in": Hook.FORWARD, "out": Hook.FORWARD, "local": Hook.INPUT}
REWRITES: Final = frozenset({NatKind.DNAT, NatKind.NETMAP, NatKind.STATIC, NatKind.REDIRECT, NatKind.UNKNOWN})


@dataclass(slots=True)
class Configuration:
    """A configuration as read: the policy, and what the writer needs to know of the device."""

    policy: Policy
    interfaces: list[Interface]
    bindings: list[Binding]
    zones: list[Zone]
    is_legacy: bool


def is_legacy(tree: Tree) -> bool:
    """Tell whether rule sets are written as 1.2 and 1.3 (and early 1.4) do: `firewall name`."""
    firewall = tree.root.child("firewall") or Node("")
    if any(word in firewall.children for word in ("ipv4", "ipv6", "zone", "global-options")):
        return "name" in firewall.children or "ipv6-name" in firewall.children
    if any(word in firewall.children for word in ("name", "ipv6-name", "state-policy")):
        return True
    if tree.root.child("zone-policy") is not None:
        return True
    return "Release version: 1.2" in tree.footer or "Release version: 1.3" in tree.footer


def read_tree(tree: Tree) -> Configuration:
    """Read a whole tree. Raises UnreadableError when it has no part that VyOS knows."""
    root = tree.root
    if not any(name in READ | HARMLESS for name in root.children):
        first = next(iter(root.children.values()), Node("nothing", 1))
        raise UnreadableError(
            f"{first.name[:60]!r}", line=first.line, expected="interfaces, firewall, system, … of VyOS"
        )
    notes = Notes(legacy=is_legacy(tree))
    groups = Groups(root.child("firewall", "group"))
    interfaces = read_interfaces_of(root)
    zones = read_zones(root, interfaces)
    bound = list(bindings(root, interfaces))
    nat = NatReader(groups, notes)
    nat.read(root)
    sets = Rulesets(groups, notes)
    firewall = root.child("firewall") or Node("firewall")
    for family, word in FAMILIES:
        old = "name" if word == "ipv4" else "ipv6-name"
        sets.named(firewall.child(old), family, word)
        sets.named(firewall.child(word, "name"), family, word)
    _unknown_places(firewall, sets)
    for kind in root.nodes("firewall", "group"):
        if kind.name not in KNOWN_KINDS:
            notes.add(kind, "groups of a kind that is not known", where="firewall group")
    _not_forwarding(root, sets)
    _before_nat(root, firewall, interfaces, sets, nat)
    _bound(bound, firewall, sets)
    for hook in ("forward", "input", "output"):
        for family, word in FAMILIES:
            if hook == "output":
                sets.filters(firewall, family, word, "output", "raw")
            sets.filters(firewall, family, word, hook, "filter")
    add_zones(sets, root, zones)
    for node, why in check_sections(root, notes, nat):
        _close_all(node, notes.add(node, why), sets)
    sets.refuse_loops()
    _ignored_by_conntrack(root, sets)
    sets.doubt_untracked()
    routes = with_interfaces(read_routes(root, notes), interfaces)
    hooks = {hook: tuple(keys) for hook, keys in sets.hooks.items() if keys}
    policy = Policy(
        dialect=NAME, chains=sets.chains, hooks=hooks, nat=nat.rules, routes=routes, unread=notes.sorted(),
        networks=tuple(
            Connected(prefix, one.name)
            for one in interfaces for prefix in (*one.addresses, *(EVERYWHERE if one.is_dynamic else ()))
        ),
    )  # fmt: skip
    return Configuration(policy, interfaces, bound, zones, notes.legacy)


def _close_all(node: Node, why: str, sets: Rulesets) -> None:
    """Something that may change every verdict: a base chain in front whose one rule is unknown."""
    key = f"unread {node.name} {node.line}"
    sets.chains[key] = Chain(
        name=key, families=Family.BOTH, rules=(closed(node, why, ""),), default=Action.ACCEPT
    )
    for keys in sets.hooks.values():
        keys.insert(0, key)


def _unknown_places(firewall: Node, sets: Rulesets) -> None:
    """Keep hooks and priorities that nobody knows: they may drop anything."""
    known = {
        "name": None, "forward": {"filter"}, "input": {"filter"}, "output": {"filter", "raw"},
        "prerouting": {"raw"},
    }  # fmt: skip
    for _, word in FAMILIES:
        for node in firewall.nodes(word):
            priorities = known.get(node.name, set())
            for one in [node] if node.name not in known else node.children.values():
                if priorities is not None and one.name not in priorities:
                    why = sets.notes.add(one, "a place for rules that is not known", where=f"firewall {word}")
                    _close_all(one, why, sets)


def _not_forwarding(root: Node, sets: Rulesets) -> None:
    for (family, word), name in zip(FAMILIES, ("ip", "ipv6"), strict=True):
        node = root.child("system", name, "disable-forwarding")
        if node is not None:
            key = f"{word} no forwarding"
            chain = Chain(name=key, families=family, rules=(), default=Action.DROP, default_line=node.line)
            sets.base(key, (Hook.FORWARD,), chain)


def _bound(bound: list[Binding], firewall: Node, sets: Rulesets) -> None:
    """Add what interfaces send to their rule sets: all that comes in, then all that goes out, then local."""
    for direction, hook in DIRECTIONS.items():
        for family, word in FAMILIES:
            rules: list[Rule] = []
            for one in bound:
                if one.direction != direction or one.family != word:
                    continue
                match = on(egress=(one.interface,)) if direction == "out" else on(ingress=(one.interface,))
                text = f"interface {one.interface} {direction}: {one.ruleset}"
                jump = name_key(word, one.ruleset)
                rules.append(
                    Rule(matches=(match,), action=Action.JUMP, jump=jump, line=one.node.line, text=text)
                )
            if rules:
                key = f"{word} interfaces {direction}"
                # State policy stands once, before all rule sets of a hook.
                first = direction != "out" or f"{word} interfaces in" not in sets.chains
                every = (*(state_policy(firewall) if first else ()), *rules)
                sets.base(key, (hook,), Chain(name=key, families=family, rules=every, default=Action.ACCEPT))
    for one in bound:
        if one.direction not in DIRECTIONS:
            why = sets.notes.add(one.node, "expected in, out or local", where=f"interface {one.interface}")
            _close_all(one.node, why, sets)


def _before_nat(
    root: Node, firewall: Node, interfaces: list[Interface], sets: Rulesets, nat: NatReader
) -> None:
    """Add the chains that see packets before destination NAT: `prerouting raw`, and policy routes that drop.

    A policy is judged with the addresses after destination NAT. Where such rules name a target, and any
    rule rewrites targets, nobody can say which packets they mean.
    """
    start = set(sets.chains)
    for family, word in FAMILIES:
        sets.filters(firewall, family, word, "prerouting", "raw")
        for names in (("route",),) if word == "ipv4" else (("route6",), ("ipv6-route",)):
            for ruleset in root.nodes("policy", *names):
                _policy_route(ruleset, names[0], family, word, interfaces, sets)
    if not any(rule.kind in REWRITES for rule in nat.before):
        return
    for key in set(sets.chains) - start:
        chain = sets.chains[key]
        rules = tuple(
            replace(rule, matches=tuple(_widened(match) for match in rule.matches)) for rule in chain.rules
        )
        sets.chains[key] = replace(chain, rules=rules)


def _widened(match: Match) -> Match:
    if match.target == ANY_ADDRESS and match.dport == ANY_PORT:
        return match
    why = match.unknown or "judged before destination NAT"
    return replace(match, target=ANY_ADDRESS, dport=ANY_PORT, unknown=why)


def _policy_route(
    ruleset: Node, name: str, family: Family, word: str, interfaces: list[Interface], sets: Rulesets
) -> None:
    """A policy route chooses tables and marks, but its rules may drop."""
    where = f"policy {name} {ruleset.name}"
    users = [one.name for one in interfaces if ruleset.name in one.node.values("policy", name)]
    users += ruleset.values("interface")
    rules: list[Rule] = []
    for number, rule in ruleset.numbered("rule"):
        if "disable" in rule.children:
            continue
        place = f"{where} rule {number}"
        match = read_match(rule, family, place, sets.groups, sets.notes)
        on_these = on(ingress=users)
        action = {"drop": Action.DROP, "accept": Action.ACCEPT}.get(rule.value("action"), Action.CONTINUE)
        rules.append(
            Rule(
                matches=(replace(match, ingress=on_these.ingress),), action=action, line=rule.line,
                text=f"{place} {rule.words().partition(' ')[2]}", comment=rule.value("description"),
            )
        )  # fmt: skip
    if users and rules:
        key = f"{word} policy {ruleset.name}"
        chain = Chain(name=key, families=family, rules=tuple(rules), default=Action.ACCEPT)
        sets.base(key, (Hook.FORWARD, Hook.INPUT), chain)


def _ignored_by_conntrack(root: Node, sets: Rulesets) -> None:
    """Find what `system conntrack ignore` takes out of tracking."""
    ignore = root.child("system", "conntrack", "ignore")
    for holder, family in (
        (ignore, Family.V4), (ignore.child("ipv4") if ignore else None, Family.V4),
        (ignore.child("ipv6") if ignore else None, Family.V6),
    ):  # fmt: skip
        for number, rule in holder.numbered("rule") if holder else ():
            where = f"system conntrack ignore rule {number}"
            sets.untracked.append(read_match(rule, family, where, sets.groups, sets.notes))
