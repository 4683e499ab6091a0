"""Zones: `zone-policy zone` of 1.2 and 1.3, `firewall zone` of 1.4 and later.

A packet to an interface in a zone is judged by that zone: it passes from within the zone (unless
intra-zone filtering says otherwise), is sent to the rule set for the zone that it comes from, and else
meets the zone's default action. What leaves by an interface in no zone is not judged. The local zone
judges packets to and from the firewall itself. Source: template firewall/nftables-zone.j2 of vyos-1x.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.vyos.interfaces import Interface
from fwguard.dialects.vyos.rulesets import ACTIONS, FAMILIES, Rulesets, name_key, on, state_policy
from fwguard.dialects.vyos.tree import Node
from fwguard.model.address import Family
from fwguard.model.policy import Action, Chain, Hook, Match, Rule

KNOWN: Final = frozenset({
    "default-action", "description", "interface", "member", "local-zone", "from", "intra-zone-filtering",
    "enable-default-log", "default-log", "default-firewall",
})  # fmt: skip


@dataclass(slots=True)
class Zone:
    """One zone with the interfaces in it."""

    name: str
    node: Node
    members: tuple[str, ...]

    @property
    def is_local(self) -> bool:
        """Tell whether it stands for the firewall itself."""
        return "local-zone" in self.node.children

    def ruleset(self, source: str, family: str) -> Node | None:
        """Return the rule set for what comes from another zone."""
        word = "ipv6-name" if family == "ipv6" else "name"
        named = self.node.nodes("from", source, "firewall", word)
        return named[0] if named else None


def read_zones(root: Node, interfaces: list[Interface]) -> list[Zone]:
    """Return the zones of either layout."""
    zones: list[Zone] = []
    for node in (*root.nodes("zone-policy", "zone"), *root.nodes("firewall", "zone")):
        members = [*node.values("interface"), *node.values("member", "interface")]
        for vrf in node.values("member", "vrf"):
            members += [vrf, *(one.name for one in interfaces if one.node.value("vrf") == vrf)]
        zones.append(Zone(node.name, node, tuple(dict.fromkeys(members))))
    return zones


def add_zones(sets: Rulesets, root: Node, zones: list[Zone]) -> None:
    """Add a base chain for each hook and IP version, and a chain for each zone."""
    if not zones:
        return
    by_name = {zone.name: zone for zone in zones}
    firewall = root.child("firewall") or Node("firewall")
    for family, word in FAMILIES:
        builder = _Builder(sets, by_name, family, word)
        policy = state_policy(firewall)
        forward: list[Rule] = [*policy]
        for zone in zones:
            if not zone.is_local and zone.members:
                key = builder.forwarded(zone)
                forward.append(_jump(on(egress=zone.members), key, zone.node, f"to zone {zone.name}"))
        builder.base(f"{word} zones forward", Hook.FORWARD, forward)
        for zone in zones:
            if zone.is_local:
                jump = _jump(Match(), builder.incoming(zone), zone.node, "to the firewall")
                builder.base(f"{word} zones local", Hook.INPUT, [*policy, jump])
                jump = _jump(Match(), builder.outgoing(zone), zone.node, "from the firewall")
                builder.base(f"{word} zones output", Hook.OUTPUT, [*policy, jump])


class _Builder:
    def __init__(self, sets: Rulesets, zones: dict[str, Zone], family: Family, word: str) -> None:
        self.sets, self.zones, self.family, self.word = sets, zones, family, word

    def base(self, key: str, hook: Hook, rules: list[Rule]) -> None:
        chain = Chain(name=key, families=self.family, rules=tuple(rules), default=Action.ACCEPT)
        self.sets.base(key, (hook,), chain)

    def forwarded(self, zone: Zone) -> str:
        rules = self._within(zone)
        for source in zone.node.nodes("from"):
            other = self.zones.get(source.name)
            if other is not None and not other.is_local:
                rules += self._from(zone, other, source, on(ingress=other.members))
            elif other is None:
                rules.append(self._missing(source, f"zone {zone.name} from"))
        return self._chain(zone, "", rules)

    def incoming(self, zone: Zone) -> str:
        rules = [_return(on(ingress=("lo",)), zone.node, "loopback")]
        for source in zone.node.nodes("from"):
            other = self.zones.get(source.name)
            if other is None:
                rules.append(self._missing(source, f"zone {zone.name} from"))
            else:
                rules += self._from(zone, other, source, on(ingress=other.members))
        return self._chain(zone, " local", rules)

    def outgoing(self, zone: Zone) -> str:
        """What the firewall sends to another zone is judged by that zone's rules for the local zone."""
        rules = [_return(on(egress=("lo",)), zone.node, "loopback")]
        for other in self.zones.values():
            source = other.node.child("from", zone.name)
            if source is not None:
                rules += self._from(other, zone, source, on(egress=other.members))
        return self._chain(zone, " output", rules)

    def _within(self, zone: Zone) -> list[Rule]:
        inside = on(ingress=zone.members)
        filtering = zone.node.child("intra-zone-filtering")
        rules: list[Rule] = []
        if filtering is not None:
            word = "ipv6-name" if self.word == "ipv6" else "name"
            named = filtering.nodes("firewall", word)
            said = filtering.value("action")
            if said:
                action = ACTIONS.get(said, Action.UNKNOWN)
                action = Action.RETURN if action is Action.ACCEPT else action
                text = f"zone {zone.name} {filtering.words()}"
                rules.append(Rule(matches=(inside,), action=action, line=filtering.line, text=text))
            elif named:
                rules.append(self._to_ruleset(named[0], inside, f"within zone {zone.name}"))
        if rules and rules[-1].action is Action.GOTO:
            return rules
        return [*rules, _return(inside, zone.node, f"within zone {zone.name}")]

    def _from(self, zone: Zone, other: Zone, source: Node, match: Match) -> list[Rule]:
        """Go to the rule set and not come back: what it does not drop passes."""
        ruleset = zone.ruleset(other.name, self.word)
        if ruleset is None or (match.ingress.is_any and match.egress.is_any):
            return []
        words = f"from zone {other.name} to {zone.name}"
        jump = self._to_ruleset(ruleset, match, words)
        return [jump] if jump.action is Action.GOTO else [jump, _return(match, source, words)]

    def _to_ruleset(self, ruleset: Node, match: Match, words: str) -> Rule:
        key = name_key(self.word, ruleset.name)
        text = f"{words}: {ruleset.name}"
        if key not in self.sets.chains:
            why = self.sets.notes.add(ruleset, "no rule set of this name", where=words)
            return Rule(
                matches=(Match(ingress=match.ingress, egress=match.egress, unknown=why[:512]),),
                action=Action.UNKNOWN, line=ruleset.line, text=text,
            )  # fmt: skip
        return Rule(matches=(match,), action=Action.GOTO, jump=key, line=ruleset.line, text=text)

    def _missing(self, source: Node, where: str) -> Rule:
        why = self.sets.notes.add(source, "no zone of this name", where=where)
        return Rule(matches=(Match(unknown=why[:512]),), action=Action.UNKNOWN, line=source.line, text=where)

    def _chain(self, zone: Zone, suffix: str, rules: list[Rule]) -> str:
        for node in zone.node.children.values():
            if node.name not in KNOWN or node.name == "default-firewall":
                why = self.sets.notes.add(node, "not known in a zone", where=f"zone {zone.name}")
                unknown = Match(unknown=why[:512])
                rules.insert(
                    0, Rule(matches=(unknown,), action=Action.UNKNOWN, line=node.line, text=node.words())
                )
        said = zone.node.child("default-action")
        action = ACTIONS.get(zone.node.value("default-action"), Action.UNKNOWN) if said else Action.DROP
        if action is Action.UNKNOWN and said is not None:
            self.sets.notes.add(said, "expected drop or reject", where=f"zone {zone.name}")
        line = said.line if said else zone.node.line
        text = f"zone {zone.name} default-action {action.value}"
        key = f"{self.word} zone {zone.name}{suffix}"
        self.sets.chains[key] = Chain(
            name=key, families=self.family,
            rules=(*rules, Rule(matches=(Match(),), action=action, line=line, text=text)),
        )  # fmt: skip
        return key


def _jump(match: Match, key: str, node: Node, text: str) -> Rule:
    return Rule(matches=(match,), action=Action.JUMP, jump=key, line=node.line, text=text)


def _return(match: Match, node: Node, text: str) -> Rule:
    return Rule(matches=(match,), action=Action.RETURN, line=node.line, text=text)
