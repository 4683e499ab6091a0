"""Packets that rules log to a group, as views into one buffer: about a microsecond each, no objects per layer.

Source: <linux/netfilter/nfnetlink_log.h>; net/netfilter/nfnetlink_log.c. The kernel gathers packets and sends
them when `threshold` are there or the timeout has come, which is one second unless told: urgent groups want a
threshold of 1, bulk ones 50 with 64 KiB.
"""

from __future__ import annotations

import errno
import select
import time
from collections.abc import Iterator
from struct import Struct
from typing import Final

from fwguard.errors import ConflictError, InputError
from fwguard.kernel import attributes as a
from fwguard.kernel.messages import NFNL_SUBSYS_ULOG, netfilter
from fwguard.kernel.netlink import NetlinkSocket
from fwguard.kernel.refusals import numbers, raise_refused

NFULNL_MSG_PACKET, NFULNL_MSG_CONFIG = 0, 1
NFULNL_CFG_CMD_BIND: Final = 1
NFULA_CFG_CMD, NFULA_CFG_MODE, NFULA_CFG_NLBUFSIZ, NFULA_CFG_TIMEOUT, NFULA_CFG_QTHRESH, NFULA_CFG_FLAGS = (
    range(1, 7)
)
NFULNL_COPY_PACKET: Final = 2
NFULNL_CFG_F_SEQ: Final = 1
NFULA_PACKET_HDR, NFULA_MARK, NFULA_TIMESTAMP, NFULA_IFINDEX_INDEV, NFULA_IFINDEX_OUTDEV = 1, 2, 3, 4, 5
NFULA_HWADDR, NFULA_PAYLOAD, NFULA_PREFIX, NFULA_SEQ, NFULA_HWHEADER = 8, 9, 10, 12, 16
MAX_BUFFER_BYTES: Final = 131_072  # NFULNL_NLBUFSIZ_MAX

_message = Struct("=IHHII").unpack_from
_attribute = Struct("=HH").unpack_from
_be16 = Struct("!H").unpack_from
_be32 = Struct("!I").unpack_from
_time = Struct("!QQ").unpack_from
_PACKET: Final = NFNL_SUBSYS_ULOG << 8 | NFULNL_MSG_PACKET


class LoggedPacket:
    """One packet as a rule logged it.

    `payload` begins with the network header and is cut at the rule's snaplen; it and `hw_header` are views
    into a buffer that the next reading writes over: copy what must stay. `iif`, `oif` are interface indexes, 0
    for none; `mac` the sender's Ethernet address or empty; `taken_s` seconds since 1970; `hook` NF_INET_.
    """

    __slots__ = (
        "ethertype",
        "hook",
        "hw_header",
        "iif",
        "mac",
        "mark",
        "oif",
        "payload",
        "prefix",
        "taken_s",
    )

    def __init__(self) -> None:
        self.payload = self.hw_header = _EMPTY
        self.prefix = ""
        self.iif = self.oif = self.mark = self.ethertype = self.hook = 0
        self.mac = b""
        self.taken_s = 0.0


_EMPTY: Final = memoryview(b"")


