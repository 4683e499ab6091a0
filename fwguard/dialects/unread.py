"""What a reader did not understand, collected while it reads: each place once, bounded."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.config_tree import Node
from fwguard.model.policy import Unread

MAX_UNREAD: Final = 20_000
MAX_TEXT: Final = 300


class Notes:
    """Unread lines of a text; each line once, with all that was not understood in it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._found: dict[int, tuple[str, dict[str, None]]] = {}

    def add(self, line: int, text: str, why: str) -> None:
        """Keep a line that was not understood."""
        if line in self._found:
            self._found[line][1][why] = None
        elif len(self._found) < MAX_UNREAD:
            self._found[line] = (text, {why: None})
        elif len(self._found) == MAX_UNREAD:
            self._found[line] = (text, {"and more lines that are not listed": None})

    def node(self, node: Node, why: str) -> str:
        """Keep a statement that was not understood; return the reason."""
        self.add(node.line, node.text(), why)
        return why

    def sorted(self) -> tuple[Unread, ...]:
        """Return all, by line, in the words of the text."""
        lines = self._text.split("\n") if self._found else []
        found = []
        for number, (text, whys) in sorted(self._found.items()):
            said = lines[number - 1].strip() if 0 < number <= len(lines) else ""
            found.append(Unread(line=number, text=(said or text)[:MAX_TEXT], why="; ".join(whys)[:MAX_TEXT]))
        return tuple(found)
