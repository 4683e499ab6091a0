"""Security rules: an ordered list, then the two defaults: within a zone allowed, between zones denied.

Rules see a packet before any NAT, with the zone that it leaves by after NAT. `deny`, `drop` and the resets
all block. Applications, users, URL categories, device posture and schedules are not in a first packet:
a rule that asks for them is unknown. Security profiles judge the payload of what was let in. Source:
PAN-OS Administrator's Guide, "Security Policy".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from fwguard.dialects.bounds import ALL_ADDRESSES, Addresses, Way, join, matches
from fwguard.dialects.config_tree import Node
from fwguard.dialects.panos.firewalls import ANY, Base, Firewall
from fwguard.dialects.unread import Notes
from fwguard.model.policy import Action, InterfaceSet, Match, Rule

ACTIONS: Final = {
    "allow": Action.ACCEPT, "deny": Action.DROP, "drop": Action.DROP, "reset-client": Action.REJECT,
    "reset-server": Action.REJECT, "reset-both": Action.REJECT,
}  # fmt: skip
MANDATORY: Final = ("from", "to", "source", "destination", "application", "service")
# Conditions; `any` asks for nothing.
NARROWING: Final = (
    "source-user", "category", "hip-profiles", "source-hip", "destination-hip", "source-device",
    "destination-device", "source-imsi", "source-imei", "source-nw-slice",
)  # fmt: skip
SILENT: Final = frozenset(
    {*MANDATORY, *NARROWING, "action", "disabled", "rule-type", "negate-source", "negate-destination", "description",
     "tag", "group-tag", "log-start", "log-end", "log-setting", "profile-setting", "option", "qos", "icmp-unreachable",
     "uuid", "schedule", "target", "disable-inspect", "loc", "source-application", "disable-server-response-inspection"}
)  # fmt: skip
INTRAZONE: Final = "intrazone-default"
INTERZONE: Final = "interzone-default"


@dataclass(frozen=True, slots=True)
class Entry:
    """One rule, where it stands, and what it is in the model."""

    base: Base
    node: Node
    rule: Rule


class Security:
    """The security rules of one firewall."""

    def __init__(self, firewall: Firewall, notes: Notes) -> None:
        self.firewall = firewall
        self.notes = notes
        self.entries = [
            Entry(base, node, self._rule(base, node))
            for base in firewall.bases
            for node in base.rules("security")
        ]

    def defaults(self) -> tuple[Action, int, Action, int]:
        """Return what happens within a zone and between zones, each with the line that says so (0: none)."""
        said = {INTRAZONE: (Action.ACCEPT, 0), INTERZONE: (Action.DROP, 0)}
        for base in self.firewall.bases:
            for rule in base.node.below("default-security-rules", "rules"):
                action = ACTIONS.get(rule.value("action"))
                if rule.word in said and action is not None:
                    said[rule.word] = (action, rule.line)
        return (*said[INTRAZONE], *said[INTERZONE])

    def _rule(self, base: Base, node: Node) -> Rule:
        unknown = join(self._lacking(node), self._narrowing(node))
        source = self._addresses(base, node, "source")
        target = self._addresses(base, node, "destination")
        services = base.objects.services(node.below("service"), node.below("application"))
        action = ACTIONS.get(node.value("action"), Action.UNKNOWN)
        if action is Action.UNKNOWN:
            self.notes.node(node, f"action {node.value('action')[:40] or 'is not said'}")
        return Rule(
            matches=matches(self._ways(node), source, target, services, unknown),
            action=action, line=node.line, text=f"{base.where} rule {node.text()}"[:400],
            comment=node.value("description"),
        )  # fmt: skip

    def _addresses(self, base: Base, node: Node, word: str) -> Addresses:
        members = node.below(word)
        found = base.objects.addresses(members) if members else ALL_ADDRESSES
        return found.inverted() if node.value(f"negate-{word}") == "yes" else found

    def _ways(self, node: Node) -> Sequence[Way]:
        starts, ends = node.words("from") or [ANY], node.words("to") or [ANY]
        kind = node.value("rule-type") or "universal"
        if kind == "universal":
            return [(self.firewall.zone_set(starts), self.firewall.zone_set(ends))]
        own = self.firewall.names()
        listed = own if ANY in starts else [self.firewall.zones.get(word, word) for word in starts]
        if kind == "intrazone":
            allowed = own if ANY in ends else [self.firewall.zones.get(word, word) for word in ends]
            return [(InterfaceSet.of(zone), InterfaceSet.of(zone)) for zone in listed if zone in allowed]
        if kind != "interzone":
            self.notes.node(node, f"rule-type {kind[:40]}")
            return [(self.firewall.zone_set(starts), self.firewall.zone_set(ends))]
        ways: list[Way] = []
        for zone in listed:
            reached = self.firewall.zone_set(ends)
            if reached.is_any:
                ways.append((InterfaceSet.of(zone), InterfaceSet.all_but(zone)))
            elif others := [name for name in sorted(reached.names) if name != zone]:
                ways.append((InterfaceSet.of(zone), InterfaceSet.of(*others)))
        return ways

    def _lacking(self, node: Node) -> str:
        """Commit refuses a rule without these: a text that has one is not whole."""
        absent = [word for word in MANDATORY if not node.below(word)]
        if not absent or (absent == ["to"] and node.value("rule-type") == "intrazone"):
            return ""
        return self.notes.node(node, f"the rule says no {' and no '.join(absent)}")

    def _narrowing(self, node: Node) -> str:
        whys = []
        for word in NARROWING:
            asked = node.words(word)
            if asked and ANY not in asked:
                whys.append(f"{word} {', '.join(asked)}"[:120])
        if node.value("schedule"):
            whys.append(f"only at the times of {node.value('schedule')[:60]}")
        if node.words("target", "devices") or node.value("target", "negate") == "yes":
            whys.append("only on some devices")
        for child in node.children.values():
            if child.word not in SILENT and not child.word.startswith("saas-"):
                whys.append(self.notes.node(child, "not understood in a rule"))
        return join(*whys)


def within_zones(firewall: Firewall, action: Action, line: int) -> Rule:
    """Return the default for packets that stay in their zone."""
    return Rule(
        matches=tuple(
            Match(ingress=InterfaceSet.of(zone), egress=InterfaceSet.of(zone)) for zone in firewall.names()
        ),
        action=action, line=line, text=f"default-security-rules {INTRAZONE}",
    )  # fmt: skip


def outside(firewall: Firewall) -> Rule:
    """Return what lets packets pass on that do not touch a virtual system at all."""
    others = InterfaceSet.all_but(*firewall.names())
    return Rule(
        matches=(Match(ingress=others, egress=others),), action=Action.ACCEPT, line=0,
        text=f"not of {firewall.name}",
    )  # fmt: skip
