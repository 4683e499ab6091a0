"""RFC 8519 access lists as chains: one base chain per interface and direction, one chain per list."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.rfc8519.matches import ANY_OF, read_matches
from fwguard.dialects.rfc8519.names import ACL, NO_DIFFERENCE
from fwguard.dialects.rfc8519.tree import Node
from fwguard.model.address import Family
from fwguard.model.policy import Action, Chain, Hook, InterfaceSet, Match, Rule, Unread

FAMILY_OF_TYPE: Final = {
    "": Family.BOTH,
    "ipv4-acl-type": Family.V4,
    "ipv6-acl-type": Family.V6,
    "mixed-eth-ipv4-acl-type": Family.V4,
    "mixed-eth-ipv6-acl-type": Family.V6,
    "mixed-eth-ipv4-ipv6-acl-type": Family.BOTH,
}
ACTIONS: Final = {"accept": Action.ACCEPT, "drop": Action.DROP, "reject": Action.REJECT}


class AclReader:
    """Reads `acls` into `chains`, `hooks` and `unread`.

    A packet is judged by the lists of its ingress interface in their order, then by those of its egress
    interface. An interface and direction with a list drops what no entry matches (RFC 8519 leaves that to
    the device; ours is the safe reading, and what our lab's device does); one without lets all pass.
    """

    def __init__(self) -> None:
        self.chains: dict[str, Chain] = {}
        self.hooks: dict[Hook, tuple[str, ...]] = {}
        self.unread: list[Unread] = []

    def read(self, acls: Node) -> None:
        """Read the whole subtree."""
        for node in acls.children:
            if node.name == "acl" and node.module == ACL:
                self._list(node)
            elif node.name != "attachment-points" or node.module != ACL:
                self._close_all(node, "not known under acls")
        ingress: list[str] = []
        egress: list[str] = []
        for points in acls.all("attachment-points"):
            for node in points.children:
                if node.name != "interface" or node.module != ACL:
                    self._close_all(node, "not known under attachment-points")
                    continue
                self._attach(node, ingress, egress)
        for hook, keys in ((Hook.FORWARD, ingress + egress), (Hook.INPUT, ingress), (Hook.OUTPUT, egress)):
            keys = [key for key in self.chains if key.startswith("unread:")] + keys
            if keys:
                self.hooks[hook] = tuple(keys)

    def _note(self, node: Node, why: str) -> str:
        """Keep what is not understood, and return its words for `Match.unknown`."""
        self.unread.append(Unread(line=node.line, text=node.words(), why=why))
        return node.words()

    def _close_all(self, node: Node, why: str) -> None:
        """Something that may change every verdict: a base chain whose one rule is unknown."""
        if (node.module, node.name) in NO_DIFFERENCE:
            return
        rule = Rule(
            matches=(Match(unknown=self._note(node, why)),),
            action=Action.UNKNOWN,
            line=node.line,
            text=node.words(),
        )
        key = f"unread:{node.line}:{len(self.chains)}"
        self.chains[key] = Chain(name=key, families=Family.BOTH, rules=(rule,), default=Action.ACCEPT)

    def _attach(self, node: Node, ingress: list[str], egress: list[str]) -> None:
        name = node.value("interface-id")
        for child in node.children:
            if child.module == ACL and child.name in ("ingress", "egress"):
                key = f"{child.name}:{name}"
                if key in self.chains:
                    self._close_all(child, "stands twice")
                    continue
                sets = [(s, child_set) for s in child.all("acl-sets") for child_set in s.children]
                rules = [self._jump(one, child.name, name) for _, one in sets]
                rules += [self._unknown(other, child.name, name) for other in child.children
                          if other.name != "acl-sets" or other.module != ACL]  # fmt: skip
                found = [rule for rule in rules if rule is not None]
                if not found:
                    continue
                match = _on(child.name, name)
                found.append(
                    Rule(matches=(match,), action=Action.DROP, line=child.line, text="no entry matches")
                )
                self.chains[key] = Chain(
                    name=key, families=Family.BOTH, rules=tuple(found), default=Action.ACCEPT,
                    default_line=child.line,
                )  # fmt: skip
                (ingress if child.name == "ingress" else egress).append(key)
            elif child.name != "interface-id" and (child.module, child.name) not in NO_DIFFERENCE:
                self._close_all(child, "not known under an interface")

    def _jump(self, one: Node, direction: str, interface: str) -> Rule | None:
        target = f"acl:{one.value('name')}"
        if one.module != ACL or one.name != "acl-set" or target not in self.chains:
            return self._unknown(one, direction, interface)
        others = [c for c in one.children if c.name != "name" and (c.module, c.name) not in NO_DIFFERENCE]
        if others:
            return self._unknown(others[0], direction, interface)
        return Rule(
            matches=(_on(direction, interface),), action=Action.JUMP, jump=target, line=one.line,
            text=f"{direction} {interface} acl-set {one.value('name')}",
        )  # fmt: skip

    def _unknown(self, node: Node, direction: str, interface: str) -> Rule:
        self._note(node, "no access list of this name, or not known here")
        return Rule(
            matches=(_on(direction, interface),), action=Action.UNKNOWN, line=node.line, text=node.words()
        )

    def _list(self, node: Node) -> None:
        name = node.value("name")
        key = f"acl:{name}"
        doubt = ""
        family = FAMILY_OF_TYPE.get(node.value("type"), Family.BOTH)
        entries: list[Node] = []
        for child in node.children:
            known = child.module == ACL
            if known and child.name == "aces":
                entries += child.children
            elif known and child.name == "type" and child.text not in FAMILY_OF_TYPE:
                doubt = self._note(child, "a type of list that is not about IP alone")
            elif not (known and child.name in ("name", "type")):
                doubt = self._note(child, "not known under acl")
        if key in self.chains:
            self._close_all(node, "a second list of this name")
            return
        seen: set[str] = set()
        rules = [self._entry(entry, family, doubt, seen) for entry in entries]
        self.chains[key] = Chain(name=key, families=family, rules=tuple(rules))

    def _entry(self, ace: Node, family: Family, doubt: str, seen: set[str]) -> Rule:
        name = ace.value("name")
        action = ACTIONS.get(ace.value("actions", "forwarding"), Action.UNKNOWN)
        matches: tuple[Match, ...] = (Match(source=ANY_OF[family], target=ANY_OF[family]),)
        if ace.module != ACL or ace.name != "ace" or name in seen:
            action, doubt = Action.UNKNOWN, self._note(ace, "no entry, or its name stands twice")
        elif action is Action.UNKNOWN:
            doubt = self._note(ace.child("actions") or ace, "expected accept, drop or reject")
        seen.add(name)
        for child in ace.children:
            if child.module == ACL and child.name == "matches":
                matches = read_matches(child, family, self._note)
            elif child.module == ACL and child.name == "actions":
                for deed in child.children:
                    if deed.module != ACL or deed.name not in ("forwarding", "logging"):
                        action = Action.UNKNOWN
                        self._note(deed, "an action that is not known")
            elif child.name != "name" and (child.module, child.name) not in NO_DIFFERENCE:
                doubt = self._note(child, "not known under ace")
        if doubt:
            matches = tuple(_doubted(match, doubt) for match in matches)
        return Rule(matches=matches, action=action, line=ace.line, text=ace.words(), comment=name)


def _on(direction: str, interface: str) -> Match:
    only = InterfaceSet.of(interface)
    return Match(ingress=only) if direction == "ingress" else Match(egress=only)


def _doubted(match: Match, doubt: str) -> Match:
    return Match(
        ingress=match.ingress, egress=match.egress, source=match.source, target=match.target,
        protocol=match.protocol, sport=match.sport, dport=match.dport, states=match.states,
        unknown="; ".join(filter(None, (match.unknown, doubt))),
    )  # fmt: skip
