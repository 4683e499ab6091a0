"""Ports, protocols and ICMP types as sets of numbers, and how people write them."""

from __future__ import annotations

from typing import Final

from fwguard.errors import InputError
from fwguard.model.intervals import Intervals

TCP: Final = 6
UDP: Final = 17
ICMP: Final = 1
ICMPV6: Final = 58
SCTP: Final = 132
DCCP: Final = 33
UDPLITE: Final = 136
ESP: Final = 50
AH: Final = 51
GRE: Final = 47

ANY_PORT: Final = Intervals(((0, 65535),))
ANY_PROTOCOL: Final = Intervals(((0, 255),))

PROTOCOL_NUMBERS: Final = {
    "icmp": ICMP, "igmp": 2, "ipencap": 4, "tcp": TCP, "udp": UDP, "dccp": DCCP, "ipv6": 41, "gre": GRE,
    "esp": ESP, "ah": AH, "icmpv6": ICMPV6, "ospf": 89, "pim": 103, "vrrp": 112, "sctp": SCTP,
    "udplite": UDPLITE,
}  # fmt: skip
PROTOCOL_NAMES: Final = {number: name for name, number in PROTOCOL_NUMBERS.items()}
# Protocols whose header starts with two 16-bit ports (RFC 9293, 768, 9260, 4340, 3828).
WITH_PORTS: Final = Intervals.single(TCP, UDP, SCTP, DCCP, UDPLITE)


def icmp_key(kind: int, code: int) -> int:
    """Return where an ICMP type and code stand in the destination-port dimension: type * 256 + code.

    ICMP has no ports; header space keeps five dimensions by putting type and code there.
    """
    return kind << 8 | code


def icmp_types(low: int, high: int) -> Intervals:
    """Return the destination-port dimension of ICMP types `low` to `high`, any code."""
    return Intervals.of((low << 8, high << 8 | 0xFF))


def parse_ports(text: str) -> Intervals:
    """Read "443", "8000-8010", "80,443,1000-2000"; raises InputError outside 0-65535 or reversed."""
    pairs = []
    for word in text.replace(" ", "").split(","):
        low_text, dash, high_text = word.replace(":", "-").partition("-")
        try:
            low = int(low_text)
            high = int(high_text) if dash else low
        except ValueError:
            raise InputError(
                f"port {word!r}", expected="a number, a range 8000-8010, or a comma list"
            ) from None
        if not (0 <= low <= 65535 and 0 <= high <= 65535):
            raise InputError(f"port {word}", expected="0 to 65535")
        if low > high:
            raise InputError(f"reversed port range {word}", expected=f"{high}-{low}")
        pairs.append((low, high))
    return Intervals.of(*pairs)


def show_ports(ports: Intervals) -> str:
    """Write ports as "80,443,8000-8010", or "any"."""
    if ports == ANY_PORT:
        return "any"
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in ports)


def parse_protocol(text: str) -> int:
    """Read a protocol name or number 0-255 (IANA protocol numbers)."""
    word = text.strip().lower()
    if word in ("ipv6-icmp", "icmp6"):
        return ICMPV6
    if word in PROTOCOL_NUMBERS:
        return PROTOCOL_NUMBERS[word]
    if word.isdecimal() and int(word) <= 255:
        return int(word)
    raise InputError(f"protocol {text!r}", expected="tcp, udp, icmp, … or a number 0-255")


def show_protocol(number: int) -> str:
    """Write a protocol by its name where it has one."""
    return PROTOCOL_NAMES.get(number, str(number))
