"""Netlink messages: what is asked, what comes back, and how both are packed.

Sources: netlink(7); <linux/netlink.h>, struct nlmsghdr, nlmsgerr; <linux/netfilter/nfnetlink.h> for `nfgenmsg`
and batches (net/netfilter/nfnetlink.c, nfnetlink_rcv_batch).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from struct import Struct
from typing import Final

from fwguard.errors import PartialReadingError
from fwguard.kernel import attributes as a

NLMSG_ERROR, NLMSG_DONE, NLMSG_OVERRUN = 2, 3, 4
NLM_F_REQUEST, NLM_F_MULTI, NLM_F_ACK, NLM_F_DUMP_INTR = 0x1, 0x2, 0x4, 0x10
NLM_F_DUMP = 0x300
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
NLM_F_CAPPED, NLM_F_ACK_TLVS = 0x100, 0x200  # of an answer
NLMSGERR_ATTR_MSG: Final = 1

NFNL_SUBSYS_CTNETLINK, NFNL_SUBSYS_ULOG, NFNL_SUBSYS_NFTABLES = 1, 4, 10
NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END = 0x10, 0x11
NFNL_BATCH_GENID: Final = 1
HEADER_BYTES: Final = 16

_header = Struct("=IHHII")  # length, type, flags, sequence, port id
_nfgen = Struct("!BBH")  # family, version, resource
_error = Struct("=i")


@dataclass(frozen=True, slots=True)
class Request:
    """One message to be sent: `kind` holds subsystem and operation, `body` all behind nlmsghdr."""

    kind: int
    body: bytes
    flags: int = 0
    what: str = ""  # for messages: "element of set inet edge cut_local_v4"


@dataclass(frozen=True, slots=True)
class Message:
    """One message that came in. `body` is what stands behind nlmsghdr."""

    kind: int
    flags: int
    sequence: int
    port: int
    body: memoryview


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the kernel did not do: errno, its own words where it has some, and the request (None: the batch)."""

    number: int
    words: str
    request: Request | None

    @property
    def what(self) -> str:
        """Return what was refused, in words."""
        return self.request.what if self.request else "the transaction"


def netfilter(
    subsystem: int,
    operation: int,
    family: int,
    *parts: bytes,
    flags: int = 0,
    resource: int = 0,
    what: str = "",
) -> Request:
    """Return a request to a netfilter subsystem: `nfgenmsg`, then attributes."""
    body = _nfgen.pack(family, 0, resource) + b"".join(parts)
    return Request(subsystem << 8 | operation, body, flags, what)


def batch_bounds(generation: int | None) -> tuple[Request, Request]:
    """Return the first and last message of an nf_tables batch.

    With a `generation` the kernel refuses the batch (ERESTART) when the ruleset is no longer of it.
    """
    guard = b"" if generation is None else a.be32(NFNL_BATCH_GENID, generation)
    begin = Request(
        NFNL_MSG_BATCH_BEGIN, _nfgen.pack(0, 0, NFNL_SUBSYS_NFTABLES) + guard, what="the batch's begin"
    )
    end = Request(NFNL_MSG_BATCH_END, _nfgen.pack(0, 0, NFNL_SUBSYS_NFTABLES), what="the batch's end")
    return begin, end


def pack(request: Request, sequence: int, flags: int) -> bytes:
    """Return a message, padded to four bytes."""
    size = HEADER_BYTES + len(request.body)
    head = _header.pack(size, request.kind, request.flags | flags, sequence, 0)
    return head + request.body + b"\0" * (-size & 3)


def unpack(data: a.Buffer) -> Iterator[Message]:
    """Yield the messages of one datagram. Raises PartialReadingError on a length that cannot be."""
    view = memoryview(data)
    at, end = 0, len(view)
    while end - at >= HEADER_BYTES:
        size, kind, flags, sequence, port = _header.unpack_from(view, at)
        if size < HEADER_BYTES or at + size > end:
            raise PartialReadingError(f"netlink message of {size} bytes in {end - at}: cut short; read again")
        yield Message(kind, flags, sequence, port, view[at + HEADER_BYTES : at + size])
        at += (size + 3) & ~3


def kept(message: Message) -> Message:
    """Return a message whose bytes are its own: those of a socket's buffer are written over."""
    copy = memoryview(bytes(message.body))
    return Message(message.kind, message.flags, message.sequence, message.port, copy)


def refusal(message: Message, request: Request) -> Refusal:
    """Return what an NLMSG_ERROR says of a request; errno 0 is its acknowledgement."""
    number = error_number(message)
    words = ""
    if number and message.flags & NLM_F_ACK_TLVS:
        # Behind the error stands the header of the request, whole unless capped (NETLINK_CAP_ACK).
        start = 4 + HEADER_BYTES
        if not message.flags & NLM_F_CAPPED:
            start = 4 + (_header.unpack_from(message.body, 4)[0] + 3 & ~3)
        said = a.first(message.body[start:], NLMSGERR_ATTR_MSG)
        words = a.read_text(said) if said is not None else ""
    return Refusal(number, words, request)


def error_number(message: Message) -> int:
    """Return the errno of an error or of a listing's end, 0 for success."""
    return -int(_error.unpack_from(message.body)[0]) if len(message.body) >= 4 else 0
