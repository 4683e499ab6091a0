"""Connections that the kernel tracks: listed and ended by zone, address, protocol and port, v4 and v6 alike.

An opening that ends takes its connections with it: `ct state established` would let them live on (clause
7.1.1). Source: <linux/netfilter/nfnetlink_conntrack.h>; net/netfilter/nf_conntrack_netlink.c; conntrack(8).
"""

from __future__ import annotations

import errno
import ipaddress
import socket as plain_socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from fwguard.errors import InputError
from fwguard.kernel import attributes as a
from fwguard.kernel.messages import NFNL_SUBSYS_CTNETLINK, Message, Request, netfilter
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import error_for, raise_refused

IPCTNL_MSG_CT_GET, IPCTNL_MSG_CT_DELETE = 1, 2
CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_ID, CTA_ZONE, CTA_FILTER = 1, 2, 12, 18, 25
CTA_TUPLE_IP, CTA_TUPLE_PROTO, CTA_TUPLE_ZONE = 1, 2, 3
CTA_IP_V4_SRC, CTA_IP_V4_DST = 1, 2
CTA_PROTO_NUM, CTA_PROTO_SRC_PORT, CTA_PROTO_DST_PORT = 1, 2, 3
CTA_FILTER_ORIG_FLAGS, CTA_FILTER_REPLY_FLAGS = 1, 2
# net/netfilter/nf_conntrack_netlink.c, CTA_FILTER_F_: what of the tuple must be equal (Linux 5.8 on).
CTA_FILTER_F_CTA_IP_SRC, CTA_FILTER_F_CTA_IP_DST = 0x1, 0x2

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_FAMILIES: Final = {4: plain_socket.AF_INET, 6: plain_socket.AF_INET6}


@dataclass(frozen=True, slots=True)
class End:
    """Address and port of one side in one direction; port 0 for protocols without."""

    address: bytes
    port: int


@dataclass(frozen=True, slots=True)
class Flow:
    """One tracked connection: who began it, towards whom, and what the answers bear (differs under NAT).

    `zone` is that of the original direction. `tuple_bytes` and `ident` name it to the kernel.
    """

    zone: int
    protocol: int
    source: End
    target: End
    reply_source: End
    reply_target: End
    family: int
    ident: bytes
    tuple_bytes: bytes
    zone_bytes: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowMatch:
    """Which connections: all that is given must hold; None means any.

    `address` is on any side, before or after NAT; `source` began the connection and `target` was called, as
    first sent; `port` is the called one, before or after NAT. Raises InputError when nothing is given, or
    families are mixed.
    """

    zone: int | None = None
    address: Network | None = None
    source: Network | None = None
    target: Network | None = None
    protocol: int | None = None
    port: int | None = None
    source_port: int | None = None

    def __post_init__(self) -> None:
        networks = [one for one in (self.address, self.source, self.target) if one is not None]
        numbers = (self.zone, self.protocol, self.port, self.source_port)
        if not networks and all(one is None for one in numbers):
            raise InputError("a match of every connection", expected="at least a zone, an address or a port")
        if len({one.version for one in networks}) > 1:
            raise InputError(
                "IPv4 and IPv6 in one match", where=str(networks), expected="one family: two matches"
            )
        bounds = (0xFFFF, 0xFF, 0xFFFF, 0xFFFF)
        for value, bound in zip(numbers, bounds, strict=True):
            if value is not None and not 0 <= value <= bound:
                raise InputError(f"{value} is out of range", where=str(self), expected=f"0 to {bound}")

    @property
    def version(self) -> int:
        """Return 4, 6, or 0 for both."""
        return next((one.version for one in (self.address, self.source, self.target) if one is not None), 0)

    def matches(self, flow: Flow) -> bool:
        """Tell whether a connection is meant."""
        ends = (flow.source, flow.target, flow.reply_source, flow.reply_target)
        return (
            (self.zone is None or flow.zone == self.zone)
            and (self.protocol is None or flow.protocol == self.protocol)
            and (self.port is None or self.port in (flow.target.port, flow.reply_source.port))
            and (self.source_port is None or flow.source.port == self.source_port)
            and (self.source is None or _within(flow.source, self.source))
            and (self.target is None or _within(flow.target, self.target))
            and (self.address is None or any(_within(end, self.address) for end in ends))
        )


def flows(socket: NetlinkSocket, match: FlowMatch) -> list[Flow]:
    """Return the connections that match, read over all messages of the listing.

    A single v4 `source` or `target` is looked for by the kernel (Linux 5.8 on); all else is compared here, as is
    what the kernel found. Raises PartialReadingError when messages were lost.
    """
    found: list[Flow] = []
    for version in (match.version,) if match.version else (4, 6):
        head = _kernel_filter(match)
        family = int(_FAMILIES[version])
        try:
            listed = _listed(socket, family, head)
        except OSError as error:
            if not head or error.errno not in (errno.EINVAL, errno.EOPNOTSUPP):
                raise error_for(error.errno or errno.EIO, "listing connections") from None
            listed = _listed(socket, family, b"")
        found += [flow for flow in listed if flow is not None and match.matches(flow)]
    return found


