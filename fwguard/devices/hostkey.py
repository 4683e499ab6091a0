"""The key by which a device proves that it is itself: fetched once, pinned, compared before we log in."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import socket
from typing import Final

import paramiko

from fwguard.errors import DeviceUnreachableError, HostKeyChangedError, InputError

_TYPES: Final = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "ssh-rsa",
)


def fetch_host_key(address: str, port: int, *, connect_s: float = 5.0) -> str:
    """Return the key that this address shows now, as in known_hosts ("ssh-ed25519 AAAA…").

    For the first registration, where a person compares its fingerprint; nothing is logged in to.
    Raises DeviceUnreachableError.
    """
    try:
        with socket.create_connection((address, port), timeout=connect_s) as sock:
            transport = paramiko.Transport(sock)
            try:
                transport.banner_timeout = transport.handshake_timeout = connect_s
                transport.start_client(timeout=connect_s)
                key = transport.get_remote_server_key()
                return f"{key.get_name()} {key.get_base64()}"
            finally:
                transport.close()
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise DeviceUnreachableError(
            f"{address} port {port} shows no SSH host key ({error}): is sshd running, is the way open?"
        ) from None


def host_key_fingerprint(host_key: str) -> str:
    """Return the fingerprint of a known_hosts key as ssh-keygen -l shows it ("SHA256:…")."""
    _, blob = parse_host_key(host_key)
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def parse_host_key(host_key: str) -> tuple[str, bytes]:
    """Return type and blob of a key as in known_hosts. Raises InputError."""
    words = host_key.split()
    try:
        if len(words) < 2 or words[0] not in _TYPES:
            raise ValueError
        return words[0], base64.b64decode(words[1], validate=True)
    except (ValueError, binascii.Error):
        raise InputError(
            f"host key {host_key[:40]!r}", expected="a key as in known_hosts, ssh-ed25519 AAAA…"
        ) from None


def check_host_key(shown: paramiko.PKey, pinned: str, *, device: str) -> None:
    """Raise HostKeyChangedError unless the shown key is the pinned one."""
    name, blob = parse_host_key(pinned)
    if shown.get_name() == name and hmac.compare_digest(shown.asbytes(), blob):
        return
    now = host_key_fingerprint(f"{shown.get_name()} {shown.get_base64()}")
    wanted = host_key_fingerprint(pinned)
    raise HostKeyChangedError(
        f"{device} shows the host key {now}, not the pinned {wanted}: nothing was sent to it. "
        "Was the server reinstalled? Pin the new key only once its client says so",
        shown=now,
        pinned=wanted,
    )
