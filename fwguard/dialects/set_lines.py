"""Configurations written as commands, one a line: `set`, `delete`, `deactivate`, `insert`, `move`, `rename`.

Read as the device would run them from an empty configuration. Source: Junos CLI User Guide (set,
insert, deactivate, rename), PAN-OS CLI Quick Start (set, delete, move).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from fwguard.dialects.config_tree import MAX_WORD, Grower, Node, check_text
from fwguard.errors import UnreadableError
from fwguard.model.policy import Unread

COMMANDS: Final = ("set", "delete", "deactivate", "activate", "insert", "move", "rename")
SILENT: Final = ("annotate", "protect", "unprotect", "top", "commit", "exit", "configure", "quit")
LISTING: Final = re.compile(r"^[ \t]*(?:set|delete|deactivate|activate|insert|move)[ \t]+\S", re.MULTILINE)
MAX_QUOTED_LINES: Final = 200
MAX_MOVED: Final = 20_000_000  # neighbours looked at by all moves together
_WORD: Final = re.compile(r""""((?:[^"\\]|\\.)*)"|'([^']*)'|([^\s"']\S*)|(["'])""", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)
_ESCAPED: Final = {"n": "\n", "t": "\t"}


def read_set_lines(text: str, expected: str) -> tuple[Node, list[Unread]]:
    """Return the tree that the commands make, and the commands that are not known here.

    Raises UnreadableError for a text without any `set`, a quotation without end, and beyond the bounds.
    """
    check_text(text, expected)
    grower = Grower()
    unread: list[Unread] = []
    said = moved = 0
    for line, source in _logical_lines(text):
        words = split_words(source, line)
        if not words:
            continue
        command, path = words[0], words[1:]
        if command == "set":
            said += 1
            for way in unfold(path, line):
                grower.say(way, line)
        elif command in COMMANDS and path:
            why, cost = _edit(grower.root, command, path)
            moved += cost
            if why:
                unread.append(Unread(line=line, text=source.strip()[:300], why=why))
        elif command not in SILENT:
            unread.append(Unread(line=line, text=source.strip()[:300], why="no command that is known"))
        if moved > MAX_MOVED:
            raise UnreadableError("too many rules are moved about", line=line, expected="fewer moves")
        if not said and len(unread) > 20:
            raise UnreadableError("no `set` line", line=unread[0].line, expected=expected)
    if not said:
        raise UnreadableError("no `set` line", line=1, expected=expected)
    return grower.root, unread


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Yield (line, command); a quotation may run over several lines."""
    lines = text.split("\n")
    number = 0
    while number < len(lines):
        start, source = number, lines[number]
        number += 1
        stripped = source.lstrip()
        if not stripped or stripped[0] in "#!":
            continue
        if '"' in source:
            parts, size = [source], len(source)
            while _is_open("\n".join(parts)):
                found = ""
                while '"' not in found:
                    if number >= len(lines) or size > MAX_WORD or len(parts) > MAX_QUOTED_LINES:
                        raise UnreadableError("a quotation without end", line=start + 1, expected='"')
                    found = lines[number]
                    parts.append(found)
                    size += len(found) + 1
                    number += 1
            source = "\n".join(parts)
        yield start + 1, source


def _is_open(source: str) -> bool:
    if source.count('"') % 2 == 0 and "\\" not in source and "'" not in source:
        return False
    return any(match[4] == '"' for match in _WORD.finditer(source))


def split_words(source: str, line: int) -> list[str]:
    """Split one command; brackets come as words of their own."""
    if len(source) > 4 * MAX_WORD:
        raise UnreadableError(f"a line of {len(source)} characters", line=line, expected="a command")
    if '"' not in source and "'" not in source and "[" not in source:
        return source.split()
    words: list[str] = []
    in_list = False
    for match in _WORD.finditer(source):
        if match[1] is not None:
            words.append(_ESCAPE.sub(lambda it: _ESCAPED.get(it[1], it[1]), match[1]))
            continue
        if match[2] is not None:
            words.append(match[2])
            continue
        word = match[3] or match[4]
        if not in_list and word.startswith("[") and (len(word) == 1 or "]" not in word[1:-1]):
            in_list = True
            words.append("[")
            word = word[1:]
        if in_list and word.endswith("]"):
            in_list = False
            words.extend([word[:-1], "]"] if word[:-1] else ["]"])
        elif word:
            words.append(word)
    return words


def unfold(words: list[str], line: int) -> Iterator[list[str]]:
    """Yield one path for each value of a list in brackets at the end of a path."""
    if "[" not in words:
        yield words
        return
    opened = words.index("[")
    if "]" not in words[opened:]:
        raise UnreadableError("a list without end", line=line, expected="]")
    closed = words.index("]", opened)
    head, tail = words[:opened], words[closed + 1 :]
    values = words[opened + 1 : closed]
    if not values:
        yield [*head, *tail]
    for value in values:
        yield [*head, value, *tail]


def _edit(root: Node, command: str, path: list[str]) -> tuple[str, int]:
    """Carry out one command that is no `set`: return why it cannot be, and what it cost."""
    if command in ("insert", "move"):
        return _move(root, path)
    if command == "rename":
        return _rename(root, path)
    parent, node = root.at(*path[:-1]), root.at(*path)
    if parent is None or node is None:
        return "", 0  # what is not there need not go
    if command == "delete":
        del parent.children[path[-1]]
    else:
        node.inactive = command == "deactivate"
    return "", 0


def _move(root: Node, path: list[str]) -> tuple[str, int]:
    where, beside = path[-1], ""
    if where not in ("top", "bottom"):
        place = max((i for i, word in enumerate(path) if word in ("before", "after")), default=0)
        if not place or place == len(path) - 1:
            return "moved to no place that is known", 0
        where, beside, path = path[place], path[-1], path[:place]
    else:
        path = path[:-1]
    parent = root.at(*path[:-1])
    if (
        not path
        or parent is None
        or path[-1] not in parent.children
        or (beside and beside not in parent.children)
    ):
        return "moves what is not there", 0
    cost = len(parent.children)
    node = parent.children.pop(path[-1])
    if where == "bottom":
        parent.children[node.word] = node
        return "", 1
    out: dict[str, Node] = {node.word: node} if where == "top" else {}
    for word, child in parent.children.items():
        if word == beside and where == "before":
            out[node.word] = node
        out[word] = child
        if word == beside and where == "after":
            out[node.word] = node
    parent.children = out
    return "", cost


def _rename(root: Node, path: list[str]) -> tuple[str, int]:
    if len(path) < 4 or path[-2] != "to":
        return "renamed to nothing", 0
    *way, old = path[:-2]
    parent, new = root.at(*way), path[-1]
    if parent is None or old not in parent.children or new in parent.children:
        return "renames what is not there", 0
    parent.children[old].word = new
    parent.children = {child.word: child for child in parent.children.values()}
    return "", len(parent.children)
