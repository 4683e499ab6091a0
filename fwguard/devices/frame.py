"""Texts of a firewall as bytes: the frame of a reading, and the frame of a bundle.

Both are an index (a line for each body, its length at the end), an empty line, and the bodies one after the
other: nothing that a body holds can be taken for another body. The gate hashes the same bytes as we do.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

from fwguard.errors import PartialReadingError
from fwguard.model.snapshot import LINUX_PARTS, Snapshot

MAX_BYTES: Final = 64 << 20
_FIRST: Final = b"fwguard-reading 1\n"
_END: Final = re.compile(rb"\nend ([0-9a-f]{64})\n\Z")
# Bytes that are no UTF-8 (a comment in Latin-1), and NUL, become private characters U+F700…U+F7FF, so that
# every file has a text that any database keeps, and the same bytes are written back.
_ESCAPES: Final = range(0xF700, 0xF800)
_GENUINE: Final = re.compile("[\uf700-\uf7ff]")


def decode_text(data: bytes) -> str:
    """Return the text of any bytes; `encode_text` gives exactly these bytes back."""
    text = data.decode("utf-8", "surrogateescape")
    text = _GENUINE.sub(lambda hit: "".join(chr(0xF700 + byte) for byte in hit[0].encode()), text)
    if text.isascii() and "\0" not in text:
        return text
    return text.translate({0: 0xF700} | {0xDC00 + byte: 0xF700 + byte for byte in range(0x80, 0x100)})


def encode_text(text: str) -> bytes:
    """Return the bytes that `decode_text` made a text of."""
    if not _GENUINE.search(text):
        return text.encode()
    return b"".join(bytes([ord(char) - 0xF700]) if ord(char) in _ESCAPES else char.encode() for char in text)


def reading_bytes(snapshot: Snapshot) -> bytes:
    """Return what the gate prints, before its last line, for a firewall in exactly this state."""
    bodies = [encode_text(snapshot.get(name)) for name in LINUX_PARTS]
    index = b"".join(
        b"%s %d\n" % (name.encode(), len(body)) for name, body in zip(LINUX_PARTS, bodies, strict=True)
    )
    return b"".join((_FIRST, index, b"\n", *bodies))


def reading_digest(snapshot: Snapshot) -> str:
    """Return the SHA-256, as hex, by which the gate knows this state."""
    return hashlib.sha256(reading_bytes(snapshot)).hexdigest()


def parse_reading(data: bytes, wanted: tuple[str, ...] = LINUX_PARTS) -> Snapshot:
    """Read the answer to `read`, or another that has these parts in this order.

    Raises PartialReadingError unless it is whole to the last byte.
    """
    end = _END.search(data, max(0, len(data) - 80))
    if end is None:
        raise PartialReadingError(
            f"the reading stops after {len(data)} bytes without its last line: read again"
        )
    whole = data[: end.start()]
    if hashlib.sha256(whole).hexdigest().encode() != end[1]:
        raise PartialReadingError("the reading is not what its hash says: read again")
    if not whole.startswith(_FIRST):
        raise PartialReadingError("the gate speaks another version: install the current fwguard-gate there")
    index, _, _ = whole[len(_FIRST) :].partition(b"\n\n")
    start = len(_FIRST) + len(index) + 2
    parts: dict[str, str] = {}
    names: list[str] = []
    for line in index.split(b"\n"):
        name, _, length = line.decode("ascii", "replace").partition(" ")
        if not length.isascii() or not length.isdigit() or len(length) > 9:
            raise PartialReadingError(f"the index of the reading holds {line[:60]!r}: read again")
        names.append(name)
        if int(length):
            parts[name] = decode_text(whole[start : start + int(length)])
        start += int(length)
    if tuple(names) != wanted or start != len(whole):
        raise PartialReadingError("the reading has not the parts that its index says: read again")
    return Snapshot(parts)


def bundle_bytes(steps: Iterable[tuple[str, str, str]]) -> bytes:
    """Return a bundle for the gate's `apply` from (section, kind, body)."""
    index, bodies = [], []
    for section, kind, body in steps:
        data = encode_text(body)
        index.append(b"%s %s %d\n" % (section.encode(), kind.encode(), len(data)))
        bodies.append(data)
    rest = b"".join((*index, b"\n", *bodies))
    return b"fwguard-bundle 1 %d %s\n" % (len(rest), hashlib.sha256(rest).hexdigest().encode()) + rest
