"""Values as an nf_tables set holds them: registers of four bytes, one behind the other.

A concatenated key gives each part a multiple of four bytes; what is shorter is padded with zeros behind
(net/netfilter/nf_tables_api.c, NFT_REG32_SIZE). Addresses and ports stand in network order, numbers that
belong to the host (marks, interface indexes) in its own.
"""

from __future__ import annotations

import ipaddress
import socket
import sys
from typing import Final

from fwguard.errors import InputError

IFNAMSIZ: Final = 16
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def ipv4(value: str | int | ipaddress.IPv4Address) -> bytes:
    """Return a v4 address (nft type ipv4_addr), 4 bytes. Raises InputError."""
    try:
        return ipaddress.IPv4Address(value).packed
    except ValueError as error:
        raise InputError(str(error), expected="an IPv4 address") from None


def ipv6(value: str | int | ipaddress.IPv6Address) -> bytes:
    """Return a v6 address (nft type ipv6_addr), 16 bytes. Raises InputError."""
    try:
        return ipaddress.IPv6Address(value).packed
    except ValueError as error:
        raise InputError(str(error), expected="an IPv6 address") from None


def address(value: str | Address) -> bytes:
    """Return an address of either family. Raises InputError."""
    try:
        return ipaddress.ip_address(value).packed
    except ValueError as error:
        raise InputError(str(error), expected="an IPv4 or IPv6 address") from None


def ether(value: str) -> bytes:
    """Return a MAC address (nft type ether_addr), 6 bytes. Raises InputError."""
    parts = value.replace("-", ":").split(":")
    try:
        packed = bytes(int(part, 16) for part in parts if len(part) == 2)
    except ValueError:
        packed = b""
    if len(parts) != 6 or len(packed) != 6:
        raise InputError(
            f"{value!r} is no MAC address", expected="six pairs of hex digits, 02:00:5e:10:00:01"
        )
    return packed


def interface(name: str) -> bytes:
    """Return an interface's name (nft type ifname), 16 bytes. Raises InputError above 15."""
    encoded = name.encode()
    if not 0 < len(encoded) < IFNAMSIZ or b"\0" in encoded:
        raise InputError(f"{name!r} is no interface name", expected="1 to 15 bytes without zero (IFNAMSIZ)")
    return encoded.ljust(IFNAMSIZ, b"\0")


def port(number: int) -> bytes:
    """Return a port (nft type inet_service), 2 bytes. Raises InputError."""
    return _number(number, 2, "big", "a port")


def protocol(value: int | str) -> bytes:
    """Return a protocol by number or name (nft type inet_proto), 1 byte. Raises InputError."""
    if isinstance(value, str):
        known = {
            "tcp": socket.IPPROTO_TCP,
            "udp": socket.IPPROTO_UDP,
            "icmp": 1,
            "icmpv6": 58,
            "ipv6-icmp": 58,
        }
        if value not in known:
            raise InputError(f"protocol {value!r}", expected=f"a number or one of {', '.join(known)}")
        value = int(known[value])
    return _number(value, 1, "big", "a protocol")


def mark(number: int) -> bytes:
    """Return a mark, class id or interface index: 4 bytes in the host's order. Raises InputError."""
    return _number(number, 4, sys.byteorder, "a mark")


def concat(*parts: bytes) -> bytes:
    """Return a concatenated key of these parts (nft: `a . b . c`), each padded to four bytes."""
    if len(parts) == 1:
        return parts[0]
    return b"".join(part + b"\0" * (-len(part) & 3) for part in parts)


def after(value: bytes) -> bytes | None:
    """Return the value behind this one, None behind the last: where a plain interval's end element stands."""
    following = int.from_bytes(value, "big") + 1
    return None if following >> (8 * len(value)) else following.to_bytes(len(value), "big")


def _number(value: int, size: int, order: str, what: str) -> bytes:
    if not 0 <= value < 1 << (8 * size):
        raise InputError(
            f"{value} is no {what.split()[-1]}", expected=f"{what} from 0 to {(1 << 8 * size) - 1}"
        )
    return value.to_bytes(size, "big" if order == "big" else "little")
