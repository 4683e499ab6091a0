"""What a person wrote in a mail: without quoted parts, signatures, markup and invisible characters."""

from __future__ import annotations

import re
import unicodedata
from html import unescape
from typing import Final

MAX_TEXT_CHARS: Final = 100_000
MAX_HTML_CHARS: Final = 200_000

# An attribution may be wrapped over two lines by the mail program.
_ATTRIBUTION: Final = re.compile(
    r"(?:le\b.{4,200}\ba\s+écrit\s*:|on\b.{4,200}\bwrote\s*:|\S.{0,200}<\S+@\S+>\s*(?:a\s+écrit|wrote)\s*:)",
    re.IGNORECASE,
)
_FORWARDED: Final = re.compile(
    r"-{2,}\s*(?:message d['’]origine|message transféré|original message|forwarded message)\s*-{2,}|_{20,}",
    re.IGNORECASE,
)
_QUOTED_HEADER: Final = re.compile(r"(?:de|from)\s*:.*@.*|(?:envoyé|sent)\s*:.*\d.*", re.IGNORECASE)
_BREAKS: Final = frozenset(
    (
        "address",
        "article",
        "br",
        "dd",
        "div",
        "dl",
        "dt",
        "footer",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "header",
    )
) | {"hr", "li", "ol", "p", "pre", "section", "table", "tr", "ul"}
_VOID: Final = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr")
)
_SILENT: Final = frozenset(("blockquote", "head", "noscript", "template"))
_RAW: Final = frozenset(("script", "style", "title", "textarea"))  # hold no markup but their own end
_MAX_TAG_CHARS: Final = 2000
_MARKUP: Final = re.compile(r"<[A-Za-z/!?]")
_TAG_NAME: Final = re.compile(r"<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})")
_TAG: Final = re.compile(
    r"""<(/?)([A-Za-z][A-Za-z0-9:-]{0,40})(?=[\s/>])((?:[^>"']++|"[^"]*+"|'[^']*+')*+)>"""
)


def one_line(text: str, limit: int = 500) -> str:
    """Return text as one printable line of at most `limit` characters: no controls, no line breaks."""
    return " ".join(printable(text[: limit * 4]).split())[:limit]


def printable(text: str) -> str:
    """Return text without control, direction-changing, zero-width and unpaired surrogate characters.

    Line feed and tab stay; any other line separator becomes a line feed.
    """
    unified = re.sub(r"\r\n?|[\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", "\n", text)
    return "".join(c for c in unified if c in "\n\t" or unicodedata.category(c) not in ("Cc", "Cf", "Cs"))


def unflowed(text: str) -> str:
    """Join the soft-broken lines of format=flowed text and undo its space-stuffing (RFC 3676 §4)."""
    lines: list[str] = []
    flowing = False
    for line in text.split("\n"):
        quoted = line.startswith(">")
        bare = line[1:] if line.startswith(" ") else line
        if flowing and not quoted and bare != "-- ":
            lines[-1] += bare
        else:
            lines.append(bare)
        flowing = bare.endswith(" ") and bare != "-- " and not quoted
    return "\n".join(lines)


def own_words(text: str) -> str:
    """Return what the sender wrote now: no `>` lines, nothing after an attribution, no signature.

    Quoted text is never read as an order, so in doubt more is dropped, never less.
    Source: RFC 3676 §4.3 (signature separator), §4.5 (quoting).
    """
    lines = printable(text[:MAX_TEXT_CHARS]).split("\n")
    kept: list[str] = []
    index = 0
    while index < len(lines):
        line = lines[index]
        bare = line.strip()
        if line.rstrip("\n") in ("-- ", "--"):
            break
        if bare.startswith((">", "|>")):
            index += 1
            continue
        if _FORWARDED.fullmatch(bare) or _opens_quoted_header(lines, index):
            break
        width = _attribution_lines(lines, index)
        if width:
            following = next((rest for rest in lines[index + width :] if rest.strip()), "")
            if not following.lstrip().startswith(">"):
                break  # a quote without marks: all that follows may be of someone else
            index += width
            continue
        kept.append(line.rstrip())
        index += 1
    return re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()


def text_of_html(html: str) -> str:
    """Return the readable text of an HTML mail, without what it quotes; never raises.

    One pass of our own: html.parser needs time in the square of the input for unclosed comments
    (18 s for 200 000 characters).
    """
    html = html[:MAX_HTML_CHARS]
    lower = html.lower() if len(html.lower()) == len(html) else html
    pieces: list[str] = []
    silent, depth = "", 0  # the element that is not shown, and how often it is open
    position = 0
    while position < len(html):
        start = html.find("<", position)
        start = len(html) if start < 0 else start
        if not silent:
            pieces.append(re.sub(r"\s+", " ", html[position:start]))
        end, closing, tag, attributes = _markup(html, start)
        position = end
        if tag in _RAW and not closing:
            raw_end = lower.find(f"</{tag}", position)
            position = len(html) if raw_end < 0 else raw_end
        elif silent:
            depth += 0 if tag != silent else -1 if closing else 1
            silent = silent if depth else ""
        elif not closing and (tag in _SILENT or ("quote" in attributes and tag not in _VOID)):
            silent, depth = tag, 1
        elif tag in _BREAKS:
            pieces.append("\n")
        elif tag == "td":
            pieces.append(" ")
        elif not tag and end == start + 1:
            pieces.append("<")
    text = unescape("".join(pieces)).replace("\xa0", " ")
    lines = (" ".join(line.split()) for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()


def _markup(html: str, start: int) -> tuple[int, bool, str, str]:
    """Return (end, is an end tag, tag name, attributes) of the markup at `start`; no name: not a tag.

    A lone "<" is text and one character long; what is never closed reaches to the end.
    """
    if html.startswith("<!--", start):
        end = html.find("-->", start + 4)
        return (len(html) if end < 0 else end + 3), False, "", ""
    if not _MARKUP.match(html, start):
        return start + 1, False, "", ""
    whole = _TAG.match(html, start, start + _MAX_TAG_CHARS)
    if whole:
        return whole.end(), bool(whole[1]), whole[2].lower(), whole[3].lower()
    end = html.find(">", start)
    end = len(html) if end < 0 else end + 1
    name = _TAG_NAME.match(html, start)
    return end, bool(name and name[1]), name[2].lower() if name else "", ""


def _attribution_lines(lines: list[str], index: int) -> int:
    """Return over how many lines from `index` an attribution stands: 0 if there is none."""
    first = lines[index].strip()
    if not first or len(first) > 300:
        return 0
    if _ATTRIBUTION.fullmatch(first):
        return 1
    second = lines[index + 1].strip() if index + 1 < len(lines) else ""
    if second and len(second) <= 300 and _ATTRIBUTION.fullmatch(f"{first} {second}"):
        return 2
    return 0


def _opens_quoted_header(lines: list[str], index: int) -> bool:
    """Tell whether a block of header lines as mail programs quote them ("De : … Envoyé : …") begins here."""
    if not _QUOTED_HEADER.fullmatch(lines[index].strip()[:300]):
        return False
    following = [line.strip()[:300] for line in lines[index + 1 : index + 4]]
    return any(_QUOTED_HEADER.fullmatch(line) for line in following)
