"""A VyOS configuration as a tree of words: boot file and `set` commands give the same one.

Neither form says which words are names of nodes and which are values, so every word is a node: the
boot file's `address 192.0.2.1/24` and `set … address '192.0.2.1/24'` are both address → 192.0.2.1/24.
Source: VyOS user guide, Configuration Overview.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from fwguard.errors import UnreadableError

MAX_CHARACTERS: Final = 16 << 20
MAX_DEPTH: Final = 48
MAX_NODES: Final = 400_000
MAX_WORDS: Final = 250
_SHOWN: Final = 200
_TOKEN: Final = re.compile(
    r"[ \t\r\f\v]+|(?P<newline>\n)"
    r'|"(?P<double>(?:[^"\\]|\\.)*)"(?!\S)|(?P<word>[^\s"\']\S*)|\'(?P<single>[^\']*)\'(?!\S)',
    re.DOTALL,
)
_SET_WORD: Final = re.compile(r"'([^']*)'|\"((?:[^\"\\]|\\.)*)\"|([^\s'\"]+)")
_BARE: Final = re.compile(r"[^\s'\"{}\\]+")


@dataclass(slots=True)
class Node:
    """One word. `line` is where it first stands; `end` where its block closes (set: where it last stands)."""

    name: str
    line: int = 0
    end: int = 0
    children: dict[str, Node] = field(default_factory=dict)

    def child(self, *path: str) -> Node | None:
        """Return the node down a path of words."""
        node: Node | None = self
        for word in path:
            node = node.children.get(word) if node else None
        return node

    def nodes(self, *path: str) -> list[Node]:
        """Return the children of the node down a path, in the order of the text; none if it is absent."""
        found = self.child(*path)
        return list(found.children.values()) if found else []

    def values(self, *path: str) -> list[str]:
        """Return the words below a path: the values of a leaf."""
        return [node.name for node in self.nodes(*path)]

    def value(self, *path: str) -> str:
        """Return the value of a leaf with one value, empty when it has none or several."""
        values = self.values(*path)
        return values[0] if len(values) == 1 else ""

    def numbered(self, *path: str) -> list[tuple[int, Node]]:
        """Return the rules below a path by their numbers; what is no number comes last, as -1."""
        pairs = [
            (int(node.name) if node.name.isascii() and node.name.isdecimal() else -1, node)
            for node in self.nodes(*path)
        ]
        return sorted(pairs, key=lambda pair: (pair[0] < 0, pair[0]))

    def leaves(self) -> Iterator[tuple[str, ...]]:
        """Yield the path of every word that has none below it, depth first, without recursion."""
        stack: list[tuple[tuple[str, ...], Node]] = [((), self)]
        while stack:
            path, node = stack.pop()
            if not node.children and path:
                yield path
            stack.extend(((*path, child.name), child) for child in reversed(node.children.values()))

    def words(self) -> str:
        """Say the node and all below on one line, bounded: for messages and for what is not read."""
        said: list[str] = []
        for path in self.leaves():
            said.append(" ".join(quoted(word) for word in path))
            if sum(map(len, said)) > _SHOWN:
                break
        text = f"{self.name} {'; '.join(said)}".strip()
        return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


@dataclass(slots=True)
class Tree:
    """A whole configuration: `is_set` tells the form; `lines` is the text."""

    root: Node
    lines: list[str]
    is_set: bool
    footer: str = ""  # the comment that tells versions


def quoted(word: str) -> str:
    """Write one word, in quotes where it needs them."""
    if _BARE.fullmatch(word):
        return word
    return f"'{word}'" if "'" not in word else '"' + re.sub(r'(["\\])', r"\\\1", word) + '"'


def parse(text: str) -> Tree:
    """Read either form. Raises UnreadableError with the line for half files, binary, and other texts."""
    if len(text) > MAX_CHARACTERS:
        raise UnreadableError(f"{len(text)} characters", line=1, expected=f"at most {MAX_CHARACTERS}")
    at = text.find("\x00")
    if at >= 0:
        raise UnreadableError("a NUL character", line=text.count("\n", 0, at) + 1, expected="text")
    lines = text.split("\n")
    first = next((line for line in lines if line.strip() and not line.lstrip().startswith(("#", "/*"))), "")
    if not first:
        raise UnreadableError("an empty text", line=1, expected="a boot file or set commands of VyOS")
    is_set = first.lstrip().startswith("set ")
    tree = Tree(Node(""), lines, is_set)
    if is_set:
        _parse_set(tree)
    else:
        _parse_boot(text, tree)
    return tree


class _Grower:
    """Adds words to a tree within the bounds."""

    def __init__(self) -> None:
        self.count = 0

    def down(self, node: Node, word: str, line: int) -> Node:
        child = node.children.get(word)
        if child is None:
            self.count += 1
            if self.count > MAX_NODES:
                raise UnreadableError("too many nodes", line=line, expected=f"at most {MAX_NODES}")
            child = node.children[word] = Node(word, line, line)
        return child


def _parse_set(tree: Tree) -> None:
    grower = _Grower()
    for number, raw in enumerate(tree.lines, 1):
        line = raw.strip()
        if not line or line.startswith(("#", "/*", "//")):
            if "config-version" in line or "Release version" in line:
                tree.footer += line + "\n"
            continue
        words = set_words(line, number)
        if words[0] != "set" or len(words) < 2:
            raise UnreadableError(f"{line[:60]!r}", line=number, expected="only lines that begin with set")
        if len(words) > MAX_DEPTH:
            raise UnreadableError(f"{len(words)} words", line=number, expected=f"at most {MAX_DEPTH}")
        node = tree.root
        for word in words[1:]:
            child = node.children.get(word)
            node = child if child is not None else grower.down(node, word, number)
            node.end = number


def set_words(line: str, number: int) -> list[str]:
    """Split a set command; quotes may stand inside a word. Raises UnreadableError."""
    if '"' not in line:  # as VyOS writes it: no quotes, or a quoted value at the end
        head, quote, tail = line.partition("'")
        if not quote:
            words = line.split(None, MAX_WORDS)
            if len(words) <= MAX_WORDS:
                return words
        elif head[-1:].isspace() and tail[-1:] == "'" and tail.count("'") == 1 and len(head) < MAX_WORDS:
            return [*head.split(), tail[:-1]]
    words = []
    place, joined = 0, False
    while place < len(line):
        if line[place].isspace():
            place, joined = place + 1, False
            continue
        match = _SET_WORD.match(line, place)
        if match is None:
            raise UnreadableError("a quote without its end", line=number, expected="'value'")
        single, double, bare = match.groups()
        word = single if single is not None else bare if bare is not None else _unescaped(double)
        if joined:
            words[-1] += word
        else:
            words.append(word)
        place, joined = match.end(), True
        if len(words) > MAX_WORDS:
            raise UnreadableError("very many words", line=number, expected=f"at most {MAX_DEPTH}")
    return words


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _parse_boot(text: str, tree: Tree) -> None:
    grower = _Grower()
    stack: list[tuple[Node, list[Node]]] = [(tree.root, [])]
    words: list[str] = []
    started = line = 1
    place = 0

    def leaf() -> None:
        if len(words) > 2:
            raise UnreadableError(
                f"{' '.join(words)[:60]!r}", line=started, expected="a name, or a name and one value"
            )
        node = stack[-1][0]
        for word in words:
            node = grower.down(node, word, started)
        words.clear()

    while place < len(text):
        if not words and text.startswith("//", place):
            end = text.find("\n", place)
            end = len(text) if end < 0 else end
            tree.footer += text[place:end] + "\n"
            place = end
            continue
        if text.startswith("/*", place):
            end = text.find("*/", place) + 2
            if end == 1:
                raise UnreadableError("a comment without its end", line=line, expected="*/")
            tree.footer += text[place:end] + "\n" if "version" in text[place:end] else ""
            line += text.count("\n", place, end)
            place = end
            continue
        match = _TOKEN.match(text, place)
        if match is None:
            raise UnreadableError(
                f"{text[place : place + 20]!r}", line=line, expected="a word, or a value between quotes"
            )
        token, kind, place = match[0], match.lastgroup, match.end()
        if kind == "newline":
            leaf()
        elif kind == "word" and match[0] == "{":
            if not words or len(words) > 2:
                raise UnreadableError("a brace after no name", line=line, expected="name { or name value {")
            if len(stack) > MAX_DEPTH:
                raise UnreadableError("blocks nest too deep", line=line, expected=f"at most {MAX_DEPTH}")
            opened, node = [], stack[-1][0]
            for word in words:
                node = grower.down(node, word, started)
                opened.append(node)
            words.clear()
            stack.append((node, opened))
        elif kind == "word" and match[0] == "}":
            leaf()
            if len(stack) == 1:
                raise UnreadableError("a closing brace without its block", line=line, expected="name {")
            stack.pop()[1][-1].end = line
        elif kind is not None:
            if not words:
                started = line
            value = match["double"] if kind == "double" else match["single"] if kind == "single" else token
            words.append(_unescaped(value) if kind == "double" else value)
        line += token.count("\n")
    leaf()
    if len(stack) > 1:
        raise UnreadableError(
            f"the block {stack[-1][0].name[:40]!r} of line {stack[-1][0].line} does not end: half a file?",
            line=text.rstrip().count("\n") + 1, expected="}",
        )  # fmt: skip
