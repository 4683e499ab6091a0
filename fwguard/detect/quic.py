"""The first packets of a QUIC connection: their keys are public, and the client's hello stands in them.

Sources: RFC 9000 sections 17.2 and 19.6, RFC 9001 section 5, RFC 9369 (version 2); drafts 23 to 34 by the
salts that they gave.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fwguard.detect.tls import ClientHello, read_hello

_V1: Final = bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a")
_V2: Final = bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9")
_DRAFT_29: Final = bytes.fromhex("afbfec289993d24c9e9786f19c6111e04390a899")
_DRAFT_23: Final = bytes.fromhex("c3eef712c72ebb5a11a7d2432bb46365bef9f502")
_SALTS: Final[Mapping[int, bytes]] = {
    0x00000001: _V1,
    0x6B3343CF: _V2,
    **{0xFF000000 | draft: _V1 for draft in (33, 34)},
    **{0xFF000000 | draft: _DRAFT_29 for draft in (29, 30, 31, 32)},
    **{0xFF000000 | draft: _DRAFT_23 for draft in range(23, 29)},
    0xFACEB002: _DRAFT_23,  # Facebook's, of draft 27
}
_VERSION_2: Final = 0x6B3343CF
_MAX_TRIES: Final = 4
_MAX_HELLO_BYTES: Final = 8192
_MAX_FRAMES: Final = 512
_PADDING, _PING, _ACK, _ACK_ECN, _CRYPTO = 0, 1, 2, 3, 6


def is_initial(payload: bytes) -> bool:
    """Return whether a datagram begins with an initial packet of a version whose keys are known."""
    if len(payload) < 1000 or payload[0] & 0xC0 != 0xC0:
        return False
    version = int.from_bytes(payload[1:5], "big")
    return version in _SALTS and payload[0] >> 4 & 3 == (1 if version == _VERSION_2 else 0)


class Opening:
    """The client's first packets; `over` when the hello was read or will not be."""

    __slots__ = ("keys", "over", "parts", "tries")

    def __init__(self) -> None:
        self.tries = 0
        self.over = False
        self.parts: dict[int, bytes] = {}
        self.keys: tuple[bytes, tuple[bytes, bytes, bytes]] | None = None

    def drop(self) -> None:
        """Give up, and give back what was held."""
        self.over = True
        self.parts.clear()
        self.keys = None

    def add(self, payload: bytes) -> ClientHello | None:
        """Take a datagram of the client; return its hello once it is whole."""
        if self.over:
            return None
        self.tries += 1
        self.over = self.tries >= _MAX_TRIES
        if not is_initial(payload):
            return None
        try:
            plain = self._decrypt(payload)
        except (IndexError, ValueError, InvalidTag):
            return None
        _crypto(plain, self.parts)
        stream = _joined(self.parts)
        if len(stream) < 4 or stream[0] != 1:
            return None
        end = 4 + int.from_bytes(stream[1:4], "big")
        if len(stream) < end:
            self.over = self.over or end > _MAX_HELLO_BYTES
            return None
        self.over = True
        return read_hello(stream[4:end], cookie=False)

    def _decrypt(self, payload: bytes) -> bytes:
        version = int.from_bytes(payload[1:5], "big")
        at = 6 + payload[5]
        target = payload[6:at]
        at += 1 + payload[at]
        token, at = _number(payload, at)
        length, at = _number(payload, at + token)
        if self.keys is None or self.keys[0] != target:
            self.keys = target, _keys(version, target)
        key, vector, mask_key = self.keys[1]
        if at + length > len(payload) or length < 20:
            raise ValueError(length)
        sample = payload[at + 4 : at + 20]
        encryptor = Cipher(algorithms.AES(mask_key), modes.ECB()).encryptor()  # noqa: S305 - RFC 9001, 5.4.3
        mask = encryptor.update(sample)
        first = payload[0] ^ mask[0] & 0x0F
        size = (first & 3) + 1
        number = bytes(payload[at + i] ^ mask[1 + i] for i in range(size))
        header = bytes((first,)) + payload[1:at] + number
        nonce = (int.from_bytes(vector, "big") ^ int.from_bytes(number, "big")).to_bytes(12, "big")
        return AESGCM(key).decrypt(nonce, payload[at + size : at + length], header)


def _keys(version: int, target: bytes) -> tuple[bytes, bytes, bytes]:
    """Return key, vector and header key of the client's initial packets (RFC 9001 section 5.2)."""
    word = "quicv2" if version == _VERSION_2 else "quic"
    secret = hmac.digest(_SALTS[version], target, hashlib.sha256)
    client = _expand(secret, "client in", 32)
    return (
        _expand(client, word + " key", 16),
        _expand(client, word + " iv", 12),
        _expand(client, word + " hp", 16),
    )


def _expand(secret: bytes, label: str, size: int) -> bytes:
    """HKDF-Expand-Label of RFC 8446 section 7.1, for at most one block."""
    name = b"tls13 " + label.encode("ascii")
    info = size.to_bytes(2, "big") + bytes((len(name),)) + name + b"\0\x01"
    return hmac.digest(secret, info, hashlib.sha256)[:size]


def _number(data: bytes, at: int) -> tuple[int, int]:
    """Read a variable-length integer (RFC 9000 section 16); return it and where it ends."""
    size = 1 << (data[at] >> 6)
    if at + size > len(data):
        raise ValueError(at)
    return int.from_bytes(data[at : at + size], "big") & (1 << size * 8 - 2) - 1, at + size


def _crypto(plain: bytes, parts: dict[int, bytes]) -> None:
    """Collect the CRYPTO frames of a packet; any order, any size (clients shuffle them on purpose)."""
    at = 0
    try:
        for _ in range(_MAX_FRAMES):
            while at < len(plain) and plain[at] == _PADDING:
                at += 1
            if at >= len(plain):
                return
            kind, at = plain[at], at + 1
            if kind == _CRYPTO:
                offset, at = _number(plain, at)
                size, at = _number(plain, at)
                if offset < _MAX_HELLO_BYTES and len(parts) < 64:
                    parts.setdefault(offset, plain[at : at + min(size, _MAX_HELLO_BYTES)])
                at += size
            elif kind in (_ACK, _ACK_ECN):
                _, at = _number(plain, at)
                _, at = _number(plain, at)
                ranges, at = _number(plain, at)
                for _ in range(1 + 2 * min(ranges, 64) + (3 if kind == _ACK_ECN else 0)):
                    _, at = _number(plain, at)
            elif kind != _PING:
                return
    except (IndexError, ValueError):
        return


def _joined(parts: Mapping[int, bytes]) -> bytes:
    stream = b""
    for offset in sorted(parts):
        if offset > len(stream):
            break
        stream += parts[offset][len(stream) - offset :]
    return stream
