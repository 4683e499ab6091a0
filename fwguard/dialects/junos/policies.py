"""Security policies: of zone pairs, then global ones, then the default; each an ordered list.

Policies see a packet after static and destination NAT and before source NAT, as the model does. Between
two interfaces of one zone a policy is needed too. Profiles that look into the payload (IDP, UTM, SSL
proxy…) judge a connection that was let in, not its first packet. Source: Junos Security User Guide,
"Configuring Security Policies", "Global Policies", "Understanding Self-Traffic".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.bounds import ALL_ADDRESSES, ALL_SERVICES, Addresses, join, matches
from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos.addresses import AddressBooks
from fwguard.dialects.junos.applications import Applications
from fwguard.dialects.unread import Notes
from fwguard.model.policy import ANY_INTERFACE, Action, InterfaceSet, Rule

HOST: Final = "junos-host"
ANY_ZONE: Final = "any"
ACTIONS: Final = {"permit": Action.ACCEPT, "deny": Action.DROP, "reject": Action.REJECT}
DEFAULTS: Final = {"permit-all": Action.ACCEPT, "deny-all": Action.DROP, "reject-all": Action.REJECT}
MATCHES: Final = frozenset(
    {"source-address", "destination-address", "application", "source-address-excluded",
     "destination-address-excluded", "from-zone", "to-zone"}
)  # fmt: skip
# Conditions on who, what and when; these values ask for nothing.
NARROWING: Final = ("dynamic-application", "url-category", "source-identity", "source-end-user-profile")
ASKS_NOTHING: Final = ("any", "none")
# What may stand below `permit` without narrowing it.
PERMITTED: Final = frozenset(
    {"application-services", "tcp-options", "tunnel", "services-offload", "no-services-offload"}
)
# Services of a permitting policy that decide by user or by application.
DECIDING: Final = ("uac-policy", "application-firewall")
SILENT: Final = frozenset({"match", "then", "description", "scheduler-name"})
SILENT_THEN: Final = frozenset({*ACTIONS, "log", "count"})
MANDATORY: Final = ("source-address", "destination-address", "application")


@dataclass(frozen=True, slots=True)
class Entry:
    """One policy: where it stands (both empty: global), its node, and the rule that it is."""

    from_zone: str
    to_zone: str
    node: Node
    rule: Rule

    @property
    def is_global(self) -> bool:
        """Tell global policies from those of a zone pair."""
        return not self.from_zone


class Policies:
    """Reads `security policies`."""

    def __init__(self, root: Node, books: AddressBooks, applications: Applications, notes: Notes) -> None:
        self.node = root.at("security", "policies") or Node("policies")
        self.books = books
        self.applications = applications
        self.notes = notes
        self.entries: list[Entry] = []
        for start in self.node.below("from-zone"):
            for end in start.below("to-zone"):
                for policy in end.below("policy"):
                    self._read(start.word, end.word, policy)
        for policy in self.node.below("global", "policy"):
            self._read("", "", policy)

    @property
    def default(self) -> tuple[Action, int]:
        """Return what happens to what no policy matches, and the line that says so (0: none does)."""
        for child in self.node.below("default-policy"):
            if child.word in DEFAULTS:
                return DEFAULTS[child.word], child.line
            self.notes.node(child, "no default that is known")
            return Action.UNKNOWN, child.line
        return Action.DROP, 0

    def _read(self, from_zone: str, to_zone: str, policy: Node) -> None:
        match = policy.at("match") or Node("match")
        where = f"from-zone {from_zone} to-zone {to_zone} " if from_zone else "global "
        starts = [from_zone] if from_zone else match.words("from-zone")
        ends = [to_zone] if from_zone else match.words("to-zone")
        own = (starts, ends) if from_zone else ([], [])
        source = self._addresses(match, "source-address", own[0])
        target = self._addresses(match, "destination-address", own[1])
        asked = match.below("application")
        services = self.applications.union(asked) if asked else ALL_SERVICES
        unknown = join(self._lacking(policy, match), self._narrowing(policy, match))
        action, narrowed = self._then(policy)
        rule = Rule(
            matches=matches(
                [(_zones(starts), _zones(ends))], source, target, services, join(unknown, narrowed)
            ),
            action=action,
            line=policy.line,
            text=(where + "policy " + policy.text())[:400],
            comment=policy.value("description"),
        )
        self.entries.append(Entry(from_zone, to_zone, policy, rule))

    def _addresses(self, match: Node, word: str, zones: list[str]) -> Addresses:
        names = match.below(word)
        found = self.books.union(names, zones) if names else ALL_ADDRESSES
        if f"{word}-excluded" in match.children:
            return found.inverted()
        return found

    def _lacking(self, policy: Node, match: Node) -> str:
        """A policy without these is refused by commit: a text that has one is not whole."""
        absent = [word for word in MANDATORY if not match.below(word)]
        if not absent:
            return ""
        why = f"match says no {' and no '.join(absent)}"
        if "dynamic-application" in match.children and absent == ["application"]:
            return ""
        return self.notes.node(policy, why)

    def _narrowing(self, policy: Node, match: Node) -> str:
        whys = []
        for word in NARROWING:
            asked = [node for node in match.below(word) if node.word not in ASKS_NOTHING]
            if asked and not any(node.word == "any" for node in match.below(word)):
                whys.append(f"{word} {', '.join(node.word for node in asked)}"[:120])
        if policy.value("scheduler-name"):
            whys.append(f"only at the times of {policy.value('scheduler-name')}")
        for child in match.children.values():
            if child.word not in MATCHES and child.word not in NARROWING:
                whys.append(self.notes.node(child, "a condition that is not understood"))
        for child in policy.children.values():
            if child.word not in SILENT:
                whys.append(self.notes.node(child, "not understood in a policy"))
        return join(*whys)

    def _then(self, policy: Node) -> tuple[Action, str]:
        then = policy.at("then") or Node("then")
        said = [word for word in ACTIONS if word in then.children]
        whys = [
            self.notes.node(child, "an action that is not understood")
            for child in then.children.values()
            if child.word not in SILENT_THEN
        ]
        if len(said) != 1:
            self.notes.node(policy, "then says neither permit, deny nor reject, or more than one")
            return Action.UNKNOWN, join(*whys)
        permit = then.at("permit")
        for child in permit.children.values() if permit is not None else ():
            if child.word == "firewall-authentication":
                whys.append("only for whom the firewall has authenticated")
            elif child.word == "destination-address":
                whys.append(f"only where the destination is {' '.join(child.words())[:60]}")
            elif child.word not in PERMITTED:
                whys.append(self.notes.node(child, "not understood below permit"))
            for service in child.children.values():
                if service.word in DECIDING:
                    whys.append(f"{service.word} {' '.join(service.words())}"[:100])
        return ACTIONS[said[0]], join(*whys)


def _zones(names: list[str]) -> InterfaceSet:
    return ANY_INTERFACE if not names or ANY_ZONE in names else InterfaceSet.of(*names)
