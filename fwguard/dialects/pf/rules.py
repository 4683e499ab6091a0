"""The rules of a file in the order of pf, whichever way they are written.

Three ways: `filter/rule` of both products, and `OPNsense/Firewall/Filter/rules/rule` of OPNsense 24 and later.
Order: floating rules, then those of interface groups, then those of one interface; in OPNsense the new
kind before the old within each. Source: `filter_rules_generate` of pfSense, `filter_configure_sync`,
`FilterRuleField` of OPNsense.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.pf.bounds import ANYWHERE, Addresses, union
from fwguard.dialects.pf.conditions import Conditions, Reader
from fwguard.dialects.pf.tree import Node
from fwguard.model.address import AddressSet
from fwguard.model.policy import Action, Match, Rule

ACTIONS: Final = {
    "pass": Action.ACCEPT, "block": Action.DROP, "reject": Action.REJECT, "match": Action.CONTINUE,
    "": Action.ACCEPT,
}  # fmt: skip
# Elements that are read by name, or that change nothing in who passes: labels, logs, queues, states.
SILENT: Final = frozenset({
    "type", "interface", "ipprotocol", "protocol", "source", "destination", "floating", "quick", "direction",
    "disabled", "tcpflags1", "tcpflags2", "tcpflags_any", "icmptype", "icmp6-type", "icmp6type", "id", "tracker",
    "descr", "created", "updated", "log", "statetype", "statetimeout", "associated-rule-id", "gateway", "tag",
    "defaultqueue", "ackqueue", "dnpipe", "pdnpipe", "allowopts", "nopfsync", "nosync", "disablereplyto",
    "reply-to", "replyto", "category", "categories", "set-prio", "set-prio-low", "source-track", "label", "seq",
    "state-policy", "statepolicy", "vlanprioset", "max-src-conn-rates", "udp-first", "udp-multiple", "udp-single",
    "adaptivestart", "adaptiveend", "overload", "shaper1", "shaper2", "sloppy", "username", "separator",
    "enabled", "action", "sequence", "sort_order", "prio_group", "interfacenot", "source_net", "source_not",
    "source_port", "destination_net", "destination_not", "destination_port", "description", "ridentifier",
    "tcpflags1_any", "srctrack", "uuid", "any",
})  # fmt: skip
# Conditions and limits that nobody can decide from the file.
UNDECIDED: Final = frozenset({
    "os", "dscp", "tos", "tagged", "sched", "vlanprio", "prio", "max", "max-src-nodes", "max-src-conn",
    "max-src-states", "max-src-conn-rate", "divert-to", "divert", "pflow",
})  # fmt: skip
LINK_LOCAL_V6: Final = AddressSet.parse("fe80::/10")
EMPTY: Final = frozenset({"", "none", "any"})


@dataclass(slots=True)
class PfRule:
    """One rule for both directions; `rank` sorts: class, sequence of the group, new before old."""

    node: Node
    inward: Rule | None
    outward: Rule | None
    quick: bool
    rank: tuple[int, int, int]
    is_new_kind: bool = False
    interfaces: tuple[str, ...] = ()


def read_rules(root: Node, reader: Reader) -> list[PfRule]:
    """Return every rule that is in use, in the order of pf."""
    found: list[PfRule] = []
    new = root.all("OPNsense", "Firewall", "Filter", "rules", "rule")
    for node in sorted(new, key=lambda node: node.number("sequence")):
        if not reader.is_off(node):
            found.append(_new_kind(node, reader))
    found += [_old_kind(node, reader) for node in root.all("filter", "rule") if not reader.is_off(node)]
    return sorted(found, key=lambda rule: rule.rank)


def _old_kind(node: Node, reader: Reader) -> PfRule:
    into = Conditions()
    reader.doubt_disabled(node, into)
    floating = node.has("floating") and node.value("floating") != "0"
    words = [word for word in node.value("interface").split(",") if word and word != "any"]
    if not words and not floating:
        into.unknown.append(reader.notes.add(node, "no interface"))
    reader.interface_set(node, words, into)
    _common(node, reader, into)
    into.source = _with_link_local(
        node.child("source"), words, reader.legacy_side(node, "source", into), reader
    )
    into.target = reader.legacy_side(node, "destination", into)
    into.sport = reader.ports(node, node.value("source", "port"), into)
    into.dport = reader.ports(node, node.value("destination", "port"), into)
    if reader.notes.is_opnsense:
        direction = node.value("direction") or "in"
        quick = node.value("quick") not in ("", "0") if node.has("quick") else not floating
    else:
        direction = (node.value("direction") or "any") if floating else "in"
        quick = not floating or node.has("quick")
    rank = (0, 0) if floating else reader.interfaces.rank(words[0] if words else "")
    action = node.value("type")
    return _made(node, reader, into, action, direction, quick, (*rank, 1), tuple(words))


def _with_link_local(side: Node | None, words: list[str], found: Addresses, reader: Reader) -> Addresses:
    """In OPNsense the network of a rule's own interface holds IPv6 link-local sources, too."""
    own = side is not None and reader.notes.is_opnsense and [side.value("network")] == words
    if not own or side is None or side.says("not"):
        return found
    return found | Addresses.exactly(LINK_LOCAL_V6)


