"""What a certificate says of its names, by the bytes: a walk over DER that never recurses and never fails.

Only the subject, the issuer and whether it bears subject alternative names are wanted here, of bytes that an
attacker wrote; nothing is verified. Source: X.690 section 8.1, RFC 5280 section 4.1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

_COMMON_NAME: Final = b"\x06\x03\x55\x04\x03"
_ALT_NAME: Final = b"\x06\x03\x55\x1d\x11"
_SEQUENCE, _VERSION, _EXTENSIONS = 0x30, 0xA0, 0xA3
_MAX_NAME_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class Certificate:
    """Common names of subject and issuer ("" when absent), and the DNS names it is for."""

    subject: str
    issuer: str
    names: tuple[str, ...]


def read_certificate(data: bytes) -> Certificate | None:
    """Return the names of a certificate, or None when the bytes are not one (or not all of one)."""
    outer = _element(data, 0, len(data))
    inner = _element(data, outer[1], outer[2]) if outer and outer[0] == _SEQUENCE else None
    if inner is None or inner[0] != _SEQUENCE:
        return None
    at, end = inner[1], inner[2]
    parts: list[tuple[int, int, int]] = []
    while at < end and len(parts) < 12:
        part = _element(data, at, end)
        if part is None:
            return None
        parts.append(part)
        at = part[2]
    if parts and parts[0][0] == _VERSION:
        del parts[0]
    # serialNumber, signature, issuer, validity, subject, subjectPublicKeyInfo, then what is optional
    if len(parts) < 6 or any(part[0] != _SEQUENCE for part in (parts[1], *parts[2:6])):
        return None
    names: tuple[str, ...] = ()
    for kind, start, stop in parts[6:]:
        if kind == _EXTENSIONS:
            names = _alternative(data[start:stop])
    return Certificate(
        _common(data[parts[4][1] : parts[4][2]]), _common(data[parts[2][1] : parts[2][2]]), names
    )


def _element(data: bytes, at: int, end: int) -> tuple[int, int, int] | None:
    """Return tag, start and end of the value of the element at `at`, if it ends before `end`."""
    if at + 2 > end:
        return None
    size = data[at + 1]
    start = at + 2
    if size & 0x80:
        count = size & 0x7F
        if not 1 <= count <= 3 or start + count > end:
            return None
        size = int.from_bytes(data[start : start + count], "big")
        start += count
    return (data[at], start, start + size) if start + size <= end else None


def _common(name: bytes) -> str:
    at = name.find(_COMMON_NAME)
    value = _element(name, at + len(_COMMON_NAME), len(name)) if at >= 0 else None
    return name[value[1] : min(value[2], value[1] + _MAX_NAME_BYTES)].decode("latin-1") if value else ""


def _alternative(extensions: bytes) -> tuple[str, ...]:
    at = extensions.find(_ALT_NAME)
    if at < 0:
        return ()
    at += len(_ALT_NAME)
    critical = _element(extensions, at, len(extensions))
    if critical and critical[0] == 0x01:
        at = critical[2]
    wrapped = _element(extensions, at, len(extensions))
    listed = _element(extensions, wrapped[1], wrapped[2]) if wrapped else None
    names: list[str] = []
    if listed:
        at = listed[1]
        while len(names) < 64:
            name = _element(extensions, at, listed[2])
            if name is None:
                break
            if name[0] == 0x82 and name[2] - name[1] <= _MAX_NAME_BYTES:
                names.append(extensions[name[1] : name[2]].decode("latin-1").lower())
            at = name[2]
    return tuple(names)
