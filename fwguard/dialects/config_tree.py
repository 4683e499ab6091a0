"""A configuration of nested names as a tree of words, whatever form it came in: set lines, braces, XML.

`set a b c` and `a { b c; }` are the same path of words. Several dialects share it; what a word means is
theirs to know.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from fwguard.errors import UnreadableError

MAX_CHARACTERS: Final = 32 << 20
MAX_WORD: Final = 64 << 10
MAX_DEPTH: Final = 64
MAX_NODES: Final = 1_500_000  # about 1 GiB; 100 000 rules
MAX_MENTIONS: Final = 3_000_000
MAX_SHOWN: Final = 300
_PLAIN: Final = re.compile(r"""[^\s"'\[\]{};#]+""")


@dataclass(slots=True, eq=False)
class Node:
    """One word, and what stands below it.

    `order` grows with every mention: of a value that is said twice the later one counts. `start`, `end`
    are where the statement that made the node stands in a text with braces, `open`, `close` where its
    braces are; -1 where there are none.
    """

    word: str
    line: int = 0
    order: int = 0
    children: dict[str, Node] = field(default_factory=dict)
    inactive: bool = False
    inherited: bool = False
    start: int = -1
    end: int = -1
    open: int = -1
    close: int = -1

    def at(self, *path: str) -> Node | None:
        """Return the node down a path of words."""
        node: Node | None = self
        for word in path:
            node = node.children.get(word) if node else None
        return node

    def below(self, *path: str) -> list[Node]:
        """Return the children of the node down a path, in order; none where there is no such node."""
        node = self.at(*path)
        return list(node.children.values()) if node else []

    def words(self, *path: str) -> list[str]:
        """Return the words of these children."""
        return [child.word for child in self.below(*path)]

    def value(self, *path: str) -> str:
        """Return the one word below a path: the last that was said, an inherited one only alone."""
        found = max(self.below(*path), key=lambda child: (not child.inherited, child.order), default=None)
        return found.word if found else ""

    def paths(self) -> Iterator[tuple[Node, ...]]:
        """Yield the way to every leaf below, in order."""
        waiting: list[tuple[Node, ...]] = [(child,) for child in reversed(self.children.values())]
        while waiting:
            way = waiting.pop()
            if way[-1].children:
                waiting.extend((*way, child) for child in reversed(way[-1].children.values()))
            else:
                yield way

    def text(self) -> str:
        """Say the node on one line with braces, bounded: for messages and for what cannot be read."""
        out: list[str] = []
        size = 0
        waiting: list[Node | str] = [self]
        while waiting and size <= MAX_SHOWN:
            item = waiting.pop()
            word = item if isinstance(item, str) else quoted(item.word)
            out.append(word)
            size += len(word) + 1
            if isinstance(item, Node) and item.children:
                several = len(item.children) > 1
                waiting.extend(["}"] if several else [])
                waiting.extend(reversed(item.children.values()))
                waiting.extend(["{"] if several else [])
        said = " ".join(out)
        return said if len(said) <= MAX_SHOWN else said[: MAX_SHOWN - 1] + "…"


def quoted(word: str) -> str:
    """Write a word so that it is read as one word."""
    if _PLAIN.fullmatch(word):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


@dataclass(slots=True)
class Grower:
    """Adds paths of words to a tree, and counts."""

    root: Node = field(default_factory=lambda: Node(""))
    nodes: int = 0
    mentions: int = 0

    def say(self, words: Iterable[str], line: int, below: Node | None = None) -> Node:
        """Return the node at the end of a path, made where it was not there yet."""
        node = below or self.root
        self.mentions += 1
        if self.mentions > MAX_MENTIONS:
            raise UnreadableError("too many statements", line=line, expected=f"at most {MAX_MENTIONS}")
        for depth, word in enumerate(words, 1):
            child = node.children.get(word)
            if child is None:
                self.nodes += 1
                if self.nodes > MAX_NODES or depth > MAX_DEPTH or len(word) > MAX_WORD:
                    raise UnreadableError(
                        "too many words, too deep, or too long a word", line=line,
                        expected=f"at most {MAX_NODES} statements, {MAX_DEPTH} words deep",
                    )  # fmt: skip
                child = node.children[word] = Node(word, line)
            child.order = self.mentions
            node = child
        return node


def check_text(text: str, expected: str) -> None:
    """Raise UnreadableError for what is no text of words at all: empty, binary, too large."""
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"{len(text)} characters", line=1, expected=f"at most {MAX_CHARACTERS}")
    place = text.find("\0")
    if place >= 0:
        raise UnreadableError("a NUL byte", line=text.count("\n", 0, place) + 1, expected=expected)
    if not text.strip():
        raise UnreadableError("an empty text", line=1, expected=expected)


def without_inactive(node: Node) -> None:
    """Take out everything that is there but switched off."""
    waiting = [node]
    while waiting:
        one = waiting.pop()
        one.children = {word: child for word, child in one.children.items() if not child.inactive}
        waiting.extend(one.children.values())
