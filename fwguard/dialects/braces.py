"""Configurations written with braces: `name value;` and `name { … }`, as `show` prints them.

Every node remembers where its statement stands, so that a change can be put into the text. Source: Junos
CLI User Guide (configuration statement syntax).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.config_tree import MAX_DEPTH, Grower, Node, check_text
from fwguard.errors import UnreadableError

_TOKEN: Final = re.compile(
    r"""
    (?P<skip> [ \t\r\n]+ | \#[^\n]* | /\*.*?\*/ )
    | "(?P<quoted> (?: [^"\\] | \\. )* )"
    | (?P<mark> [{};] )
    | (?P<word> [^\s{};"]+ )
    | (?P<bad> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t"}
MAX_OPEN_COMMENTS: Final = 100  # each is searched to the end of the text
MAX_TOKENS: Final = 12_000_000
PREFIXES: Final = {"inactive:": True, "protect:": False, "replace:": False}


@dataclass(slots=True)
class _Block:
    nodes: list[Node]
    line: int


@dataclass(slots=True)
class _Reader:
    text: str
    expected: str
    grower: Grower = field(default_factory=Grower)
    stack: list[_Block] = field(default_factory=list)
    words: list[str] = field(default_factory=list)
    values: list[str] | None = None
    inactive: bool = False
    start: int = -1
    line: int = 1
    counted: int = 0

    def run(self) -> Node:
        self.stack.append(_Block([self.grower.root], 1))
        for count, match in enumerate(_TOKEN.finditer(self.text)):
            kind = match.lastgroup
            if count > MAX_TOKENS:
                raise UnreadableError("too many words", line=self.line, expected=f"at most {MAX_TOKENS}")
            if kind == "skip":
                continue
            if self.start < 0:
                self._begin(match.start())
            if kind == "quoted":
                self._word(_ESCAPE.sub(lambda it: _ESCAPED.get(it[1], it[1]), match["quoted"]))
            elif kind == "word":
                self._bare(match["word"])
            elif kind == "bad":
                raise UnreadableError("a quotation without end", line=self._at(match.start()), expected='"')
            elif match["mark"] == ";":
                self._statement(match.end())
            elif match["mark"] == "{":
                self._open(match.start())
            else:
                self._close(match.start())
        if len(self.stack) > 1:
            raise UnreadableError("a block without end", line=self.stack[-1].line, expected="}")
        if self.words or self.values is not None:
            raise UnreadableError("a statement without end", line=self.line, expected=self.expected)
        return self.grower.root

    def _at(self, place: int) -> int:
        return self.text.count("\n", 0, place) + 1

    def _begin(self, place: int) -> None:
        self.line += self.text.count("\n", self.counted, place)
        self.counted = self.start = place

    def _bare(self, word: str) -> None:
        if not self.words and word in PREFIXES:
            self.inactive = self.inactive or PREFIXES[word]
            return
        if self.values is None and word.startswith("[") and (len(word) == 1 or "]" not in word[1:-1]):
            self.values = []
            word = word[1:]
        if self.values is not None and word.endswith("]"):
            if word[:-1]:
                self.values.append(word[:-1])
            self._word("]")
        elif word:
            self._word(word)

    def _word(self, word: str) -> None:
        if self.values is None:
            self.words.append(word)
        elif word != "]":
            self.values.append(word)

    def _said(self) -> list[Node]:
        """Return the nodes of the statement that ends here: one for each value of a list."""
        parent = self.stack[-1].nodes
        ways = [[*self.words, value] for value in self.values] if self.values else [self.words]
        nodes = [self.grower.say(way, self.line, one) for one in parent for way in ways]
        for node in nodes:
            if self.inactive:
                node.inactive = True
        return nodes

    def _mark(self, nodes: list[Node], end: int) -> None:
        """Remember where the statement stands, at each of its words that had no place yet."""
        for parent in self.stack[-1].nodes:
            node: Node | None = parent
            for word in self.words:
                node = node.children.get(word) if node else None
                if node is not None and node.start < 0:
                    node.start, node.end = self.start, end
        for node in nodes:
            if node.start < 0:
                node.start, node.end = self.start, end

    def _statement(self, end: int) -> None:
        if self.words:
            self._mark(self._said(), end)
        self._reset()

    def _open(self, place: int) -> None:
        if not self.words:
            raise UnreadableError("a block without a name", line=self.line, expected=self.expected)
        if len(self.stack) > MAX_DEPTH:
            raise UnreadableError("blocks nest too deep", line=self.line, expected=f"depth {MAX_DEPTH}")
        nodes = self._said()
        self._mark(nodes, -1)
        for node in nodes:
            if node.open < 0:
                node.open = place + 1
        self.stack.append(_Block(nodes, self.line))
        self._reset()

    def _close(self, place: int) -> None:
        if self.words or len(self.stack) == 1:
            expected = ";" if self.words else self.expected
            raise UnreadableError("a } that closes nothing", line=self.line, expected=expected)
        for node in self.stack.pop().nodes:
            if node.close < 0:
                node.close = place
            if node.end < 0:
                node.end = place + 1
        self._reset()

    def _reset(self) -> None:
        self.words, self.values, self.inactive, self.start = [], None, False, -1


def read_braces(text: str, expected: str) -> Node:
    """Return the tree of a text with braces. Raises UnreadableError with the line for half files."""
    check_text(text, expected)
    opened = text.count("/*", text.rfind("*/") + 1)
    if opened > MAX_OPEN_COMMENTS:
        raise UnreadableError("comments without end", line=1, expected="*/")
    return _Reader(text, expected).run()
