"""A Junos configuration as it is compared: set lines, the same for all three forms, order only where it acts.

Comments, layout and empty blocks are gone; groups stay as they are written, and what is inactive stays,
marked: it has no effect, but to activate it again would be a change.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.canonical_paths import canonical_lines
from fwguard.dialects.junos.reader import parse

# Below these words the order of entries acts.
ORDERED: Final = frozenset(
    {"policy", "rule", "term", "apply-groups", "input-list", "output-list", "import", "export",
     "authentication-order", "filter"}
)  # fmt: skip


def canonical(text: str) -> str:
    """Return the text to compare. Raises UnreadableError like reading does."""
    root, unread = parse(text)
    lines = canonical_lines(root, ORDERED)
    lines.extend(f"unread {one.text}" for one in unread)
    return "\n".join(lines) + ("\n" if lines else "")
