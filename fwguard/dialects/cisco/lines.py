"""The outer shape of a running-config: commands at the margin, each with the indented lines below it.

Source: the output of `show running-config` of both systems; `!` starts a comment, banners hold any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from fwguard.errors import InputError, UnreadableError

MAX_TEXT: Final = 64 << 20  # characters
MAX_LINE: Final = 64 << 10
MAX_LINES: Final = 1_500_000
FREE_TEXT: Final = frozenset({"description", "remark", "banner", "access-list", "username", "password"})
_BINARY: Final = re.compile(r"[\x00-\x02\x04-\x08\x0e-\x1a\x1c-\x1f]")
_BANNER: Final = re.compile(r"banner\s+\S+\s+(\^C|\S)(.*)", re.DOTALL)
_COMMENT: Final = re.compile(r"\s*(?:!|: |:$)")


@dataclass(slots=True)
class Line:
    """One command; `words` are its words as they stand, `indent` the blanks before it."""

    number: int
    indent: int
    text: str
    words: list[str]

    @property
    def first(self) -> str:
        """Return its first word."""
        return self.words[0]

    def starts(self, *words: str) -> bool:
        """Tell whether the command begins with these words."""
        return self.words[: len(words)] == list(words)


@dataclass(slots=True)
class Block:
    """A command at the margin and the lines that belong to it, of any depth."""

    line: Line
    children: list[Line] = field(default_factory=list)

    def __iter__(self) -> Iterator[Line]:
        yield self.line
        yield from self.children


@dataclass(slots=True)
class Config:
    """A whole text: its physical lines, and its commands."""

    lines: list[str]
    blocks: list[Block]


def physical_lines(text: str, expected: str) -> list[str]:
    """Split a text into lines. Raises UnreadableError where it is too large, or no text."""
    if len(text) > MAX_TEXT:
        raise UnreadableError(f"{len(text)} characters", line=1, expected=f"at most {MAX_TEXT}")
    strange = _BINARY.search(text)
    if strange:
        number = text.count("\n", 0, strange.start()) + 1
        raise UnreadableError(f"a control character {strange[0]!r}", line=number, expected=expected)
    lines = text.split("\n")
    if len(lines) > MAX_LINES:
        raise UnreadableError(f"{len(lines)} lines", line=MAX_LINES, expected=f"at most {MAX_LINES}")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise UnreadableError(f"{len(line)} characters", line=number, expected=f"at most {MAX_LINE}")
    return lines


def split_blocks(text: str, *, expected: str, banners: bool, inner: frozenset[str]) -> Config:
    """Return the commands of a text.

    `inner` are first words that stand inside a block even where their indentation was lost. With
    `banners`, a banner lasts until its delimiter comes again.
    """
    lines = physical_lines(text, expected)
    blocks: list[Block] = []
    until, since = "", 0
    for number, raw in enumerate(lines, 1):
        if until:
            until = "" if until in raw else until
            continue
        stripped = raw.strip()
        if not stripped or _COMMENT.match(raw):
            continue
        banner = _BANNER.match(stripped) if banners else None
        if banner and banner[1] not in banner[2]:
            until, since = banner[1], number
        words = stripped.split()
        if "!" in words and words[0] not in FREE_TEXT:
            words = words[: words.index("!")]
        line = Line(number, len(raw) - len(raw.lstrip()), stripped, words)
        if blocks and (line.indent or line.first in inner or line.first.isdecimal()):
            blocks[-1].children.append(line)
        else:
            blocks.append(Block(line))
    if until:
        raise UnreadableError("a banner that never ends", line=since, expected=f"{until} at its end")
    return Config(lines, blocks)


def named_elsewhere(config: Config, names: Iterable[str]) -> frozenset[str]:
    """Return the lists that commands name beside their own entries and where they stand as filters."""
    wanted = set(names)
    found: set[str] = set()
    for block in config.blocks:
        own = block.line.words
        if own[0] in ("access-list", "access-group") or "access-list" in own[:2]:
            continue
        for line in block:
            if line.first not in FREE_TEXT and not line.starts("ip", "access-group"):
                found |= wanted.intersection(line.words)
    return frozenset(found)


class Words:
    """The words of one command, taken from the left; complaints say what was expected."""

    def __init__(self, words: list[str], start: int = 0) -> None:
        self.words = words
        self.at = start

    @property
    def left(self) -> int:
        """Return how many words are left."""
        return len(self.words) - self.at

    def peek(self, ahead: int = 0) -> str:
        """Return a word to come, "" at the end."""
        place = self.at + ahead
        return self.words[place] if place < len(self.words) else ""

    def next(self, expected: str) -> str:
        """Take a word. Raises InputError at the end."""
        word = self.peek()
        if not word:
            raise InputError("ends too early", expected=expected)
        self.at += 1
        return word

    def take(self, *words: str) -> str:
        """Take the next word if it is one of these; else return ""."""
        word = self.peek()
        if word and word in words:
            self.at += 1
            return word
        return ""

    def number(self, low: int, high: int) -> int:
        """Take a number within bounds."""
        word = self.next("a number")
        if not (word.isascii() and word.isdecimal() and len(word) < 12) or not low <= int(word) <= high:
            raise InputError(f"{word[:40]!r}", expected=f"a number, {low} to {high}")
        return int(word)

    def rest(self) -> str:
        """Return all words that are left."""
        return " ".join(self.words[self.at :])
