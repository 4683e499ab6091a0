"""A Junos configuration as it is compared: set lines, the same for all three forms, order only where it acts.

Comments, layout and empty blocks are gone; groups stay as they are written, and what is inactive stays,
marked: it has no effect, but to activate it again would be a change.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.config_tree import Node, quoted
from fwguard.dialects.junos.reader import parse

# Below these words the order of entries acts.
ORDERED: Final = frozenset(
    {"policy", "rule", "term", "apply-groups", "input-list", "output-list", "import", "export",
     "authentication-order", "filter"}
)  # fmt: skip
MARK: Final = "inactive: "


def canonical(text: str) -> str:
    """Return the text to compare. Raises UnreadableError like reading does."""
    root, unread = parse(text)
    lines = canonical_lines(root, ORDERED)
    lines.extend(f"unread {one.text}" for one in unread)
    return "\n".join(lines) + ("\n" if lines else "")


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
