"""Secrets at rest: AES-256-GCM, bound to their owner, under keys that can be rotated."""

from __future__ import annotations

import base64
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fwguard.config import SecretKeys
from fwguard.errors import InputError

_NONCE_BYTES: Final = 12  # NIST SP 800-38D, 5.2.1.1


class Vault:
    """Seals and opens small secrets with keys derived for this purpose alone.

    Text form: `v1.KEY_ID.BASE64(nonce + ciphertext + tag)`; owner and key id are associated data, so a
    secret moved to another row does not open.
    """

    def __init__(self, keys: SecretKeys) -> None:
        self._newest = keys.newest
        self._ciphers = {
            key_id: AESGCM(key) for key_id, key in keys.derive_all("device secrets at rest").items()
        }

    def seal(self, secret: bytes, *, owner: str) -> str:
        """Return `secret` encrypted with the newest key for `owner` ("firewall:NAME")."""
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self._ciphers[self._newest].encrypt(nonce, secret, _bound_to(owner, self._newest))
        return f"v1.{self._newest}.{base64.b64encode(nonce + sealed).decode()}"

    def open(self, sealed: str, *, owner: str) -> bytes:
        """Return the secret. Raises InputError: another owner's, altered, or sealed with a key we lack."""
        version, _, rest = sealed.partition(".")
        key_id, _, body = rest.partition(".")
        cipher = self._ciphers.get(key_id)
        if version != "v1" or cipher is None:
            raise InputError(f"secret of {owner} needs key {key_id!r}", expected="that key in the key file")
        try:
            raw = base64.b64decode(body, validate=True)
            return cipher.decrypt(raw[:_NONCE_BYTES], raw[_NONCE_BYTES:], _bound_to(owner, key_id))
        except (InvalidTag, ValueError):
            raise InputError(
                f"secret of {owner} was altered or belongs to another", expected="the secret as it was sealed"
            ) from None

    def is_stale(self, sealed: str) -> bool:
        """Tell whether a secret was sealed with another key than the newest."""
        return not sealed.startswith(f"v1.{self._newest}.")


def _bound_to(owner: str, key_id: str) -> bytes:
    return f"fwguard\0{owner}\0{key_id}".encode()
