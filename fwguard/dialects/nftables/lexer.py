"""nftables text as words: linear, bounded, each token with its place (nft(8) INPUT FILE FORMATS)."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from fwguard.errors import UnreadableError

MAX_TEXT_CHARS: Final = 64 * 1024 * 1024
MAX_LINE_CHARS: Final = 4 * 1024 * 1024
MAX_NESTING: Final = 24

WORD, STRING, SIGN, BREAK = "word", "string", "sign", "break"

# An IPv6 or MAC address has two colons at least and only hexadecimal digits between them; it comes
# before words and signs, so that `22:accept` stays three tokens and `::1` is one.
_IP6: Final = r"(?:[0-9A-Fa-f]{0,4}:){2,7}(?:\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}|[0-9A-Fa-f]{0,4})(?![\w:.])"
_BLANK: Final = r"(?:[ \t\r]++|\\\r?\n|\#[^\n]*+)*+"
_BLANKS: Final = re.compile(_BLANK)
_TOKEN: Final = re.compile(
    rf"""
    {_BLANK}  # blanks, continued lines and comments; never taken back
    (?:
      (?P<break>\n|;)
    | (?P<string>"[^"\n]*")
    | (?P<address>{_IP6}(?:/\d+)?(?:-{_IP6})?)
    | (?P<word>[$@]?[A-Za-z0-9_](?:[A-Za-z0-9_./*-]|\\\*)*|\*)
    | (?P<sign>!=|==|<=|>=|<<|>>|[{{}}()\[\],:.!<>=&|^/+~@$-])
    | (?P<end>\Z)
    )
    """,
    re.VERBOSE,
)
_KINDS: Final = {"break": BREAK, "string": STRING, "address": WORD, "word": WORD, "sign": SIGN}


class Token(NamedTuple):
    """One word, quoted string (without its quotes), sign, or end of a statement."""

    text: str
    kind: str
    start: int
    end: int


@dataclass(slots=True)
class Source:
    """A text and where its lines begin."""

    text: str
    starts: list[int] = field(default_factory=list)

    def line(self, offset: int) -> int:
        """Return the line number, from 1, of an offset."""
        return bisect_right(self.starts, offset)

    def words(self, start: int, end: int) -> str:
        """Return a piece of the text on one line, at most 2 000 characters of it."""
        return " ".join(self.text[start : min(end, start + 2000)].split())


def open_source(text: str, *, longest_line: int = MAX_LINE_CHARS) -> Source:
    """Check the size and the lines of a text. Raises UnreadableError for binary or boundless input."""
    if len(text) > MAX_TEXT_CHARS:
        raise UnreadableError(
            f"{len(text)} characters", expected=f"an nftables ruleset of at most {MAX_TEXT_CHARS}"
        )
    nul = text.find("\0")
    starts = [0]
    at = text.find("\n")
    while at >= 0:
        if at - starts[-1] > longest_line:
            break
        starts.append(at + 1)
        at = text.find("\n", at + 1)
    source = Source(text, starts)
    if nul >= 0:
        raise UnreadableError("a NUL byte", line=source.line(nul), expected="text, not a binary file")
    if (at if at >= 0 else len(text)) - starts[-1] > longest_line:
        raise UnreadableError(
            "a line too long to be a ruleset",
            line=len(starts),
            expected=f"at most {longest_line} characters",
        )
    return source


def tokens_of(source: Source) -> list[Token]:
    """Split into tokens, comments and blanks left out; braces are balanced afterwards.

    Raises UnreadableError at a character that no statement can hold, an unclosed or needless brace, or
    braces deeper than any ruleset's.
    """
    text = source.text
    out: list[Token] = []
    opened: list[int] = []
    at = 0
    new = tuple.__new__
    match = _TOKEN.match
    while (found := match(text, at)) is not None:
        group = found.lastgroup or ""
        if group == "end":
            at = len(text)
            break
        start, at = found.span(group)
        word = text[start:at]
        if group == "string":
            word = word[1:-1]
        elif word == "{":
            opened.append(start)
            if len(opened) > MAX_NESTING:
                raise UnreadableError(
                    "braces nested too deep",
                    line=source.line(start),
                    expected=f"at most {MAX_NESTING} levels",
                )
        elif word == "}":
            if not opened:
                raise UnreadableError(
                    "a } that closes nothing", line=source.line(start), expected="a { before it"
                )
            opened.pop()
        out.append(new(Token, (word, _KINDS[group], start, at)))
    if at != len(text):
        at = _BLANKS.match(text, at).end()  # type: ignore[union-attr]
        raise UnreadableError(
            f"character {text[at]!r}",
            line=source.line(at),
            expected="a word, a number, an address or a string",
        )
    if opened:
        raise UnreadableError("a { that nothing closes", line=source.line(opened[-1]), expected="}")
    return out
