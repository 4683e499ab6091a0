"""What every port has carried, in one listing of the kernel's own 64-bit counters.

Source: rtnetlink(7), RTM_GETSTATS; <linux/if_link.h>, struct if_stats_msg, IFLA_STATS_LINK_64 and struct
rtnl_link_stats64. About 200 bytes a port, where RTM_GETLINK sends 1 500.
"""

from __future__ import annotations

import errno
import time
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from struct import Struct
from typing import Final, TypeVar

from fwguard.kernel import attributes as a
from fwguard.kernel.messages import Message, Request
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import error_for
from fwguard.kernel.sets import NamedSet

RTM_NEWSTATS, RTM_GETSTATS = 92, 94
IFLA_STATS_LINK_64: Final = 1
_FILTER_LINK_64: Final = 1 << (IFLA_STATS_LINK_64 - 1)
_header = Struct("=BBHII")  # family, padding, padding, ifindex, filter_mask
_stats = Struct("=QQQQ").unpack_from  # rx_packets, tx_packets, rx_bytes, tx_bytes
K = TypeVar("K", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Count:
    """Packets and bytes in each direction, as the edge sees its port: `in_` is what the server sent."""

    in_packets: int = 0
    in_bytes: int = 0
    out_packets: int = 0
    out_bytes: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(
            self.in_packets + other.in_packets,
            self.in_bytes + other.in_bytes,
            self.out_packets + other.out_packets,
            self.out_bytes + other.out_bytes,
        )


@dataclass(frozen=True, slots=True)
class PortReading:
    """Counters by interface index at a moment of the monotonic clock."""

    taken_s: float
    counts: Mapping[int, Count]


@dataclass(frozen=True, slots=True)
class Rate:
    """Bits per second in each direction, over `span_s`."""

    in_bps: float
    out_bps: float
    span_s: float


def route_socket(*, netns: str | None = None) -> NetlinkSocket:
    """Return a warm NETLINK_ROUTE socket for `read_ports`."""
    return NetlinkSocket(0, netns=netns)


def read_ports(socket: NetlinkSocket) -> PortReading:
    """Read the counters of every port at once. Raises PartialReadingError when it cannot be read whole."""
    request = Request(RTM_GETSTATS, _header.pack(0, 0, 0, 0, _FILTER_LINK_64), what="counters of the ports")
    try:
        found = socket.dump(request, _counted)
    except OSError as error:
        raise error_for(error.errno or errno.EIO, "counters of the ports") from None
    return PortReading(time.monotonic(), dict(one for one in found if one is not None))


def read_set(held: NamedSet) -> dict[bytes, tuple[int, int]]:
    """Return packets and bytes by key of a set or map declared with `counter`; keys without one are left out."""
    return {
        one.key: (one.packets, one.bytes)
        for one in held.elements()
        if one.packets is not None and one.bytes is not None
    }


def by_owner(counts: Mapping[int, Count], owners: Mapping[int, K]) -> dict[K, Count]:
    """Return the sums by client, architecture or server; ports without an owner are left out."""
    sums: dict[K, Count] = {}
    for index, count in counts.items():
        if index in owners:
            owner = owners[index]
            sums[owner] = sums.get(owner, Count()) + count
    return sums


def rates(before: PortReading, after: PortReading) -> dict[int, Rate]:
    """Return what each port carried between two readings.

    A port that is new counts from nothing; one whose counter fell was made anew under its index, and counts
    from nothing too.
    """
    span = after.taken_s - before.taken_s
    if span <= 0:
        return {}
    found = {}
    for index, now in after.counts.items():
        then = before.counts.get(index, Count())
        if now.in_bytes < then.in_bytes or now.out_bytes < then.out_bytes:
            then = Count()
        in_bps = 8 * (now.in_bytes - then.in_bytes) / span
        found[index] = Rate(in_bps, 8 * (now.out_bytes - then.out_bytes) / span, span)
    return found


def _counted(message: Message) -> tuple[int, Count] | None:
    if message.kind != RTM_NEWSTATS:
        return None
    index = _header.unpack_from(message.body)[3]
    stats = a.first(message.body[_header.size :], IFLA_STATS_LINK_64)
    if stats is None:
        return None
    in_packets, out_packets, in_bytes, out_bytes = _stats(stats)
    return index, Count(in_packets, in_bytes, out_packets, out_bytes)
