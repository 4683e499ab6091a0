"""Probes from any host of the platform: does traffic pass, and who answers."""

from __future__ import annotations

import socket

from fwguard.errors import InputError
from fwguard.lab import namespaces


def connect(
    netns: str, address: str, port: int, *, timeout_s: float, source: str = ""
) -> socket.socket | None:
    """Return a TCP connection from inside a namespace, or None when it does not come to be.

    `source` is the address to come from, one of the host's own. Raises InputError on what is no address.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    probe = namespaces.socket_in(netns, family, socket.SOCK_STREAM)
    probe.settimeout(timeout_s)
    try:
        if source:
            probe.bind((source, 0))
        probe.connect((address, port))
    except (socket.gaierror, OverflowError) as error:
        probe.close()
        raise InputError(f"{address} port {port}: {error}", expected="an IP address and 0-65535") from None
    except OSError:
        probe.close()
        return None
    return probe


def can_connect(netns: str, address: str, port: int, *, timeout_s: float, source: str = "") -> bool:
    """Tell whether a TCP connection from a namespace comes to be."""
    connection = connect(netns, address, port, timeout_s=timeout_s, source=source)
    if connection is None:
        return False
    connection.close()
    return True


def greeting(netns: str, address: str, port: int, *, timeout_s: float, source: str = "") -> str:
    """Return the line with which a lab server answers ("acme-web port=80 peer=198.51.100.10"), or ""."""
    probe = connect(netns, address, port, timeout_s=timeout_s, source=source)
    if probe is None:
        return ""
    with probe:
        try:
            probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
            text = ""
            while " peer=" not in text or not text.endswith("\n"):
                block = probe.recv(4096)
                if not block:
                    break
                text += block.decode(errors="replace")
        except OSError:
            return ""
    return next((line for line in text.splitlines() if " peer=" in line), "")


def datagram(netns: str, address: str, port: int, *, timeout_s: float, source: str = "") -> str:
    """Return what a lab server answers to one UDP datagram, or "" when nothing comes back."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with namespaces.socket_in(netns, family, socket.SOCK_DGRAM) as probe:
        probe.settimeout(timeout_s)
        try:
            if source:
                probe.bind((source, 0))
            probe.connect((address, port))
            probe.send(b"?")
            return probe.recv(2048).decode(errors="replace").strip()
        except OSError:
            return ""
