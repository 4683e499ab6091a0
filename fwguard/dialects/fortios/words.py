"""The commands of a FortiOS text: lines of words, where a quoted word may go on over many lines.

Source: FortiOS CLI reference, "CLI basics": quotes, escapes, comments.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fwguard.errors import UnreadableError

MAX_TEXT: Final = 64 << 20  # characters
MAX_LINE: Final = 1 << 20
MAX_STRING: Final = 4 << 20  # a replacement message or a certificate in quotes
EXPECTED: Final = "config … end, as a FortiGate writes its configuration"
_BINARY: Final = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_WORD: Final = re.compile(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|\\.|[^\s"'\\])+""", re.DOTALL)
_PART: Final = re.compile(r""""((?:[^"\\]|\\.)*)"|'([^']*)'|\\(.)|([^\s"'\\]+)""", re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(slots=True)
class Command:
    """One command; `line` and `last` are its first and last line of the text."""

    line: int
    last: int
    words: list[str]
    text: str


def physical_lines(text: str) -> list[str]:
    """Split a text into lines. Raises UnreadableError where it is too large, or no text."""
    if len(text) > MAX_TEXT:
        raise UnreadableError(f"{len(text)} characters", line=1, expected=f"at most {MAX_TEXT}")
    strange = _BINARY.search(text)
    if strange:
        number = text.count("\n", 0, strange.start()) + 1
        raise UnreadableError(f"a control character {strange[0]!r}", line=number, expected=EXPECTED)
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise UnreadableError(f"{len(line)} characters", line=number, expected=f"at most {MAX_LINE}")
    return lines


def commands(lines: list[str]) -> Iterator[Command]:
    """Yield every command. Raises UnreadableError for a quote that never ends."""
    at = 0
    while at < len(lines):
        raw = lines[at].strip()
        first = at + 1
        at += 1
        if not raw or raw.startswith("#"):
            continue
        if '"' not in raw and "'" not in raw and "\\" not in raw:
            yield Command(first, first, raw.split(), raw)
            continue
        parts = [raw]
        size = len(raw)
        open_quote = _open_quote(raw, "")
        while open_quote:
            if at >= len(lines) or size > MAX_STRING:
                raise UnreadableError(
                    "a quote that never ends", line=first, expected=f"a closing {open_quote}"
                )
            parts.append(lines[at])
            size += len(lines[at]) + 1
            open_quote = _open_quote(lines[at], open_quote)
            at += 1
        whole = "\n".join(parts)
        yield Command(first, at, [_unquoted(word) for word in _WORD.findall(whole)], whole)


def _open_quote(text: str, quote: str) -> str:
    """Return the quote that is open at the end of a text that begins inside `quote` ("": outside)."""
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\" and quote != "'":
            at += 1
        elif quote:
            quote = "" if char == quote else quote
        elif char in "\"'":
            quote = char
        at += 1
    return quote


def _unquoted(word: str) -> str:
    """Return a word without its quotes: pieces beside each other are one word."""
    out = []
    for double, single, escaped, plain in _PART.findall(word):
        out.append(_ESCAPE.sub(r"\1", double) if double else single or escaped or plain)
    return "".join(out)


def quoted(word: str) -> str:
    """Write a word as FortiOS writes names."""
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
