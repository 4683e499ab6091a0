"""The parts of a mail, as far as a report needs them: few, flat, bounded."""

from __future__ import annotations

import re
from datetime import UTC
from email import policy
from email.message import Message
from email.parser import BytesParser
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from fwguard.errors import InputError

MOST_BYTES: Final = 1 << 20
MOST_PARTS: Final = 32
MOST_PART_BYTES: Final = 256 << 10
MOST_LINES: Final = 400
_MOST_MARKS: Final = 64  # lines that look like a boundary or a header that opens a part
_MOST_HEADER_BYTES: Final = 4096  # `email` takes the square of their length to read parameters
_CONTENT: Final = re.compile(rb"^content-[a-z-]+:.*(?:\r?\n[ \t].*)*", re.IGNORECASE | re.MULTILINE)


class Part(NamedTuple):
    """One leaf of a mail: its type in lower case, its file name, and its bytes decoded."""

    kind: str
    name: str
    body: bytes


def read_parts(data: bytes) -> tuple[dict[str, str], list[Part]]:
    """Return the mail's own headers (names in lower case) and its leaves, at most 32.

    Raises InputError on what is too large or no mail at all.
    """
    if len(data) > MOST_BYTES:
        raise InputError(f"{len(data)} bytes", where="mail", expected=f"at most {MOST_BYTES}")
    if data.lower().count(b"multipart/") + data.lower().count(b"message/") > _MOST_MARKS:
        raise InputError("parts within parts", where="mail", expected=f"at most {_MOST_MARKS}")
    if any(match.end() - match.start() > _MOST_HEADER_BYTES for match in _CONTENT.finditer(data)):
        raise InputError(
            "a header of many parameters", where="mail", expected=f"at most {_MOST_HEADER_BYTES} bytes"
        )
    try:
        mail = BytesParser(policy=policy.compat32).parsebytes(data)
        headers = {name.lower(): str(value)[:500] for name, value in mail.items()[:200]}
        parts = [_part(one) for one in _leaves(mail)]
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, AssertionError) as error:
        raise InputError(f"no mail: {type(error).__name__}", where="mail", expected="RFC 5322") from None
    return headers, parts


def _leaves(mail: Message) -> list[Message]:
    """Return the leaves in order; a report's own fields and an enclosed mail count as one leaf each."""
    waiting = [mail]
    found: list[Message] = []
    while waiting and len(found) < MOST_PARTS:
        one = waiting.pop(0)
        inner = one.get_payload()
        if one.get_content_type().startswith("multipart/") and isinstance(inner, list):
            waiting = [part for part in inner[:MOST_PARTS] if isinstance(part, Message)] + waiting
        else:
            found.append(one)
    return found


def _part(one: Message) -> Part:
    name = one.get_filename() or ""
    kind = one.get_content_type()
    inner = one.get_payload()
    if isinstance(inner, list):
        # `email` takes every message/* for a mail; of a feedback report its headers are the fields.
        body = inner[0].as_bytes() if inner and isinstance(inner[0], Message) else b""
    else:
        decoded = one.get_payload(decode=True)
        body = decoded if isinstance(decoded, bytes) else b""
    return Part(kind, str(name)[:120], body[:MOST_PART_BYTES])


def read_fields(body: bytes) -> dict[str, str]:
    """Return "Name: value" lines, names in lower case, the first of each; continued lines are joined."""
    fields: dict[str, str] = {}
    last = ""
    for line in body.decode("utf-8", "replace").splitlines()[:MOST_LINES]:
        if line[:1] in " \t" and last:
            fields[last] = f"{fields[last]} {line.strip()}"[:500]
            continue
        name, colon, value = line.partition(":")
        last = name.strip().lower() if colon else ""
        if last and last not in fields:
            fields[last] = value.strip()[:500].strip("'\"")
        else:
            last = ""
    return fields


def mail_date_s(text: str) -> float | None:
    """Return a date of a mail header (RFC 5322 section 3.3) as seconds since 1970."""
    try:
        at = parsedate_to_datetime(text[:80])
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
