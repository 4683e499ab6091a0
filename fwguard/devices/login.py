"""How we log in over SSH: the device proves that it is the one we know, then we show our key and nothing else."""

from __future__ import annotations

import io
from typing import Final

import paramiko

from fwguard.devices.hostkey import check_host_key, parse_host_key
from fwguard.devices.protocol import Endpoint
from fwguard.errors import AuthenticationError, InputError

_KINDS: Final = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)
_RSA_SIGNATURES: Final = ("rsa-sha2-512", "rsa-sha2-256")  # RFC 8332; ssh-rsa itself signs with SHA-1


def ask_for_pinned_key(transport: paramiko.Transport, host_key: str) -> None:
    """Prefer the pinned kind of key, so that a device with several shows the one that we know."""
    kind, _ = parse_host_key(host_key)
    first = _RSA_SIGNATURES if kind == "ssh-rsa" else (kind,)
    options = transport.get_security_options()
    options.key_types = (*first, *(name for name in options.key_types if name not in first))


def log_in(transport: paramiko.Transport, endpoint: Endpoint, *, where: str) -> None:
    """Compare the host key that was shown with the pinned one, then authenticate.

    Raises HostKeyChangedError before anything of ours was sent, AuthenticationError, InputError; what breaks
    on the way comes as paramiko raises it.
    """
    check_host_key(transport.get_remote_server_key(), endpoint.host_key, device=where)
    username = endpoint.firewall.username
    try:
        transport.auth_publickey(username, read_private_key(endpoint))
    except paramiko.AuthenticationException as error:
        raise AuthenticationError(
            f"{where} rejects our key for {username} ({error}): is it in authorized_keys there?"
        ) from None


def read_private_key(endpoint: Endpoint) -> paramiko.PKey:
    """Read our key for a firewall. Raises InputError; the message holds nothing of it."""
    for kind in _KINDS:
        try:
            return kind.from_private_key(io.StringIO(endpoint.private_key))
        except (paramiko.SSHException, ValueError, IndexError):
            continue
    raise InputError(
        f"the private key for {endpoint.firewall.name} cannot be read",
        expected="an OpenSSH private key without passphrase (ssh-keygen -t ed25519 -N '')",
    )
