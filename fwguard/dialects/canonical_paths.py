"""A tree of words as lines to compare: order kept only where it acts, what is inactive marked."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.config_tree import Node, quoted

MARK: Final = "inactive: "


def canonical_lines(root: Node, ordered: frozenset[str]) -> list[str]:
    """Return the paths of a tree as lines; children are sorted, except below the words given."""
    lines: list[str] = []
    waiting: list[tuple[Node, str]] = [(child, "") for child in _children(root, ordered)]
    while waiting:
        node, before = waiting.pop()
        said = f"{before}{MARK if node.inactive else ''}{quoted(node.word)}"
        if node.children:
            waiting.extend((child, f"{said} ") for child in _children(node, ordered))
        elif node.open < 0:  # a block of braces with nothing in it says nothing
            lines.append(said)
    return lines


def _children(node: Node, ordered: frozenset[str]) -> list[Node]:
    """Return the children last first, as a stack wants them."""
    children = list(node.children.values())
    if node.word not in ordered:
        children.sort(key=lambda child: child.word)
    return children[::-1]
