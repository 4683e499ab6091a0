"""A file as it is compared: one line an element, without who changed it when, and what only people read.

The order of rules has a meaning, but not that of rules of different interfaces; the order of the elements in a
rule, of aliases, and of the parts of the file has none.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.pf.tree import Node

# Who, when, how it looks, counters; ids by which nothing is found.
NO_DIFFERENCE: Final = frozenset({
    "revision", "lastchange", "created", "updated", "separator", "widgets", "tracker", "rrddata", "wizardtemp",
    "already_run_config_upgrade", "trigger_initial_wizard", "sort_order", "prio_group", "dashboard",
})  # fmt: skip
# Words for people, where they are no name of anything.
WORDS: Final = frozenset({"descr", "description", "detail", "category", "categories", "color"})
DESCRIBED: Final = frozenset({"filter", "nat", "aliases", "staticroutes", "gateways", "Firewall", "Gateways"})
LISTS: Final = frozenset({"address", "content"})
INDENT: Final = " "


def canonical(root: Node) -> str:
    """Return the text to compare."""
    lines: list[str] = []
    for part in sorted(root.children, key=lambda node: node.tag):
        _show(part, 0, part.tag in DESCRIBED, lines)
    return "".join(f"{line}\n" for line in lines)


def _show(node: Node, depth: int, described: bool, lines: list[str]) -> None:
    if node.tag in NO_DIFFERENCE or (described and node.tag in WORDS):
        return
    described = described or node.tag in DESCRIBED
    text = " ".join(node.text.split())
    lines.append(f"{INDENT * depth}{node.tag}{'=' if text else ''}{text}")
    for child in _sorted(node):
        _show(child, depth + 1, described, lines)


def _sorted(node: Node) -> list[Node]:
    """Return the children by their tags; those of one tag in the order of the text, where it means anything."""
    if node.tag == "alias":
        return sorted((_sorted_list(child) for child in node.children), key=lambda child: child.tag)
    if node.tag in ("aliases", "alias_list"):
        return sorted(node.children, key=lambda child: (child.tag, child.value("name")))
    if node.tag == "filter":
        return sorted(node.children, key=lambda child: (child.tag, _place(child)))
    return sorted(node.children, key=lambda child: child.tag)


def _sorted_list(node: Node) -> Node:
    if node.tag not in LISTS:
        return node
    return Node(node.tag, node.line, text=" ".join(sorted(node.text.replace(",", " ").split())))


def _place(rule: Node) -> str:
    """Return the list in which a rule stands: only within it the order means something."""
    return "" if rule.has("floating") else rule.value("interface")
