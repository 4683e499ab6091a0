"""A configuration as it is compared: what is no difference is gone, what is one stays."""

from __future__ import annotations

import ipaddress

from fwguard.dialects.rfc8519.names import (
    ACL,
    ADDRESSES,
    DEFAULTS,
    NO_DIFFERENCE,
    NUMBERS,
    PREFIXES,
    TOPS,
    UNORDERED,
)
from fwguard.dialects.rfc8519.tree import Node, show_xml


def canonical(tops: list[Node]) -> str:
    """Write the tree as XML without whitespace, prefixes, descriptions, counters, defaults and order
    without meaning.

    ACEs and ACL sets keep their order (`ordered-by user`, RFC 8519 section 4.1); lists that nobody here
    knows keep theirs as well, since theirs may mean something.
    """
    order = {top: index for index, top in enumerate(TOPS)}
    kept = [_reduce(top) for top in tops]
    kept.sort(key=lambda node: (order.get((node.module, node.name), len(order)), node.module, node.name))
    return show_xml([node for node in kept if node.children or node.text or node.attributes])


def _reduce(node: Node) -> Node:
    children: list[Node] = []
    for child in node.children:
        if (child.module, child.name) in NO_DIFFERENCE:
            continue
        reduced = _reduce(child)
        if DEFAULTS.get((child.module, child.name)) == reduced.text and not reduced.children:
            continue
        if _empty_container(child, reduced):
            continue
        children.append(reduced)
    children.sort(key=lambda child: (child.module, child.name, _place(child)))
    return Node(
        module=node.module,
        name=node.name,
        text=_value(node),
        children=children,
        attributes=node.attributes,
    )


def _empty_container(before: Node, after: Node) -> bool:
    """Tell of a container that held only what is no difference (RFC 7950 section 7.5.1)."""
    return bool(before.children) and not after.children and (before.module, before.name) not in UNORDERED


def _place(node: Node) -> str:
    if (node.module, node.name) in UNORDERED:
        return show_xml([node])
    return ""  # the sort is stable: document order


def _value(node: Node) -> str:
    text = " ".join(node.text.split())
    try:
        if node.name in PREFIXES:
            return str(ipaddress.ip_network(text, strict=False))
        if node.name in ADDRESSES:
            return str(ipaddress.ip_address(text))
        if node.name in NUMBERS and text.isascii() and text.isdecimal():
            return str(int(text)) if len(text) < 20 else text
    except ValueError:
        return text
    if node.module == ACL and node.name == "flags":
        return " ".join(sorted(text.split()))
    return text
