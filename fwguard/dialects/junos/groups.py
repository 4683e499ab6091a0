"""`apply-groups`: what a configuration inherits from its groups, written out.

A value of the configuration itself counts before an inherited one, the first group named before the
next, and of lists all values are inherited, the inherited ones standing first. Source: Junos CLI User
Guide, "Configuration Groups" (inheritance, wildcards, apply-groups-except).
"""

from __future__ import annotations

import fnmatch
from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.errors import UnreadableError
from fwguard.model.policy import Unread

MAX_COPIED: Final = 500_000
MAX_DEPTH: Final = 64
WORDS: Final = ("apply-groups", "apply-groups-except", "apply-flags")
# Groups that exist without being written: defaults, and what only one routing engine or node applies.
BUILT_IN: Final = ("junos-defaults", "junos-host")


def inherit(root: Node) -> list[Unread]:
    """Write inherited statements into the tree, and take `groups` and `apply-groups` out of it.

    Returns what could not be followed: a group that is not there, or that applies only sometimes.
    """
    groups = root.children.pop("groups", Node("groups"))
    inheriting = _Inheriting(groups)
    inheriting.into(root, ())
    for name, node in groups.children.items():
        if "when" in node.children and name in inheriting.used:
            inheriting.unread.append(
                Unread(line=node.children["when"].line, text=node.children["when"].text(),
                       why=f"group {name} applies only then")
            )  # fmt: skip
    return inheriting.unread


class _Inheriting:
    def __init__(self, groups: Node) -> None:
        self.groups = groups
        self.unread: list[Unread] = []
        self.used: set[str] = set()
        self.copied = 0

    def into(self, node: Node, path: tuple[str, ...]) -> None:
        """Inherit into a node what is applied there, then into what stands below it."""
        if len(path) > MAX_DEPTH:
            raise UnreadableError("groups nest too deep", line=node.line, expected=f"depth {MAX_DEPTH}")
        named = list(node.words("apply-groups"))
        line = node.children["apply-groups"].line if named else 0
        for word in WORDS:
            node.children.pop(word, None)
        own = list(node.children.values())
        for name in named:
            group = self.groups.children.get(name)
            if group is not None:
                self.used.add(name)
                for source in _places(group, path):
                    self._merge(name, source, node)
            elif group is None and name not in BUILT_IN and not name.startswith(("node", "re", "$")):
                self.unread.append(Unread(line=line, text=f"apply-groups {name}", why="no such group"))
        inherited = {word: child for word, child in node.children.items() if child.inherited}
        if inherited:
            node.children = {**inherited, **{child.word: child for child in own}}
        for child in own:
            if child.children:
                self.into(child, (*path, child.word))

    def _merge(self, name: str, source: Node, target: Node) -> None:
        if name in target.words("apply-groups-except"):
            return
        for word, child in source.children.items():
            if word in WORDS or word == "when" or child.inactive:
                continue
            if word.startswith("<") and word.endswith(">"):
                for own in [one for one in target.children.values() if _is_pattern(word, one.word)]:
                    self._merge(name, child, own)
                continue
            existing = target.children.get(word)
            if existing is None:
                self.copied += 1
                if self.copied > MAX_COPIED:
                    raise UnreadableError(
                        "groups are inherited without end", line=source.line, expected="fewer"
                    )
                existing = Node(word, child.line, child.order, inherited=True)
                target.children[word] = existing
            self._merge(name, child, existing)


def _places(group: Node, path: tuple[str, ...]) -> list[Node]:
    """Return the places in a group that speak of a path: a group starts at the top of everything."""
    found = [group]
    for word in path:
        found = [
            child
            for one in found
            for child in one.children.values()
            if child.word == word or _is_pattern(child.word, word)
        ]
    return found


def _is_pattern(pattern: str, word: str) -> bool:
    return pattern.startswith("<") and pattern.endswith(">") and fnmatch.fnmatchcase(word, pattern[1:-1])