def end_flows(socket: NetlinkSocket, match: FlowMatch) -> int:
    """End every connection that matches, and return how many were ended.

    One that ends by itself meanwhile is no error. Packets of an ended connection are new ones to the rules.
    """
    requests = [_deletion(flow) for flow in flows(socket, match)]
    refused = socket.each(requests)
    raise_refused([one for one in refused if one.number != errno.ENOENT], "ending connections")
    return len(requests) - len(refused)


def _listed(socket: NetlinkSocket, family: int, head: bytes) -> list[Flow | None]:
    request = netfilter(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET, family, head, what="listing connections")
    return socket.dump(request, _flow)


def _kernel_filter(match: FlowMatch) -> bytes:
    """Return a filter for the listing, empty where the kernel cannot help.

    Not for v6: ctnetlink_filter_match_tuple has its comparison reversed there (seen on Linux 6.18), so that the
    kernel leaves out exactly what was asked for.
    """
    if match.version != 4:
        return b""
    flags, addresses = 0, b""
    for network, flag, kind in (
        (match.source, CTA_FILTER_F_CTA_IP_SRC, CTA_IP_V4_SRC),
        (match.target, CTA_FILTER_F_CTA_IP_DST, CTA_IP_V4_DST),
    ):
        if network is not None and network.num_addresses == 1:
            flags |= flag
            addresses += a.attribute(kind, network.network_address.packed)
    if not flags:
        return b""
    which = a.attribute(CTA_FILTER_ORIG_FLAGS, flags.to_bytes(4, sys.byteorder))
    which += a.attribute(CTA_FILTER_REPLY_FLAGS, bytes(4))
    return a.nested(CTA_TUPLE_ORIG, a.nested(CTA_TUPLE_IP, addresses)) + a.nested(CTA_FILTER, which)


def _deletion(flow: Flow) -> Request:
    parts = [a.nested(CTA_TUPLE_ORIG, flow.tuple_bytes), a.attribute(CTA_ID, flow.ident)]
    if flow.zone_bytes:
        parts.append(a.attribute(CTA_ZONE, flow.zone_bytes))
    # nfgenmsg.version 1 is not needed: a tuple names one connection, and never flushes.
    return netfilter(NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE, flow.family, *parts, what="a connection")


def _flow(message: Message) -> Flow | None:
    parts = a.table_of(message.body[4:])
    if CTA_TUPLE_ORIG not in parts or CTA_TUPLE_REPLY not in parts or CTA_ID not in parts:
        return None
    original, reply = parts[CTA_TUPLE_ORIG], parts[CTA_TUPLE_REPLY]
    protocol, source, target, tuple_zone = _tuple(original)
    _, reply_source, reply_target, _ = _tuple(reply)
    zone = bytes(parts.get(CTA_ZONE, b""))
    return Flow(
        a.read_be16(zone or tuple_zone), protocol, source, target, reply_source, reply_target,
        message.body[0], bytes(parts[CTA_ID]), bytes(original), zone,
    )  # fmt: skip


def _tuple(data: a.Buffer) -> tuple[int, End, End, bytes]:
    """Return protocol, sender, receiver, and the zone of this direction alone when it has one."""
    addresses: list[bytes] = []
    protocol = sport = dport = 0
    zone = b""
    for kind, payload in a.walk(data):
        if kind == CTA_TUPLE_IP:
            addresses = [bytes(value) for _, value in _sorted(payload)]
        elif kind == CTA_TUPLE_PROTO:
            inner = a.table_of(payload)
            protocol = inner[CTA_PROTO_NUM][0] if CTA_PROTO_NUM in inner else 0
            sport = a.read_be16(inner.get(CTA_PROTO_SRC_PORT, b""))
            dport = a.read_be16(inner.get(CTA_PROTO_DST_PORT, b""))
        elif kind == CTA_TUPLE_ZONE:
            zone = bytes(payload)
    sender, receiver = addresses if len(addresses) == 2 else (b"", b"")
    return protocol, End(sender, sport), End(receiver, dport), zone


def _sorted(payload: a.Buffer) -> Iterator[tuple[int, memoryview]]:
    """Yield source, then target: CTA_IP_V4_SRC 1 and _DST 2, or CTA_IP_V6_SRC 3 and _DST 4."""
    yield from sorted(a.walk(payload), key=lambda one: one[0])


def _within(end: End, network: Network) -> bool:
    if len(end.address) * 8 != network.max_prefixlen:
        return False
    shift = network.max_prefixlen - network.prefixlen
    return int.from_bytes(end.address, "big") >> shift == int(network.network_address) >> shift
