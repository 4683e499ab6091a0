"""The text of a configuration and what is changed in it, in either form; and the commands that do the same."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from fwguard.dialects.vyos.tree import Node, Tree, set_words
from fwguard.errors import InputError

HIGHEST: Final = 999_999
HIGHEST_LEGACY: Final = 9_999
STEP: Final = 10
INDENT: Final = 4
Words = tuple[str, ...]


@dataclass(slots=True)
class Sheet:
    """Lines by their numbers: what stands before each, which go, which change."""

    tree: Tree
    is_legacy: bool
    before: dict[int, list[str]] = field(default_factory=dict)
    gone: set[int] = field(default_factory=set)
    changed: dict[int, str] = field(default_factory=dict)
    shown: list[str] = field(default_factory=list)
    # Of each container: rule number now -> the number that it has in the text, None for a new rule.
    numbers: dict[Words, dict[int, int | None]] = field(default_factory=dict)

    def text(self) -> str:
        """Return the text with all changes."""
        after: list[str] = []
        for number, line in enumerate(self.tree.lines, 1):
            after.extend(self.before.get(number, ()))
            if number not in self.gone:
                after.append(self.changed.get(number, line))
        after.extend(self.before.get(len(self.tree.lines) + 1, ()))
        return "\n".join(after)

    def add_rules(self, container: Words, rules: list[list[Words]], ahead: int | None) -> None:
        """Add rules before rule `ahead` of a container (None: behind all); each rule is a list of paths."""
        node = self.tree.root.child(*container)
        taken = self.numbers.setdefault(
            container,
            {number: number for number, _ in (node.numbered("rule") if node else ()) if number >= 0},
        )
        now = (
            next((number for number, own in taken.items() if own == ahead), None)
            if ahead is not None
            else None
        )
        numbers = self._room(container, taken, len(rules), now)
        taken.update(dict.fromkeys(numbers))
        anchor = node.child("rule", str(ahead)) if node and ahead is not None else None
        blocks: list[str] = []
        for number, leaves in zip(numbers, rules, strict=True):
            commands = [
                f"set {' '.join(container)} rule {number} {' '.join(path[:-1])} '{path[-1]}'"
                for path in leaves
            ]
            self.shown += [f"+ {command}" for command in commands]
            blocks += commands if self.tree.is_set else self._block(f"rule {number}", leaves)
        self._insert(container, blocks, anchor)

    def _room(
        self, container: Words, taken: dict[int, int | None], count: int, ahead: int | None
    ) -> list[int]:
        """Return free numbers before `ahead`, moving rules up where there are not enough."""
        highest = HIGHEST_LEGACY if self.is_legacy else HIGHEST
        if ahead is None:
            start = (max(taken, default=0) // STEP + 1) * STEP
            step = STEP if start + STEP * count <= highest else 1
            start = start if start + step * count <= highest else max(taken, default=0) + 1
            numbers = [start + step * index for index in range(count)]
            if numbers[-1] > highest:
                raise InputError(
                    f"no rule numbers are left in {' '.join(container)}", expected=f"up to {highest}"
                )
            return numbers
        previous = max((number for number in taken if number < ahead), default=0)
        if ahead - previous - 1 < count:
            floor, moves = previous + count + 1, []
            for number in sorted(number for number in taken if number >= ahead):
                if number >= floor:
                    break
                moves.append((number, floor))
                floor += 1
            if floor - 1 > highest:
                raise InputError(
                    f"no rule numbers are left in {' '.join(container)}", expected=f"up to {highest}"
                )
            for old, new in reversed(moves):  # from the last, so that no number is taken twice
                self._rename(container, taken, old, new)
            return [previous + 1 + index for index in range(count)]
        step = (ahead - previous) // (count + 1)
        return [previous + step * (index + 1) for index in range(count)]

    def _rename(self, container: Words, taken: dict[int, int | None], old: int, new: int) -> None:
        own = taken.pop(old)
        node = self.tree.root.child(*container, "rule", str(own))
        if own is None or node is None:
            raise InputError("two openings of one change want the same place", expected="one change each")
        taken[new] = own
        self.shown += [f"+ edit {' '.join(container)}", f"+ rename rule {old} to rule {new}", "+ top"]
        path = [*container, "rule", str(own)]
        for number in range(node.line, node.end + 1) if self.tree.is_set else (node.line,):
            line = self.tree.lines[number - 1]
            if self.tree.is_set and not self._is_below(number, tuple(path)):
                continue
            words = r"\s+".join(
                re.escape(word) for word in (["set", *path[:-1]] if self.tree.is_set else ["rule"])
            )
            match = re.match(rf"(\s*{words}\s+){own}(?=[\s{{]|$)", line)
            if match is None:
                raise InputError(f"line {number} is not written as VyOS writes it", expected=f"… rule {own}")
            self.changed[number] = f"{match[1]}{new}{line[match.end() :]}"

    def _is_below(self, number: int, path: Words) -> bool:
        line = self.tree.lines[number - 1].strip()
        return line.startswith("set ") and tuple(set_words(line, number)[1 : len(path) + 1]) == path

    def _block(self, head: str, leaves: list[Words]) -> list[str]:
        """Return a block of the boot file, without the indent of where it will stand."""
        lines = [f"{head} {{"]
        done: set[str] = set()
        for path in leaves:
            if len(path) == 2:
                lines.append(f"{' ' * INDENT}{path[0]} {self._value(path[1])}")
            elif path[0] not in done:
                done.add(path[0])
                inner = [other[1:] for other in leaves if other[0] == path[0]]
                lines += [" " * INDENT + line for line in self._block(path[0], inner)]
        return [*lines, "}"]

    def _value(self, word: str) -> str:
        bare = self.is_legacy and re.fullmatch(r"[\w.:/,-]+", word)
        return word if bare else f'"{word}"'

    def _insert(self, container: Words, lines: list[str], anchor: Node | None) -> None:
        """Put lines before an anchor, else at the end of what there is of a container."""
        depth = len(container)
        while (
            depth
            and (node := self.tree.root.child(*container[:depth])) is not None
            and not self._is_block(node)
        ):
            depth -= 1
        while depth and self.tree.root.child(*container[:depth]) is None:
            depth -= 1
        node = self.tree.root.child(*container[:depth]) if depth else None
        if self.tree.is_set:
            last = max((one.end for one in self.tree.root.children.values()), default=0)
            at = (anchor.line if anchor else node.end + 1) if node else last + 1
            self.before.setdefault(at, []).extend(lines)
            return
        for word in reversed(container[depth:]):
            lines = [f"{word} {{", *(" " * INDENT + line for line in lines), "}"]
        if node is None:
            at, indent = max((one.end for one in self.tree.root.children.values()), default=0) + 1, ""
        else:
            at = anchor.line if anchor and depth == len(container) else node.end
            indent = self._indent(node.line) + " " * INDENT
        self.before.setdefault(at, []).extend(indent + line for line in lines)

    def _is_block(self, node: Node) -> bool:
        """Tell whether a node is one block, with a statement a line, as VyOS writes it."""
        if self.tree.is_set:
            return True
        depth = 0
        for number in range(node.line, node.end + 1):
            line = self.tree.lines[number - 1].strip()
            depth += line.endswith("{") - (line == "}")
            if depth <= 0:
                return number == node.end and line == "}"
        return False

    def _indent(self, number: int) -> str:
        line = self.tree.lines[number - 1]
        return line[: len(line) - len(line.lstrip())]

    def remove(self, path: Words) -> None:
        """Take out everything below a path, which must be there."""
        node = self.tree.root.child(*path)
        if node is None or not self._is_block(node):
            line = node.line if node else 0
            raise InputError(f"line {line} is not written as VyOS writes it", expected="one statement a line")
        self.shown.append(f"- delete {' '.join(path)}")
        self.gone.update(
            number
            for number in range(node.line, node.end + 1)
            if not self.tree.is_set or self._is_below(number, path)
        )