class PacketLog:
    """A bound NFLOG group. One reader a group: the kernel refuses a second.

    `lost` counts packets by gaps in the kernel's sequence, `overflows` how often the socket's buffer was full
    (ENOBUFS): what is lost was judged by the rules, and only not seen here.
    """

    def __init__(
        self,
        group: int,
        *,
        netns: str | None = None,
        snaplen_bytes: int = 0xFFFF,
        threshold: int = 1,
        timeout_ms: int = 100,
        buffer_bytes: int = 65_536,
        receive_bytes: int = 16 << 20,
    ) -> None:
        """Bind the group.

        `snaplen_bytes` bounds what is copied of a packet; `threshold` packets or `timeout_ms` (in steps of 10)
        are one message of at most `buffer_bytes`; `receive_bytes` is what the socket holds unread.

        Raises:
            InputError: a value out of range. ConflictError: another reader has the group.
        """
        if not 0 <= group <= 0xFFFF or not 0 < threshold <= 0xFFFF or not 0 < snaplen_bytes <= 0xFFFF:
            raise InputError(
                "out of range", where=f"NFLOG group {group}", expected="group, threshold, snaplen ≤ 65535"
            )
        if not 4096 <= buffer_bytes <= MAX_BUFFER_BYTES:
            raise InputError(f"buffer of {buffer_bytes} bytes", expected=f"4096 to {MAX_BUFFER_BYTES}")
        self.group = group
        self.lost = 0
        self.overflows = 0
        self._next: int | None = None
        self._buffer = bytearray(MAX_BUFFER_BYTES + 4096)
        self._view = memoryview(self._buffer)
        self._socket = NetlinkSocket(netns=netns, receive_bytes=receive_bytes)
        request = netfilter(
            NFNL_SUBSYS_ULOG, NFULNL_MSG_CONFIG, 0,
            a.attribute(NFULA_CFG_CMD, bytes((NFULNL_CFG_CMD_BIND,))),
            a.attribute(NFULA_CFG_MODE, snaplen_bytes.to_bytes(4, "big") + bytes((NFULNL_COPY_PACKET, 0))),
            a.be32(NFULA_CFG_NLBUFSIZ, buffer_bytes),
            a.be32(NFULA_CFG_TIMEOUT, max(1, timeout_ms // 10)),
            a.be32(NFULA_CFG_QTHRESH, threshold),
            a.be16(NFULA_CFG_FLAGS, NFULNL_CFG_F_SEQ),
            resource=group, what=f"NFLOG group {group}",
        )  # fmt: skip
        try:
            refused = self._socket.each((request,))
            if errno.EPERM in numbers(refused):
                # The socket's own right was checked when it was opened; what is left is another's binding.
                raise ConflictError(f"NFLOG group {group}: another program reads it; end that one")
            raise_refused(refused, "binding")
        except BaseException:
            self._socket.close()
            raise

    def __enter__(self) -> PacketLog:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give the group up; the kernel forgets what waits in it."""
        self._socket.close()

    def fileno(self) -> int:
        """Return the descriptor, for a selector."""
        return self._socket.fileno()

    def packets(self, timeout_s: float) -> Iterator[LoggedPacket]:
        """Yield the packets of the next message, none after `timeout_s`. Use each before taking the next message.

        Broken messages end the iteration: the kernel writes them, so none is expected.
        """
        size = self._read(timeout_s)
        view, at = self._view, 0
        while size - at >= 16:
            length, kind, _, _, _ = _message(view, at)
            if length < 16 or at + length > size:
                return
            if kind == _PACKET:
                yield self._packet(view[at + 20 : at + length])
            at += (length + 3) & ~3

    def _read(self, timeout_s: float) -> int:
        deadline = time.monotonic() + timeout_s
        while select.select((self._socket,), (), (), max(0.0, deadline - time.monotonic()))[0]:
            try:
                return self._socket.receive_into(self._buffer)
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self.overflows += 1
        return 0

    def _packet(self, view: memoryview) -> LoggedPacket:
        packet = LoggedPacket()
        at, end = 0, len(view)
        while end - at >= 4:
            size, kind = _attribute(view, at)
            if size < 4 or at + size > end:
                break
            start = at + 4
            if kind == NFULA_PAYLOAD:
                packet.payload = view[start : at + size]
            elif kind == NFULA_PACKET_HDR:
                packet.ethertype = _be16(view, start)[0]
                packet.hook = view[start + 2]
            elif kind == NFULA_PREFIX:
                packet.prefix = bytes(view[start : at + size - 1]).decode(errors="backslashreplace")
            elif kind == NFULA_IFINDEX_INDEV:
                packet.iif = _be32(view, start)[0]
            elif kind == NFULA_IFINDEX_OUTDEV:
                packet.oif = _be32(view, start)[0]
            elif kind == NFULA_HWADDR:
                packet.mac = bytes(view[start + 4 : start + 4 + min(_be16(view, start)[0], 8)])
            elif kind == NFULA_HWHEADER:
                packet.hw_header = view[start : at + size]
            elif kind == NFULA_MARK:
                packet.mark = _be32(view, start)[0]
            elif kind == NFULA_TIMESTAMP:
                seconds, micro = _time(view, start)
                packet.taken_s = seconds + micro * 1e-6
            elif kind == NFULA_SEQ:
                self._count(_be32(view, start)[0])
            at += (size + 3) & ~3
        # What this host sends itself was never received, so the kernel gave it no time.
        packet.taken_s = packet.taken_s or time.time()
        return packet

    def _count(self, sequence: int) -> None:
        if self._next is not None:
            self.lost += (sequence - self._next) & 0xFFFFFFFF
        self._next = (sequence + 1) & 0xFFFFFFFF
