"""The lines of a text with what is to come between them and what is to go: everything else stays as it is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from fwguard.errors import InputError
from fwguard.model.change import TextEdit

MAX_ADDED: Final = 1024  # lines of one change


class Sheet:
    """Lines are numbered from 1; what is inserted at a number stands before that line."""

    def __init__(self, lines: list[str]) -> None:
        self.lines = lines
        self.before: dict[int, list[str]] = {}
        self.gone: set[int] = set()
        self.shown: list[str] = []
        self.added = 0
        self.ending = "\r" if lines and lines[0].endswith("\r") else ""

    def insert(self, number: int, texts: Iterable[str], shown: Iterable[str] = ()) -> None:
        """Put lines before a line; `shown` are the commands that do the same."""
        new = list(texts)
        self.before.setdefault(number, []).extend(new)
        self.shown += [f"+ {text}" for text in shown]
        self.added += len(new)
        if self.added > MAX_ADDED:
            raise InputError(f"the change takes more than {MAX_ADDED} lines", expected="fewer prefixes")

    def remove(self, number: int, shown: str = "") -> None:
        """Take a line away."""
        if number not in self.gone:
            self.gone.add(number)
            self.shown.append(f"- {shown or self.lines[number - 1].strip()}")

    def edit(self) -> TextEdit:
        """Return the text after, and what changed."""
        after: list[str] = []
        for number, line in enumerate(self.lines, 1):
            after += [text + self.ending for text in self.before.get(number, ())]
            if number not in self.gone:
                after.append(line)
        last = [
            text for number in sorted(self.before) if number > len(self.lines) for text in self.before[number]
        ]
        return TextEdit(after="\n".join([*after, *last]), shown="\n".join(self.shown))
