"""Names that the kernel's side and the compiler share: tables, marks, log groups."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

TABLE: Final = "fwguard"  # in the families inet, arp and, where a port is bridged, netdev
FAMILIES: Final = ("inet", "arp", "netdev")

PASSAGE_MARK: Final = 0x40000000
"""Bit of the packet mark: an isolated server's traffic that stays open; set and read by our chains only."""

VPN_MARK: Final = 0x20000000
"""Bit of the packet mark: a connection to a VPN architecture, logged where it passes (Annex 3)."""

SHARDS: Final = 256
WIDE: Final = SHARDS
"""The number of the shard after the last: openings that speak of more than one public address."""

RAW_PRIORITY: Final = -310
"""Before conntrack (-200) and after defragmentation (-400), so that no fragment hides its ports."""


class LogGroup(IntEnum):
    """NFLOG groups: what must be read at once is apart from what comes in bulk."""

    URGENT = 1  # a port was cut in the kernel (clause 7.1)
    FIRST_PACKETS = 2
    REFUSED = 3
    CONNECTIONS = 4  # of VPN architectures, and what mode observe let through


def shard_chain(shard: int) -> str:
    """Return the chain of a shard."""
    return "wide" if shard == WIDE else f"shard_{shard:02x}"
