"""A configuration as it is compared: sorted set commands, without comments and versions.

Boot file and set commands of one configuration give one text. Rules have numbers, so the order of lines has
no meaning in either. Descriptions of rules, rule sets, groups and NAT are what people read: no difference.
"""

from __future__ import annotations

from typing import Final

from fwguard.dialects.vyos.tree import Tree, quoted

READ_BY_PEOPLE: Final = frozenset(
    {"firewall", "nat", "nat66", "zone-policy", "policy", "protocols", "interfaces"}
)


def canonical(tree: Tree) -> str:
    """Return the text to compare."""
    lines = {_line(path) for path in tree.root.leaves()}
    return "".join(f"{line}\n" for line in sorted(line for line in lines if line))


def _line(path: tuple[str, ...]) -> str:
    if "description" in path[1:-1] and path[0] in READ_BY_PEOPLE and path[-2] == "description":
        path = path[:-2]  # what it describes is still there
    return "set " + " ".join(quoted(word) for word in path)
