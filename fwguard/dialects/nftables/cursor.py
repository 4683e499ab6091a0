"""One rule's tokens, and how expressions in it are taken: values, sets, maps, what is skipped."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fwguard.dialects.nftables.lexer import STRING, WORD, Token
from fwguard.dialects.nftables.ruleset import SetText, TableText
from fwguard.dialects.nftables.selectors import Selector, selector_at
from fwguard.dialects.nftables.stream import split_elements
from fwguard.dialects.nftables.values import NotUnderstood

OPERATORS: Final = {
    "==": "==", "!=": "!=", "<": "<", ">": ">", "<=": "<=", ">=": ">=", "!": "!", "eq": "==", "ne": "!=",
    "lt": "<", "gt": ">", "le": "<=", "ge": ">=",
}  # fmt: skip
BINARY: Final = {"&", "|", "^", "<<", ">>", "and", "or", "xor", "lshift", "rshift"}
ELEMENT_OPTIONS: Final = ("timeout", "expires", "counter", "comment", "limit", "quota", "last", "ct")


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a set or map: the parts of its key, and the tokens after its colon."""

    key: list[str]
    data: list[Token]


class Cursor:
    """Reads a rule from left to right."""

    __slots__ = ("at", "end", "table", "tokens")

    def __init__(self, tokens: list[Token], table: TableText) -> None:
        self.tokens = tokens
        self.at = 0
        self.end = len(tokens)
        self.table = table

    def peek(self, ahead: int = 0) -> str:
        """Return the next word or sign; empty for a quoted string or at the end."""
        index = self.at + ahead
        if index >= self.end or self.tokens[index].kind == STRING:
            return ""
        return self.tokens[index].text

    def words(self, start: int) -> str:
        """Return what was taken since `start`, as one line."""
        return " ".join(token.text for token in self.tokens[start : self.at])

    def take(self, what: str) -> str:
        """Take a word or string. Raises NotUnderstood."""
        if self.at >= self.end or self.tokens[self.at].kind not in (WORD, STRING):
            raise NotUnderstood(f"{what} is missing")
        self.at += 1
        return self.tokens[self.at - 1].text

    def took(self, text: str) -> bool:
        """Take this word or sign if it comes next."""
        if self.peek() == text:
            self.at += 1
            return True
        return False

    def selectors(self) -> list[Selector]:
        """Take a selector or a concatenation of several; an empty list if none begins here."""
        first, at = selector_at(self.tokens, self.at)
        if first is None:
            return []
        self.at = at
        found = [first]
        while self.peek() == ".":
            self.at += 1
            more, self.at = selector_at(self.tokens, self.at) if self.at < self.end else (None, self.at)
            if more is None:
                raise NotUnderstood(f"{self.peek()!r} in a concatenation")
            found.append(more)
        return found

    def value(self) -> str:
        """Take one value or range, written with or without blanks around its dash or slash."""
        text = self.take("a value")
        while self.peek() in ("-", "/") and self.at + 1 < self.end:
            text += self.peek()
            self.at += 1
            text += self.take("the end of a range")
        return text

    def block(self) -> list[Token]:
        """Take `{ … }` and return what is inside."""
        if not self.took("{"):
            raise NotUnderstood(f"{self.peek()!r} instead of {{")
        start, depth = self.at, 1
        while self.at < self.end:
            word = self.peek()
            depth += (word == "{") - (word == "}")
            self.at += 1
            if depth == 0:
                return self.tokens[start : self.at - 1]
        raise NotUnderstood("a { without }")

    def set_at(self) -> tuple[SetText | None, list[Element]] | None:
        """Take `{ … }` or `@name`, and return the named set (or None) with its elements; None if neither."""
        if self.peek() == "{":
            return None, elements_of(split_elements(self.block()))
        if not self.peek().startswith("@"):
            return None
        name = self.take("a set")[1:]
        found = self.table.sets.get(name)
        if found is None:
            raise NotUnderstood(f"set @{name} is not in this table")
        return found, [] if found.is_volatile else elements_of(found.elements)

    def skip_expression(self) -> None:
        """Take an expression that sets something the model does not have, whatever it says."""
        self.skip_primary()
        while True:
            word = self.peek()
            if word in BINARY or word in (".", "-", ",", ":") or word in ("map", "vmap"):
                self.at += 1
                self.skip_primary()
            elif word in ("mod", "offset", "seed"):
                self.at += 2
            else:
                return

    def skip_primary(self) -> None:
        """Take one operand of an expression."""
        if self.peek() == "(":
            depth = 0
            while self.at < self.end:
                depth += (self.peek() == "(") - (self.peek() == ")")
                self.at += 1
                if depth == 0:
                    return
            raise NotUnderstood("a ( without )")
        if self.peek() == "{":
            self.block()
            return
        found, at = selector_at(self.tokens, self.at) if self.at < self.end else (None, self.at)
        if found is not None:
            self.at = at
            return
        self.take("a value")


def elements_of(lists: list[list[Token]]) -> list[Element]:
    """Split each element into key and data; counters, timeouts and comments are left out.

    Raises NotUnderstood for a set inside a set.
    """
    return [_element(tokens) for tokens in lists]


def _element(tokens: list[Token]) -> Element:
    if len(tokens) == 1:
        return Element([tokens[0].text], [])
    key: list[str] = []
    part = ""
    data: list[Token] = []
    is_option = False
    for at, token in enumerate(tokens):
        text = token.text
        if token.kind != STRING:
            if text == ":":
                data = tokens[at + 1 :]
                break
            if is_option or (text in ELEMENT_OPTIONS and part):
                is_option = True
                continue
            if text == ".":
                key.append(part)
                part = ""
                continue
            if text in ("(", ")"):
                continue
        elif is_option:
            continue
        if part and not (text in ("-", "/", "|") or part[-1] in "-/|"):
            raise NotUnderstood(f"{part!r} followed by {text[:40]!r} in a set")
        part += text
    key.append(part)
    return Element(key, data)
