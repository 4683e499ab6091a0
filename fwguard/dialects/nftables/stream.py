"""Tokens one after another: what is taken, what a variable stands for, what was not understood."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.nftables.lexer import BREAK, STRING, WORD, Source, Token
from fwguard.dialects.nftables.ruleset import Ruleset
from fwguard.errors import UnreadableError
from fwguard.model.policy import Unread

MAX_EXPANDED_TOKENS: Final = 2_000_000


class Stream:
    """Reads a text from left to right into a ruleset."""

    def __init__(self, source: Source, tokens: list[Token]) -> None:
        self.source = source
        self.tokens = tokens
        self.at = 0
        self.end = len(tokens)
        self.expanded = 0
        self.anonymous = 0
        self.has_variables = "$" in source.text
        self.ruleset = Ruleset(source)

    # ------------------------------------------------------------------ tokens

    def fail(self, what: str, expected: str) -> UnreadableError:
        where = self.tokens[min(self.at, self.end - 1)].start if self.tokens else 0
        return UnreadableError(what, line=self.source.line(where), expected=expected)

    def peek(self) -> str:
        return self.tokens[self.at].text if self.at < self.end else ""

    def take(self, expected: str) -> str:
        if self.at >= self.end or self.tokens[self.at].kind not in (WORD, STRING):
            raise self.fail(f"{self.peek() or 'end of text'!r}", expected)
        self.at += 1
        return self.tokens[self.at - 1].text

    def sign(self, text: str) -> None:
        if self.peek() != text or self.tokens[self.at].kind == STRING:
            raise self.fail(f"{self.peek() or 'end of text'!r}", repr(text))
        self.at += 1

    def skip_breaks(self) -> None:
        while self.at < self.end and self.tokens[self.at].kind == BREAK:
            self.at += 1

    def statement(self) -> list[Token]:
        """Return the tokens up to the end of the statement; ends of lines in braces do not end it."""
        depth = 0
        start = self.at
        out: list[Token] = []
        tokens = self.tokens
        at = self.at
        while at < self.end:
            token = tokens[at]
            text, kind = token[0], token[1]
            if kind == BREAK:
                if depth == 0:
                    break
                at += 1
                continue
            if text == "{" and kind != STRING:
                depth += 1
            elif text == "}" and kind != STRING:
                if depth == 0:
                    break
                depth -= 1
            out.append(token)
            at += 1
        self.at = at
        if at == start:
            raise self.fail(f"{self.peek() or 'end of text'!r}", "a statement")
        return self.expand(out) if self.has_variables else out

    def expand(self, tokens: list[Token]) -> list[Token]:
        """Replace variables by what they were defined as (nft(8) SYMBOLIC VARIABLES)."""
        if not any(token.text.startswith("$") and token.kind == WORD for token in tokens):
            return tokens
        out: list[Token] = []
        for token in tokens:
            value = None
            if token.kind == WORD and token.text.startswith("$"):
                value = self.ruleset.defines.get(token.text[1:])
            if value is None:
                out.append(token)
            else:
                out += [Token(one.text, one.kind, token.start, token.end) for one in value]
                self.expanded += len(value)
                if self.expanded > MAX_EXPANDED_TOKENS:
                    raise self.fail("variables grow beyond measure", f"{MAX_EXPANDED_TOKENS} words at most")
        return out

    def unread(self, start: int, end: int, why: str, *, wild: bool) -> None:
        one = Unread(line=self.source.line(start), text=self.source.words(start, end), why=why)
        self.ruleset.unread.append(one)
        if wild:
            self.ruleset.wild.append(one)


def split_elements(tokens: list[Token]) -> list[list[Token]]:
    """Return the elements of `{ a, b : c }`; braces that a variable brought in are taken away."""
    out: list[list[Token]] = []
    current: list[Token] = []
    for token in tokens:
        if token.kind == STRING or token.text not in ("{", "}", ","):
            current.append(token)
        elif current:
            out.append(current)
            current = []
    if current:
        out.append(current)
    return out
