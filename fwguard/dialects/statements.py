"""Statements to add to a configuration, and how they come into set lines and into braces."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from fwguard.dialects.config_tree import Node, quoted
from fwguard.errors import InputError
from fwguard.model.change import TextEdit

Words = tuple[str, ...]
_REORDERS = re.compile(r"^[ \t]*(?:insert|move|rename|delete)[ \t]", re.MULTILINE)


@dataclass(slots=True)
class Statement:
    """The words of one statement, and what stands in its block; `before` names a neighbour."""

    words: Words
    children: list[Statement] = field(default_factory=list)
    before: str = ""

    def leaves(self) -> Iterator[Words]:
        """Yield the words of every set line that says the same."""
        if not self.children:
            yield self.words
        for child in self.children:
            for words in child.leaves():
                yield (*self.words, *words)

    def lines(self, indent: str) -> Iterator[str]:
        """Yield the lines with braces."""
        said = " ".join(quoted(word) for word in self.words)
        if not self.children:
            yield f"{indent}{said};"
            return
        yield f"{indent}{said} {{"
        for child in self.children:
            yield from child.lines(indent + "    ")
        yield f"{indent}}}"


@dataclass(slots=True)
class Addition:
    """A statement, and the statements that it stands in, outermost first."""

    way: tuple[Words, ...]
    statement: Statement


def say(*words: str, inside: list[Statement] | None = None) -> Statement:
    """Build a statement."""
    return Statement(words, inside or [])


def forest(additions: list[Addition]) -> list[Statement]:
    """Return the additions as nested statements, those of one place together."""
    tops: list[Statement] = []
    for addition in additions:
        level = tops
        for words in addition.way:
            found = next((one for one in level if one.words == words and one.children), None)
            if found is None:
                found = Statement(words)
                level.append(found)
            level = found.children
        level.append(addition.statement)
    return tops


def set_lines(additions: list[Addition], reorder: Callable[[Words, str], str]) -> list[tuple[str, str]]:
    """Return (place, line) of the commands; place is the path of the neighbour to stand before, or empty."""
    out: list[tuple[str, str]] = []
    for addition in additions:
        head = tuple(word for words in addition.way for word in words)
        lines = [
            f"set {' '.join(quoted(word) for word in (*head, *words))}"
            for words in addition.statement.leaves()
        ]
        out += [("", line) for line in lines]
        if addition.statement.before:
            path = (*head, *addition.statement.words)
            out.append((addition.statement.before, reorder(path, addition.statement.before)))
    return out


def write_set_lines(
    additions: list[Addition], text: str, root: Node, reorder: Callable[[Words, str], str]
) -> TextEdit:
    """Put the commands into the text; one that must stand before another is written before it.

    Where the text itself moves things about, ours is moved at its end, too.
    """
    shown = [f"+ {line}" for _, line in set_lines(additions, reorder)]
    newline = "\r\n" if "\r\n" in text else "\n"
    lines = text.split("\n")
    moves = _REORDERS.search(text) is not None
    before: dict[int, list[str]] = {}
    tail: list[str] = []
    for addition in additions:
        head = tuple(word for words in addition.way for word in words)
        own = [line for _, line in set_lines([addition], reorder)]
        neighbour = root.at(*head, *addition.statement.words[:-1], addition.statement.before)
        if not addition.statement.before or moves or neighbour is None:
            tail += own
        else:
            before.setdefault(neighbour.line, []).extend(own[:-1])
    after: list[str] = []
    for number, line in enumerate(lines, 1):
        after.extend(one + newline[:-1] for one in before.get(number, ()))
        after.append(line)
    body = "\n".join(after)
    if tail:
        body = body + ("" if body.endswith("\n") or not body else newline)
        body += newline.join(tail) + newline
    return TextEdit(after=body, shown="\n".join(shown))


def write_braces(
    additions: list[Addition], text: str, root: Node, reorder: Callable[[Words, str], str]
) -> TextEdit:
    """Put the statements into a text with braces, each at the end of its block or before its neighbour."""
    shown = [f"+ {line}" for _, line in set_lines(additions, reorder)]
    places: list[tuple[int, str]] = []
    _into(root, forest(additions), text, places, "")
    after = text
    for offset, lines in sorted(places, key=lambda place: place[0], reverse=True):
        after = after[:offset] + lines + after[offset:]
    return TextEdit(after=after, shown="\n".join(shown))


def _into(
    container: Node, statements: list[Statement], text: str, places: list[tuple[int, str]], indent: str
) -> None:
    added: dict[int, str] = {}
    for statement in statements:
        existing = container.at(*statement.words)
        if existing is not None and existing.open >= 0 and statement.children:
            _into(existing, statement.children, text, places, _indent(text, existing.start) + "    ")
            continue
        neighbour = container.at(*statement.words[:-1], statement.before) if statement.before else None
        lines = "".join(f"{line}\n" for line in statement.lines(indent))
        if neighbour is not None and neighbour.start >= 0:
            offset = _line_start(text, neighbour.start)
            inline = text[offset : neighbour.start].strip() != ""
            offset = neighbour.start if inline else offset
            added[offset] = added.get(offset, "") + (lines.lstrip() + indent if inline else lines)
        elif container.open < 0:
            gap = "" if text.endswith("\n") or not text else "\n"
            added[len(text)] = added.get(len(text), gap) + lines
        else:
            offset = _line_start(text, container.close)
            if text[offset : container.close].strip():
                offset = container.close
                lines = f"\n{lines}{indent[:-4]}"
            added[offset] = added.get(offset, "") + lines
    places.extend(added.items())


def _line_start(text: str, place: int) -> int:
    return text.rfind("\n", 0, place) + 1


def _indent(text: str, place: int) -> str:
    line = text[_line_start(text, place) : place]
    return line if not line.strip() else line[: len(line) - len(line.lstrip())]


def drop_set_lines(
    text: str, is_ours: Callable[[str], bool], split: Callable[[str, int], list[str]]
) -> TextEdit:
    """Take out every command that names one of our objects. Raises InputError when there is none."""
    kept, gone = [], []
    for number, line in enumerate(text.split("\n"), 1):
        words = split(line, number) if "fw_" in line else []
        if any(is_ours(word) for word in words):
            gone.append(line.strip())
        else:
            kept.append(line)
    if not gone:
        raise InputError(
            "nothing of that tag stands in the text", expected="a change that was written before"
        )
    return TextEdit(after="\n".join(kept), shown="\n".join(f"- {line}" for line in gone))


def drop_braces(text: str, root: Node, is_ours: Callable[[str], bool]) -> TextEdit:
    """Take out every statement that one of our objects is, and blocks that hold nothing else."""
    spans: list[tuple[int, int]] = []

    def gone(node: Node) -> bool:
        if is_ours(node.word) and node.start >= 0:
            spans.append((node.start, node.end))
            return True
        results = [gone(child) for child in node.children.values()]
        if results and all(results):
            if node.open >= 0:
                spans.append((node.start, node.end))
            return True
        return False

    for child in root.children.values():
        gone(child)
    if not spans:
        raise InputError(
            "nothing of that tag stands in the text", expected="a change that was written before"
        )
    shown: list[str] = []
    outer: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if not outer or start >= outer[-1][1]:
            outer.append((start, max(end, start)))
    after = text
    for start, end in reversed(outer):
        first = _line_start(text, start)
        if text[first:start].strip():
            first = start
        elif text[end : end + 1] == "\n":
            end += 1
        elif text[end : end + 2] == "\r\n":
            end += 2
        after = after[:first] + after[end:]
    for start, end in outer:
        shown += [f"- {line}" for line in text[_line_start(text, start) : end].splitlines() if line.strip()]
    return TextEdit(after=after, shown="\n".join(shown))