def _new_kind(node: Node, reader: Reader) -> PfRule:
    into = Conditions()
    words = [word for word in node.value("interface").split(",") if word]
    reader.interface_set(node, words, into, negated=node.says("interfacenot"))
    _common(node, reader, into)
    into.source = _listed(node, "source", reader)
    if node.value("source_net") == node.value("interface") and not node.says("source_not"):
        into.source |= Addresses.exactly(LINK_LOCAL_V6)
    into.target = _listed(node, "destination", reader)
    into.sport = reader.ports(node, node.value("source_port"), into)
    into.dport = reader.ports(node, node.value("destination_port"), into)
    rank = reader.interfaces.rank(words[0]) if len(words) == 1 and not node.says("interfacenot") else (0, 0)
    made = _made(
        node, reader, into, node.value("action"), node.value("direction") or "in", node.value("quick") != "0",
        (*rank, 0), tuple(words),
    )  # fmt: skip
    made.is_new_kind = True
    return made


def _listed(node: Node, side: str, reader: Reader) -> Addresses:
    words = [word for word in node.value(f"{side}_net").split(",") if word]
    if not words or "any" in words:
        return ANYWHERE
    found = union(reader.aliases.word(word) for word in words)
    if found.missing:
        reader.notes.add(node, found.why)
    return found.negated() if node.says(f"{side}_not") else found


def _common(node: Node, reader: Reader, into: Conditions) -> None:
    reader.family(node, into)
    reader.protocol(node, into)
    reader.icmp(node, into)
    reader.flags(node, into)
    for child in node.children:
        if child.tag in SILENT:
            continue
        if child.tag in UNDECIDED:
            if child.text not in EMPTY:
                into.unknown.append(f"{child.tag} {child.text[:60]}")
        elif child.text or child.children:
            into.unknown.append(reader.notes.add(child, "a condition that is not known"))


def _made(
    node: Node,
    reader: Reader,
    into: Conditions,
    type_: str,
    direction: str,
    quick: bool,
    rank: tuple[int, int, int],
    words: tuple[str, ...],
) -> PfRule:
    action = ACTIONS.get(type_, Action.UNKNOWN)
    if action is Action.UNKNOWN:
        reader.notes.add(node, f"type {type_[:20]}")
    if direction not in ("in", "out", "any"):
        into.unknown.append(reader.notes.add(node, f"direction {direction[:20]}"))
        direction = "any"
    return PfRule(
        node,
        inward=_rule(node, action, into.matches()) if direction != "out" else None,
        outward=_rule(node, action, into.matches(out=True)) if direction != "in" else None,
        quick=quick,
        rank=rank,
        interfaces=words,
    )


def _rule(node: Node, action: Action, matches: tuple[Match, ...]) -> Rule:
    comment = node.value("descr") or node.value("description")
    return Rule(matches=matches, action=action, line=node.line, text=node.words(), comment=comment)
