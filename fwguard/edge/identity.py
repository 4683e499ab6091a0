"""Who this edge is: an Ed25519 key of its own, and the controller's key, pinned when it enrolled (RFC 8032)."""

from __future__ import annotations

import base64
import binascii
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fwguard.edge.durable import make_private, write_whole
from fwguard.errors import ConflictError, InputError
from fwguard.model.edge_wire import SCHEME, request_bytes, state_bytes

KEY_FILE: Final = "edge.key"
CONTROLLER_FILE: Final = "controller.pub"


@dataclass(frozen=True, slots=True)
class Identity:
    """The edge's name, its key, and the controller's key (None until it enrolled)."""

    name: str
    _key: Ed25519PrivateKey = field(repr=False)
    _controller: Ed25519PublicKey | None = field(default=None, repr=False)

    @property
    def public_key(self) -> str:
        """Return our public key, raw, in base64."""
        return base64.b64encode(self._key.public_key().public_bytes_raw()).decode()

    @property
    def is_enrolled(self) -> bool:
        """Tell whether the controller's key is known."""
        return self._controller is not None

    def authorization(self, method: str, target: str, body: bytes, *, now_s: int) -> str:
        """Return the value of the Authorization header of one request."""
        nonce = secrets.token_hex(16)
        signed = self._key.sign(request_bytes(self.name, method, target, now_s, nonce, body))
        return f"{SCHEME} {self.name} {now_s} {nonce} {base64.b64encode(signed).decode()}"

    def check_state(self, state: bytes, signature: str) -> None:
        """Raise InputError unless the controller whose key we pinned signed these bytes for this edge."""
        if self._controller is None:
            raise InputError("no controller is pinned", where="signature", expected="an enrolled edge")
        try:
            raw = base64.b64decode(signature, validate=True)
            self._controller.verify(raw, state_bytes(self.name, state))
        except (InvalidSignature, binascii.Error, ValueError):
            raise InputError(
                "does not hold",
                where="signature",
                expected=f"the controller's, over this state for {self.name}",
            ) from None


def open_identity(folder: Path, name: str) -> Identity:
    """Read this edge's key and the pinned one; the first time, make the key (mode 0600).

    Raises InputError for a file that others may read or that is no key.
    """
    make_private(folder)
    path = folder / KEY_FILE
    if not path.exists():
        write_whole(path, base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()) + b"\n")
    if os.stat(path).st_mode & 0o077:
        raise InputError("others may read it", where=str(path), expected="chmod 600")
    key = Ed25519PrivateKey.from_private_bytes(_raw(path))
    pinned = folder / CONTROLLER_FILE
    controller = Ed25519PublicKey.from_public_bytes(_raw(pinned)) if pinned.exists() else None
    return Identity(name, key, controller)


def pin_controller(folder: Path, controller_key: str) -> None:
    """Keep the controller's key for good. Raises ConflictError when another one is pinned already."""
    try:
        raw = base64.b64decode(controller_key, validate=True)
        Ed25519PublicKey.from_public_bytes(raw)
    except ValueError:
        raise InputError("no key", where="controller_key", expected="a raw Ed25519 key in base64") from None
    path = folder / CONTROLLER_FILE
    if path.exists() and _raw(path) != raw:
        raise ConflictError(
            f"{path}: another controller is pinned; if the controller's key was really changed, remove this "
            "file and enrol again with a new token"
        )
    write_whole(path, base64.b64encode(raw) + b"\n")


def _raw(path: Path) -> bytes:
    try:
        raw = base64.b64decode(path.read_bytes().strip(), validate=True)
    except (OSError, ValueError):
        raw = b""
    if len(raw) != 32:
        raise InputError("no key", where=str(path), expected="32 bytes in base64")
    return raw
