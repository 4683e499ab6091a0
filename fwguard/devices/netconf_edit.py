"""What to tell a NETCONF device so that its datastores become a text: whole subtrees, pure."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.rfc8519 import RFC8519, parse
from fwguard.dialects.rfc8519.names import TOPS
from fwguard.dialects.rfc8519.tree import BASE_NS, Node, parse_xml, show_xml

# Interfaces go first and come last: lists and routes refer to them, and a device checks each edit.
_OPERATION: Final = f"{{{BASE_NS}}}operation"
Key = tuple[str, str]


def differing_subtrees(before: str, after: str) -> dict[Key, Node | None]:
    """Return what each subtree that differs shall become; None is: go."""
    old, new = _by_key(before), _by_key(after)
    found: dict[Key, Node | None] = {}
    for key in TOPS:
        left, right = old.get(key), new.get(key)
        if _canonical(left) != _canonical(right):
            found[key] = right if right is not None and right.children else None
    return found


def _by_key(text: str) -> dict[Key, Node]:
    return {(node.module, node.name): node for node in parse(text)}


def _canonical(node: Node | None) -> str:
    return RFC8519.canonical(show_xml([node])) if node is not None else RFC8519.canonical(show_xml([]))


def edit_of(subtrees: dict[Key, Node | None]) -> str:
    """Return the `<config>` of an edit-config that replaces or removes each subtree whole.

    Whole, because netconfd cannot insert an entry before another (RFC 7950 section 7.8.6 `insert`).
    """
    nodes = []
    for (module, name), node in subtrees.items():
        attribute = ((_OPERATION, "replace" if node else "remove"),)
        nodes.append(
            Node(module=module, name=name, children=node.children if node else [], attributes=attribute)
        )
    return show_xml(nodes)


def whole_startup(reply: str, text: str) -> str:
    """Return the copy-config request that makes startup hold `text`, and of other modules what it held."""
    others = [node for node in parse_xml(reply) if (node.module, node.name) not in TOPS]
    config = show_xml([*(node for node in parse(text) if (node.module, node.name) in TOPS), *others])
    return (
        f'<copy-config xmlns="{BASE_NS}"><target><startup/></target><source>{config}</source></copy-config>'
    )
