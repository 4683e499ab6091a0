"""Interfaces (RFC 8343, RFC 8344): they decide nothing here, but lists and routes refer to them."""

from __future__ import annotations

from typing import Final

from fwguard.dialects.rfc8519.names import INTERFACES, IP
from fwguard.dialects.rfc8519.tree import Node
from fwguard.model.policy import Unread

_KNOWN: Final = frozenset(
    {"name", "type", "description", "enabled", "link-up-down-trap-enable", "statistics"}
)
_KNOWN_IP: Final = frozenset(
    {"enabled", "forwarding", "mtu", "address", "neighbor", "dup-addr-detect-transmits"}
)


def read_interfaces(interfaces: Node) -> list[Unread]:
    """Return what stands there besides names, types and addresses."""
    unread = []
    for interface in interfaces.children:
        for node in interface.children or [interface]:
            if node.module == INTERFACES and node.name in _KNOWN:
                continue
            inner = node.children if node.module == IP and node.name in ("ipv4", "ipv6") else [node]
            unread += [
                Unread(line=one.line, text=one.words(), why="not known under interface")
                for one in inner
                if one.module != IP or one.name not in _KNOWN_IP
            ]
    return unread
