"""The clear part of a TLS or DTLS handshake: what the client offers, what the server shows.

Sources: RFC 8446 section 4, RFC 5246 section 7.4, RFC 6066 section 3 (server name), RFC 7301 (ALPN),
RFC 5764 (use_srtp), RFC 6347 and 9147 (DTLS).
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from struct import Struct
from typing import Final

from fwguard.detect.der import Certificate, read_certificate

_HANDSHAKE, _CHANGE, _DATA = 22, 20, 23
_CLIENT_HELLO, _SERVER_HELLO, _CERTIFICATE = 1, 2, 11
_SERVER_NAME, _GROUPS, _USE_SRTP, _ALPN, _VERSIONS = 0, 10, 14, 16, 43
_MAX_RECORDS: Final = 16
_short = Struct("!H").unpack_from


@dataclass(frozen=True, slots=True)
class ClientHello:
    """What the client offers; `name` is the server that it asks for."""

    name: str
    alpn: tuple[str, ...]
    ciphers: tuple[int, ...]
    extensions: tuple[int, ...]
    groups: tuple[int, ...]
    use_srtp: bool


@dataclass(frozen=True, slots=True)
class ServerFlight:
    """What the server answered in clear: whether it said hello, its version, its certificate if visible.

    `whole` is false while more may still come in clear.
    """

    hello: bool
    version: int
    certificate: Certificate | None
    use_srtp: bool
    whole: bool


def looks_like_tls(head: bytes | bytearray) -> bool:
    """Return whether a stream begins as a TLS handshake record does, as far as it has come."""
    return bool(head) and head[0] == _HANDSHAKE and head[1:2] in (b"", b"\x03") and head[2:3] <= b"\x04"


def read_client(head: bytes | bytearray) -> ClientHello | None:
    """Return the client's hello once all of it is there."""
    messages, _ = _messages(bytes(head))
    if len(messages) < 4 or messages[0] != _CLIENT_HELLO:
        return None
    end = 4 + int.from_bytes(messages[1:4], "big")
    return read_hello(messages[4:end], cookie=False) if end <= len(messages) else None


def read_server(head: bytes | bytearray) -> ServerFlight:
    """Return what the server's stream shows so far."""
    messages, whole = _messages(bytes(head))
    hello, version, use_srtp = False, 0, False
    certificate: Certificate | None = None
    at = 0
    for _ in range(_MAX_RECORDS):
        if at + 4 > len(messages):
            break
        kind, size = messages[at], int.from_bytes(messages[at + 1 : at + 4], "big")
        body = messages[at + 4 : at + 4 + size]
        if kind == _SERVER_HELLO and len(body) == size:
            hello = True
            version, use_srtp = _server_hello(body)
        elif kind == _CERTIFICATE:
            certificate = leaf(body)
            whole = whole or certificate is not None
        at += 4 + size
    return ServerFlight(hello, version, certificate, use_srtp, whole or version >= 0x0304)


def leaf(body: bytes) -> Certificate | None:
    """Return the first certificate of a Certificate message (RFC 5246 section 7.4.2)."""
    if len(body) < 6:
        return None
    size = int.from_bytes(body[3:6], "big")
    return read_certificate(body[6 : 6 + size]) if 6 + size <= len(body) else None


def _messages(head: bytes) -> tuple[bytes, bool]:
    """Return the handshake bytes of the records, and whether the stream has left the handshake."""
    parts: list[bytes] = []
    at = 0
    for _ in range(_MAX_RECORDS):
        if at + 5 > len(head):
            break
        if head[at] != _HANDSHAKE:
            return b"".join(parts), True
        size = _short(head, at + 3)[0]
        parts.append(head[at + 5 : at + 5 + size])
        at += 5 + size
    return b"".join(parts), False


def read_hello(body: bytes, *, cookie: bool) -> ClientHello | None:
    """Read a ClientHello's body; `cookie` for DTLS, which has one (RFC 6347 section 4.2.1)."""
    try:
        at = 34
        at += 1 + body[at]
        if cookie:
            at += 1 + body[at]
        size = _short(body, at)[0]
        ciphers = tuple(_short(body, i)[0] for i in range(at + 2, min(at + 2 + size, len(body) - 1), 2))
        at += 2 + size
        at += 1 + body[at]
        name, use_srtp = "", False
        alpn: tuple[str, ...] = ()
        groups: tuple[int, ...] = ()
        kinds: list[int] = []
        for kind, start, end in _extensions(body, at):
            kinds.append(kind)
            if kind == _SERVER_NAME and end - start > 5 and body[start + 2] == 0:
                name = body[start + 5 : start + 5 + _short(body, start + 3)[0]].decode("latin-1").lower()
            elif kind == _ALPN:
                alpn = _protocols(body[start + 2 : end])
            elif kind == _GROUPS:
                groups = tuple(_short(body, i)[0] for i in range(start + 2, end - 1, 2))
            elif kind == _USE_SRTP:
                use_srtp = True
    except (IndexError, struct.error):
        return None
    return ClientHello(name[:255].rstrip("."), alpn, ciphers, tuple(kinds), groups, use_srtp)


def _server_hello(body: bytes) -> tuple[int, bool]:
    """Return the version that was chosen and whether SRTP was."""
    try:
        version = _short(body, 0)[0]
        at = 34
        at += 1 + body[at] + 3
        use_srtp = False
        for kind, start, _ in _extensions(body, at) if at + 2 <= len(body) else ():
            if kind == _VERSIONS:
                version = _short(body, start)[0]
            use_srtp = use_srtp or kind == _USE_SRTP
    except (IndexError, struct.error):
        return 0, False
    return version, use_srtp


def _extensions(body: bytes, at: int) -> list[tuple[int, int, int]]:
    """Return kind, start and end of each extension; a list that ends early gives what is whole."""
    found: list[tuple[int, int, int]] = []
    if at + 2 > len(body):
        return found
    end = min(len(body), at + 2 + _short(body, at)[0])
    at += 2
    while at + 4 <= end and len(found) < 64:
        kind, size = _short(body, at)[0], _short(body, at + 2)[0]
        if at + 4 + size > end:
            break
        found.append((kind, at + 4, at + 4 + size))
        at += 4 + size
    return found


def _protocols(data: bytes) -> tuple[str, ...]:
    names: list[str] = []
    at = 0
    while at < len(data) and len(names) < 16:
        names.append(data[at + 1 : at + 1 + data[at]].decode("latin-1"))
        at += 1 + data[at]
    return tuple(names)


def read_dtls(payload: bytes) -> tuple[int, bytes] | None:
    """Return type and body of the first handshake message of a DTLS datagram when it is whole and clear."""
    if len(payload) < 25 or payload[0] != _HANDSHAKE or payload[1] != 0xFE or payload[2] not in (0xFD, 0xFF):
        return None
    if payload[3:5] != b"\0\0":  # a later epoch is encrypted
        return None
    size = int.from_bytes(payload[14:17], "big")
    offset, length = int.from_bytes(payload[19:22], "big"), int.from_bytes(payload[22:25], "big")
    if offset or length != size or 25 + size > len(payload):
        return None
    return payload[13], payload[25 : 25 + size]


def dtls_server_srtp(body: bytes) -> bool:
    """Return whether a DTLS ServerHello chose SRTP."""
    return _server_hello(body)[1]
