"""Several statements said in one line: `protocol tcp destination-port 80` is two statements of one place.

Junos takes them so, and prints terms of applications so. They are taken apart where it matters. Source:
Junos CLI User Guide (configuration statements on one line).
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.dialects.junos.applications import READ
from fwguard.dialects.junos.nat import MATCHES as NAT_MATCHES
from fwguard.dialects.junos.policies import MATCHES, NARROWING

APPLICATION: Final = READ - {"term"}
POLICY: Final = frozenset({*MATCHES, *NARROWING})
FLAGS: Final = frozenset({"source-address-excluded", "destination-address-excluded"})


def take_apart(root: Node) -> None:
    """Lift statements that came to stand below the value of another one."""
    for top in [root, *root.below("groups")]:
        for application in top.below("applications", "application"):
            lift(application, APPLICATION)
            for term in application.below("term"):
                lift(term, APPLICATION)
        security = top.at("security") or Node("security")
        for policy in policies(security):
            match = policy.at("match")
            if match is not None:
                lift(match, POLICY)
        for kind in security.below("nat"):
            for rule_set in kind.below("rule-set"):
                for rule in rule_set.below("rule"):
                    match = rule.at("match")
                    if match is not None:
                        lift(match, NAT_MATCHES)


def policies(security: Node) -> list[Node]:
    """Return the nodes of all policies, of zone pairs and global."""
    found = security.below("policies", "global", "policy")
    for start in security.below("policies", "from-zone"):
        for end in start.below("to-zone"):
            found += end.below("policy")
    return found


def lift(node: Node, keys: frozenset[str]) -> None:
    """Move statements from below values to the node itself."""
    waiting = list(node.children.values())
    while waiting:
        statement = waiting.pop(0)
        if statement.word not in keys:
            continue
        values = [statement] if statement.word in FLAGS else list(statement.children.values())
        for value in values:
            for word in [word for word in value.children if word in keys]:
                lifted = value.children.pop(word)
                own = node.children.get(word)
                if own is None:
                    node.children[word] = lifted
                    waiting.append(lifted)
                else:
                    for child in lifted.children.values():
                        own.children.setdefault(child.word, child)
                    waiting.append(own)
